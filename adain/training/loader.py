"""Batches of pictures for training, on every Keras backend: read in threads, yielded in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from adain.networks.openvino.cpu import usable_cores

AHEAD = 3  # batches that are loaded while one is used

Item = np.ndarray | dict[str, np.ndarray]


def batches(read: Callable[[int], Item], batch_size: int, start_step: int, stop_step: int,
            context: Any = None, readers: int | None = None) -> Iterable[Any]:
    """Return the batches of steps start_step .. stop_step - 1 in order, for Keras' fit().

    Args:
        read: returns item number `index`, an array or a dict of arrays; called in as many threads
            as there are cores, or `readers`, so it should let go of Python's lock while it works.
        context: a tf.distribute.InputContext, to load a worker's part only, in batches for a
            replica.
    """
    if not _on_tensorflow():
        return ((batch,) for batch in in_threads(
            read, batch_size, range(start_step * batch_size, stop_step * batch_size), readers))
    import tensorflow as tf

    workers = 1 if context is None else context.num_input_pipelines
    worker = 0 if context is None else context.input_pipeline_id
    size = batch_size if context is None else batch_size // context.num_replicas_in_sync
    part = batch_size // workers  # of each step's batch, the worker's
    as_read = read if workers == 1 else lambda index: _as_float16(read(index))

    def generate() -> Iterator[Item]:
        indices = (step * batch_size + worker * part + place
                   for step in range(start_step, stop_step) for place in range(part))
        return in_threads(as_read, size, indices, readers)

    # A dataset needs the shapes before it is asked for the first batch.
    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec((size, *array.shape), array.dtype),
        as_read(start_step * batch_size + worker * part))
    dataset: Iterable[Any] = tf.data.Dataset.from_generator(
        generate, output_signature=signature).prefetch(1)
    return dataset


def in_threads(read: Callable[[int], Item], batch_size: int, indices: Iterable[int],
               readers: int | None = None) -> Iterator[Item]:
    """Yield the items of these indices in order, stacked to batches; read them ahead in threads."""
    executor = ThreadPoolExecutor(readers or usable_cores())
    ahead = max((1 + AHEAD) * batch_size, (readers or 0) + batch_size)
    loading: deque[Future[Item]] = deque()
    unread = iter(indices)
    try:
        while True:
            wanted = ahead - len(loading)
            loading.extend(executor.submit(read, index) for _, index in zip(range(wanted), unread))
            if len(loading) < batch_size:
                return
            yield stack([loading.popleft().result() for _ in range(batch_size)])
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def stack(items: list[Any]) -> Item:
    """Return a batch of items, all of them arrays or all of them dicts."""
    if isinstance(items[0], dict):
        return {name: np.stack([item[name] for item in items]) for name in items[0]}
    return np.stack(items)


def _on_tensorflow() -> bool:
    import keras

    return bool(keras.backend.backend() == "tensorflow")


def _as_float16(item: Item) -> Item:
    """Make pictures float16, which is exact from 0 to 255: Keras sums batches over the workers."""
    return item if isinstance(item, dict) else item.astype(np.float16)
