"""adain calibrate: measure the value ranges that --precision int8 needs."""

from __future__ import annotations

import argparse
import random

from adain.files import find
from adain.files.arrays import write_arrays
from adain.files.atomic import atomic_file
from adain.measuring import calibration
from adain.networks.architecture import PRESETS
from adain.networks.weights import MODELS


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain calibrate",
        description="Measure the range of the inputs of each convolution, which --precision int8 "
                    "needs.")
    root.add_argument("model", choices=PRESETS, help="networks to measure")
    root.add_argument("--content-path", required=True, metavar="DIR",
                      help="folder of photographs")
    root.add_argument("--style-path", required=True, metavar="DIR", help="folder of paintings")
    root.add_argument("--count", type=int, default=80, metavar="N",
                      help="number of pairs (default %(default)s)")
    root.add_argument("--seed", type=int, default=0, metavar="N",
                      help="seed of all random numbers (default %(default)s)")
    root.add_argument("--out-path", metavar="FILE",
                      help="file to write (default: the model's file in adain/models)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    draw = random.Random(options.seed)
    contents, styles = find.pictures(options.content_path), find.pictures(options.style_path)
    pairs = [(draw.choice(contents), draw.choice(styles)) for _ in range(options.count)]
    ranges = calibration.measure(options.model, pairs)
    path = options.out_path or MODELS / f"{options.model}_ranges.npz"
    with atomic_file(path) as file:
        write_arrays(file, ranges)
    for name, (low, high) in ranges.items():
        print(f"{name}: {low:.2f} to {high:.2f}")
    print(f"{len(pairs)} pairs -> {path}")
