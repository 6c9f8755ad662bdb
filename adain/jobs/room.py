"""Room: how much memory the pictures of a batch take together, read ahead and written behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import NamedTuple

# Bytes a pixel: Pillow's copy and ours, with opacity; a content that waits; a result, Pillow's copy
# of it and the file that it becomes.
DECODING, HELD, RESULT = 8, 4, 10


class Size(NamedTuple):
    """The memory that a content takes while results are made of it, and each of these, in bytes."""

    held: int = 0
    result: int = 0


Claim = Callable[[Size], None]  # waits until there is room


def content_size(stored: int, pixels: int, per_result: int) -> Size:
    """Return the memory of a content and its results.

    stored: the file's pixels; pixels: the content's, resized; per_result: a result's for each.
    """
    result = RESULT * pixels * per_result
    return Size(max(HELD * pixels, DECODING * stored - result), result)


class Room:
    """Counts the bytes of pictures in memory; may be used from several threads.

    size: as many bytes as there shall be at a time; None: no limit. What is larger than that is let
    in alone.
    """

    def __init__(self, size: int | None) -> None:
        self._size, self._taken, self._closed = size, 0, False
        self._changed = threading.Condition()

    def wait_for(self, count: int) -> None:
        """Take so many bytes as soon as they fit, or nothing else is in memory.

        Raises CancelledError when the batch is stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._taken or self._fits(count))
            if self._closed:
                raise CancelledError
            self._taken += count

    def take(self, count: int) -> bool:
        """Take so many bytes if they fit; tell whether they do."""
        with self._changed:
            fits = self._fits(count)
            self._taken += count if fits else 0
            return fits

    def give(self, count: int) -> None:
        """Give back so many bytes."""
        with self._changed:
            self._taken -= count
            self._changed.notify_all()

    def close(self) -> None:
        """End all waiting: the batch is stopped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, count: int) -> bool:
        return self._size is None or self._taken + count <= self._size
