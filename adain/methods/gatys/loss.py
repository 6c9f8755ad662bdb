"""The loss of the iterative method and its gradient, exactly, in tiles of bounded memory.

A Gram matrix is a mean over pixels, so that of a picture is the sum of its tiles' shares. Pass 1
adds them up; pass 2 computes each tile again and differentiates the loss of (its own share + those
of the others). The gradients of all tiles add up to that of the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from adain.errors import OptionError
from adain.methods.gatys.config import LAYERS, GatysConfig
from adain.networks.architecture import VGG19_DEPTHS, conv, radius, scale
from adain.networks.keras import losses
from adain.networks.keras.devices import choose_precision
from adain.networks.keras.model import Encoder
from adain.networks.keras.ops import Tensor, gram_matrix
from adain.networks.weights import load_encoder
from adain.transfer.tiling import Tile, stride_multiple, tiles

ENCODER_HALO = stride_multiple(radius(VGG19_DEPTHS))


class TileLosses:
    """The frozen VGG19 and what is computed of one tile, compiled once for all sizes."""

    def __init__(self, config: GatysConfig) -> None:
        if keras.backend.backend() != "tensorflow":
            raise OptionError("gatys needs Keras on TensorFlow; set KERAS_BACKEND=tensorflow "
                              f"(it is {keras.backend.backend()}).")
        import tensorflow as tf

        self.config = config
        wanted = [name for name in LAYERS if name in config.content_layers + config.style_layers]
        self.vgg = Encoder.from_weights(load_encoder("vgg19", config.vgg_path), tuple(wanted),
                                        dtype=choose_precision(config.precision))
        self.vgg.trainable = False
        window, core = tf.TensorSpec((1, None, None, 3)), tf.TensorSpec((4,), tf.int32)
        channels = {name: self.vgg.convs[conv(name)].filters for name in wanted}
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
        """Return the activations inside the core (top, bottom, left, right, in pixels)."""
        found = {}
        for name, layer in zip(self.vgg.outputs_wanted, self.vgg(window)):
            top, bottom, left, right = (core[index] // scale(name) for index in range(4))
            found[name] = layer[:, top:bottom, left:right]
        return found

    def _features(self, window: Tensor, core: Tensor) -> dict[str, Tensor]:
        layers = self._layers(window, core)
        return {name: ops.cast(layers[name], "float32") for name in self.config.content_layers}

    def _grams(self, window: Tensor, core: Tensor) -> dict[str, Tensor]:
        layers = self._layers(window, core)
        return {name: gram_matrix(layers[name]) for name in self.config.style_layers}

    def _gradient(self, window, core, share, targets, others, style):
        """Return (content loss of this tile, style loss of the whole picture, the gradient).

        share: the core's part of the picture's area; others: the rest's part of the Gram matrices.
        """
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(window)
            layers = self._layers(window, core)
            content = share * sum(losses.content_loss(layers[name], targets[name])
                                  for name in self.config.content_layers)
            style = sum(
                losses.gram_distance(others[name] + share * gram_matrix(layers[name]),
                                     style[name])[0]
                for name in self.config.style_layers)
            total = self.config.content_weight * content + self.config.style_weight * style
        return content, style, tape.gradient(total, window)

    def _tv_gradient(self, picture):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(picture)
            tv = losses.total_variation_loss(picture)
        return tv, tape.gradient(tv, picture)


@lru_cache(maxsize=1)
def compiled(config: GatysConfig) -> TileLosses:
    """Return TileLosses, those of the last call where the settings are the same: many pictures."""
    return TileLosses(config)


class Evaluation(NamedTuple):
    """The losses of a picture, and how their weighted sum changes with its pixels."""

    losses: dict[str, float]
    gradient: np.ndarray

    @property
    def total(self) -> float:
        return self.losses["total"]


class Objective:
    """The loss at one size: call it with a picture, float32 (rows, columns, 3) as `content` is.

    content, style: float32 in [0, 1]; all sides multiples of 8; the two may differ in size.
    """

    def __init__(self, tile_losses: TileLosses, content: np.ndarray, style: np.ndarray) -> None:
        self.compiled, self.config = tile_losses, tile_losses.config
        self.plan = tiles(*content.shape[:2], self.config.tile_size, ENCODER_HALO)
        self.targets = [self.compiled.features(*window(content, tile)) for tile in self.plan]
        plan = tiles(*style.shape[:2], self.config.tile_size, ENCODER_HALO)
        self.style = add_up(self.part(style, tile) for tile in plan)

    def part(self, picture: np.ndarray, tile: Tile) -> dict[str, Tensor]:
        """Return what a tile contributes to the Gram matrices of the picture."""
        share = area(tile) / (picture.shape[0] * picture.shape[1])
        return {name: share * gram
                for name, gram in self.compiled.grams(*window(picture, tile)).items()}

    def __call__(self, picture: np.ndarray) -> Evaluation:
        config = self.config
        if len(self.plan) == 1:
            parts = [self.style]  # all that counts: a single tile has no others
        else:
            parts = [self.part(picture, tile) for tile in self.plan]
        whole = add_up(parts)
        tv, gradient = self.compiled.tv_gradient(picture[None])
        gradient = config.tv_weight * ops.convert_to_numpy(gradient)[0]
        content = 0.0
        for tile, target, part in zip(self.plan, self.targets, parts):
            others = {name: whole[name] - part[name] for name in whole}
            share = area(tile) / (picture.shape[0] * picture.shape[1])
            of_tile, style, slope = self.compiled.gradient(
                *window(picture, tile), np.float32(share), target, others, self.style)
            content += float(of_tile)
            gradient[tile.down.window(), tile.across.window()] += ops.convert_to_numpy(slope)[0]
        values = {"content": content, "style": float(style), "tv": float(tv)}
        total = sum(getattr(config, f"{name}_weight") * value for name, value in values.items())
        return Evaluation({"total": total, **values}, gradient)


def window(picture: np.ndarray, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Return a tile's pixels, as a batch of one, and where its core lies in them."""
    core = (*tile.down.core_in_window(), *tile.across.core_in_window())
    return picture[None, tile.down.window(), tile.across.window()], np.asarray(core, np.int32)


def area(tile: Tile) -> int:
    return (tile.down.stop - tile.down.start) * (tile.across.stop - tile.across.start)


def add_up(parts: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the sums of Gram matrices by layer."""
    first, *others = parts
    return {name: sum((other[name] for other in others), gram) for name, gram in first.items()}
