"""Find what numbers go into each convolution of the shipped networks: --precision int8 needs it.

    python adain/models/calibrate.py compact --content-path PHOTOGRAPHS --style-path PAINTINGS

For each of some pairs drawn at random, the lowest and the highest number are noted; what is written
is their median over the pairs. A wider range loses more to its coarser steps than it gains where
numbers are cut off: medians gave results 3 dB nearer to float32 than 90 % quantiles did.
"""

from __future__ import annotations

import argparse
import random

import numpy as np

from adain import Stylizer, find, graphs, images, tiling
from adain.architecture import PRESETS, preset
from adain.compiled import compile_graph
from adain.weights import MODELS, load_decoder, load_encoder

CONTENT_SIZE = 320  # pixels on the shorter side
PICTURE = "encoder/conv1_1"  # the layer that pictures go into: their 8 bits are kept exactly


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=PRESETS)
    parser.add_argument("--content-path", required=True, metavar="FOLDER")
    parser.add_argument("--style-path", required=True, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=80, help="pairs (default 80)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out-path", help="default: the model's file in adain/models")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    folders = [find.pictures(folder) for folder in (options.content_path, options.style_path)]
    pairs = [tuple(map(draw.choice, folders)) for _ in range(options.count)]
    found = measure(options.model, pairs)
    path = options.out_path or MODELS / f"{options.model}_ranges.npz"
    with images.atomic_file(path) as file:
        np.savez(file, **found)
    for name, (low, high) in found.items():
        print(f"{name}: {low:.2f} to {high:.2f}")
    print(f"{len(pairs)} pairs -> {path}")


def measure(model: str, pairs) -> dict[str, np.ndarray]:
    """Return the range of each layer's input, the median over (content, style) paths."""
    plan, stylizer = preset(model), Stylizer(model, precision="float32")
    graph, names = graphs.ranges_graph(load_encoder(model), load_decoder(model),
                                       plan.adain_layers, plan.negative_slope)
    network = compile_graph(graph, "float32")
    rows = []
    for content, style in pairs:
        image = images.resize_shorter_side(images.read(content), CONTENT_SIZE)
        stats = stylizer.encode_style(style)
        limits = network(tiling.to_float(tiling.pad(image))[None], *stats, np.float32(1), *stats,
                         np.float32(1))
        rows.append([float(limit) for limit in limits])
    ranges = np.median(rows, axis=0).astype(np.float32).reshape(-1, 2)
    return {PICTURE: np.float32([0, 1]), **dict(zip(names, ranges))}


if __name__ == "__main__":
    main()
