"""The networks as OpenVINO graphs, built straight from the weight arrays.

So there is no export step, no second copy of the weights, and a checkpoint works at once. Inside a
graph activations are (1, channels, rows, columns).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adain.networks.architecture import (
    DECODER_OUTPUT,
    decoder_plan,
    depths_of,
    encoder_plan,
    forward,
    relu,
    scale,
)
from adain.networks.networks import Networks, Weights
from adain.networks.openvino.convolutions import Convolutions, max_pool, upsample
from adain.networks.stats import EPSILON, ChannelStats, affine

if TYPE_CHECKING:
    import openvino

    from adain.networks.openvino.runtime import Tensor


def activations_graph(encoder: Weights, names: Sequence[str],
                      negative_slope: float = 0.0) -> openvino.Model:
    """Return an openvino.Model: float32 pictures (1, rows, columns, 3) -> the named activations.

    names: relu names in the order wanted; each comes out as (1, rows, columns, channels).
    """
    image, activations = _encode(Convolutions(encoder, "encoder"), names, negative_slope)
    return _model([_transpose(activations[name], (0, 2, 3, 1)) for name in names], [image])


def statistics_graph(networks: Networks) -> openvino.Model:
    """Return an openvino.Model: from the arguments of Engine.measure() to its results.

    The channels of all AdaIN layers stand in a row.
    """
    from adain.networks.openvino.runtime import op

    names = networks.adain_layers
    image, activations = _encode(Convolutions(networks.encoder, "encoder", networks.ranges), names,
                                 networks.negative_slope)
    pixels = op.parameter([1, -1, -1], np.float32, name="weights")
    levels = _levels(pixels, names)
    axes = np.array([2, 3])
    moments = []
    for name in names:
        shares = op.divide(levels[name], op.reduce_sum(levels[name], axes, keep_dims=True))
        mean = op.reduce_sum(op.multiply(activations[name], shares), axes, keep_dims=True)
        squares = op.power(op.subtract(activations[name], mean), np.float32(2))
        moments.append((mean, op.reduce_sum(op.multiply(squares, shares), axes, keep_dims=True)))
    return _model([*map(row, zip(*moments))], [image, pixels])


def transfer_graph(networks: Networks) -> openvino.Model:
    """Return an openvino.Model: from the arguments of Engine.transfer() to its results."""
    inputs, picture, content = transfer(networks,
                                        Convolutions(networks.encoder, "encoder", networks.ranges),
                                        Convolutions(networks.decoder, "decoder", networks.ranges))
    return _model([picture, *content], inputs)


def transfer(networks: Networks, encoder: Convolutions, decoder: Convolutions
             ) -> tuple[list[Tensor], Tensor, ChannelStats]:
    """Return the inputs, the picture, and the statistics that were removed, as nodes.

    encoder, decoder: what computes the convolutions of the networks.
    """
    from adain.networks.openvino.runtime import op

    # stats.interpolate needs 1 - share, a number minus a tensor.
    def blend(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
        return op.add(first, op.multiply(share, op.subtract(second, first)))

    def split(vector: Tensor) -> list[Tensor]:
        return [op.reshape(part, np.array([1, -1, 1, 1]), False)
                for part in split_layers(vector, networks)]

    names = networks.adain_layers
    image, activations = _encode(encoder, names, networks.negative_slope)
    style_mean, style_std, mean, std = (
        op.parameter([networks.channels], np.float32) for _ in range(4))
    alpha, own_weight = op.parameter([], np.float32), op.parameter([], np.float32)
    own_mean, own_variance = map(row, zip(*(_moments(activations[name]) for name in names)))
    own_std = op.sqrt(op.add(own_variance, np.float32(EPSILON)))
    content = ChannelStats(blend(mean, own_mean, own_weight), blend(std, own_std, own_weight))
    target = ChannelStats(blend(content.mean, style_mean, alpha),
                          blend(content.std, style_std, alpha))
    restyled = {name: op.add(op.multiply(activations[name], scale), shift)
                for name, scale, shift in zip(names, *map(split, affine(content, target)))}
    inputs = [image, style_mean, style_std, alpha, mean, std, own_weight]
    return inputs, _decode(decoder, restyled, networks.negative_slope), content


def regions_graph(networks: Networks) -> openvino.Model:
    """Return an openvino.Model: from the arguments of Engine.transfer_regions() to its result."""
    from adain.networks.openvino.runtime import op

    names, negative_slope = networks.adain_layers, networks.negative_slope
    image, activations = _encode(Convolutions(networks.encoder, "encoder", networks.ranges), names,
                           negative_slope)
    regions = op.parameter([-1, -1, -1], np.float32, name="regions")
    levels = _levels(regions, names)
    tables = [op.parameter([-1, networks.channels], np.float32) for _ in range(2)]
    restyled = {}
    for name, *pair in zip(names, *(split_layers(table, networks) for table in tables)):
        shares = _transpose(levels[name], (0, 2, 3, 1))
        factor, offset = (_transpose(op.matmul(shares, table, False, False), (0, 3, 1, 2))
                          for table in pair)
        restyled[name] = op.add(op.multiply(activations[name], factor), offset)
    picture = _decode(Convolutions(networks.decoder, "decoder", networks.ranges), restyled,
                      negative_slope)
    return _model([picture], [image, regions, *tables])


def _levels(maps: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Return maps (count, rows, columns) as (1, count, ...) in the resolution of activations."""
    from adain.networks.openvino.runtime import op

    x, pyramid = op.unsqueeze(maps, np.array(0)), {}
    for name in names:
        size = scale(name)
        pyramid[name] = x if size == 1 else op.avg_pool(
            x, [size, size], [0, 0], [0, 0], [size, size], False, "floor").output(0)
    return pyramid


def split_layers(table: Tensor, networks: Networks) -> list[Tensor]:
    """Return (..., channels of all AdaIN layers) cut into one of each layer."""
    from adain.networks.openvino.runtime import op

    parts = op.variadic_split(table, np.array(-1), np.array(networks.widths))
    return [parts.output(index) for index in range(len(networks.widths))]


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance over rows and columns, (1, channels, 1, 1)."""
    from adain.networks.openvino.runtime import op

    axes = np.array([2, 3])
    mean = op.reduce_mean(features, axes, keep_dims=True)
    squares = op.power(op.subtract(features, mean), np.float32(2))
    return mean, op.reduce_mean(squares, axes, keep_dims=True)


def row(vectors: Iterable[Tensor]) -> Tensor:
    """Return vectors of shape (1, channels, 1, 1) one after the other, (all channels,)."""
    from adain.networks.openvino.runtime import op

    return op.reshape(op.concat(list(vectors), 1), np.array([-1]), False)


def _encode(convolutions: Convolutions, names: Sequence[str], negative_slope: float = 0.0
            ) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the input and {name: activation (1, channels, rows, columns)}."""
    from adain.networks.openvino.runtime import op

    image = op.parameter([1, -1, -1, 3], np.float32, name="image")
    activations: dict[str, Tensor] = {}

    def convolve(x: Tensor, layer: str) -> Tensor:
        return leaky_relu(convolutions(x, layer), negative_slope)

    def pool(x: Tensor, layer: str) -> Tensor:
        wanted = any(x is activation for activation in activations.values())
        return max_pool(x if wanted else convolutions.quantise(x, layer))

    plan = encoder_plan(depths_of(convolutions.weights))
    for step, x in forward(plan, _transpose(image, (0, 3, 1, 2)), convolve, pool):
        if relu(step) in names:
            activations[relu(step)] = x
        if len(activations) == len(set(names)):
            break
    return image, activations


def _decode(convolutions: Convolutions, restyled: Mapping[str, Tensor],
            negative_slope: float) -> Tensor:
    """Return the decoder's picture (1, rows, columns, 3) from {name: restyled activation}."""
    upsampled: set[str] = set()  # convolutions that upsample their input themselves

    def convolve(x: Tensor, layer: str) -> Tensor:
        x = (convolutions.after_upsampling(x, layer) if layer in upsampled
             else convolutions(x, layer))
        return x if layer == DECODER_OUTPUT else leaky_relu(x, negative_slope)

    def resample(x: Tensor, layer: str) -> Tensor:
        if relu(layer) in restyled:  # is added to what was upsampled
            return upsample(x)
        upsampled.add(layer)
        return x

    plan = decoder_plan(depths_of(convolutions.weights))
    *_, (_, picture) = forward(plan, None, convolve, resample, restyled)
    return _transpose(picture, (0, 2, 3, 1))


def _model(outputs: list[Tensor], inputs: list[Tensor]) -> openvino.Model:
    from adain.networks.openvino.runtime import openvino

    return openvino.Model(outputs, inputs)


def _transpose(x: Tensor, order: tuple[int, ...]) -> Tensor:
    from adain.networks.openvino.runtime import op

    return op.transpose(x, np.array(order))


def leaky_relu(x: Tensor, negative_slope: float) -> Tensor:
    from adain.networks.openvino.runtime import op

    return op.prelu(x, np.array([negative_slope], np.float32)) if negative_slope else op.relu(x)
