"""adain-stylize: repaint photographs in the style of paintings."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from adain import __version__, images
from adain.architecture import DEFAULT_PRESET, PRESETS
from adain.commands import progress, run
from adain.engine import ENGINES, PRECISIONS
from adain.errors import ImageError, OptionError
from adain.stats import ChannelStats
from adain.stylizer import Stylizer, check_alpha


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="stylize.py", description="Repaint every content picture in every style.")
    root.add_argument("--version", action="version", version=f"adain {__version__}")
    root.add_argument("--content-path", required=True, metavar="PATH",
                      help="a picture, or a folder of pictures")
    root.add_argument("--style-path", required=True, metavar="PATH",
                      help="a picture, or a folder of pictures")
    root.add_argument("--out-path", default="output", metavar="PATH",
                      help="folder for the results, named CONTENT__STYLE (default output); or the "
                           "result's file name, for one content and one style")
    root.add_argument("--format", choices=("jpg", "png", "webp", "tif"), default="jpg",
                      help="of results in a folder (default jpg, quality 95)")
    root.add_argument("--alpha", type=float, default=1.0,
                      help="strength of the style, 0 to 1 (default 1)")
    root.add_argument("--style-size", type=int, default=512, metavar="PIXELS",
                      help="shrink styles to this shorter side, smaller ones stay; this sets the "
                           "size of the strokes (default 512; 0: never shrink)")

    network = root.add_argument_group("networks")
    network.add_argument("--model", choices=PRESETS, help=f"default {DEFAULT_PRESET}")
    network.add_argument("--checkpoint", metavar="DIR",
                         help="use what train.py wrote there instead of the shipped weights")
    network.add_argument("--vgg-path", metavar="FILE",
                         help="VGG19 from a Keras notop .h5 or the authors' vgg_normalised.t7")
    network.add_argument("--decoder-path", metavar="FILE",
                         help="the authors' decoder.t7, together with their vgg_normalised.t7")

    machine = root.add_argument_group("machine")
    machine.add_argument("--engine", choices=ENGINES, default=ENGINES[0],
                         help="openvino: CPU (default); keras: the device of its backend, e.g. GPU")
    machine.add_argument("--precision", choices=PRECISIONS, default="auto",
                         help="auto: bfloat16 where the CPU has it, else float32")
    machine.add_argument("--tile-size", type=int, metavar="PIXELS",
                         help="compute larger pictures in tiles of this size; smaller tiles need "
                              "less memory, the result is the same (default: by model)")
    return root


def main(arguments: list[str] | None = None) -> int:
    """Stylise, and return 1 when some picture could not be."""
    options = parser().parse_args(arguments)
    started = time.perf_counter()

    # Everything that can be wrong without computing is found out before anything is computed.
    check_alpha(options.alpha)
    contents, styles = images.find(options.content_path), images.find(options.style_path)
    results = name_results(Path(options.out_path), options.format, contents, styles)
    folder = next(iter(results.values())).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--out-path {folder} cannot be made: {error.strerror}.") from None
    stylizer = Stylizer(options.model, checkpoint=options.checkpoint, vgg_path=options.vgg_path,
                        decoder_path=options.decoder_path, engine=options.engine,
                        precision=options.precision, tile_size=options.tile_size,
                        style_size=options.style_size or None)

    bad: list[Path] = []
    encoded = encode_styles(stylizer, styles, bad)
    pairs = [(content, style) for content in contents for style in encoded]
    done, opened, image = 0, None, None
    for content, style in progress(pairs, "pictures"):
        if content in bad:
            continue
        try:
            if content != opened:
                image, opened = images.read(content), content
            stylized = stylizer.stylize(image, encoded[style], options.alpha)
        except ImageError as error:
            skip(content, error, bad)
            continue
        images.write(results[content, style], stylized)
        done += 1

    where = results[pairs[0]] if len(results) == 1 and pairs else folder
    print(f"{done} picture{'' if done == 1 else 's'} in {time.perf_counter() - started:.1f} s -> "
          f"{where} ({stylizer.model}, {stylizer.engine.name} on {stylizer.engine.device})")
    if bad:
        print(f"skipped {len(bad)}: {', '.join(map(str, bad))}", file=sys.stderr)
    return 1 if bad else 0


def encode_styles(stylizer: Stylizer, styles: list[Path],
                  bad: list[Path]) -> dict[Path, ChannelStats]:
    """Return each readable style encoded; the others join `bad`."""
    encoded = {}
    for style in styles:
        try:
            encoded[style] = stylizer.encode_style(style)
        except ImageError as error:
            skip(style, error, bad)
    return encoded


def skip(path: Path, error: ImageError, bad: list[Path]) -> None:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    bad.append(path)


def name_results(out_path: Path, suffix: str, contents: list[Path],
                 styles: list[Path]) -> dict[tuple[Path, Path], Path]:
    """Return the file that each (content, style) is written to."""
    if out_path.suffix and not out_path.is_dir():
        images.check_writable_format(out_path)
        if len(contents) * len(styles) > 1:
            raise OptionError(f"--out-path {out_path} names one file, but there are "
                              f"{len(contents)} contents and {len(styles)} styles: name a folder.")
        return {(contents[0], styles[0]): out_path}
    content_names, style_names = unique_names(contents), unique_names(styles)
    return {(content, style): out_path / f"{content_names[content]}__{style_names[style]}.{suffix}"
            for content in contents for style in styles}


def unique_names(paths: list[Path]) -> dict[Path, str]:
    """Return the files' names without ending, with it where two would be the same."""
    stems = Counter(path.stem for path in paths)
    return {path: path.stem if stems[path.stem] == 1 else path.name.replace(".", "_")
            for path in paths}


def entry_point() -> None:
    run(main)
