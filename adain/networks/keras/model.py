"""The networks as Keras models: Encoder, Decoder, and StyleTransfer that joins them by AdaIN."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from adain.networks.architecture import (
    DECODER_OUTPUT,
    Four,
    convolutions,
    decoder_channels,
    decoder_plan,
    depths_of,
    encoder_channels,
    encoder_plan,
    forward,
    relu,
)
from adain.networks.keras.ops import ReflectConv2D, Tensor, channel_stats, upsample
from adain.networks.networks import Networks, Weights
from adain.networks.stats import ChannelStats, adain

# Of kernels that get weights at once. JAX compiles a random one for each shape: 20 s for VGG19.
_NO_INITIALIZER = "zeros"


class Encoder(keras.Model):
    """VGG19 up to relu4_1, or a smaller network of its kind, with reflect padding.

    Takes pictures (batch, rows, columns, 3), RGB in [0, 1], rows and columns multiples of 8 and at
    least 16. Returns the activations named by `outputs`, in that order, which is the network's;
    relu4_1 is (batch, rows/8, columns/8, widths[3]).
    """

    def __init__(self, widths: Four, depths: Four, outputs: tuple[str, ...],
                 negative_slope: float = 0.0, initializer: str = "glorot_uniform",
                 **options: Any) -> None:
        super().__init__(**options)
        self.plan, self.outputs_wanted = encoder_plan(depths), tuple(outputs)
        self.convs = {layer: ReflectConv2D(encoder_channels(layer, widths)[1], name=layer,
                                           activation=relu_of(negative_slope),
                                           kernel_initializer=initializer,
                                           dtype=self.dtype_policy)
                      for layer in convolutions(self.plan)}
        self.pool = keras.layers.MaxPooling2D(2, dtype=self.dtype_policy)
        for layer, conv in self.convs.items():
            conv.build((None, None, None, encoder_channels(layer, widths)[0]))
        self.built = True

    def call(self, images: Tensor) -> list[Tensor]:
        steps = forward(self.plan, images, lambda x, layer: self.convs[layer](x),
                        lambda x, _: self.pool(x))
        return [x for step, x in steps if relu(step) in self.outputs_wanted]

    @classmethod
    def from_weights(cls, weights: Weights, outputs: tuple[str, ...],
                     negative_slope: float = 0.0, **options: Any) -> Encoder:
        """Return an encoder with these weights, as wide and deep as they are."""
        widths = tuple(weights[f"conv{block}_1"][0].shape[-1] for block in (1, 2, 3, 4))
        encoder = cls(widths, depths_of(weights), outputs, negative_slope, _NO_INITIALIZER,
                      **options)
        set_weights(encoder, weights)
        return encoder


class Decoder(keras.Model):
    """The encoder's mirror: restyled features -> pictures (batch, rows, columns, 3).

    Takes the list of activations named by `inputs`; each is added where the decoder undoes the
    layer it came from. Nearest-neighbour upsampling and convolution instead of transposed
    convolution, which makes checkerboards. The result is float32, about [0, 1] but not clipped:
    losses need the gradient.
    """

    def __init__(self, widths: Four, depths: Four, inputs: tuple[str, ...],
                 negative_slope: float = 0.0, initializer: str = "glorot_uniform",
                 **options: Any) -> None:
        super().__init__(**options)
        self.plan, self.inputs_wanted = decoder_plan(depths), tuple(inputs)
        self.convs = {layer: ReflectConv2D(decoder_channels(layer, widths)[1], name=layer,
                                           activation=None if layer == DECODER_OUTPUT
                                           else relu_of(negative_slope),
                                           kernel_initializer=initializer,
                                           dtype=self.dtype_policy)
                      for layer in convolutions(self.plan)}
        for layer, conv in self.convs.items():
            conv.build((None, None, None, decoder_channels(layer, widths)[0]))
        self.built = True

    def call(self, features: list[Tensor]) -> Tensor:
        restyled = {name: ops.cast(activation, self.compute_dtype)
                    for name, activation in zip(self.inputs_wanted, features)}
        *_, (_, picture) = forward(self.plan, None, lambda x, layer: self.convs[layer](x),
                                   lambda x, _: upsample(x), restyled)
        return ops.cast(picture, "float32")

    @classmethod
    def from_weights(cls, weights: Weights, inputs: tuple[str, ...],
                     negative_slope: float = 0.0, **options: Any) -> Decoder:
        """Return a decoder with these weights, as wide and deep as they are."""
        widths = tuple(weights[f"conv{block}_1"][0].shape[2] for block in (1, 2, 3, 4))
        decoder = cls(widths, depths_of(weights), inputs, negative_slope, _NO_INITIALIZER,
                      **options)
        set_weights(decoder, weights)
        return decoder


class StyleTransfer(keras.Model):
    """Content and style pictures -> stylized pictures: encode, AdaIN, decode.

    The encoder may give more activations than the decoder takes.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, **options: Any) -> None:
        super().__init__(**options)
        self.encoder = encoder
        self.decoder = decoder
        self.built = True  # its two parts are

    @classmethod
    def from_networks(cls, networks: Networks, **options: Any) -> StyleTransfer:
        """Return the same networks as Keras models."""
        settings = networks.adain_layers, networks.negative_slope
        return cls(Encoder.from_weights(networks.encoder, *settings, **options),
                   Decoder.from_weights(networks.decoder, *settings, **options), **options)

    def call(self, content: Tensor, style: Tensor) -> Tensor:
        features = zip(self.encoder.outputs_wanted, self.encoder(content), self.encoder(style))
        return self.decoder([blend(ours, channel_stats(theirs)) for name, ours, theirs in features
                             if name in self.decoder.inputs_wanted])


def blend(content_features: Tensor, style: ChannelStats) -> Tensor:
    """Return the content features with the statistics of a style: AdaIN, in float32."""
    content_features = ops.cast(content_features, "float32")
    return adain(content_features, channel_stats(content_features), style)


def relu_of(negative_slope: float) -> Callable[[Tensor], Tensor]:
    """Return a ReLU that lets this share of a negative value pass."""
    if not negative_slope:
        relu: Callable[[Tensor], Tensor] = ops.relu
        return relu
    leaky: Callable[[Tensor], Tensor] = functools.partial(ops.leaky_relu,
                                                          negative_slope=negative_slope)
    return leaky


def set_weights(network: Encoder | Decoder, weights: Weights) -> None:
    """Copy weights into a network's convolutions."""
    for layer, conv in network.convs.items():
        kernel, bias = weights[layer]
        conv.kernel.assign(kernel)
        conv.bias.assign(bias)


def get_weights(network: Encoder | Decoder) -> Weights:
    """Return a copy of a network's weights as NumPy arrays."""
    return {layer: (ops.convert_to_numpy(conv.kernel), ops.convert_to_numpy(conv.bias))
            for layer, conv in network.convs.items()}
