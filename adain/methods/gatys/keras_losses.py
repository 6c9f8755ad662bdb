"""The losses of the iterative method in tiles, computed by Keras on TensorFlow, for GPUs."""

from __future__ import annotations

import keras
from keras import ops

from adain.errors import OptionError
from adain.methods.gatys.config import LAYERS, GatysConfig
from adain.networks.architecture import conv, scale
from adain.networks.keras import losses
from adain.networks.keras.devices import choose_precision
from adain.networks.keras.model import Encoder
from adain.networks.keras.ops import Tensor, gram_matrix
from adain.networks.weights import load_encoder

Tensors = dict[str, Tensor]  # by layer


class TileLosses:
    """See loss.TileLosses; functions are compiled once for all sizes."""

    def __init__(self, config: GatysConfig) -> None:
        if keras.backend.backend() != "tensorflow":
            raise OptionError("gatys with `engine=keras` needs KERAS_BACKEND=tensorflow; received "
                              f"{keras.backend.backend()}.")
        import tensorflow as tf

        self.config = config
        layers = [name for name in LAYERS if name in config.content_layers + config.style_layers]
        self.vgg = Encoder.from_weights(load_encoder("vgg19", config.vgg_path), tuple(layers),
                                        dtype=choose_precision(config.precision))
        self.vgg.trainable = False
        window, core = tf.TensorSpec((1, None, None, 3)), tf.TensorSpec((4,), tf.int32)
        channels = {name: self.vgg.convs[conv(name)].filters for name in layers}
        targets = {name: tf.TensorSpec((1, None, None, channels[name]))
                   for name in config.content_layers}
        grams = {name: tf.TensorSpec((1, channels[name], channels[name]))
                 for name in config.style_layers}
        share = tf.TensorSpec(())
        self.features = tf.function(self._features, [window, core])
        self.grams = tf.function(self._grams, [window, core])
        self.gradient = tf.function(self._gradient, [window, core, share, targets, grams, grams])
        self.tv_gradient = tf.function(self._tv_gradient, [window])

    def _layers(self, window: Tensor, core: Tensor) -> dict[str, Tensor]:
        """Return the activations in the core."""
        activations = {}
        for name, layer in zip(self.vgg.outputs_wanted, self.vgg(window)):
            top, bottom, left, right = (core[index] // scale(name) for index in range(4))
            activations[name] = layer[:, top:bottom, left:right]
        return activations

    def _features(self, window: Tensor, core: Tensor) -> dict[str, Tensor]:
        layers = self._layers(window, core)
        return {name: ops.cast(layers[name], "float32") for name in self.config.content_layers}

    def _grams(self, window: Tensor, core: Tensor) -> dict[str, Tensor]:
        layers = self._layers(window, core)
        return {name: gram_matrix(layers[name]) for name in self.config.style_layers}

    def _gradient(self, window: Tensor, core: Tensor, share: Tensor, targets: Tensors,
                  others: Tensors, style: Tensors) -> tuple[Tensor, Tensor, Tensor]:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(window)
            layers = self._layers(window, core)
            content = share * sum(losses.content_loss(layers[name], targets[name])
                                  for name in self.config.content_layers)
            style_loss = sum(
                losses.gram_distance(others[name] + share * gram_matrix(layers[name]),
                                     style[name])[0]
                for name in self.config.style_layers)
            total = self.config.content_weight * content + self.config.style_weight * style_loss
        return content, style_loss, tape.gradient(total, window)

    def _tv_gradient(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(picture)
            tv = losses.total_variation_loss(picture)
        return tv, tape.gradient(tv, picture)
