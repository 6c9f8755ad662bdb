"""KerasEngine: the networks on the device of the Keras backend, such as a GPU."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

import numpy as np

from adain.networks.architecture import scale
from adain.networks.keras.devices import describe_device
from adain.networks.keras.model import StyleTransfer
from adain.networks.networks import Networks
from adain.networks.stats import EPSILON, ChannelStats, affine, interpolate


class KerasEngine:
    """An `Engine` on the device of the Keras backend. Precision "auto" is float32."""

    name = "keras"

    def __init__(self, networks: Networks, precision: str = "auto") -> None:
        policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
        self._layers, self._cuts = networks.adain_layers, np.cumsum(networks.widths)[:-1]
        self.radius, self.channels = networks.radius, networks.channels
        self._lock = threading.Lock()
        model = StyleTransfer.from_networks(networks, dtype=policy)
        self._encoder, self._decoder = model.encoder, model.decoder
        self.device = f"{describe_device()}, {policy.removeprefix('mixed_')}"

    def session(self) -> AbstractContextManager[object]:
        return self._lock

    def measure(self, image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._moments(self._encode(image), weights)

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        features = self._encode(image)
        mean, variance = self._moments(features, np.ones(image.shape[:2], np.float32))
        found = ChannelStats(mean, np.sqrt(variance + np.float32(EPSILON)))
        content = found if content is None else interpolate(content, found, own)
        restyled = [level * factor + offset for level, factor, offset in zip(features, *map(
            self._split, affine(content, interpolate(content, style, alpha))))]
        return self._decode(restyled), content

    def transfer_regions(self, image: np.ndarray, regions: np.ndarray, scales: np.ndarray,
                         shifts: np.ndarray) -> np.ndarray:
        features = self._encode(image)
        for index, (name, factor, offset) in enumerate(zip(
                self._layers, self._split(scales), self._split(shifts))):
            shares = np.moveaxis(_shrink(regions, scale(name)), 0, -1)
            features[index] = features[index] * (shares @ factor) + shares @ offset
        return self._decode(features)

    def release_memory(self) -> None:
        pass  # TensorFlow and others keep what they have

    def _encode(self, image: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(level, np.float32)
                for level in self._encoder.predict_on_batch(image[None])]

    def _decode(self, features: list[np.ndarray]) -> np.ndarray:
        return np.asarray(self._decoder.predict_on_batch(features)[0], np.float32)

    def _moments(self, features: list[np.ndarray],
                 weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means, variances = [], []
        for name, level in zip(self._layers, features):
            shares = _shrink(weights, scale(name))[..., None]
            shares = shares / shares.sum()
            means.append((level[0] * shares).sum(axis=(0, 1)))
            variances.append(((level[0] - means[-1]) ** 2 * shares).sum(axis=(0, 1)))
        return np.concatenate(means), np.concatenate(variances)

    def _split(self, table: np.ndarray) -> list[np.ndarray]:
        return np.split(table, self._cuts, axis=-1)


def _shrink(maps: np.ndarray, size: int) -> np.ndarray:
    """Return maps (..., rows, columns) averaged over blocks of size x size pixels."""
    *rest, rows, columns = maps.shape
    blocks = maps.reshape(*rest, rows // size, size, columns // size, size)
    means: np.ndarray = blocks.mean(axis=(-3, -1))
    return means
