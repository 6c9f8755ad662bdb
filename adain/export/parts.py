"""The parts of networks that can be exported: their inputs, outputs and programs.

A program computes the outputs of a part from its inputs. It is written once, in terms of
Operations, which every format implements: onnx_file.py adds nodes to a graph, tensorflow_file.py
calls TensorFlow. Arithmetic uses the operators of the tensors, so that AdaIN itself is the function
in networks/stats.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from adain.methods.johnson import network as johnson
from adain.networks.architecture import (
    DECODER_OUTPUT,
    decoder_plan,
    depths_of,
    encoder_plan,
    forward,
    relu,
    scale,
)
from adain.networks.networks import Networks
from adain.networks.stats import ChannelStats, adain

Tensor = Any
Tensors = dict[str, Tensor]
ROWS, COLUMNS, CHANNELS, REGIONS = "rows", "columns", "channels", "regions"
PICTURE = (1, ROWS, COLUMNS, 3)


@dataclass(frozen=True)
class Value:
    """An input or an output of a file, float32.

    shape: numbers, and names of sizes: CHANNELS depends on the networks, the others are known when
        the file is used. "rows/2" is half of the rows, which are multiples of 8, at least 16.
    meaning: a description, for the metadata of the file.
    """

    name: str
    shape: tuple[int | str, ...]
    meaning: str


CONTENT = Value("content", PICTURE, "photograph, RGB from 0 to 1")
STYLE = Value("style", PICTURE, "painting, RGB from 0 to 1; may have another size than content")
ALPHA = Value("alpha", (), "strength of the style, from 0 to 1")
MEANS = Value("style_mean", (CHANNELS,), "means of the style's features")
STDS = Value("style_std", (CHANNELS,), "standard deviations of the style's features, above 0")
STYLIZED = Value("stylized", PICTURE, "result, RGB from 0 to 1, as large as content")
TILE = Value("tile", PICTURE, "part of a photograph, RGB from 0 to 1")


@dataclass(frozen=True)
class Part:
    """A computation that can be exported: its name, inputs and outputs."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


ONE_STYLE = Part("stylize", (CONTENT,), (STYLIZED,))  # of a network for one style
# The first one is the default.
PARTS = ("stylize", "style", "transfer", "tile-features", "tile-statistics", "tile-regions")


def part_of(name: str, networks: Networks) -> Part:
    """Return the part with a name, one of PARTS, of networks for any style."""
    features = tuple(Value(layer, (1, f"{ROWS}/{scale(layer)}", f"{COLUMNS}/{scale(layer)}", width),
                           "features of a tile")
                     for layer, width in zip(networks.adain_layers, networks.widths))
    weights = Value("weights", (1, ROWS, COLUMNS), "weight of each pixel, 0 or more, not all 0")
    shares = Value("shares", (REGIONS, ROWS, COLUMNS),
                   "weight of each region in each pixel; weights sum to 1")
    tables = (Value("scales", (REGIONS, CHANNELS), "factors of the features in each region"),
              Value("shifts", (REGIONS, CHANNELS), "terms then added to the features"))
    return {
        "stylize": Part(name, (CONTENT, STYLE, ALPHA), (STYLIZED,)),
        "style": Part(name, (STYLE,), (MEANS, STDS)),
        "transfer": Part(name, (CONTENT, MEANS, STDS, ALPHA), (STYLIZED,)),
        # For pictures in tiles, and for regions with different styles: see transfer/tiling.py.
        "tile-features": Part(name, (TILE,), features),
        "tile-statistics": Part(name, (*features, weights), (
            Value("mean", (CHANNELS,), "weighted means of the features"),
            Value("variance", (CHANNELS,), "their weighted variances"))),
        "tile-regions": Part(name, (*features, shares, *tables), (
            Value("stylized", PICTURE, "result, RGB, about 0 to 1, not clipped"),)),
    }[name]


class Operations(Protocol):
    """The operations that a format provides.

    Each format chooses the layout of activations; vectors are (channels,).
    """

    def activation(self, picture: Tensor) -> Tensor:
        """Return a picture or features, (1, rows, columns, channels), as an activation."""

    def picture(self, x: Tensor) -> Tensor:
        """Return an activation as (1, rows, columns, channels)."""

    def convolution(self, x: Tensor, name: str, kernel: np.ndarray, bias: np.ndarray | None,
                    stride: int = 1) -> Tensor:
        """Return the convolution of x, padded by reflection.

        Args:
            name: name of the layer, such as "encoder/conv1_1".
            kernel: (size, size, inputs, outputs).
            bias: (outputs,), or None.
            stride: the result has rows / stride and columns / stride.
        """

    def relu(self, x: Tensor, negative_slope: float) -> Tensor: ...

    def sigmoid(self, x: Tensor) -> Tensor: ...

    def clip(self, x: Tensor) -> Tensor:
        """Return x within [0, 1]."""

    def max_pool(self, x: Tensor) -> Tensor:
        """Return the maximum of each block of 2 x 2 pixels."""

    def upsample(self, x: Tensor) -> Tensor:
        """Return x with each row and each column repeated twice."""

    def mean(self, x: Tensor) -> Tensor:
        """Return the mean of each channel over rows and columns, which broadcasts with x."""

    def deviation(self, variance: Tensor) -> Tensor:
        """Return the square root of variance + EPSILON."""

    def per_channel(self, vector: Tensor) -> Tensor:
        """Return a vector or an array, (channels,), reshaped to broadcast with activations."""

    def row(self, channels: Sequence[Tensor]) -> Tensor:
        """Concatenate results of per_channel() or mean() to one vector."""

    def split(self, table: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """Split the last axis of a tensor (..., channels) into parts of these sizes."""

    def maps(self, maps: Tensor, size: int) -> Tensor:
        """Return maps (count, rows, columns) as an activation, averaged over size x size pixels."""

    def add_places(self, x: Tensor) -> Tensor:
        """Return the sum of each channel over rows and columns, which broadcasts with x."""

    def mixture(self, shares: Tensor, table: Tensor) -> Tensor:
        """Multiply an activation of regions by a matrix (regions, channels), for each pixel."""


Program = Callable[[Operations, Mapping[str, Tensor]], Tensors]  # inputs -> outputs, by name


def program(part: Part, networks: Networks) -> Program:
    """Return the program of a part of networks for any style."""
    return {"stylize": _stylize, "style": _style, "transfer": _transfer,
            "tile-features": _tile_features, "tile-statistics": _tile_statistics,
            "tile-regions": _tile_regions}[part.name](networks)


def _stylize(networks: Networks) -> Program:
    def run(ops: Operations, inputs: Mapping[str, Tensor]) -> Tensors:
        styles = [_stats(ops, x) for x in encode(ops, networks, inputs["style"])]
        return {"stylized": ops.clip(_restyle(ops, networks, inputs, styles))}

    return run


def _style(networks: Networks) -> Program:
    def run(ops: Operations, inputs: Mapping[str, Tensor]) -> Tensors:
        layers = [_stats(ops, x) for x in encode(ops, networks, inputs["style"])]
        return {"style_mean": ops.row([stats.mean for stats in layers]),
                "style_std": ops.row([stats.std for stats in layers])}

    return run


def _transfer(networks: Networks) -> Program:
    def run(ops: Operations, inputs: Mapping[str, Tensor]) -> Tensors:
        vectors = [ops.split(inputs[name], networks.widths) for name in ("style_mean", "style_std")]
        styles = [ChannelStats(*map(ops.per_channel, pair)) for pair in zip(*vectors)]
        return {"stylized": ops.clip(_restyle(ops, networks, inputs, styles))}

    return run


def _tile_features(networks: Networks) -> Program:
    def run(ops: Operations, inputs: Mapping[str, Tensor]) -> Tensors:
        return dict(zip(networks.adain_layers,
                        map(ops.picture, encode(ops, networks, inputs["tile"]))))

    return run


def _tile_statistics(networks: Networks) -> Program:
    def run(ops: Operations, inputs: Mapping[str, Tensor]) -> Tensors:
        means, variances = [], []
        for name in networks.adain_layers:
            x, shares = ops.activation(inputs[name]), ops.maps(inputs["weights"], scale(name))
            shares = shares / ops.add_places(shares)
            means.append(ops.add_places(x * shares))
            centred = x - means[-1]
            variances.append(ops.add_places(centred * centred * shares))
        return {"mean": ops.row(means), "variance": ops.row(variances)}

    return run


def _tile_regions(networks: Networks) -> Program:
    def run(ops: Operations, inputs: Mapping[str, Tensor]) -> Tensors:
        tables = [ops.split(inputs[name], networks.widths) for name in ("scales", "shifts")]
        restyled = []
        for name, *pair in zip(networks.adain_layers, *tables):
            x, shares = ops.activation(inputs[name]), ops.maps(inputs["shares"], scale(name))
            factor, offset = (ops.mixture(shares, table) for table in pair)
            restyled.append(x * factor + offset)
        return {"stylized": decode(ops, networks, restyled)}

    return run


def _restyle(ops: Operations, networks: Networks, inputs: Mapping[str, Tensor],
             styles: Sequence[ChannelStats]) -> Tensor:
    """Return the decoded content after AdaIN with the statistics of the style, weighted by alpha.

    styles: statistics of the style at each AdaIN layer.
    """
    alpha, restyled = inputs["alpha"], []
    for x, style in zip(encode(ops, networks, inputs["content"]), styles):
        content = _stats(ops, x)
        # Like stats.interpolate(), but without 1 - alpha, as OpenVINO cannot subtract a tensor
        # from a Python number.
        target = ChannelStats(content.mean + alpha * (style.mean - content.mean),
                              content.std + alpha * (style.std - content.std))
        restyled.append(adain(x, content, target))
    return decode(ops, networks, restyled)


def encode(ops: Operations, networks: Networks, picture: Tensor) -> list[Tensor]:
    """Return the activations of the AdaIN layers, in their order."""
    activations: Tensors = {}

    def convolve(x: Tensor, layer: str) -> Tensor:
        x = ops.convolution(x, f"encoder/{layer}", *networks.encoder[layer])
        return ops.relu(x, networks.negative_slope)

    plan = encoder_plan(depths_of(networks.encoder))
    for step, x in forward(plan, ops.activation(picture), convolve, lambda x, _: ops.max_pool(x)):
        if relu(step) in networks.adain_layers:
            activations[relu(step)] = x
        if len(activations) == len(networks.adain_layers):
            break
    return [activations[name] for name in networks.adain_layers]


def decode(ops: Operations, networks: Networks, restyled: Sequence[Tensor]) -> Tensor:
    """Return the decoder's picture for activations after AdaIN, not clipped."""
    def convolve(x: Tensor, layer: str) -> Tensor:
        x = ops.convolution(x, f"decoder/{layer}", *networks.decoder[layer])
        return x if layer == DECODER_OUTPUT else ops.relu(x, networks.negative_slope)

    *_, (_, x) = forward(decoder_plan(depths_of(networks.decoder)), None, convolve,
                         lambda x, _: ops.upsample(x), dict(zip(networks.adain_layers, restyled)))
    return ops.picture(x)


def _stats(ops: Operations, x: Tensor) -> ChannelStats:
    mean = ops.mean(x)
    centred = x - mean
    return ChannelStats(mean, ops.deviation(ops.mean(centred * centred)))


def one_style(arrays: johnson.Arrays) -> Program:
    """Return the program of a network for one style, given its arrays."""
    def run(ops: Operations, inputs: Mapping[str, Tensor]) -> Tensors:
        def layer(name: str, x: Tensor) -> Tensor:
            kernel, stride = arrays[f"{name}/kernel"], johnson.LAYERS[name].stride
            if name == johnson.OUTPUT:
                return ops.convolution(x, name, kernel, arrays[f"{name}/bias"], stride)
            x = ops.convolution(x, name, kernel, None, stride)
            target = ChannelStats(*(ops.per_channel(arrays[f"{name}/{vector}"])
                                    for vector in ("mean", "std")))
            return adain(x, _stats(ops, x), target)

        x = johnson.forward(ops.activation(inputs["content"]), layer, lambda x: ops.relu(x, 0.0),
                            lambda x, y: x + y, ops.upsample)
        return {"stylized": ops.picture(ops.sigmoid(x))}

    return run
