"""The options of adain stylize."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping

from adain import __version__
from adain.commands import flag, program
from adain.commands.options import add, add_engine, add_max_memory
from adain.errors import OptionError
from adain.files import images
from adain.methods import GATYS
from adain.methods.gatys.config import GatysConfig
from adain.methods.recipe import Recipe
from adain.networks.architecture import DEFAULT_PRESET, PRESETS
from adain.video.clips import MAX_FRAME_PIXELS
from adain.video.steady import SMOOTHING

FORMATS = tuple(ending for ending in ("jpg", "png", "webp", "tif", "avif")
                if f".{ending}" in images.WRITE_SUFFIXES)


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog=program(), description="Repaint every content picture in every style.")
    root.add_argument("--version", action="version", version=f"adain {__version__}")
    root.add_argument("--content-path", nargs="+", action="extend", required=True,
                      metavar="PATH",
                      help="pictures, folders of pictures (subfolders included), or - for standard "
                           "input; videos, or a folder of videos; or the number of a camera, 0 "
                           "for the first")
    root.add_argument("--style-path", nargs="+", action="extend", metavar="PATH",
                      help="pictures, files written by --save-style, or folders of them "
                           "(subfolders included); none for a --checkpoint that holds a network "
                           "for one style")

    style = root.add_argument_group("style")
    style.add_argument("--alpha", type=float, nargs="+", default=[1.0], metavar="A",
                       help="strength of the style, 0 to 1; several values make several results; "
                            "at 0 the networks reproduce the content only approximately: to blend "
                            "with the content itself, use a grey --mask (default 1)")
    add(style, Recipe, "style_weights", action="extend")
    add(style, Recipe, "masks", action="extend")
    add(style, Recipe, "keep_colors")
    style.add_argument("--style-size", type=int, default=512, metavar="PIXELS",
                       help="shrink styles to this shorter side; smaller styles give smaller "
                            "strokes (default 512; 0: never shrink)")
    add(style, Recipe, "coarse_size", "passes", "refine", "tune")
    style.add_argument("--smoothing", type=float, default=SMOOTHING, metavar="SECONDS",
                       help="video: average content statistics over this many seconds; 0 disables "
                            "(default %(default)s)")
    style.add_argument("--random", type=int, metavar="N",
                       help="choose N styles at random for each content (default: use all)")
    style.add_argument("--seed", type=int, default=0, metavar="N",
                       help="seed of all random numbers (default 0)")
    style.add_argument("--save-style", metavar="FILE",
                       help="write the style, mixed if there are several, to a .npz file of a few "
                            "kilobytes, which --style-path accepts")

    content = root.add_argument_group("content")
    add(content, Recipe, "content_size", "crop_size")
    add(content, Recipe, "max_pixels", default=None,
        help="refuse pictures and video frames with more pixels (default "
             f"{images.MAX_PIXELS}; for frames {MAX_FRAME_PIXELS})")

    result = root.add_argument_group("results")
    result.add_argument("--out-path", default="output", metavar="PATH",
                        help="folder for results, which are named CONTENT__STYLE; the path of a "
                             "single result; or - for standard output (default output)")
    result.add_argument("--format", choices=FORMATS,
                        help="file format of results in a folder (default jpg, quality 95; png for "
                             "transparent pictures and on standard output)")
    add(result, Recipe, "bits", "concat")
    result.add_argument("--sheet", metavar="FILE",
                        help="write one contact sheet instead of separate results: a row per "
                             "content, a column per style and alpha")
    result.add_argument("--overwrite", action="store_true",
                        help="replace existing results (default: keep them, so that running an "
                             "interrupted command again makes only those missing)")
    result.add_argument("--json", action="store_true",
                        help="print one line of JSON per result")

    network = root.add_argument_group("networks")
    network.add_argument("--model", choices=(*PRESETS, GATYS),
                         help="networks to use, or gatys, which optimizes pixels, see below "
                              f"(default {DEFAULT_PRESET})")
    network.add_argument("--checkpoint", metavar="PATH",
                         help="use the networks in this folder written by train.py, or in the "
                              ".npz file of a network for one style, instead of the shipped ones")
    network.add_argument("--vgg-path", metavar="FILE",
                         help="load VGG19 from a Keras notop .h5 file or the authors' "
                              "vgg_normalised.t7")
    network.add_argument("--decoder-path", metavar="FILE",
                         help="load the authors' decoder.t7; needs --vgg-path vgg_normalised.t7")

    machine = root.add_argument_group("machine")
    add_engine(machine)
    machine.add_argument("--tile-size", type=int, metavar="PIXELS",
                         help="compute larger pictures in tiles of this size; smaller tiles need "
                              "less memory; float32 results do not depend on it, single pixels "
                              "differ by up to 7 levels in bfloat16 and 25 in int8 (default: "
                              "depends on the model and the free memory)")
    add_max_memory(machine)

    iterative = root.add_argument_group(
        "--model gatys", "Optimizes the pixels themselves: slow.")
    add(iterative, GatysConfig, "iterations", "optimizer", "content_layers", "style_layers",
        "style_weight", "tv_weight")
    iterative.add_argument("--start", default="content", metavar="START",
                       help="start from content, from noise, or from a picture file (default "
                            "content)")

    runs = root.add_argument_group("--refine and --model gatys")
    runs.add_argument("--evolution", metavar="DIR",
                      help="write intermediate pictures and an animation to this folder")
    runs.add_argument("--evolution-iter", type=int, default=50, metavar="N",
                      help="number of iterations between these pictures (default 50)")
    runs.add_argument("--restore", action="store_true",
                      help="continue a stopped run from its state, RESULT.state.npz beside the "
                           "result")
    return root


def refuse(root: argparse.ArgumentParser, options: argparse.Namespace,
           understood: Collection[str], subject: str,
           reasons: Mapping[str, str] | None = None) -> None:
    """Raise OptionError for the first option that is given but not supported.

    Args:
        root: the parser; an option at its default counts as not given.
        understood: names of the supported options.
        subject: a sentence without full stop that explains why others are not supported.
        reasons: additional explanations for single options, by name.
    """
    for name, value in vars(options).items():
        if name not in understood and value != root.get_default(name):
            reason = f" ({reasons[name]})" if reasons and name in reasons else ""
            raise OptionError(
                f"{flag(name)} is not supported, because {subject}{reason}: leave it out.")
