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
        arrays = weights.to_coded_arrays(parts["decoder"], "decoder")
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


if __name__ == "__main__":
    main()
