"""Measure the mean activation of every VGG19 channel over photographs.

    python tools/measure_means.py PHOTOGRAPHS [--count 500] [--size 320] [--out-path means.npz]

The paper's losses are defined on a "normalised" VGG19, whose channels all have mean activation 1
over photographs (Gatys 2016). `weights.normalise` divides by what this command measures, so the
shipped file adain/models/vgg19_means.npz is the scale of every loss and of every --style-weight.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from adain.commands import progress, run
from adain.files import find, images
from adain.networks import weights
from adain.networks.architecture import STRIDE, VGG19_LAYERS, relu
from adain.networks.openvino.compiled import compile_graph
from adain.networks.openvino.graphs import activations_graph


def measure(files: list[Path], size: int) -> dict[str, np.ndarray]:
    """Return {relu name: (channels,) mean over all pictures and positions}, float32.

    Every picture is resized to `size` pixels on its shorter side and counts by its area. The
    network is the shipped VGG19, before normalisation, in float32.
    """
    names = [relu(layer) for layer in VGG19_LAYERS]
    raw = weights.fold_preprocessing(
        weights.read_npz(weights.MODELS / "vgg19_encoder.npz", "encoder"))
    network = compile_graph(activations_graph(raw, names), "float32")
    sums, area = [0.0] * len(names), 0
    for file in progress(files, "pictures"):
        image = images.resize_shorter_side(images.read(file, size), size)
        rows, columns = (side // STRIDE * STRIDE for side in image.shape[:2])
        pixels = image[:rows, :columns].astype(np.float32) / 255
        for index, activation in enumerate(network(pixels[None])):
            sums[index] = sums[index] + (
                activation[0].mean(axis=(0, 1), dtype=np.float64) * rows * columns)
        area += rows * columns
    # A channel that photographs never excite cannot be scaled to 1: it is left as it is.
    means = {name: np.where(total > 0, total / area, 1.0) for name, total in zip(names, sums)}
    return {name: mean.astype(np.float32) for name, mean in means.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python tools/measure_means.py",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("path", help="folder of photographs")
    parser.add_argument("--count", type=int, default=500, help="use at most so many (default 500)")
    parser.add_argument("--size", type=int, default=320, help="shorter side (default 320)")
    parser.add_argument("--out-path", default="means.npz", help="default means.npz")
    options = parser.parse_args(arguments)
    files = find.list_below(options.path).files
    means = measure(files[::max(1, len(files) // options.count)][:options.count], options.size)
    with images.atomic_file(options.out_path) as file:
        np.savez_compressed(file, **means)
    for name, mean in means.items():
        print(f"{name}: {mean.min():.4g} .. {mean.max():.4g}, median {np.median(mean):.4g}")


if __name__ == "__main__":
    run(main)
