"""adain benchmark: how fast this machine stylizes."""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
from pathlib import Path

from adain.files.atomic import atomic
from adain.measuring import benchmark
from adain.networks.architecture import PRESETS
from adain.networks.openvino.compiled import REPEATED


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="adain benchmark",
                                     description=benchmark.__doc__.splitlines()[0])
    parser.add_argument("--model", choices=PRESETS, default="compact")
    parser.add_argument("--repeat", type=int, default=20, help="default %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there, too")
    page = parser.add_argument_group("comparison of all methods")
    page.add_argument("--report", metavar="DIR", help="write the page there")
    page.add_argument("--quick", action="store_true", help="in minutes: few pictures, a small "
                      "print, few iterations of gatys")
    page.add_argument("--content-path", default="inputs", metavar="PATH",
                      help="two photographs or more (default %(default)s)")
    page.add_argument("--style-path", default="styles/mosaic.jpg", metavar="FILE",
                      help="the painting (default %(default)s)")
    page.add_argument("--johnson", metavar="PATH",
                      help="a network of that style: a checkpoint folder, or its .npz")
    page.add_argument("--watts", type=float, default=10.0,
                      help="of a busy core, where the machine has no energy counter (default "
                           "%(default)s: a laptop's 20 W for two cores)")
    page.add_argument("--tariff", type=float, default=0.30,
                      help="price of a kilowatt-hour (default %(default)s)")
    options = parser.parse_args(arguments)
    if options.report:
        benchmark.report(options)
        return
    has_peer = importlib.util.find_spec(benchmark.PEER) is not None
    actions = benchmark.one(options.model) | (benchmark.peer_one() if has_peer else {})
    benchmark.in_turn(actions, 1, REPEATED)
    found = benchmark.in_turn(actions, max(1, options.repeat // benchmark.BLOCK), benchmark.BLOCK,
                              warm_up=2)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        found |= benchmark.in_turn(benchmark.cold(options.model, place, has_peer),
                                   max(5, options.repeat // 2))
        found |= benchmark.folder(options.model, place)
    for name, value in found.items():
        print(f"{name:32} {value:8.0%}" if "busy" in name else f"{name:32} {value:8.3f} s")
    if options.json:
        with atomic(options.json) as beside:
            beside.write_text(json.dumps(found, indent=2) + "\n")
