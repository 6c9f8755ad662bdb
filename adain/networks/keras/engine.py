"""KerasEngine: the networks on the device of the Keras backend, such as a GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
from keras import ops

from adain.networks.keras.devices import computes_bfloat16, describe_device, gpus
from adain.networks.keras.graphs import Graphs, compiled
from adain.networks.networks import Networks
from adain.networks.stats import ChannelStats

# Pixels in one call. On CPUs more pictures gain nothing, and XLA takes longer for each of several.
_PIXELS = 64 * 256 * 256
_PIXELS_ON_CPU = {"tensorflow": 4 * 256 * 256}


class KerasEngine:
    """An `Engine` on the device of the Keras backend.

    Precision "auto" is bfloat16 where that is faster: on GPUs since 2020, and by TensorFlow on
    CPUs.
    """

    name = "keras"

    def __init__(self, networks: Networks, precision: str = "auto") -> None:
        if precision == "auto":
            precision = "bfloat16" if _gains_from_bfloat16() else "float32"
        graphs = Graphs(networks, "mixed_bfloat16" if precision == "bfloat16" else "float32")
        self.radius, self.channels = networks.radius, networks.channels
        self._lock = threading.Lock()
        self._measure, self._regions = compiled(graphs.measure), compiled(graphs.transfer_regions)
        self._transfer, self._batch = compiled(graphs.transfer), compiled(graphs.transfer_integers)
        self._pixels = _PIXELS if gpus() else _PIXELS_ON_CPU.get(keras.backend.backend(), 1)
        self.device = f"{describe_device()}, {precision}"

    def session(self) -> AbstractContextManager[object]:
        return self._lock

    def measure(self, image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = self._measure(image[None], weights[None])
        return _first(mean), _first(variance)

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own_weight: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        if content is None:  # zeros get no share
            content, own_weight = ChannelStats(*np.zeros((2, self.channels), np.float32)), 1.0
        picture, removed = self._transfer(image[None], _row(style), np.array([alpha], np.float32),
                                          _row(content), np.array([own_weight], np.float32))
        return _first(picture), ChannelStats(*map(_first, removed))

    def transfer_batch(self, images: Sequence[np.ndarray], styles: Sequence[ChannelStats],
                       alphas: Sequence[float]) -> list[np.ndarray]:
        stylized: dict[int, np.ndarray] = {}
        started: list[tuple[list[int], Any]] = []
        for indices in _of_one_size(images, self._pixels):
            mean, std = (np.stack(vectors).astype(np.float32)
                         for vectors in zip(*(styles[index] for index in indices)))
            started.append((indices, self._batch(
                np.stack([images[index] for index in indices]), mean, std,
                np.array([alphas[index] for index in indices], np.float32))))
        for indices, pictures in started:  # the device computes the next while these are copied
            stylized.update(zip(indices, ops.convert_to_numpy(pictures)))
        return [stylized[index] for index in range(len(images))]

    def transfer_regions(self, image: np.ndarray, regions: np.ndarray, scales: np.ndarray,
                         shifts: np.ndarray) -> np.ndarray:
        return _first(self._regions(image[None], regions, scales, shifts))

    def release_memory(self) -> None:
        pass  # TensorFlow and others keep what they have


def _gains_from_bfloat16() -> bool:
    return computes_bfloat16() and (bool(gpus()) or keras.backend.backend() == "tensorflow")


def _row(stats: ChannelStats) -> ChannelStats:
    """Return statistics of one picture as those of a batch."""
    return ChannelStats(*(np.asarray(vector, np.float32)[None] for vector in stats))


def _first(batch: Any) -> np.ndarray:
    """Return the first picture or vector of a batch on the device."""
    array: np.ndarray = ops.convert_to_numpy(batch)[0]
    return array


def _of_one_size(images: Sequence[np.ndarray], pixels: int) -> Iterator[list[int]]:
    """Yield the indices of pictures that are computed together, of that many pixels at most."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        sizes.setdefault(image.shape, []).append(index)
    for (rows, columns, _), indices in sizes.items():
        count = max(1, pixels // (rows * columns))
        yield from (indices[start:start + count] for start in range(0, len(indices), count))
