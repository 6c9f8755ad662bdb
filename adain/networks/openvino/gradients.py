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

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    import openvino

    from adain.networks.openvino.runtime import Tensor

_LAST = np.iinfo(np.int64).max
_ROWS_AND_COLUMNS = np.array([2, 3])


def widths(weights: Weights, names: Sequence[str] = STYLE_LAYERS) -> list[int]:
    """Return how many channels each activation has."""
    return [weights[conv(name)][1].size for name in names]


def picture_graph(weights: Weights) -> openvino.Model:
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
            op.subtract(value, op.reshape(target, np.array([1, -1, 1, 1]), False))
            for value, target in zip((mean, std), targets))
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


def tile_graph(weights: Weights) -> openvino.Model:
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


def gram_graph(weights: Weights, style_layers: Sequence[str]) -> openvino.Model:
    """Return an openvino.Model: a window and its core, as of tile_graph -> Gram matrices.

    One for each style layer: mean products of the channels in the core, (1, channels, channels).
    """
    from adain.networks.openvino.runtime import op

    image, found = _forward(weights)
    core = op.parameter([-1, -1], np.float32)
    return _model([_gram(found[name], core, name)[0] for name in style_layers], [image, core])


def gram_gradient_graph(weights: Weights, content_layers: Sequence[str],
                        style_layers: Sequence[str]) -> openvino.Model:
    """Return an openvino.Model for a tile whose style is compared by Gram matrices (Gatys 2016).

    Inputs, float32: image, core, as of tile_graph; share (): the core's part of the picture's area;
        content_weight, style_weight (); for each content layer its activations wanted (1, rows,
        columns, channels); for each style layer the other tiles' part of the Gram matrix and the
        one wanted, (1, channels, channels) each.
    Outputs, float32: the content's loss in the core (); the style's loss of the picture (); the
        slope that the tile adds to that of the picture (1, rows, columns, 3).
    """
    from adain.networks.openvino.runtime import op

    image, found = _forward(weights)
    core = op.parameter([-1, -1], np.float32)
    share, *loss_weights = scalars = [op.parameter([], np.float32) for _ in range(3)]
    contents: list[Tensor] = []
    grams: list[Tensor] = []
    content_losses: list[Tensor] = []
    style_losses: list[Tensor] = []
    slopes: dict[str, Tensor] = {}
    for name in content_layers:
        channels = widths(weights, [name])[0]
        contents.append(op.parameter([1, -1, -1, channels], np.float32))
        inside, count = _inside(core, name)
        difference = op.multiply(
            op.subtract(found[name], _transpose(contents[-1], (0, 3, 1, 2))), inside)
        part = op.divide(share, op.multiply(count, np.float32(channels)))
        content_losses.append(op.multiply(_sum(_square(difference)), part))
        factor = op.multiply(op.multiply(part, loss_weights[0]), np.float32(2))
        slopes[name] = op.multiply(difference, factor)
    for name in style_layers:
        channels = widths(weights, [name])[0]
        grams += [op.parameter([1, channels, channels], np.float32) for _ in range(2)]
        gram, flat, count = _gram(found[name], core, name)
        error = op.subtract(op.add(grams[-2], op.multiply(gram, share)), grams[-1])
        squares = op.reduce_sum(_square(error), np.array([0, 1, 2]), keep_dims=False)
        style_losses.append(op.divide(squares, np.float32(channels)))
        factor = op.divide(op.multiply(op.multiply(share, loss_weights[1]),
                                       np.float32(4 / channels)), count)
        slope = op.reshape(op.matmul(op.multiply(error, factor), flat, False, False),
                           op.shape_of(found[name]), False)
        slopes[name] = op.add(slopes[name], slope) if name in slopes else slope
    return _model([_add_up(content_losses), _add_up(style_losses),
                   _backward(weights, found, slopes)],
                  [image, core, *scalars, *contents, *grams])


def _gram(x: Tensor, core: Tensor, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return the Gram matrix of an activation in the core, its flat values there, their number."""
    from adain.networks.openvino.runtime import op

    inside, count = _inside(core, name)
    flat = op.reshape(op.multiply(x, inside), np.array([0, 0, -1]), True)  # 0: as it is
    return op.divide(op.matmul(flat, flat, False, True), count), flat, count


def _inside(core: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Return the core in the resolution of an activation, and how many features are in it."""
    from adain.networks.openvino.runtime import op

    inside = _shrink(op.unsqueeze(core, np.array(0)), name)
    return inside, _sum(inside)


def _add_up(terms: Sequence[Tensor]) -> Tensor:
    from adain.networks.openvino.runtime import op

    total = terms[0]
    for term in terms[1:]:
        total = op.add(total, term)
    return total


def _forward(weights: Weights) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the input and {name: activation}, with what pooling made of relu1_2 as "pool1"."""
    from adain.networks.openvino.runtime import op

    convolutions, last = Convolutions(weights, "encoder"), ""
    found: dict[str, Tensor] = {}
    image = op.parameter([1, -1, -1, 3], np.float32)
    for step, x in forward(encoder_plan(depths_of(weights)), _transpose(image, (0, 3, 1, 2)),
                           lambda x, layer: op.relu(convolutions(x, layer)),
                           lambda x, _: max_pool(x)):
        last, name = (last, _pool(last)) if step == "pool" else (relu(step), relu(step))
        found[name] = x
    return image, found


def _backward(weights: Weights, found: Mapping[str, Tensor],
              slopes: Mapping[str, Tensor]) -> Tensor:
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
        if slope is None:  # nothing is compared as deep as this
            continue
        slope = op.select(op.greater(found[name], np.float32(0)), slope, np.float32(0))
        slope = _through_convolution(slope, weights[step][0])
    return _transpose(slope, (0, 2, 3, 1))


def _through_pool(slope: Tensor, x: Tensor, pooled: Tensor) -> Tensor:
    """Return the slope before a pooling of x; it is 0 where the maximum is 0, as the ReLU's is."""
    from adain.networks.openvino.runtime import op

    largest = op.convert(op.equal(x, upsample(pooled)), np.float32)
    share = op.avg_pool(largest, [2, 2], [0, 0], [0, 0], [2, 2], False, "floor").output(0)
    return op.multiply(largest, upsample(op.divide(slope, op.multiply(share, np.float32(4)))))


def _through_convolution(slope: Tensor, kernel: np.ndarray) -> Tensor:
    """Return the slope before a reflect-padded convolution, kernel (3, 3, inputs, outputs)."""
    from adain.networks.openvino.runtime import op

    # The padding's row belongs to the row after the one that it is beside: both there are four rows
    # at least, 32 pixels.
    adjoint = np.ascontiguousarray(kernel[::-1, ::-1].transpose(2, 3, 0, 1))
    x = op.convolution(slope, op.constant(adjoint), [1, 1], [2, 2], [2, 2], [1, 1])
    for axis in (2, 3):
        def part(start: int, stop: int, x: Tensor = x, axis: int = axis) -> Tensor:
            return op.slice(x, *(np.array([each]) for each in (start, stop, 1, axis)))

        x = op.concat([part(1, 2), op.add(part(2, 3), part(0, 1)), part(3, -3),
                       op.add(part(-3, -2), part(-1, _LAST)), part(-2, -1)], axis)
    return x


def _pool(activation: str) -> str:
    return f"{activation} pooled"


def _shrink(maps: Tensor, name: str) -> Tensor:
    """Return maps (count, rows, columns) as (1, count, ...) in the resolution of an activation."""
    from adain.networks.openvino.runtime import op

    x, size = op.unsqueeze(maps, np.array(0)), scale(name)
    return x if size == 1 else op.avg_pool(x, [size, size], [0, 0], [0, 0], [size, size], False,
                                           "floor").output(0)


def _split(table: Tensor, weights: Weights) -> list[Tensor]:
    """Return (..., channels of all style layers) cut into one of each."""
    from adain.networks.openvino.runtime import op

    parts = op.variadic_split(table, np.array(-1), np.array(widths(weights)))
    return [parts.output(index) for index in range(len(STYLE_LAYERS))]


def _size(x: Tensor, axes: np.ndarray) -> Tensor:
    """Return the product of some sides of a tensor, as float32 ()."""
    from adain.networks.openvino.runtime import op

    sides = op.gather(op.shape_of(x), axes, np.array(0))
    return op.convert(op.reduce_prod(sides, np.array([0]), keep_dims=False), np.float32)


def _square(x: Tensor) -> Tensor:
    from adain.networks.openvino.runtime import op

    return op.power(x, np.float32(2))


def _sum(x: Tensor) -> Tensor:
    from adain.networks.openvino.runtime import op

    return op.reduce_sum(x, np.array([0, 1, 2, 3]), keep_dims=False)


def _transpose(x: Tensor, order: tuple[int, ...]) -> Tensor:
    from adain.networks.openvino.runtime import op

    return op.transpose(x, np.array(order))


def _model(outputs: list[Tensor], inputs: list[Tensor]) -> openvino.Model:
    from adain.networks.openvino.runtime import openvino

    return openvino.Model(outputs, inputs)
