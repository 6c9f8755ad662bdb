"""The networks as OpenVINO graphs, built straight from the weight arrays.

So there is no export step, no second copy of the weights, and a checkpoint works at once. Inside a
graph activations are (1, channels, rows, columns).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adain.networks.architecture import (
    DECODER_OUTPUT,
    conv,
    decoder_plan,
    depths_of,
    encoder_plan,
    relu,
    scale,
)
from adain.networks.openvino.convolutions import Convolutions, upsample
from adain.networks.stats import EPSILON, ChannelStats, affine
from adain.networks.weights import Ranges, Weights


def activations_graph(weights: Weights, names: Sequence[str], slope: float = 0.0):
    """Return an openvino.Model: float32 pictures (1, rows, columns, 3) -> the named activations.

    names: relu names in the order wanted; each comes out as (1, rows, columns, channels).
    slope: the ReLUs' negative slope, here and in the other graphs.
    """
    image, found = _encoder(Convolutions(weights, "encoder"), names, slope)
    return _model([_transpose(found[name], (0, 2, 3, 1)) for name in names], [image])


def statistics_graph(weights: Weights, names: Sequence[str], slope: float = 0.0,
                     ranges: Ranges | None = None):
    """Return an openvino.Model: a picture and pixel weights -> mean and variance of activations.

    The channels of all the named activations stand in a row. ranges: of the inputs of those
    convolutions that are computed in 8 bits, here and in the other graphs.
    """
    from adain.networks.openvino.runtime import op

    image, found = _encoder(Convolutions(weights, "encoder", ranges), names, slope)
    pixels = op.parameter([1, -1, -1], np.float32, name="weights")
    levels = _levels(pixels, names)
    axes = np.array([2, 3])
    moments = []
    for name in names:
        shares = op.divide(levels[name], op.reduce_sum(levels[name], axes, keep_dims=True))
        mean = op.reduce_sum(op.multiply(found[name], shares), axes, keep_dims=True)
        squares = op.power(op.subtract(found[name], mean), np.float32(2))
        moments.append((mean, op.reduce_sum(op.multiply(squares, shares), axes, keep_dims=True)))
    return _model([*map(_row, zip(*moments))], [image, pixels])


def transfer_graph(encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
                   slope: float = 0.0, ranges: Ranges | None = None):
    """Return an openvino.Model: from the arguments of Engine.transfer() to its results."""
    inputs, picture, content = _transfer(Convolutions(encoder, "encoder", ranges),
                                         Convolutions(decoder, "decoder", ranges), adain_layers,
                                         slope)
    return _model([picture, *content], inputs)


def ranges_graph(encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
                 slope: float = 0.0):
    """Return an openvino.Model, from the arguments of Engine.transfer(), and names of layers.

    For each of these "part/layer" it gives the lowest and the highest number that goes into that
    convolution. The first is left out: pictures go into it, from 0 to 1.
    """
    from adain.networks.openvino.runtime import op

    networks = Convolutions(encoder, "encoder"), Convolutions(decoder, "decoder")
    inputs, _, _ = _transfer(*networks, adain_layers, slope)
    found = networks[0].inputs | networks[1].inputs
    names = list(found)[1:]
    everything = np.array([0, 1, 2, 3])
    return _model([limit(found[name], everything, keep_dims=False) for name in names
                   for limit in (op.reduce_min, op.reduce_max)], inputs), names


def _transfer(encoder: Convolutions, decoder: Convolutions, adain_layers: Sequence[str],
              slope: float):
    """Return the inputs, the picture, and the statistics that were removed."""
    from adain.networks.openvino.runtime import op

    def blend(first, second, share):  # stats.interpolate needs 1 - share, a number minus a tensor
        return op.add(first, op.multiply(share, op.subtract(second, first)))

    def split(vector):
        return [op.reshape(part, np.array([1, -1, 1, 1]), False)
                for part in _split(vector, encoder.weights, adain_layers)]

    image, found = _encoder(encoder, adain_layers, slope)
    style_mean, style_std, mean, std = (
        op.parameter([sum(_widths(encoder.weights, adain_layers))], np.float32) for _ in range(4))
    alpha, own = op.parameter([], np.float32), op.parameter([], np.float32)
    own_mean, own_variance = map(_row, zip(*(_moments(found[name]) for name in adain_layers)))
    own_std = op.sqrt(op.add(own_variance, np.float32(EPSILON)))
    content = ChannelStats(blend(mean, own_mean, own), blend(std, own_std, own))
    target = ChannelStats(blend(content.mean, style_mean, alpha),
                          blend(content.std, style_std, alpha))
    restyled = {name: op.add(op.multiply(found[name], scale), shift)
                for name, scale, shift in zip(adain_layers, *map(split, affine(content, target)))}
    inputs = [image, style_mean, style_std, alpha, mean, std, own]
    return inputs, _decoder(decoder, restyled, slope), content


def regions_graph(encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
                  slope: float = 0.0, ranges: Ranges | None = None):
    """Return an openvino.Model: from the arguments of Engine.transfer_regions() to its result."""
    from adain.networks.openvino.runtime import op

    image, found = _encoder(Convolutions(encoder, "encoder", ranges), adain_layers, slope)
    regions = op.parameter([-1, -1, -1], np.float32, name="regions")
    levels = _levels(regions, adain_layers)
    tables = [op.parameter([-1, sum(_widths(encoder, adain_layers))], np.float32)
              for _ in range(2)]
    restyled = {}
    for name, *pair in zip(adain_layers, *(_split(table, encoder, adain_layers)
                                           for table in tables)):
        shares = _transpose(levels[name], (0, 2, 3, 1))
        factor, offset = (_transpose(op.matmul(shares, table, False, False), (0, 3, 1, 2))
                          for table in pair)
        restyled[name] = op.add(op.multiply(found[name], factor), offset)
    picture = _decoder(Convolutions(decoder, "decoder", ranges), restyled, slope)
    return _model([picture], [image, regions, *tables])


def _levels(maps, names: Sequence[str]) -> dict:
    """Return maps (count, rows, columns) as (1, count, ...) in the resolution of activations."""
    from adain.networks.openvino.runtime import op

    x, found = op.unsqueeze(maps, np.array(0)), {}
    for name in names:
        size = scale(name)
        found[name] = x if size == 1 else op.avg_pool(
            x, [size, size], [0, 0], [0, 0], [size, size], False, "floor").output(0)
    return found


def _widths(encoder: Weights, names: Sequence[str]) -> list[int]:
    return [encoder[conv(name)][1].size for name in names]


def _split(table, encoder: Weights, names: Sequence[str]) -> list:
    """Return (..., channels of all activations) cut into one of each activation."""
    from adain.networks.openvino.runtime import op

    parts = op.variadic_split(table, np.array(-1), np.array(_widths(encoder, names)))
    return [parts.output(index) for index in range(len(names))]


def _moments(features):
    """Return mean and variance over rows and columns, (1, channels, 1, 1)."""
    from adain.networks.openvino.runtime import op

    axes = np.array([2, 3])
    mean = op.reduce_mean(features, axes, keep_dims=True)
    squares = op.power(op.subtract(features, mean), np.float32(2))
    return mean, op.reduce_mean(squares, axes, keep_dims=True)


def _row(vectors):
    """Return vectors of shape (1, channels, 1, 1) one after the other, (all channels,)."""
    from adain.networks.openvino.runtime import op

    return op.reshape(op.concat(list(vectors), 1), np.array([-1]), False)


def _encoder(convolve: Convolutions, names: Sequence[str], slope: float):
    """Return the input and {name: activation (1, channels, rows, columns)}."""
    from adain.networks.openvino.runtime import op

    image = op.parameter([1, -1, -1, 3], np.float32, name="image")
    x, last, found = _transpose(image, (0, 3, 1, 2)), "", {}
    plan = encoder_plan(depths_of(convolve.weights))
    for step, following in zip(plan, [*plan[1:], None]):
        if len(found) == len(set(names)):
            break
        if step == "pool":
            if last not in names:
                x = convolve.quantise(x, following)
            x = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor").output(0)
            continue
        x, last = _relu(convolve(x, step), slope), relu(step)
        if last in names:
            found[last] = x
    return image, found


def _decoder(convolve: Convolutions, restyled: dict, slope: float):
    """Return the decoder's picture (1, rows, columns, 3) from {name: restyled activation}."""
    from adain.networks.openvino.runtime import op

    x, upsampled = None, False
    for step in decoder_plan(depths_of(convolve.weights)):
        if step == "upsample":
            upsampled = True
            continue
        if upsampled and relu(step) not in restyled:
            x = convolve.after_upsampling(x, step)
        else:
            x = upsample(x) if upsampled else x
            if relu(step) in restyled:
                x = restyled[relu(step)] if x is None else op.add(x, restyled[relu(step)])
            x = convolve(x, step)
        upsampled = False
        if step != DECODER_OUTPUT:
            x = _relu(x, slope)
    return _transpose(x, (0, 2, 3, 1))


def _model(outputs, inputs):
    from adain.networks.openvino.runtime import openvino

    return openvino.Model(outputs, inputs)


def _transpose(x, order: tuple[int, ...]):
    from adain.networks.openvino.runtime import op

    return op.transpose(x, np.array(order))


def _relu(x, slope: float):
    from adain.networks.openvino.runtime import op

    return op.prelu(x, np.float32([slope])) if slope else op.relu(x)
