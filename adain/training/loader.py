"""Batches of pictures for the Keras backends that have no tf.data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from adain.networks.openvino.cpu import usable_cores

AHEAD = 3  # batches that are loaded while one is used

Item = np.ndarray | dict[str, np.ndarray]


def on_tensorflow() -> bool:
    """Tell whether Keras computes with TensorFlow."""
    import keras

    return bool(keras.backend.backend() == "tensorflow")


def in_threads(read: Callable[[int], Item], batch_size: int, start_step: int,
               stop_step: int, readers: int | None = None) -> Iterator[tuple[Item]]:
    """Yield the batches of steps start_step .. stop_step - 1, in order, as Keras' fit() takes them.

    read(index): item number `index`, an array or a dict of arrays; called in as many threads as
    there are cores, or `readers`, so it should let go of Python's lock while it works.
    """
    executor = ThreadPoolExecutor(readers or usable_cores())
    try:
        loading: deque[Future[Item]] = deque()
        unread = iter(range(start_step * batch_size, stop_step * batch_size))
        for _ in range(start_step, stop_step):
            wanted = max((1 + AHEAD) * batch_size, (readers or 0) + batch_size) - len(loading)
            loading.extend(executor.submit(read, index) for _, index in zip(range(wanted), unread))
            yield (stack([loading.popleft().result() for _ in range(batch_size)]),)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def stack(items: list[Any]) -> Item:
    """Return a batch of items, all of them arrays or all of them dicts."""
    if isinstance(items[0], dict):
        return {name: np.stack([item[name] for item in items]) for name in items[0]}
    return np.stack(items)
