"""What adain-stylize does with a video or a camera as content."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from adain import find, naming
from adain.clips import MAX_FRAME_PIXELS
from adain.commands import frame_progress, tell_error
from adain.errors import ImageError, OptionError
from adain.recipe import Painter, Recipe, Style
from adain.stylizer import Stylizer


def find_clip(paths: list[str]) -> str | None:
    """Return the video or the camera's number that is the content, None where it is pictures."""
    clips = [path for path in paths if is_camera(path) or find.is_video(path)]
    if clips and len(paths) > 1:
        raise OptionError(f"a video or a camera is a content of its own; received {clips[0]} among "
                          f"{len(paths)} contents.")
    return clips[0] if clips else None


def is_camera(path: str) -> bool:
    """Tell whether a content is the number of a camera, and not a path."""
    return path.isascii() and path.isdigit() and len(path) < 10


def main(content: str, options: argparse.Namespace, recipe: Recipe, styles: list[Style],
         make_stylizer: Callable[[argparse.Namespace], Stylizer]) -> int:
    """Stylise a video in every style, or what a camera sees in one; return the exit code."""
    if is_camera(content):
        return _camera(int(content), options, recipe, styles, make_stylizer)
    from adain.clip_sink import FORMATS, check_writable_format
    from adain.clip_source import Source

    source, suffix = Path(content), Path(content).suffix
    kept = suffix.lower() in FORMATS
    targets = naming.name_results([(source, Path(), style.name) for style in styles],
                                  options.out_path, suffix[1:] if kept else "mp4")
    check_writable_format(targets[0])
    todo = []
    for style, target in zip(styles, targets):
        if target.exists() and not options.overwrite:
            print(f"{target} exists already (--overwrite replaces it)")
        else:
            todo.append((style, target))
    if not todo:
        return 0
    if not kept and targets[0] != Path(options.out_path):
        print(f"{source}: {suffix} cannot be written, the result is .mp4", file=sys.stderr)
    with Source(source, options.max_pixels or MAX_FRAME_PIXELS):
        pass  # else it would fail once for each style
    painter, failed = Painter(make_stylizer(options), recipe), []
    for style, target in todo:
        try:
            _clip(options, painter, source, style, target)
        except ImageError as error:  # of this style, or of the disk
            tell_error(error)
            failed.append(target)
    if failed:
        print(f"failed {len(failed)}: {', '.join(map(str, failed))}", file=sys.stderr)
    return 1 if failed else 0


def _camera(number: int, options: argparse.Namespace, recipe: Recipe, styles: list[Style],
            make_stylizer: Callable[[argparse.Namespace], Stylizer]) -> int:
    from adain import webcam

    if len(styles) != 1:
        raise OptionError(f"a camera is shown in one style; received {len(styles)}: "
                          "--style-weights mixes them.")
    painter = Painter(make_stylizer(options), recipe)
    [encoded] = painter.encoded(styles[0])
    made = webcam.stylize_webcam(painter.stylizer, number, encoded,
                                 styles[0].alpha, options.smoothing)
    _tell_frames(made, "the window", painter.stylizer)
    return 0


def _clip(options: argparse.Namespace, painter: Painter, source: Path, style: Style,
          target: Path) -> None:
    """Write a clip in one style, and say what the result lacks."""
    from adain import video

    [encoded] = painter.encoded(style)
    with frame_progress() as show:
        made = video.stylize_file(painter.stylizer, source, target, encoded, style.alpha,
                                  options.smoothing, show, options.max_pixels or MAX_FRAME_PIXELS)
    if made.damaged:
        print(f"{source}: {made.damaged} damaged packets are left out", file=sys.stderr)
    if made.left_out:
        print(f"{target} lacks: {', '.join(made.left_out)}", file=sys.stderr)
    _tell_frames(made, target, painter.stylizer)


def _tell_frames(made, where: Path | str, stylizer: Stylizer) -> None:
    print(f"{made.frames} frames in {made.seconds:.1f} s -> {where} ({stylizer.model}, "
          f"{stylizer.engine.name} on {stylizer.engine.device})")
