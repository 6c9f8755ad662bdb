"""adain styles: encode each of many paintings once, into a bank for adain dataset."""

from __future__ import annotations

import argparse
import sys
import time

from adain import memory
from adain.commands import print_error, progress, show_log
from adain.commands.options import add, add_engine
from adain.errors import OptionError
from adain.files.storage import Pictures
from adain.jobs.style_bank import make_bank
from adain.methods.recipe import Recipe
from adain.networks.architecture import DEFAULT_PRESET, PRESETS
from adain.progress import stop_on_signals
from adain.transfer.style_file import SUFFIX
from adain.transfer.stylizer import STYLE_SIZE, Stylizer


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain styles",
        description="Encode many paintings once, into one file that adain dataset reads. Running "
                    "the command again continues it, and adds paintings that are new.")
    root.add_argument("source", help="folder of paintings (subfolders included), zip or tar file, "
                                     "tar files like shard-{000..146}.tar, or a URL of these")
    root.add_argument("target", help="the bank to write, a .npz file")
    root.add_argument("--model", choices=tuple(PRESETS), help="networks that the bank is for "
                      f"(default {DEFAULT_PRESET})")
    root.add_argument("--checkpoint", metavar="PATH",
                      help="use the networks in this folder written by train.py")
    root.add_argument("--style-size", type=int, default=STYLE_SIZE, metavar="PIXELS",
                      help="shrink paintings to this shorter side; smaller ones give smaller "
                           "strokes (default %(default)s; 0: never shrink)")
    add(root, Recipe, "tune",
        help="optimize each style for N iterations (30 without a value), which takes seconds: "
             "results come nearer to the style, and take no longer (default 0)")
    add_engine(root)
    return root


def main(arguments: list[str] | None = None) -> int:
    """Make the bank; return the exit code: 1 if a painting could not be used."""
    options = parser().parse_args(arguments)
    show_log("stderr")
    memory.share_heaps()
    if not options.target.endswith(SUFFIX):
        raise OptionError(f"a bank must be a {SUFFIX} file; received {options.target}.")
    listing = Pictures(options.source, leave_out=[options.target])
    stylizer = Stylizer(options.model, checkpoint=options.checkpoint, engine=options.engine,
                        precision=options.precision, style_size=options.style_size or None)
    started = time.perf_counter()
    with stop_on_signals() as stop:
        summary = make_bank(listing, options.target, stylizer,
                            lambda todo: progress(todo, "paintings"), print_error, stop,
                            options.tune)
    print(f"{summary.styles} style{'' if summary.styles == 1 else 's'}, {summary.encoded} of them "
          f"new, in {time.perf_counter() - started:.1f} s -> {options.target} ({stylizer.model}, "
          f"{stylizer.engine.name} on {stylizer.engine.device})")
    if summary.bad:
        print(f"skipped {len(summary.bad)}", file=sys.stderr)
    return 1 if summary.bad or listing.problems else 0
