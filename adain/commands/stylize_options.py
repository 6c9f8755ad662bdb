"""The options of adain stylize."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

from adain import __version__
from adain.commands import flag, iterative
from adain.errors import OptionError
from adain.files import images
from adain.methods import GATYS
from adain.methods.recipe import BITS
from adain.networks.architecture import DEFAULT_PRESET, PRESETS
from adain.networks.engine import ENGINES, PRECISIONS
from adain.transfer import color
from adain.video.clips import MAX_FRAME_PIXELS
from adain.video.steady import SMOOTHING

FORMATS = tuple(ending for ending in ("jpg", "png", "webp", "tif", "avif")
                if f".{ending}" in images.WRITE_SUFFIXES)


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="stylize.py", description="Repaint every content picture in every style.")
    root.add_argument("--version", action="version", version=f"adain {__version__}")
    root.add_argument("--content-path", nargs="+", action="extend", required=True,
                      metavar="PATH",
                      help="pictures; folders, whose pictures are taken, subfolders too; - for "
                           "standard input; videos, or a folder of them; the number of a camera, "
                           "0 for the first")
    root.add_argument("--style-path", nargs="+", action="extend", metavar="PATH",
                      help="pictures, files written by --save-style, folders of them, subfolders "
                           "too; not with a --checkpoint that holds a network of one style")

    style = root.add_argument_group("style")
    style.add_argument("--alpha", type=float, nargs="+", default=[1.0], metavar="A",
                       help="strength, 0 to 1 (default 1); 0 is the content as the networks "
                            "reproduce it, not the photograph: a grey --mask blends with that; "
                            "several give a result each")
    style.add_argument("--style-weights", type=float, nargs="+", action="extend", metavar="W",
                       help="mix the styles, one number for each, instead of a result for each")
    style.add_argument("--mask", nargs="+", action="extend", type=Path, metavar="PATH",
                       dest="masks", help="one picture for each style, white where it applies; "
                       "where all are black the content stays")
    style.add_argument("--keep-colors", nargs="?", const="coral", choices=color.COLOR_MODES,
                       help="keep the content's colours: coral (default) or histogram recolour "
                            "the style, luminance takes only light and dark from it")
    style.add_argument("--style-size", type=int, default=512, metavar="PIXELS",
                       help="shrink styles to this shorter side, smaller ones stay; this sets the "
                            "size of the strokes (default 512; 0: never shrink)")
    style.add_argument("--coarse-size", type=int, metavar="PIXELS",
                       help="for prints: stylise at this shorter side, enlarge, stylise again: "
                            "strokes keep their size in proportion to the picture")
    style.add_argument("--passes", type=int, default=1, metavar="N",
                       help="stylise the result again, N times in all")
    style.add_argument("--refine", type=int, default=0, metavar="N",
                       help="then optimise the result's pixels, N iterations: 5 bring it nearer to "
                            "the style, 15 also to the content, 40 more so (default 0)")
    style.add_argument("--smoothing", type=float, default=SMOOTHING, metavar="SECONDS",
                       help="of videos: what is removed of each frame is a mean over so long, so "
                            "that calm areas do not flicker (default %(default)s; 0: each alone)")
    style.add_argument("--random", type=int, metavar="N",
                       help="N styles for each content, drawn by --seed, instead of all")
    style.add_argument("--seed", type=int, default=0, help="default 0")
    style.add_argument("--save-style", metavar="FILE",
                       help="write the style, mixed where there are several, as a .npz file of a "
                            "few kilobytes, which --style-path takes")

    content = root.add_argument_group("content")
    content.add_argument("--content-size", type=int, metavar="PIXELS",
                         help="resize contents to this shorter side (default: as they are)")
    content.add_argument("--crop-size", type=int, metavar="PIXELS",
                         help="and cut the middle square of this size out of them")
    content.add_argument("--max-pixels", type=int, metavar="N",
                         help="refuse pictures, and frames of videos, with more pixels (default "
                              f"{images.MAX_PIXELS}, for frames {MAX_FRAME_PIXELS})")

    result = root.add_argument_group("results")
    result.add_argument("--out-path", default="output", metavar="PATH",
                        help="folder for the results, named CONTENT__STYLE (default output), or "
                             "with more where two names would be equal; the result's file name, "
                             "where there is one only; - for standard output")
    result.add_argument("--format", choices=FORMATS,
                        help="of results in a folder (default jpg, quality 95; png for "
                             "transparent pictures, and on standard output)")
    result.add_argument("--bits", type=int, choices=BITS, default=8,
                        help="of each value; 16 for png and tif (default 8)")
    result.add_argument("--concat", action="store_true",
                        help="put content and styles beside each result, in one picture")
    result.add_argument("--sheet", metavar="FILE",
                        help="make one contact sheet instead of results: a row for each content, "
                             "a column for each style and alpha")
    result.add_argument("--overwrite", action="store_true",
                        help="replace results that exist; without it they are left alone, and a "
                             "batch that was stopped goes on where it was")
    result.add_argument("--json", action="store_true",
                        help="print a line of JSON for each result")

    network = root.add_argument_group("networks")
    network.add_argument("--model", choices=(*PRESETS, GATYS),
                         help=f"default {DEFAULT_PRESET}; gatys: see below")
    network.add_argument("--checkpoint", metavar="PATH",
                         help="use what train.py wrote there instead of the shipped weights; or "
                              "the .npz of a network of one style")
    network.add_argument("--vgg-path", metavar="FILE",
                         help="VGG19 from a Keras notop .h5 or the authors' vgg_normalised.t7")
    network.add_argument("--decoder-path", metavar="FILE",
                         help="the authors' decoder.t7, together with their vgg_normalised.t7")

    machine = root.add_argument_group("machine")
    machine.add_argument("--engine", choices=ENGINES, default=ENGINES[0],
                         help="openvino: CPU (default); keras: the device of its backend, e.g. GPU")
    machine.add_argument("--precision", choices=PRECISIONS, default="auto",
                         help="auto: bfloat16 where the CPU is faster with it, else float32; "
                              "int8: two to three times as fast as float32, nearly the same "
                              "pictures (shipped networks, CPUs with VNNI)")
    machine.add_argument("--tile-size", type=int, metavar="PIXELS",
                         help="compute larger pictures in tiles of this size; smaller tiles need "
                              "less memory. The result is the same in float32; single pixels "
                              "differ by up to 7 levels in bfloat16 and 16 in int8 (default: by "
                              "model, smaller where less memory is left)")
    machine.add_argument("--max-memory", type=int, metavar="MB",
                         help="choose the tile size so that the process takes about that much")
    iterative.add_options(root)
    return root


def refuse(root: argparse.ArgumentParser, options: argparse.Namespace,
           understood: Collection[str], subject: str) -> None:
    """Raise OptionError for the first other option that is not left at the parser's default."""
    for name, value in vars(options).items():
        if name not in understood and value != root.get_default(name):
            raise OptionError(f"{subject}, for which there is no {flag(name)}: leave it out.")
