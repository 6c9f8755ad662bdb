"""L-BFGS that updates a picture in place, with little additional memory.

A picture of 27 megapixels takes 0.3 GB in float32. So it is processed in parts, and the history is
stored in 16 bits, because three digits are enough for steps and changes of the gradient: as int16,
which NumPy converts to float32 several times as fast as float16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

import numpy as np

from adain.files.pixels import to_integers

_PART = 1 << 20  # number of elements computed at a time
_CURVATURE = 1e-6  # smallest cosine between a step and the change of the gradient for a pair


class Descent:
    """Limited-memory BFGS (Nocedal 1980) with step length 1, without line search; pixels in [0, 1].

    Args:
        history: number of stored pairs of steps and changes of the gradient.
        first_step: root mean square of the first step, when the curvature is still unknown.
        state: arrays returned by state(), to continue from. They are removed from it, to save
            memory.
        size: number of elements of the state's picture.

    Raises:
        ValueError: the state's arrays do not belong together.
    """

    def __init__(self, history: int = 10, first_step: float = 0.01,
                 state: dict[str, np.ndarray] | None = None, size: int = 0) -> None:
        self._history, self._first_step = history, first_step
        # (step, change of the gradient, their scalar product)
        self._pairs: list[tuple[Kept, Kept, float]] = []
        self._last: tuple[Kept, Kept] | None = None  # the last step, and the gradient before it
        if state:
            scales, squares, curvatures = (
                state.pop(name).tolist() for name in ("scales", "squares", "curvatures"))
            if len(state) != 2 + 2 * len(curvatures):
                raise ValueError("numbers of steps, changes and curvatures differ")
            kept = [Kept.stored(state.pop(f"values_{index}"), scale, square, size)
                    for index, (scale, square) in enumerate(zip(scales, squares, strict=True))]
            self._last = kept[0], kept[1]
            self._pairs = list(zip(kept[2::2], kept[3::2], curvatures, strict=True))

    def state(self) -> dict[str, np.ndarray]:
        """Return arrays from which another Descent continues exactly; none at first.

        They are valid until the next step: none is a copy.
        """
        if self._last is None:
            return {}
        kept = [*self._last, *(one for step, change, _ in self._pairs for one in (step, change))]
        return {**{f"values_{index}": one.values for index, one in enumerate(kept)},
                "scales": np.array([one.scale for one in kept], np.float32),
                "squares": np.array([one.square for one in kept]),
                "curvatures": np.array([curvature for _, _, curvature in self._pairs])}

    def move(self, x: np.ndarray, gradient: np.ndarray) -> None:
        """Update x, float32, in place by one step; the gradient is overwritten."""
        if self._last is not None:
            self._remember(*self._last, gradient.reshape(-1))
            self._last = None
        before = Kept(gradient.size, gradient.reshape(-1).__getitem__)
        if self._pairs:
            self._times_inverse_hessian(gradient)
            # The pair of this step is added before the next one.
            self._pairs = self._pairs[max(0, len(self._pairs) - self._history + 1):]
        else:
            gradient *= self._first_step / max(np.sqrt(dot(gradient, gradient) / x.size), 1e-30)
        pixels, step = x.reshape(-1), gradient.reshape(-1)
        for place in parts(x.size):
            moved = np.clip(pixels[place] - step[place], 0, 1)
            step[place] = moved - pixels[place]
            pixels[place] = moved
        self._last = Kept(x.size, step.__getitem__), before

    def undo(self, x: np.ndarray) -> np.ndarray:
        """Return the value of x before the last step, as uint16, which takes half the memory."""
        before, pixels = np.empty(x.size, np.uint16), x.reshape(-1)
        for place in parts(x.size):
            step = 0 if self._last is None else self._last[0][place]
            before[place] = to_integers(pixels[place] - step, np.uint16)
        return before.reshape(x.shape)

    def _remember(self, step: Kept, before: Kept, gradient: np.ndarray) -> None:
        """Store a step and the change of the gradient; the latter reuses the memory of `before`."""
        curvature = sum((float(np.vdot(step[place], gradient[place] - before[place]))
                         for place in parts(gradient.size)), 0.0)
        change = Kept(gradient.size, lambda place: gradient[place] - before[place], before.values)
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
    """A vector stored as int16, scaled so that its largest element is the largest integer.

    Indexed by a slice it returns float32.

    Args:
        part: returns the elements at a slice.
        values: int16 (size,), where they are stored; None: a new array. `part` may read what is
            there at its slice.
    """

    def __init__(self, size: int, part: Callable[[slice], np.ndarray],
                 values: np.ndarray | None = None) -> None:
        largest, self.square = 1e-30, 0.0
        for place in parts(size):
            elements = part(place)
            largest = max(largest, float(elements.max()), -float(elements.min()))
            self.square += float(np.vdot(elements, elements))
        self.scale = np.float32(largest / np.iinfo(np.int16).max)
        self.values = np.empty(size, np.int16) if values is None else values
        for place in parts(size):
            self.values[place] = np.rint(part(place) / self.scale)

    @classmethod
    def stored(cls, values: np.ndarray, scale: float, square: float, size: int) -> Self:
        """Return a vector from stored attributes; raise ValueError if size or type is wrong."""
        vector = cls.__new__(cls)
        vector.values = checked_copy(values, (size,), np.int16)
        vector.scale, vector.square = np.float32(scale), float(square)
        return vector

    def __getitem__(self, place: slice) -> np.ndarray:
        return self.values[place] * self.scale

    def add_to(self, array: np.ndarray, factor: float) -> None:
        """Add factor * self to an array."""
        flat = array.reshape(-1)
        for place in parts(array.size):
            flat[place] += self[place] * np.float32(factor)

    def dot(self, array: np.ndarray) -> float:
        """Return the scalar product with an array."""
        flat = array.reshape(-1)
        return sum(float(np.vdot(self[place], flat[place])) for place in parts(array.size))


def checked_copy(array: np.ndarray, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Return a copy of a stored array; raise ValueError if shape or type is wrong."""
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"expected {dtype} {shape}, received {array.dtype} {array.shape}")
    return array.copy()


def dot(left: np.ndarray, right: np.ndarray) -> float:
    """Return the scalar product of two float32 arrays; sums of parts are added in float64."""
    left, right = left.reshape(-1), right.reshape(-1)
    return sum(float(np.vdot(left[place], right[place])) for place in parts(left.size))


def parts(size: int) -> Iterator[slice]:
    for start in range(0, size, _PART):
        yield slice(start, start + _PART)
