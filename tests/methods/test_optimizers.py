"""Both optimizers on functions whose minimum is known."""

import numpy as np
import pytest

from adain.methods.gatys.optimizers import LBFGS, OPTIMIZERS, Adam

SCALES = np.array([1.0, 10.0, 100.0])


def gradient(x):
    """Of sum(scales / 2 * (x - 1)^2), whose minimum is at 1."""
    return SCALES * (x - 1)


def descend(optimizer, steps, rate):
    x = np.zeros(3)
    for _ in range(steps):
        x = optimizer.update(x, gradient(x), rate)
    return x


def test_the_first_step_of_adam_is_the_rate_along_the_sign():
    for size in (1e-9, 1e9):
        moved = Adam().update(np.zeros(2), np.array([size, -size]), 0.1)
        np.testing.assert_allclose(moved, [-0.1, 0.1], rtol=2e-3)


def test_lbfgs_knows_a_quadratic_after_a_few_steps():
    np.testing.assert_allclose(descend(LBFGS(), 25, 1.0), 1, atol=1e-6)
    assert np.abs(descend(Adam(), 25, 0.01) - 1).max() > 0.1


@pytest.mark.parametrize("name, rate", [("adam", 0.1), ("lbfgs", 1.0)])
def test_a_restored_optimizer_goes_on_as_if_nothing_had_happened(name, rate):
    whole, halves, x, y = OPTIMIZERS[name](), OPTIMIZERS[name](), np.zeros(3), np.zeros(3)
    for step in range(14):
        x = whole.update(x, gradient(x), rate)
        y = halves.update(y, gradient(y), rate)
        if step in (0, 5, 12):
            halves = OPTIMIZERS[name](halves.state())
    np.testing.assert_array_equal(x, y)
