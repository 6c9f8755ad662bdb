"""The gradient of a picture's loss where Gram matrices are compared, as OpenVINO graphs.

As in gradients.py, but the style loss compares Gram matrices (Gatys et al. 2016), and any layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from adain.networks.networks import Weights
from adain.networks.openvino.gradients import (
    add_up,
    encode_input,
    model,
    pixel_gradient,
    shrink,
    square,
    total,
    transpose,
    widths,
)

if TYPE_CHECKING:
    import openvino

    from adain.networks.openvino.runtime import Tensor


def gram_graph(weights: Weights, style_layers: Sequence[str]) -> openvino.Model:
    """Return an openvino.Model of the Gram matrices of one tile.

    Inputs, float32: image and core, as of tile_graph().
    Outputs, float32: for each style layer (1, channels, channels), the products of each pair of
        channels, averaged over the core.
    """
    from adain.networks.openvino.runtime import op

    image, activations = encode_input(weights)
    core = op.parameter([-1, -1], np.float32)
    return model([_gram(activations[name], core, name)[0] for name in style_layers], [image, core])


def gram_gradient_graph(weights: Weights, content_layers: Sequence[str],
                        style_layers: Sequence[str]) -> openvino.Model:
    """Return an openvino.Model like tile_graph(), but with Gram matrices (Gatys et al. 2016).

    Inputs, float32:
        image, core: as of tile_graph()
        share (): area of the core divided by the area of the picture
        content_weight, style_weight (): factors of the losses
        for each content layer (1, rows, columns, channels): target activations
        for each style layer two of (1, channels, channels): the contribution of all other tiles to
            the picture's Gram matrix, and the target Gram matrix
    Outputs, float32:
        content loss (): contribution of the core to that of the picture
        style loss (): of the whole picture
        gradient (1, rows, columns, 3): summed over all tiles, that of the whole picture
    """
    from adain.networks.openvino.runtime import op

    image, activations = encode_input(weights)
    core = op.parameter([-1, -1], np.float32)
    share, *loss_weights = scalars = [op.parameter([], np.float32) for _ in range(3)]
    contents: list[Tensor] = []
    grams: list[Tensor] = []
    content_losses: list[Tensor] = []
    style_losses: list[Tensor] = []
    gradients: dict[str, Tensor] = {}
    for name in content_layers:
        channels = widths(weights, [name])[0]
        contents.append(op.parameter([1, -1, -1, channels], np.float32))
        inside, count = _inside(core, name)
        difference = op.multiply(
            op.subtract(activations[name], transpose(contents[-1], (0, 3, 1, 2))), inside)
        part = op.divide(share, op.multiply(count, np.float32(channels)))
        content_losses.append(op.multiply(total(square(difference)), part))
        factor = op.multiply(op.multiply(part, loss_weights[0]), np.float32(2))
        gradients[name] = op.multiply(difference, factor)
    for name in style_layers:
        channels = widths(weights, [name])[0]
        grams += [op.parameter([1, channels, channels], np.float32) for _ in range(2)]
        gram, flat, count = _gram(activations[name], core, name)
        error = op.subtract(op.add(grams[-2], op.multiply(gram, share)), grams[-1])
        squares = op.reduce_sum(square(error), np.array([0, 1, 2]), keep_dims=False)
        style_losses.append(op.divide(squares, np.float32(channels)))
        factor = op.divide(op.multiply(op.multiply(share, loss_weights[1]),
                                       np.float32(4 / channels)), count)
        gradient = op.reshape(op.matmul(op.multiply(error, factor), flat, False, False),
                           op.shape_of(activations[name]), False)
        gradients[name] = op.add(gradients[name], gradient) if name in gradients else gradient
    return model([add_up(content_losses), add_up(style_losses),
                   pixel_gradient(weights, activations, gradients)],
                  [image, core, *scalars, *contents, *grams])


def _gram(x: Tensor, core: Tensor, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return the Gram matrix of an activation in the core, the activation (0 in the halo), flat,
    and the number of its pixels in the core.
    """
    from adain.networks.openvino.runtime import op

    inside, count = _inside(core, name)
    flat = op.reshape(op.multiply(x, inside), np.array([0, 0, -1]), True)  # 0: as it is
    return op.divide(op.matmul(flat, flat, False, True), count), flat, count


def _inside(core: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Return the core at the resolution of an activation, and its number of pixels there."""
    from adain.networks.openvino.runtime import op

    inside = shrink(op.unsqueeze(core, np.array(0)), name)
    return inside, total(inside)
