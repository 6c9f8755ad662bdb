"""What an engine computes, as graphs on the device: encode, statistics, AdaIN, decode.

Each takes and returns tensors with a picture in every row, so that nothing between the pixels of
the content and those of the result leaves the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from adain.networks.architecture import scale
from adain.networks.keras.model import StyleTransfer
from adain.networks.keras.ops import Tensor
from adain.networks.networks import Networks
from adain.networks.stats import EPSILON, ChannelStats, adain, interpolate


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors, compiled by the Keras backend for the shapes it is given.

    TensorFlow compiles it once for all sizes, JAX again for each. PyTorch runs it as it is.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        jitted: Callable[..., Any] = jax.jit(function)
        return jitted
    if backend == "tensorflow":
        import tensorflow as tf

        # Without XLA, which takes longer on CPUs and compiles again for every size.
        graph: Callable[..., Any] = tf.function(function, reduce_retracing=True,
                                                jit_compile=False)
        return graph
    import torch

    def without_gradients(*inputs: Tensor) -> Any:
        with torch.no_grad():
            return function(*keras.tree.map_structure(ops.convert_to_tensor, inputs))

    return without_gradients


class Graphs:
    """The graphs of one pair of networks; policy: the Keras dtype policy they compute in.

    images: float32 (pictures, rows, columns, 3); statistics: (pictures, channels of all AdaIN
    layers); alphas, own_weights: (pictures,).
    """

    def __init__(self, networks: Networks, policy: str) -> None:
        self.model = StyleTransfer.from_networks(networks, dtype=policy)
        self._layers = networks.adain_layers
        self._cuts = np.cumsum(networks.widths)[:-1].tolist()

    def measure(self, images: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the features; weights: (pictures, rows, columns)."""
        shares = [_shrink(weights[..., None], scale(name)) for name in self._layers]
        return self._join([_moments(level, share / ops.sum(share, (1, 2), keepdims=True))
                           for level, share in zip(self._encode(images), shares)])

    def transfer(self, images: Tensor, style: ChannelStats, alphas: Tensor, given: ChannelStats,
                 own_weights: Tensor) -> tuple[Tensor, ChannelStats]:
        """Return the stylized pictures and the statistics that were removed.

        given: statistics to remove; own_weights: weights of the pictures' statistics against
        these, 0 to 1.
        """
        features = self._encode(images)
        mean, variance = self._join([_moments(level) for level in features])
        measured = ChannelStats(mean, ops.sqrt(variance + EPSILON))
        content = interpolate(given, measured, own_weights[:, None])
        target = interpolate(content, style, alphas[:, None])
        restyled = [adain(level, ChannelStats(*ours), ChannelStats(*theirs))
                    for level, ours, theirs in zip(features, self._each(content),
                                                   self._each(target))]
        return self.model.decoder(restyled), content

    def transfer_integers(self, images: Tensor, mean: Tensor, std: Tensor,
                          alphas: Tensor) -> Tensor:
        """Return stylized pictures of uint8, from pictures of uint8 and the styles' statistics."""
        nothing, own_weights = ops.zeros_like(mean), ops.ones_like(alphas)
        pictures, _ = self.transfer(ops.cast(images, "float32") / 255, ChannelStats(mean, std),
                                    alphas, ChannelStats(nothing, nothing), own_weights)
        return ops.cast(ops.clip(pictures * 255 + 0.5, 0, 255), "uint8")

    def transfer_regions(self, images: Tensor, regions: Tensor, scales: Tensor,
                         shifts: Tensor) -> Tensor:
        """Return the stylized pictures; regions: (regions, rows, columns), scales, shifts:
        (regions, channels), the same for all pictures."""
        restyled = []
        for name, level, factor, offset in zip(self._layers, self._encode(images),
                                               self._split(scales), self._split(shifts)):
            shares = _shrink(ops.transpose(regions, (1, 2, 0))[None], scale(name))
            restyled.append(level * ops.matmul(shares, factor) + ops.matmul(shares, offset))
        return self.model.decoder(restyled)

    def _encode(self, images: Tensor) -> list[Tensor]:
        return [ops.cast(level, "float32") for level in self.model.encoder(images)]

    def _split(self, table: Tensor) -> list[Tensor]:
        """Return (..., channels of all AdaIN layers) cut into one of each layer."""
        return ops.split(table, self._cuts, axis=-1) if self._cuts else [table]

    def _each(self, stats: ChannelStats) -> list[tuple[Tensor, Tensor]]:
        """Return mean and deviation of each layer, (pictures, 1, 1, channels)."""
        return list(zip(*(self._split(vector[:, None, None]) for vector in stats)))

    @staticmethod
    def _join(moments: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Return means and variances of all layers in a row, (pictures, channels)."""
        means, variances = (ops.concatenate(vectors, axis=-1) for vectors in zip(*moments))
        return means, variances


def _moments(features: Tensor, shares: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return mean and variance over rows and columns, (pictures, channels).

    shares: (pictures, rows, columns, 1), 1 in sum: how much each place counts.
    """
    def average(x: Tensor) -> Tensor:
        return (ops.mean(x, (1, 2), keepdims=True) if shares is None
                else ops.sum(x * shares, (1, 2), keepdims=True))

    mean = average(features)
    return mean[:, 0, 0], average(ops.square(features - mean))[:, 0, 0]


def _shrink(maps: Tensor, size: int) -> Tensor:
    """Return maps (count, rows, columns, channels) averaged over blocks of size x size pixels."""
    return maps if size == 1 else ops.average_pool(maps, size, size)
