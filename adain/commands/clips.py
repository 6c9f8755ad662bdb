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

# The options that videos and cameras understand.
OPTIONS = frozenset({
    "content_path", "style_path", "alpha", "style_weights", "style_size", "smoothing", "seed",
    "max_pixels", "out_path", "overwrite", "model", "checkpoint", "vgg_path", "decoder_path",
    "engine", "precision", "tile_size", "max_memory"})
REASONS = {"refine": "each frame would be optimized by itself, so that its strokes flicker"}

Clip = tuple[Path, Path]  # a video, and its folder below the path that was given


def named(paths: list[str]) -> list[Clip]:
    """Return the videos, or the camera's number, where these are the contents; else nothing."""
    clips = [path for path in paths
             if is_camera(path) or (find.is_video(path) and not os.path.isdir(path))]
    if clips and len(clips) < len(paths):
        raise OptionError(f"videos and pictures take a command each; received {clips[0]} among "
                          f"{len(paths)} contents.")
    if len(clips) > 1 and any(map(is_camera, clips)):
        raise OptionError(f"a camera is a content of its own; received {len(clips)} contents.")
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
    """Return whether a content is the number of a camera, and not a path."""
    return path.isascii() and path.isdigit() and len(path) < 10


def main(contents: list[Clip], options: argparse.Namespace, recipe: Recipe,
         styles: list[Style]) -> int:
    """Stylise videos in every style, or what a camera sees in one; return the exit code."""
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
            except ImageError as error:  # of this style, or of the disk
                print_error(error)
                failed.append(target)
    if failed:
        print(f"failed {len(failed)}: {', '.join(map(str, failed))}", file=sys.stderr)
    return 1 if failed else 0


def name_results(contents: list[Clip], styles: list[Style], out_path: str) -> list[Path]:
    """Return the files of the results: each in its clip's format, or .mp4 if that is not written.

    An out_path that names a file is the one result's own name.
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
    """Raise what keeps a clip from being read, or the result from holding its sound."""
    from adain.video.reader import Source
    from adain.video.writer import Sink

    with Source(source, options.max_pixels or MAX_FRAME_PIXELS) as clip, Sink(target, clip):
        pass  # nothing is written before the first frame


def _camera(number: int, options: argparse.Namespace, recipe: Recipe,
            styles: list[Style]) -> int:
    from adain.video import webcam

    if len(styles) != 1:
        raise OptionError(f"a camera is shown in one style; received {len(styles)}: "
                          "--style-weights mixes them.")
    method = AdaIN.from_options(vars(options), recipe)
    [encoded] = method.encoded(styles[0])
    made = webcam.stylize_webcam(method.stylizer, number, encoded,
                                 styles[0].alpha, options.smoothing)
    _print_summary(made, "the window", method.stylizer)
    return 0


def _clip(options: argparse.Namespace, method: AdaIN, source: Path, style: Style,
          target: Path) -> None:
    """Write a clip in one style, and print what the result lacks."""
    from adain.video import stylize as video

    [encoded] = method.encoded(style)
    with frame_progress() as show, stop_on_signals() as stop:
        made = video.stylize_video(method.stylizer, source, target, encoded, style.alpha,
                                   options.smoothing, show,
                                   options.max_pixels or MAX_FRAME_PIXELS, stop)
        stop.check()  # after the last frame: the next clip shall not begin
    if made.damaged:
        print(f"{source}: left out {made.damaged} damaged packet{'s' * (made.damaged > 1)}",
              file=sys.stderr)
    if made.missing_seconds:
        print(f"{source} was cut: it ends {made.missing_seconds:.1f} s early", file=sys.stderr)
    if made.left_out:
        print(f"{target} lacks: {', '.join(made.left_out)}", file=sys.stderr)
    _print_summary(made, target, method.stylizer)


def _print_summary(made: FileSummary | CameraSummary, where: Path | str,
                 stylizer: Stylizer) -> None:
    print(f"{made.frames} frames in {made.seconds:.1f} s -> {where} ({stylizer.model}, "
          f"{stylizer.engine.name} on {stylizer.engine.device})")
