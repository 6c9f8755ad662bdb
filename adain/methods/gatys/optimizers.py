"""Adam and L-BFGS for one NumPy array, with a state of plain arrays that can be stored.

Each call makes one step, so that a stopped run continues exactly. Keras' optimizers keep their
state in variables of a framework, and SciPy's L-BFGS-B keeps it inside of one long call.
"""

from __future__ import annotations

import numpy as np

Arrays = dict[str, np.ndarray]


class Adam:
    """Adam (Kingma & Ba 2015); update() returns the array after one step."""

    # Gradients of a mean over millions of pixels are about 1e-7; the usual 1e-8 would damp them.
    EPSILON = 1e-12
    BETA_1, BETA_2 = 0.9, 0.999

    def __init__(self, state: Arrays | None = None) -> None:
        self._state = dict(state or {})

    def update(self, x: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
        state = self._state or {"mean": np.zeros_like(x), "square": np.zeros_like(x),
                                "step": np.array(0)}
        step = int(state["step"]) + 1
        mean = self.BETA_1 * state["mean"] + (1 - self.BETA_1) * gradient
        square = self.BETA_2 * state["square"] + (1 - self.BETA_2) * gradient**2
        self._state = {"mean": mean, "square": square, "step": np.array(step)}
        scale = np.sqrt(square / (1 - self.BETA_2**step)) + self.EPSILON
        moved: np.ndarray = x - rate / (1 - self.BETA_1**step) * mean / scale
        return moved

    def state(self) -> Arrays:
        return self._state


class LBFGS:
    """Limited-memory BFGS (Nocedal 1980) with steps of length `rate` and no line search.

    Here a line search would cost more evaluations than it saves. The first step is short, because
    the curvature is still unknown.
    """

    HISTORY = 10  # number of stored pairs of steps and changes of the gradient
    FIRST_STEP = 0.02  # largest change of a pixel in the first step

    def __init__(self, state: Arrays | None = None) -> None:
        self._pairs: list[tuple[np.ndarray, np.ndarray]] = []  # (step, change of the gradient)
        self._before: tuple[np.ndarray, np.ndarray] | None = None  # (x, gradient)
        if state:
            self._pairs = list(zip(state["steps"], state["changes"]))
            self._before = state["x"], state["gradient"]

    def update(self, x: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
        if self._before is not None:
            step, change = x - self._before[0], gradient - self._before[1]
            # Only pairs of positive curvature keep the estimate positive definite.
            if np.vdot(step, change) > 1e-6 * np.linalg.norm(step) * np.linalg.norm(change):
                self._pairs = [*self._pairs[1 - self.HISTORY:], (step, change)]
        self._before = x, gradient
        if self._pairs:
            return x - rate * self._times_inverse_hessian(gradient)
        largest = max(float(np.abs(gradient).max()), 1e-30)
        return x - gradient * (rate * self.FIRST_STEP / largest)

    def _times_inverse_hessian(self, gradient: np.ndarray) -> np.ndarray:
        """The two-loop recursion (Nocedal & Wright 2006, algorithm 7.4)."""
        direction, factors = gradient.copy(), []
        for step, change in reversed(self._pairs):
            factors.append(np.vdot(step, direction) / np.vdot(step, change))
            direction -= factors[-1] * change
        step, change = self._pairs[-1]
        direction *= np.vdot(step, change) / np.vdot(change, change)
        for (step, change), factor in zip(self._pairs, reversed(factors)):
            direction += (factor - np.vdot(change, direction) / np.vdot(step, change)) * step
        return direction

    def state(self) -> Arrays:
        if self._before is None:
            return {}
        x, gradient = self._before
        empty = np.empty((0, *x.shape), x.dtype)
        steps, changes = zip(*self._pairs) if self._pairs else (empty, empty)
        return {"x": x, "gradient": gradient, "steps": np.asarray(steps),
                "changes": np.asarray(changes)}


OPTIMIZERS: dict[str, type[Adam] | type[LBFGS]] = {"adam": Adam, "lbfgs": LBFGS}
