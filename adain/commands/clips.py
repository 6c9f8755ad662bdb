"""What adain stylize does with a video or a camera as content."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from adain.commands import frame_progress, print_error
from adain.errors import ImageError, OptionError
from adain.files import find
from adain.jobs import naming
from adain.methods.adain import AdaIN
from adain.methods.recipe import Recipe, Style
from adain.progress import stop_on_signals
from adain.transfer.stylizer import Stylizer
from adain.video.clips import MAX_FRAME_PIXELS, import_av
from adain.video.steady import check_smoothing

if TYPE_CHECKING:
    from adain.video.stylize import Summary as FileSummary
    from adain.video.webcam import Summary as CameraSummary

# The options that are supported for videos and cameras.
OPTIONS = frozenset({
    "content_path", "style_path", "alpha", "style_weights", "style_size", "tune", "smoothing",
    "seed", "max_pixels", "out_path", "overwrite", "model", "checkpoint", "vgg_path",
    "decoder_path", "engine", "precision", "tile_size", "max_memory"})
REASONS = {"refine": "each frame would be optimized by itself, so that its strokes flicker"}

Clip = tuple[Path, Path]  # a video, and its subfolder below the content path


def named(paths: list[str]) -> list[Clip]:
    """Return the videos or the camera among the content paths; nothing if these are pictures."""
    clips = [path for path in paths
             if is_camera(path) or (find.is_video(path) and not os.path.isdir(path))]
    if clips and len(clips) < len(paths):
        raise OptionError(f"videos and pictures need separate commands; received {clips[0]} among "
                          f"{len(paths)} contents.")
    if len(clips) > 1 and any(map(is_camera, clips)):
        raise OptionError("a camera must be the only content; received "
                          f"{len(clips)} contents.")
    return [(path, Path()) for path in dict.fromkeys(map(Path, clips))]


def below(paths: list[str], leave_out: list[str]) -> tuple[list[Clip], list[Path]]:
    """Return the videos in a folder that has no pictures, and the folders that cannot be read."""
    if len(paths) != 1 or not os.path.isdir(paths[0]):
        return [], []
    try:
        files, unreadable = find.list_below(paths[0], find.VIDEO_SUFFIXES, leave_out)
    except ImageError:
        return [], []
    return [(file, file.parent.relative_to(paths[0])) for file in files], unreadable


def is_camera(path: str) -> bool:
    """Return whether a content path is the number of a camera."""
    return path.isascii() and path.isdigit() and len(path) < 10


def main(contents: list[Clip], options: argparse.Namespace, recipe: Recipe,
         styles: list[Style]) -> int:
    """Stylize videos in every style, or a camera in one style; return the exit code."""
    if is_camera(str(contents[0][0])):
        return _camera(int(str(contents[0][0])), options, recipe, styles)
    from adain.video.writer import check_writable_format

    import_av()
    check_smoothing(options.smoothing)
    targets = name_results(contents, styles, options.out_path)
    check_writable_format(targets[0])
    todo: dict[Path, list[tuple[Style, Path]]] = {}
    for (source, style), target in zip(product([file for file, _ in contents], styles), targets):
        if target.exists() and not options.overwrite:
            print(f"{target} exists already (--overwrite replaces it)")
        else:
            todo.setdefault(source, []).append((style, target))
    method, failed = None, []
    for source, results in todo.items():
        try:
            _check(source, results[0][1], options)
        except (ImageError, OptionError) as error:
            if len(contents) == 1:
                raise
            print_error(error)
            failed.append(source)
            continue
        if results[0][1].suffix != source.suffix and not naming.is_file_name(options.out_path):
            print(f"{source}: {source.suffix} cannot be written, the result is .mp4",
                  file=sys.stderr)
        if method is None:
            method = AdaIN.from_options(vars(options), recipe)
        for style, target in results:
            try:
                _clip(options, method, source, style, target)
            except ImageError as error:  # only this style failed, or the disk is full
                print_error(error)
                failed.append(target)
    if failed:
        print(f"failed {len(failed)}: {', '.join(map(str, failed))}", file=sys.stderr)
    return 1 if failed else 0


def name_results(contents: list[Clip], styles: list[Style], out_path: str) -> list[Path]:
    """Return the path of each result, in the clip's format, or .mp4 if that cannot be written.

    If out_path is a file, it is the path of the single result.
    """
    from adain.video.writer import FORMATS

    longest = max(FORMATS, key=len)
    targets = naming.name_results(
        [(file, folder, style.name) for (file, folder), style in product(contents, styles)],
        out_path, longest.removeprefix("."))
    if naming.is_file_name(out_path):
        return targets
    return [target.with_suffix(file.suffix if file.suffix.lower() in FORMATS else ".mp4")
            for ((file, _), _), target in zip(product(contents, styles), targets)]


def _check(source: Path, target: Path, options: argparse.Namespace) -> None:
    """Raise an error if a clip cannot be read, or its sound cannot be stored in the result."""
    from adain.video.reader import Source
    from adain.video.writer import Sink

    with Source(source, options.max_pixels or MAX_FRAME_PIXELS) as clip, Sink(target, clip):
        pass  # nothing is written before the first frame


def _camera(number: int, options: argparse.Namespace, recipe: Recipe,
            styles: list[Style]) -> int:
    from adain.video import webcam

    if len(styles) != 1:
        raise OptionError(f"a camera needs one style; received {len(styles)}: --style-weights "
                          "mixes them.")
    method = AdaIN.from_options(vars(options), recipe)
    [encoded] = method.encoded(styles[0])
    summary = webcam.stylize_webcam(method.stylizer, number, encoded,
                                    styles[0].alpha, options.smoothing)
    _print_summary(summary, "the window", method.stylizer)
    return 0


def _clip(options: argparse.Namespace, method: AdaIN, source: Path, style: Style,
          target: Path) -> None:
    """Write a clip in one style, and print what is missing in the result."""
    from adain.video import stylize as video

    [encoded] = method.encoded(style)
    with frame_progress() as show, stop_on_signals() as stop:
        summary = video.stylize_video(method.stylizer, source, target, encoded, style.alpha,
                                      options.smoothing, show,
                                      options.max_pixels or MAX_FRAME_PIXELS, stop)
        stop.check()  # so that the next clip does not start after a stop during the last frame
    if summary.damaged:
        print(f"{source}: left out {summary.damaged} damaged packet{'s' * (summary.damaged > 1)}",
              file=sys.stderr)
    if summary.missing_seconds:
        print(f"{source} is truncated: it ends {summary.missing_seconds:.1f} s early",
              file=sys.stderr)
    if summary.left_out:
        print(f"{target} lacks: {', '.join(summary.left_out)}", file=sys.stderr)
    _print_summary(summary, target, method.stylizer)


def _print_summary(summary: FileSummary | CameraSummary, where: Path | str,
                   stylizer: Stylizer) -> None:
    print(f"{summary.frames} frames in {summary.seconds:.1f} s -> {where} ({stylizer.model}, "
          f"{stylizer.engine.name} on {stylizer.engine.device})")
