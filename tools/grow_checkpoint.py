"""Grow the networks of a compact.npz to the preset's present widths: a checkpoint to continue from.

    python tools/grow_checkpoint.py OLD.npz FOLDER

Results stay as they are (Net2Net, Chen et al. 2016): old kernels are kept, new channels get random
kernels, and nothing of the old network takes them as an input yet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from adain.networks import checkpoint
from adain.networks.architecture import decoder_channels, encoder_channels, preset
from adain.networks.networks import Weights
from adain.networks.weights import read_npz

MODEL = "compact"


def grow(network: Weights, channels: dict[str, tuple[int, int]],
         generator: np.random.Generator) -> Weights:
    """Return the network with so many (input, output) channels in each layer, at least its own."""
    grown = {}
    for layer, (kernel, bias) in network.items():
        inputs, outputs = channels[layer]
        scale = np.sqrt(2 / (1 + preset(MODEL).negative_slope**2) / (9 * inputs))
        wide = (generator.normal(size=(3, 3, inputs, outputs)) * scale).astype(np.float32)
        wide[:, :, kernel.shape[2]:, :kernel.shape[3]] = 0
        wide[:, :, :kernel.shape[2], :kernel.shape[3]] = kernel
        grown[layer] = wide, np.pad(bias, (0, outputs - bias.size))
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="the compact.npz of an earlier version")
    parser.add_argument("folder", type=Path, help="where the checkpoint goes")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    options = parser.parse_args()
    generator, widths = np.random.default_rng(options.seed), preset(MODEL).widths
    networks = {}
    for part, channels in (("encoder", encoder_channels), ("decoder", decoder_channels)):
        network = read_npz(options.weights, part)
        networks[part] = grow(network, {layer: channels(layer, widths) for layer in network},
                              generator)
    config = {"step": 0, "options": {"model": MODEL, "vgg_path": None}}
    print(checkpoint.save(options.folder, config, networks["encoder"], networks["decoder"],
                          [np.zeros(1, np.float32)], 1))


if __name__ == "__main__":
    main()
