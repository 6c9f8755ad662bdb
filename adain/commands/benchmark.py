"""adain benchmark: measure how fast this machine stylizes."""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from adain.errors import OptionError
from adain.files.atomic import atomic
from adain.measuring import benchmark
from adain.networks.architecture import PRESETS
from adain.networks.openvino.compiled import REPEATED


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain benchmark",
        description="Measure how fast this machine stylizes, or write a page that compares all "
                    "methods.")
    root.add_argument("--model", choices=PRESETS, default="compact",
                      help="networks to measure (default %(default)s)")
    root.add_argument("--repeat", type=int, default=20, metavar="N",
                      help="number of measurements (default %(default)s)")
    root.add_argument("--json", metavar="FILE", help="also write the numbers to this file")
    root.add_argument("--batch", type=int, metavar="N",
                      help="instead measure N pictures of 256 x 256, each in another style, one at "
                           "a time and as a batch, with each engine")
    root.add_argument("--refine", action="store_true",
                      help="instead measure an iteration of adain stylize --refine, and for "
                           "comparison Keras' gradient and the multiplications alone")
    page = root.add_argument_group("comparison of all methods")
    page.add_argument("--report", metavar="DIR", help="write the page to this folder")
    page.add_argument("--quick", action="store_true",
                      help="take minutes instead of hours: few pictures, a small print, few "
                           "iterations of gatys")
    page.add_argument("--content-path", default="inputs", metavar="PATH",
                      help="folder of at least two photographs (default %(default)s)")
    page.add_argument("--style-path", default="styles/mosaic.jpg", metavar="FILE",
                      help="painting (default %(default)s)")
    page.add_argument("--johnson", metavar="PATH",
                      help="network for the style of that painting: a checkpoint folder, or an "
                           ".npz file written by adain pack")
    page.add_argument("--watts", type=float, default=10.0, metavar="W",
                      help="power of a busy core in watts, for machines without an energy counter "
                           "(default %(default)s: half of a laptop's 20 W for two cores)")
    page.add_argument("--tariff", type=float, default=0.30, metavar="PRICE",
                      help="price of a kilowatt-hour (default %(default)s)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if options.report:
        benchmark.report(options)
        return
    if options.repeat < 1:
        raise OptionError(f"`repeat` must be at least 1; received {options.repeat}.")
    if options.refine:
        from adain.measuring import refinement

        numbers = refinement.measure(options.repeat)
        for name, value in numbers.items():
            unit = "" if name.startswith(("share", "times")) else " s"
            print(f"{name:48} {value:8.3f}{unit}")
        _write(options.json, numbers)
        return
    if options.batch is not None:
        if options.batch < 1:
            raise OptionError(f"`batch` must be at least 1; received {options.batch}.")
        loads = benchmark.batches(options.model, options.batch, options.repeat)
        for name, load in loads.items():
            print(f"{name:48} {1e3 * load.wall:7.1f} ms a picture, {1e3 * load.cores:6.1f} ms of "
                  "a core")
        _write(options.json, loads)
        return
    has_peer = importlib.util.find_spec(benchmark.PEER) is not None
    actions = benchmark.one(options.model) | (benchmark.peer_one() if has_peer else {})
    benchmark.in_turn(actions, 1, REPEATED)
    numbers = benchmark.in_turn(actions, max(1, options.repeat // benchmark.BLOCK), benchmark.BLOCK,
                                warm_up=2)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        numbers |= benchmark.in_turn(benchmark.cold(options.model, place, has_peer),
                                     max(5, options.repeat // 2))
        numbers |= benchmark.folder(options.model, place)
    for name, value in numbers.items():
        print(f"{name:32} {value:8.0%}" if "busy" in name else f"{name:32} {value:8.3f} s")
    _write(options.json, numbers)


def _write(path: str | None, numbers: Mapping[str, object]) -> None:
    """Write the numbers to the file of --json, if there is one."""
    if path:
        with atomic(path) as beside:
            beside.write_text(json.dumps(numbers, indent=2) + "\n")
