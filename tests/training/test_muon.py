"""Muon on convolution kernels: the size and the shape of its steps."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from adain.training.config import TrainConfig  # noqa: E402
from adain.training.loop import optimizer  # noqa: E402
from adain.training.muon import Muon  # noqa: E402

RATE = 0.01


def step(shape, gradient, steps=1):
    """Return how far a weight of this shape is moved by the same gradient so many times."""
    weight = keras.Variable(np.zeros(shape, np.float32))
    muon = Muon(RATE, weight_decay=None, adam_weight_decay=None)
    muon.build([weight])
    for _ in range(steps):
        muon.apply_gradients([(keras.ops.convert_to_tensor(gradient.astype(np.float32)), weight)])
    return -keras.ops.convert_to_numpy(weight)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_step_has_no_favourite_direction(size):
    gradient = np.random.default_rng(0).normal(size=(3, 3, 8, 16)) * size
    gradient[..., 0] *= 100  # one output whose gradient is far larger
    moved = step((3, 3, 8, 16), gradient).reshape(-1, 16)
    values = np.linalg.svd(moved, compute_uv=False) / (RATE * 0.2 * np.sqrt(3 * 3 * 8))
    assert values.min() > 0.3 and values.max() < 1.3  # Newton-Schulz is only nearly orthogonal
    assert (moved * gradient.reshape(-1, 16)).sum() > 0


@pytest.mark.parametrize("shape", [(16,), (3, 3, 3, 16), (3, 3, 16, 3)])
def test_biases_and_pixel_layers_are_moved_by_adam(shape):
    gradient = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(step(shape, gradient), RATE * np.sign(gradient), rtol=1e-2)


def test_muon_leaves_alive_the_outputs_that_adam_kills():
    """A ReLU dies where a step pushes its output below 0 for every input."""
    inputs = np.random.default_rng(0).uniform(0.5, 1.5, (50, 3 * 3 * 64))  # all positive, as ReLUs'
    gradient = np.ones((3, 3, 64, 32))  # too bright everywhere: all outputs shall become smaller
    pushed = inputs @ step((3, 3, 64, 32), gradient).reshape(-1, 32)
    assert pushed.max() < 0.2 * (RATE * inputs.sum(axis=1)).max()  # Adam's: the rate for each input


def test_train_config_chooses_the_optimizer():
    assert isinstance(optimizer(TrainConfig(optimizer="muon")), Muon)
    assert isinstance(optimizer(TrainConfig()), keras.optimizers.Adam)
