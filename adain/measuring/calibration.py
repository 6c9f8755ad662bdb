"""Measure the range of the inputs of each convolution, which --precision int8 needs.

    adain calibrate compact --content-path PHOTOGRAPHS --style-path PAINTINGS

It measures the lowest and the highest input for random pairs, and writes their medians over the
pairs. A wider range clips less, but loses more to its coarser steps: results with medians are 3 dB
closer to float32 than those with 90 % quantiles.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adain import Stylizer
from adain.files import images
from adain.files.pixels import to_float
from adain.networks import weights
from adain.networks.networks import Networks, Weights
from adain.networks.openvino import graphs
from adain.networks.openvino.compiled import compile_graph
from adain.networks.openvino.convolutions import Convolutions
from adain.transfer import tiling

if TYPE_CHECKING:
    import openvino

    from adain.networks.openvino.runtime import Tensor

CONTENT_SIZE = 320  # pixels on the shorter side
PICTURE = "encoder/conv1_1"  # the layer that pictures go into: their 8 bits are kept exactly


def measure(model: str, pairs: Iterable[tuple[Path, Path]]) -> dict[str, np.ndarray]:
    """Return the range of each layer's input, the median over (content, style) paths."""
    stylizer = Stylizer(model, precision="float32")
    graph, names = ranges_graph(weights.load(model))
    network = compile_graph(graph, "float32")
    rows = []
    for content, style in pairs:
        image = images.resize_shorter_side(images.read(content), CONTENT_SIZE)
        stats = stylizer.encode_style(style)
        limits = network(to_float(tiling.pad(image))[None], *stats, np.float32(1), *stats,
                         np.float32(1))
        rows.append([float(limit) for limit in limits])
    ranges = np.median(rows, axis=0).astype(np.float32).reshape(-1, 2)
    return {PICTURE: np.array([0, 1], np.float32), **dict(zip(names, ranges))}


def ranges_graph(networks: Networks) -> tuple[openvino.Model, list[str]]:
    """Return an openvino.Model, from the arguments of Engine.transfer(), and names of layers.

    For each of these "part/layer" it gives the lowest and the highest number that goes into that
    convolution. The first is left out: pictures go into it, from 0 to 1.
    """
    from adain.networks.openvino.runtime import op, openvino

    parts = _Observed(networks.encoder, "encoder"), _Observed(networks.decoder, "decoder")
    inputs, _, _ = graphs.transfer(networks, *parts)
    tensors = parts[0].inputs | parts[1].inputs
    names = list(tensors)[1:]
    everything = np.array([0, 1, 2, 3])
    return openvino.Model([limit(tensors[name], everything, keep_dims=False) for name in names
                           for limit in (op.reduce_min, op.reduce_max)], inputs), names


class _Observed(Convolutions):
    """Convolutions that remember what goes into each, by "part/layer"."""

    def __init__(self, weights: Weights, part: str) -> None:
        super().__init__(weights, part)
        self.inputs: dict[str, Tensor] = {}

    def __call__(self, x: Tensor, layer: str) -> Tensor:
        self.inputs[f"{self.part}/{layer}"] = x
        return super().__call__(x, layer)

    def after_upsampling(self, x: Tensor, layer: str) -> Tensor:
        self.inputs[f"{self.part}/{layer}"] = x
        return super().after_upsampling(x, layer)
