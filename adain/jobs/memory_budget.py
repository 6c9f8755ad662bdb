"""Limit the memory of a batch's pictures: of those read ahead and those waiting to be written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import NamedTuple

# Bytes per pixel of a content while it is decoded (Pillow's array and ours, with opacity), of a
# decoded content, and of a result (the array, Pillow's copy and the encoded file).
DECODING, HELD, RESULT = 8, 4, 10


class Size(NamedTuple):
    """Memory in bytes of a content while its results are made (held), and of each result."""

    held: int = 0
    result: int = 0


Claim = Callable[[Size], None]  # waits until that much memory may be used


def content_size(stored: int, pixels: int, per_result: int) -> Size:
    """Return the memory of a content and its results.

    Args:
        stored: number of pixels of the content in its file.
        pixels: number of pixels of the resized content.
        per_result: bytes per pixel of a result.
    """
    result = RESULT * pixels * per_result
    return Size(max(HELD * pixels, DECODING * stored - result), result)


class MemoryBudget:
    """A limited number of bytes that several threads share, like a semaphore.

    Args:
        size: maximum number of bytes in use; None for no limit. A larger request is granted when
            nothing else is in use.
    """

    def __init__(self, size: int | None) -> None:
        self._size, self._used, self._closed = size, 0, False
        self._changed = threading.Condition()

    def acquire(self, count: int) -> None:
        """Wait until `count` bytes are free, or nothing is in use; then use them.

        Raises:
            CancelledError: close() was called.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._used or self._fits(count))
            if self._closed:
                raise CancelledError
            self._used += count

    def try_acquire(self, count: int) -> bool:
        """Use `count` bytes if they are free now; return whether they were."""
        with self._changed:
            fits = self._fits(count)
            self._used += count if fits else 0
            return fits

    def release(self, count: int) -> None:
        """Return `count` bytes to the budget."""
        with self._changed:
            self._used -= count
            self._changed.notify_all()

    def close(self) -> None:
        """End all waiting: acquire() raises CancelledError from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, count: int) -> bool:
        return self._size is None or self._used + count <= self._size
