"""The slope of a picture's loss with respect to its pixels, as OpenVINO graphs.

The loss compares VGG19 activations: the content's at relu4_1, and means and deviations of the
style's at relu1_1 .. relu4_1. These statistics are all that couples distant pixels: once they are
known, the style's slope is activation * scale + shift, with one scale and shift for each channel.
From there the encoder is walked backwards, each step by its adjoint:

* a convolution: the one with its kernel turned by 180 degrees, inputs and outputs swapped;
* reflect padding: what comes to a mirrored pixel is added to the pixel that it mirrors;
* a ReLU: a mask of what is above 0;
* max pooling: a mask of what equals the maximum; where several do, each takes an equal part.

Inside a graph activations are (1, channels, rows, columns).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adain.networks.architecture import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    conv,
    depths_of,
    encoder_plan,
    forward,
    relu,
    scale,
)
from adain.networks.networks import Weights
from adain.networks.openvino.convolutions import Convolutions, max_pool, upsample
from adain.networks.stats import EPSILON

_LAST = np.iinfo(np.int64).max
_ROWS_AND_COLUMNS = np.array([2, 3])


def widths(weights: Weights, names: Sequence[str] = STYLE_LAYERS) -> list[int]:
    """Return how many channels each activation has."""
    return [weights[conv(name)][1].size for name in names]


def picture_graph(weights: Weights):
    """Return an openvino.Model for a whole picture, which knows its own statistics.

    Inputs, float32:
        image (1, rows, columns, 3), both at least 32
        content (1, rows / 8, columns / 8, channels): the content layer's activations wanted
        mean, std (channels,): the statistics wanted of the style layers, in a row
        content_weight, style_weight ()
    Outputs, float32: the mean squared difference of the content (); the squared differences of
        means and deviations, summed (); the slope of their weighted sum (1, rows, columns, 3).
    """
    from adain.networks.openvino.runtime import op

    image, found = _forward(weights)
    content = op.parameter([1, -1, -1, *widths(weights, [CONTENT_LAYER])], np.float32)
    wanted = [op.parameter([sum(widths(weights))], np.float32) for _ in range(2)]
    content_weight, style_weight = (op.parameter([], np.float32) for _ in range(2))
    slopes, errors = {}, []
    for name, *targets in zip(STYLE_LAYERS, *(_split(vector, weights) for vector in wanted)):
        x = found[name]
        mean = op.reduce_mean(x, _ROWS_AND_COLUMNS, keep_dims=True)
        variance = op.reduce_mean(_square(op.subtract(x, mean)), _ROWS_AND_COLUMNS, keep_dims=True)
        std = op.sqrt(op.add(variance, np.float32(EPSILON)))
        mean_error, std_error = (
            op.subtract(own, op.reshape(target, np.array([1, -1, 1, 1]), False))
            for own, target in zip((mean, std), targets))
        errors += [mean_error, std_error]
        # The slope of the mean is 1 / pixels, that of the deviation (x - mean) / std of it.
        share = op.divide(op.multiply(style_weight, np.float32(2)), _size(x, _ROWS_AND_COLUMNS))
        factor = op.divide(op.multiply(std_error, share), std)
        offset = op.subtract(op.multiply(mean_error, share), op.multiply(mean, factor))
        slopes[name] = op.add(op.multiply(x, factor), offset)
    difference = op.subtract(found[CONTENT_LAYER], _transpose(content, (0, 3, 1, 2)))
    count = _size(difference, np.array([1, 2, 3]))
    share = op.divide(op.multiply(content_weight, np.float32(2)), count)
    slopes[CONTENT_LAYER] = op.add(slopes[CONTENT_LAYER], op.multiply(difference, share))
    return _model([op.divide(_sum(_square(difference)), count),
                   _sum(_square(op.concat(errors, 1))), _backward(weights, found, slopes)],
                  [image, content, *wanted, content_weight, style_weight])


def tile_graph(weights: Weights):
    """Return an openvino.Model for a tile, given what depends on the whole picture.

    Inputs, float32:
        image (1, rows, columns, 3): the tile and around it as many pixels as the encoder sees;
            rows and columns at least 32
        content (1, rows / 8, columns / 8, channels): the content layer's activations wanted
        core (rows, columns): 1 in the tile, 0 around it
        regions (regions, rows, columns): how much a pixel belongs to each region, 0 around the tile
        scales, shifts (regions, channels): the style's slope in each region is this scale times
            an activation plus this shift
        content_scale (): the content's slope is this times the difference of the activations
    Outputs, float32: the tile's squared differences of the content, summed (); the slope that the
        tile adds to that of the whole picture (1, rows, columns, 3).
    """
    from adain.networks.openvino.runtime import op

    image, found = _forward(weights)
    content = op.parameter([1, -1, -1, *widths(weights, [CONTENT_LAYER])], np.float32)
    core, regions = op.parameter([-1, -1], np.float32), op.parameter([-1, -1, -1], np.float32)
    tables = [op.parameter([-1, sum(widths(weights))], np.float32) for _ in range(2)]
    content_scale = op.parameter([], np.float32)
    slopes = {}
    for name, *pair in zip(STYLE_LAYERS, *(_split(table, weights) for table in tables)):
        shares = _transpose(_shrink(regions, name), (0, 2, 3, 1))
        factor, offset = (_transpose(op.matmul(shares, table, False, False), (0, 3, 1, 2))
                          for table in pair)
        slopes[name] = op.add(op.multiply(found[name], factor), offset)
    inside = _shrink(op.unsqueeze(core, np.array(0)), CONTENT_LAYER)
    difference = op.multiply(
        op.subtract(found[CONTENT_LAYER], _transpose(content, (0, 3, 1, 2))), inside)
    slopes[CONTENT_LAYER] = op.add(slopes[CONTENT_LAYER], op.multiply(difference, content_scale))
    return _model([_sum(_square(difference)), _backward(weights, found, slopes)],
                  [image, content, core, regions, *tables, content_scale])


def _forward(weights: Weights):
    """Return the input and {name: activation}, with what pooling made of relu1_2 as "pool1"."""
    from adain.networks.openvino.runtime import op

    convolutions, last, found = Convolutions(weights, "encoder"), "", {}
    image = op.parameter([1, -1, -1, 3], np.float32)
    for step, x in forward(encoder_plan(depths_of(weights)), _transpose(image, (0, 3, 1, 2)),
                           lambda x, layer: op.relu(convolutions(x, layer)),
                           lambda x, _: max_pool(x)):
        last, name = (last, _pool(last)) if step == "pool" else (relu(step), relu(step))
        found[name] = x
    return image, found


def _backward(weights: Weights, found: dict, slopes: dict):
    """Return the slope (1, rows, columns, 3) of the picture, given those of activations."""
    from adain.networks.openvino.runtime import op

    slope = None
    steps = [step for step in encoder_plan(depths_of(weights)) if step != "pool"]
    for step in reversed(steps):
        name = relu(step)
        if _pool(name) in found and slope is not None:
            slope = _through_pool(slope, found[name], found[_pool(name)])
        if name in slopes:
            slope = slopes[name] if slope is None else op.add(slope, slopes[name])
        slope = op.select(op.greater(found[name], np.float32(0)), slope, np.float32(0))
        slope = _through_convolution(slope, weights[step][0])
    return _transpose(slope, (0, 2, 3, 1))


def _through_pool(slope, x, pooled):
    """Return the slope before a pooling of x; it is 0 where the maximum is 0, as the ReLU's is."""
    from adain.networks.openvino.runtime import op

    largest = op.convert(op.equal(x, upsample(pooled)), np.float32)
    share = op.avg_pool(largest, [2, 2], [0, 0], [0, 0], [2, 2], False, "floor").output(0)
    return op.multiply(largest, upsample(op.divide(slope, op.multiply(share, np.float32(4)))))


def _through_convolution(slope, kernel: np.ndarray):
    """Return the slope before a reflect-padded convolution, kernel (3, 3, inputs, outputs)."""
    from adain.networks.openvino.runtime import op

    # The padding's row belongs to the row after the one that it is beside: both there are four rows
    # at least, 32 pixels.
    adjoint = np.ascontiguousarray(kernel[::-1, ::-1].transpose(2, 3, 0, 1))
    x = op.convolution(slope, op.constant(adjoint), [1, 1], [2, 2], [2, 2], [1, 1])
    for axis in (2, 3):
        def part(start: int, stop: int, x=x, axis=axis):
            return op.slice(x, *(np.array([each]) for each in (start, stop, 1, axis)))

        x = op.concat([part(1, 2), op.add(part(2, 3), part(0, 1)), part(3, -3),
                       op.add(part(-3, -2), part(-1, _LAST)), part(-2, -1)], axis)
    return x


def _pool(activation: str) -> str:
    return f"{activation} pooled"


def _shrink(maps, name: str):
    """Return maps (count, rows, columns) as (1, count, ...) in the resolution of an activation."""
    from adain.networks.openvino.runtime import op

    x, size = op.unsqueeze(maps, np.array(0)), scale(name)
    return x if size == 1 else op.avg_pool(x, [size, size], [0, 0], [0, 0], [size, size], False,
                                           "floor").output(0)


def _split(table, weights: Weights) -> list:
    """Return (..., channels of all style layers) cut into one of each."""
    from adain.networks.openvino.runtime import op

    parts = op.variadic_split(table, np.array(-1), np.array(widths(weights)))
    return [parts.output(index) for index in range(len(STYLE_LAYERS))]


def _size(x, axes: np.ndarray):
    """Return the product of some sides of a tensor, as float32 ()."""
    from adain.networks.openvino.runtime import op

    sides = op.gather(op.shape_of(x), axes, np.array(0))
    return op.convert(op.reduce_prod(sides, np.array([0]), keep_dims=False), np.float32)


def _square(x):
    from adain.networks.openvino.runtime import op

    return op.power(x, np.float32(2))


def _sum(x):
    from adain.networks.openvino.runtime import op

    return op.reduce_sum(x, np.array([0, 1, 2, 3]), keep_dims=False)


def _transpose(x, order: tuple[int, ...]):
    from adain.networks.openvino.runtime import op

    return op.transpose(x, np.array(order))


def _model(outputs: list, inputs: list):
    from adain.networks.openvino.runtime import openvino

    return openvino.Model(outputs, inputs)
