"""Averaged weights: exponential moving averages over the steps, which keras.optimizers keep.

A checkpoint's model.npz has the averages, which are what a run is for; in its optimizer.npz, the
weights that training goes on with stand in the places of the averages.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import ops


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Give the model its averaged weights inside of `with`, and the optimizer the others."""
    swap(model)
    try:
        yield
    finally:
        swap(model)


def swap(model: keras.Model) -> None:
    """Exchange the weights of a model and their averages; without averages nothing changes."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        return
    pairs = list(zip(model.trainable_variables, optimizer._model_variables_moving_average))
    for weight, average in pairs:
        kept = ops.convert_to_numpy(weight).copy()
        weight.assign(ops.convert_to_numpy(average).copy())
        average.assign(kept)
