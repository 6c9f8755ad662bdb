"""L-BFGS that updates a picture in place, for pictures of any size.

An array of 27 megapixels takes 0.3 GB in float32, so temporary arrays are parts of it, and the
history is float16: three digits are enough for steps and changes of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

_PART = 1 << 20  # number of elements computed at a time
_CURVATURE = 1e-6  # of least cosine between a step and the change of the gradient


class Descent:
    """Limited-memory BFGS (Nocedal 1980) with step length 1, without line search; pixels in [0, 1].

    Args:
        history: number of stored pairs of steps and changes of the gradient.
        first_step: root mean square of the first step, when the curvature is still unknown.
    """

    def __init__(self, history: int = 10, first_step: float = 0.01) -> None:
        self._history, self._first_step = history, first_step
        # (step, change of the gradient, their scalar product)
        self._pairs: list[tuple[Kept, Kept, float]] = []
        self._last: tuple[Kept, Kept] | None = None  # the last step, and the gradient before it

    def move(self, x: np.ndarray, gradient: np.ndarray) -> None:
        """Update x, float32, by one step; the gradient is overwritten."""
        if self._last is not None:
            self._remember(*self._last, gradient.reshape(-1))
            self._last = None
        before = Kept(gradient.size, gradient.reshape(-1).__getitem__)
        if self._pairs:
            self._times_inverse_hessian(gradient)
        else:
            gradient *= self._first_step / max(np.sqrt(dot(gradient, gradient) / x.size), 1e-30)
        pixels, step = x.reshape(-1), gradient.reshape(-1)
        for place in parts(x.size):
            moved = np.clip(pixels[place] - step[place], 0, 1)
            step[place] = moved - pixels[place]
            pixels[place] = moved
        self._last = Kept(x.size, step.__getitem__), before

    def undo(self, x: np.ndarray) -> np.ndarray:
        """Return what x was before the last step."""
        before = x.copy()
        if self._last is not None:
            self._last[0].add_to(before, -1.0)
        return before

    def _remember(self, step: Kept, before: Kept, gradient: np.ndarray) -> None:
        """Store a step and the change of the gradient from `before` to `gradient`."""
        self._pairs = self._pairs[1 - self._history or len(self._pairs):]
        change = Kept(gradient.size, lambda place: gradient[place] - before[place])
        curvature = sum((float(np.vdot(step[place], gradient[place] - before[place]))
                         for place in parts(gradient.size)), 0.0)
        # Only pairs of positive curvature keep the estimate positive definite.
        if curvature > _CURVATURE * np.sqrt(step.square * change.square):
            self._pairs.append((step, change, curvature))

    def _times_inverse_hessian(self, direction: np.ndarray) -> None:
        """The two-loop recursion (Nocedal & Wright 2006, algorithm 7.4), in place."""
        factors = []
        for step, change, curvature in reversed(self._pairs):
            factors.append(step.dot(direction) / curvature)
            change.add_to(direction, -factors[-1])
        _, change, curvature = self._pairs[-1]
        direction *= np.float32(curvature / change.square)
        for (step, change, curvature), factor in zip(self._pairs, reversed(factors)):
            step.add_to(direction, factor - change.dot(direction) / curvature)


class Kept:
    """A vector stored in float16, scaled so that small numbers do not underflow.

    Indexed by a slice it returns float32.

    Args:
        part: returns the elements at a slice.
    """

    def __init__(self, size: int, part: Callable[[slice], np.ndarray]) -> None:
        largest, self.square = 1e-30, 0.0
        for place in parts(size):
            found = part(place)
            largest = max(largest, float(found.max()), -float(found.min()))
            self.square += float(np.vdot(found, found))
        self._scale = np.float32(largest / 1024)
        self._values = np.empty(size, np.float16)
        for place in parts(size):
            self._values[place] = part(place) / self._scale

    def __getitem__(self, place: slice) -> np.ndarray:
        return self._values[place] * self._scale

    def add_to(self, array: np.ndarray, factor: float) -> None:
        """Add factor * self to an array."""
        flat = array.reshape(-1)
        for place in parts(array.size):
            flat[place] += self[place] * np.float32(factor)

    def dot(self, array: np.ndarray) -> float:
        """Return the scalar product with an array."""
        flat = array.reshape(-1)
        return sum(float(np.vdot(self[place], flat[place])) for place in parts(array.size))


def dot(left: np.ndarray, right: np.ndarray) -> float:
    """Return the scalar product of two float32 arrays; sums of parts are added in float64."""
    left, right = left.reshape(-1), right.reshape(-1)
    return sum(float(np.vdot(left[place], right[place])) for place in parts(left.size))


def parts(size: int) -> Iterator[slice]:
    for start in range(0, size, _PART):
        yield slice(start, start + _PART)
