"""The gradient of the losses with respect to the statistics of a style, as an OpenVINO graph.

A decoder takes a content's features, normalized, times the style's deviations plus its means, and
makes a picture, which VGG19 compares with content and style. gradients.py takes the losses back to
the pixels; from there they go on through the decoder, by the adjoint of each layer:

* convolution and leaky ReLU: as in gradients.py, where a negative value passes a share;
* upsampling: the sum of the gradients of the four copies;
* AdaIN: the sum over rows and columns, for the deviations times the normalized features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adain.networks.architecture import (
    DECODER_OUTPUT,
    decoder_plan,
    depths_of,
    forward,
    relu,
)
from adain.networks.networks import Networks, Weights
from adain.networks.openvino import gradients
from adain.networks.openvino.convolutions import Convolutions, upsample
from adain.networks.openvino.graphs import leaky_relu, row, split_layers

if TYPE_CHECKING:
    import openvino

    from adain.networks.openvino.runtime import Tensor

# Of the style losses at relu1_1 .. relu4_1, which are sums over 64, 128, 256 and 512 channels.
LAYER_WEIGHTS = (8, 4, 2, 1)


def style_gradient_graph(networks: Networks, vgg: Weights) -> openvino.Model:
    """Return an openvino.Model of the losses of one content's picture and their gradient.

    Inputs, float32:
        style_mean, style_std (channels,): of the style, those of all AdaIN layers in a row
        features (1, rows, columns, channels), of each AdaIN layer: the content's, normalized to
            mean 0 and deviation 1; the picture must have at least 32 rows and columns
        content, mean, std, content_weight, style_weight: see gradients.picture_graph()
    Outputs, float32:
        content loss (), style loss (): see there; style losses have LAYER_WEIGHTS
        mean_gradient, std_gradient (channels,): of the weighted sum of both losses
    """
    from adain.networks.openvino.runtime import op

    names = networks.adain_layers
    vectors = [op.parameter([networks.channels], np.float32) for _ in range(2)]
    features = [op.parameter([1, -1, -1, width], np.float32) for width in networks.widths]
    normalized = {name: gradients.transpose(x, (0, 3, 1, 2)) for name, x in zip(names, features)}
    restyled = {}
    for name, *style in zip(names, *(split_layers(vector, networks) for vector in vectors)):
        mean, std = (op.reshape(part, np.array([1, -1, 1, 1]), False) for part in style)
        restyled[name] = op.add(op.multiply(normalized[name], std), mean)
    steps = _decode(networks, restyled)
    activations = gradients.encode(vgg, steps[DECODER_OUTPUT])
    targets, content_loss, style_loss, compared = gradients.compare(vgg, activations, LAYER_WEIGHTS)
    of_features = _backpropagate(networks, steps,
                                 gradients.backpropagate(vgg, activations, compared))
    of_means = _sums([of_features[name] for name in names])
    of_stds = _sums([op.multiply(of_features[name], normalized[name]) for name in names])
    return gradients.model([content_loss, style_loss, of_means, of_stds],
                           [*vectors, *features, *targets])


def _sums(layers: Sequence[Tensor]) -> Tensor:
    """Return the sum of each channel over rows and columns, those of all layers in a row."""
    from adain.networks.openvino.runtime import op

    return row(op.reduce_sum(x, np.array([2, 3]), keep_dims=True) for x in layers)


def _decode(networks: Networks, restyled: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what comes out of each convolution of the decoder, by name."""
    convolutions = Convolutions(networks.decoder, "decoder")

    def convolve(x: Tensor, layer: str) -> Tensor:
        x = convolutions(x, layer)
        return x if layer == DECODER_OUTPUT else leaky_relu(x, networks.negative_slope)

    steps = forward(decoder_plan(depths_of(networks.decoder)), None, convolve,
                    lambda x, _: upsample(x), restyled)
    return {step: x for step, x in steps if step != "upsample"}


def _backpropagate(networks: Networks, steps: Mapping[str, Tensor],
                   gradient: Tensor) -> dict[str, Tensor]:
    """Return the gradients of the restyled activations, given that of the picture."""
    from adain.networks.openvino.runtime import op

    found, slope = {}, np.float32(networks.negative_slope)
    for step in reversed(decoder_plan(depths_of(networks.decoder))):
        if step == "upsample":
            mean = op.avg_pool(gradient, [2, 2], [0, 0], [0, 0], [2, 2], False, "floor").output(0)
            gradient = op.multiply(mean, np.float32(4))
            continue
        if step != DECODER_OUTPUT:
            gradient = op.select(op.greater(steps[step], np.float32(0)), gradient,
                                 op.multiply(gradient, slope))
        gradient = gradients.through_convolution(gradient, networks.decoder[step][0])
        if relu(step) in networks.adain_layers:
            found[relu(step)] = gradient
    return found
