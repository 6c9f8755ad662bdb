"""adain calibrate: find the ranges that --precision int8 needs."""

from __future__ import annotations

import argparse
import random

import numpy as np

from adain.files import find
from adain.files.atomic import atomic_file
from adain.measuring import calibration
from adain.networks.architecture import PRESETS
from adain.networks.weights import MODELS


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="adain calibrate",
                                     description=calibration.__doc__.splitlines()[0])
    parser.add_argument("model", choices=PRESETS)
    parser.add_argument("--content-path", required=True, metavar="FOLDER")
    parser.add_argument("--style-path", required=True, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=80, help="pairs (default 80)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out-path", help="default: the model's file in adain/models")
    options = parser.parse_args(arguments)
    draw = random.Random(options.seed)
    folders = [find.pictures(folder) for folder in (options.content_path, options.style_path)]
    pairs = [tuple(map(draw.choice, folders)) for _ in range(options.count)]
    found = calibration.measure(options.model, pairs)
    path = options.out_path or MODELS / f"{options.model}_ranges.npz"
    with atomic_file(path) as file:
        np.savez(file, **found)
    for name, (low, high) in found.items():
        print(f"{name}: {low:.2f} to {high:.2f}")
    print(f"{len(pairs)} pairs -> {path}")
