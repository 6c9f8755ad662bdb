"""The gradient of a picture's loss with respect to its pixels, as OpenVINO graphs.

OpenVINO has no automatic differentiation, so backpropagation is written out here. The content loss
compares VGG19 activations at relu4_1; the style loss compares channel means and standard deviations
at relu1_1 .. relu4_1 (in gram_gradients.py Gram matrices). Only these statistics depend on the
whole picture. If they are known, the gradient of the style loss with respect to an activation is
activation * scale + shift, with one scale and one shift per channel.

From the activations the gradient goes back to the pixels through the adjoint of each layer:

* convolution: a convolution with the kernel rotated by 180 degrees, inputs and outputs swapped;
* reflect padding: the gradient of a padded pixel is added to that of the pixel it is a copy of;
* ReLU: the gradient where the activation is above 0, else 0;
* max pooling: the gradient goes to the maximum; equal maxima share it equally.

In the graphs, activations are (1, channels, rows, columns).
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
    """Return the number of channels of each activation."""
    return [weights[conv(name)][1].size for name in names]


def picture_graph(weights: Weights) -> openvino.Model:
    """Return an openvino.Model of the losses and the gradient of a whole picture.

    Inputs, float32:
        image (1, rows, columns, 3): in [0, 1]; rows and columns at least 32
        content (1, rows / 8, columns / 8, channels): target activations of the content layer
        mean, std (channels,): target statistics of all style layers, concatenated
        content_weight, style_weight (): factors of the losses
    Outputs, float32:
        content loss (): mean squared difference of the content layer's activations
        style loss (): sum of the squared differences of means and standard deviations
        gradient (1, rows, columns, 3): of the weighted sum of both losses
    """

    image, activations = encode_input(weights)
    targets, content_loss, style_loss, gradients = compare(weights, activations)
    return model([content_loss, style_loss, pixel_gradient(weights, activations, gradients)],
                  [image, *targets])


def compare(weights: Weights, activations: Mapping[str, Tensor],
            layer_weights: Sequence[float] = (1, 1, 1, 1)
            ) -> tuple[list[Tensor], Tensor, Tensor, dict[str, Tensor]]:
    """Return the losses of a whole picture and their gradients with respect to its activations.

    layer_weights: factors of the style losses of STYLE_LAYERS.

    Returns:
        The inputs content, mean, std, content_weight and style_weight of picture_graph(); the
        content loss and the style loss; {activation: gradient of their weighted sum}.
    """
    from adain.networks.openvino.runtime import op

    content = op.parameter([1, -1, -1, *widths(weights, [CONTENT_LAYER])], np.float32)
    statistics = [op.parameter([sum(widths(weights))], np.float32) for _ in range(2)]
    content_weight, style_weight = (op.parameter([], np.float32) for _ in range(2))
    gradients, losses = {}, []
    for name, layer_weight, *targets in zip(STYLE_LAYERS, layer_weights,
                                            *(_split(vector, weights) for vector in statistics)):
        x = activations[name]
        mean = op.reduce_mean(x, _ROWS_AND_COLUMNS, keep_dims=True)
        variance = op.reduce_mean(square(op.subtract(x, mean)), _ROWS_AND_COLUMNS, keep_dims=True)
        std = op.sqrt(op.add(variance, np.float32(EPSILON)))
        mean_error, std_error = (
            op.subtract(value, op.reshape(target, np.array([1, -1, 1, 1]), False))
            for value, target in zip((mean, std), targets))
        losses.append(op.multiply(op.add(total(square(mean_error)), total(square(std_error))),
                                  np.float32(layer_weight)))
        # d mean / d x = 1 / pixels, and d std / d x = (x - mean) / (std * pixels).
        share = op.divide(op.multiply(style_weight, np.float32(2 * layer_weight)),
                          _size(x, _ROWS_AND_COLUMNS))
        factor = op.divide(op.multiply(std_error, share), std)
        offset = op.subtract(op.multiply(mean_error, share), op.multiply(mean, factor))
        gradients[name] = op.add(op.multiply(x, factor), offset)
    difference = op.subtract(activations[CONTENT_LAYER], transpose(content, (0, 3, 1, 2)))
    count = _size(difference, np.array([1, 2, 3]))
    share = op.divide(op.multiply(content_weight, np.float32(2)), count)
    gradients[CONTENT_LAYER] = op.add(gradients[CONTENT_LAYER], op.multiply(difference, share))
    return ([content, *statistics, content_weight, style_weight],
            op.divide(total(square(difference)), count), add_up(losses), gradients)


def tile_graph(weights: Weights) -> openvino.Model:
    """Return an openvino.Model of the part of the loss and the gradient that one tile contributes.

    Inputs, float32:
        image (1, rows, columns, 3): the tile (core) and a halo as wide as the encoder's receptive
            radius; in [0, 1]; rows and columns at least 32
        content (1, rows / 8, columns / 8, channels): target activations of the content layer
        core (rows, columns): 1 in the tile, 0 in the halo
        regions (regions, rows, columns): weight of each pixel in each region, 0 in the halo
        scales, shifts (regions, channels): the gradient of the style loss with respect to an
            activation is activation * scale + shift, computed from the statistics of the picture
        content_scale (): factor from differences of activations to the content loss's gradient
    Outputs, float32:
        content error (): sum of the squared differences of activations in the tile
        gradient (1, rows, columns, 3): summed over all tiles, that of the whole picture
    """
    from adain.networks.openvino.runtime import op

    image, activations = encode_input(weights)
    content = op.parameter([1, -1, -1, *widths(weights, [CONTENT_LAYER])], np.float32)
    core, regions = op.parameter([-1, -1], np.float32), op.parameter([-1, -1, -1], np.float32)
    tables = [op.parameter([-1, sum(widths(weights))], np.float32) for _ in range(2)]
    content_scale = op.parameter([], np.float32)
    gradients = {}
    for name, *pair in zip(STYLE_LAYERS, *(_split(table, weights) for table in tables)):
        shares = transpose(shrink(regions, name), (0, 2, 3, 1))
        factor, offset = (transpose(op.matmul(shares, table, False, False), (0, 3, 1, 2))
                          for table in pair)
        gradients[name] = op.add(op.multiply(activations[name], factor), offset)
    inside = shrink(op.unsqueeze(core, np.array(0)), CONTENT_LAYER)
    difference = op.multiply(
        op.subtract(activations[CONTENT_LAYER], transpose(content, (0, 3, 1, 2))), inside)
    gradients[CONTENT_LAYER] = op.add(gradients[CONTENT_LAYER],
                                      op.multiply(difference, content_scale))
    return model([total(square(difference)), pixel_gradient(weights, activations, gradients)],
                  [image, content, core, regions, *tables, content_scale])


def add_up(terms: Sequence[Tensor]) -> Tensor:
    from adain.networks.openvino.runtime import op

    result = terms[0]
    for term in terms[1:]:
        result = op.add(result, term)
    return result


def encode_input(weights: Weights) -> tuple[Tensor, dict[str, Tensor]]:
    """Return an input for a picture (1, rows, columns, 3), and its activations."""
    from adain.networks.openvino.runtime import op

    image = op.parameter([1, -1, -1, 3], np.float32)
    return image, encode(weights, transpose(image, (0, 3, 1, 2)))


def encode(weights: Weights, picture: Tensor) -> dict[str, Tensor]:
    """Return the activations of a picture (1, 3, rows, columns) by name, as backpropagate() needs.

    A pooled one is called _pool(name).
    """
    from adain.networks.openvino.runtime import op

    convolutions, last = Convolutions(weights, "encoder"), ""
    activations: dict[str, Tensor] = {}
    for step, x in forward(encoder_plan(depths_of(weights)), picture,
                           lambda x, layer: op.relu(convolutions(x, layer)),
                           lambda x, _: max_pool(x)):
        last, name = (last, _pool(last)) if step == "pool" else (relu(step), relu(step))
        activations[name] = x
    return activations


def pixel_gradient(weights: Weights, activations: Mapping[str, Tensor],
                   gradients: Mapping[str, Tensor]) -> Tensor:
    """Return the gradient (1, rows, columns, 3) of the pixels, given those of activations."""
    return transpose(backpropagate(weights, activations, gradients), (0, 2, 3, 1))


def backpropagate(weights: Weights, activations: Mapping[str, Tensor],
                  gradients: Mapping[str, Tensor]) -> Tensor:
    """Return the gradient (1, 3, rows, columns) of the pixels, given those of activations."""
    from adain.networks.openvino.runtime import op

    gradient = None
    steps = [step for step in encoder_plan(depths_of(weights)) if step != "pool"]
    for step in reversed(steps):
        name = relu(step)
        if _pool(name) in activations and gradient is not None:
            gradient = _through_pool(gradient, activations[name], activations[_pool(name)])
        if name in gradients:
            gradient = gradients[name] if gradient is None else op.add(gradient, gradients[name])
        if gradient is None:  # no loss depends on this layer or a deeper one
            continue
        gradient = op.select(op.greater(activations[name], np.float32(0)), gradient, np.float32(0))
        gradient = through_convolution(gradient, weights[step][0])
    return gradient


def _through_pool(gradient: Tensor, x: Tensor, pooled: Tensor) -> Tensor:
    """Return the gradient with respect to x, given that of max_pool(x).

    Equal maxima share it equally. Where the maximum is 0, the ReLU before the pooling removes it.
    """
    from adain.networks.openvino.runtime import op

    largest = op.convert(op.equal(x, upsample(pooled)), np.float32)
    share = op.avg_pool(largest, [2, 2], [0, 0], [0, 0], [2, 2], False, "floor").output(0)
    return op.multiply(largest, upsample(op.divide(gradient, op.multiply(share, np.float32(4)))))


def through_convolution(gradient: Tensor, kernel: np.ndarray) -> Tensor:
    """Return the gradient with respect to the input of a reflect-padded convolution.

    kernel: (3, 3, inputs, outputs).
    """
    from adain.networks.openvino.runtime import op

    # Reflection pads with copies of the second row and of the second to last one, so their
    # gradients are added there. At least four rows, hence 32 pixels at relu4_1, keep them apart.
    adjoint = np.ascontiguousarray(kernel[::-1, ::-1].transpose(2, 3, 0, 1))
    x = op.convolution(gradient, op.constant(adjoint), [1, 1], [2, 2], [2, 2], [1, 1])
    for axis in (2, 3):
        def part(start: int, stop: int, x: Tensor = x, axis: int = axis) -> Tensor:
            return op.slice(x, *(np.array([each]) for each in (start, stop, 1, axis)))

        x = op.concat([part(1, 2), op.add(part(2, 3), part(0, 1)), part(3, -3),
                       op.add(part(-3, -2), part(-1, _LAST)), part(-2, -1)], axis)
    return x


def _pool(activation: str) -> str:
    return f"{activation} pooled"


def shrink(maps: Tensor, name: str) -> Tensor:
    """Return maps (count, rows, columns), averaged to the resolution of an activation.

    The result is (1, count, rows / scale, columns / scale).
    """
    from adain.networks.openvino.runtime import op

    x, size = op.unsqueeze(maps, np.array(0)), scale(name)
    return x if size == 1 else op.avg_pool(x, [size, size], [0, 0], [0, 0], [size, size], False,
                                           "floor").output(0)


def _split(table: Tensor, weights: Weights) -> list[Tensor]:
    """Split the last axis, the channels of all style layers, into one tensor for each layer."""
    from adain.networks.openvino.runtime import op

    parts = op.variadic_split(table, np.array(-1), np.array(widths(weights)))
    return [parts.output(index) for index in range(len(STYLE_LAYERS))]


def _size(x: Tensor, axes: np.ndarray) -> Tensor:
    """Return the number of elements along some axes, float32 ()."""
    from adain.networks.openvino.runtime import op

    sides = op.gather(op.shape_of(x), axes, np.array(0))
    return op.convert(op.reduce_prod(sides, np.array([0]), keep_dims=False), np.float32)


def square(x: Tensor) -> Tensor:
    from adain.networks.openvino.runtime import op

    return op.power(x, np.float32(2))


def total(x: Tensor) -> Tensor:
    from adain.networks.openvino.runtime import op

    return op.reduce_sum(x, np.array([0, 1, 2, 3]), keep_dims=False)


def transpose(x: Tensor, order: tuple[int, ...]) -> Tensor:
    from adain.networks.openvino.runtime import op

    return op.transpose(x, np.array(order))


def model(outputs: list[Tensor], inputs: list[Tensor]) -> openvino.Model:
    from adain.networks.openvino.runtime import openvino

    return openvino.Model(outputs, inputs)
