"""Turn a checkpoint of train.py into the weights file that ships with the package.

    python tools/pack_checkpoint.py CHECKPOINT [--out-path FILE] [--share 0.7]

The vgg19 decoder becomes 8-bit codes with a table of 256 values per layer (3.5 MB instead of 14),
the compact pair 16-bit floats (0.9 MB). Prints each layer's relative error. With a --share, weights
are averaged with those that ship: where the checkpoint continued from these, the average lies
between the two in content and style loss (Wortsman et al. 2022).
"""

from __future__ import annotations

import argparse

import numpy as np

from adain.files.atomic import atomic_file
from adain.networks import checkpoint, weights
from adain.networks.networks import Weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="folder written by train.py")
    parser.add_argument("--out-path", help="default: the model's file in adain/models")
    parser.add_argument("--share", type=float, default=1.0,
                        help="of the checkpoint; the rest is what ships (default 1)")
    options = parser.parse_args()
    found = checkpoint.load(options.checkpoint)
    parts = {"decoder": found.decoder()}
    if weights.preset(found.model).trains_encoder:
        parts["encoder"] = found.encoder()
    if options.share != 1:  # else what ships may have other shapes
        shipped = {"decoder": weights.load_decoder, "encoder": weights.load_encoder}
        parts = {part: average(shipped[part](found.model), network, options.share)
                 for part, network in parts.items()}
    if weights.preset(found.model).trains_encoder:
        path = options.out_path or weights.MODELS / f"{found.model}.npz"
        arrays = {key: array for part, network in parts.items()
                  for key, array in weights.to_arrays(network, part, np.float16).items()}
    else:
        path = options.out_path or weights.MODELS / f"{found.model}_decoder.npz"
        arrays = to_coded_arrays(parts["decoder"], "decoder")
    with atomic_file(path) as file:
        np.savez_compressed(file, **arrays)
    for part, network in parts.items():
        packed = weights.read_npz(path, part)
        for layer, (kernel, _) in network.items():
            error = np.linalg.norm(packed[layer][0] - kernel) / np.linalg.norm(kernel)
            print(f"{part} {layer}: relative error {error:.2%}")
    print(f"step {found.step} -> {path}")


def average(first: Weights, second: Weights, share: float) -> Weights:
    """Return the weights that lie `share` of the way from the first to the second."""
    return {layer: tuple((1 - share) * ours + share * theirs
                         for ours, theirs in zip(first[layer], second[layer]))
            for layer in second}


def to_coded_arrays(weights: Weights, part: str) -> dict[str, np.ndarray]:
    """Return named arrays with every kernel as 8-bit codes into a table of 256 values."""
    arrays = {}
    for layer, (kernel, bias) in weights.items():
        codes, table = quantise(kernel)
        arrays[f"{part}/{layer}/codes"] = codes
        arrays[f"{part}/{layer}/table"] = table
        arrays[f"{part}/{layer}/bias"] = bias.astype(np.float32)
    return arrays


def quantise(values: np.ndarray, rounds: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Return (uint8 codes of the same shape, float32 table of 256): k-means in one dimension.

    Lloyd's algorithm started from quantiles of the cube-root density, which is where the best
    levels for many values lie (Panter & Dite 1951); each round can only lower the squared error.
    """
    flat = np.sort(values.ravel().astype(np.float64))
    edges = np.linspace(flat[0], flat[-1], 1025)
    density = np.cumsum(np.cbrt(np.histogram(flat, edges)[0]))
    table = np.interp((np.arange(256) + 0.5) / 256 * density[-1], density, edges[1:])
    sums = np.concatenate([[0.0], np.cumsum(flat)])
    for _ in range(rounds):
        cuts = np.searchsorted(flat, (table[1:] + table[:-1]) / 2)
        starts, ends = np.concatenate([[0], cuts]), np.concatenate([cuts, [flat.size]])
        counts = ends - starts
        means = (sums[ends] - sums[starts]) / np.maximum(counts, 1)
        table = np.sort(np.where(counts > 0, means, table))
    codes = np.searchsorted((table[1:] + table[:-1]) / 2, values)
    return codes.astype(np.uint8), table.astype(np.float32)


if __name__ == "__main__":
    main()
