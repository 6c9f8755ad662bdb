"""Limit the memory of the pictures of a batch: those read ahead and those waiting to be written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import NamedTuple

# Bytes per pixel: a content while it is read (Pillow's copy and ours, with opacity); a content that
# waits; a result, Pillow's copy of it and the encoded file.
DECODING, HELD, RESULT = 8, 4, 10


class Size(NamedTuple):
    """Memory in bytes: of a content while results are made of it, and of each result."""

    held: int = 0
    result: int = 0


Claim = Callable[[Size], None]  # waits until there is room


def content_size(stored: int, pixels: int, per_result: int) -> Size:
    """Return the memory of a content and its results.

    Args:
        stored: number of pixels in the file.
        pixels: number of pixels of the resized content.
        per_result: bytes per pixel of a result.
    """
    result = RESULT * pixels * per_result
    return Size(max(HELD * pixels, DECODING * stored - result), result)


class Room:
    """Counts the bytes of pictures in memory; can be used from several threads.

    Args:
        size: maximum number of bytes; None for no limit. A larger picture has to be alone.
    """

    def __init__(self, size: int | None) -> None:
        self._size, self._taken, self._closed = size, 0, False
        self._changed = threading.Condition()

    def wait_for(self, count: int) -> None:
        """Wait until `count` bytes fit, or nothing else is in memory, and take them.

        Raises CancelledError when the batch is stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._taken or self._fits(count))
            if self._closed:
                raise CancelledError
            self._taken += count

    def take(self, count: int) -> bool:
        """Take `count` bytes if they fit; return whether they do."""
        with self._changed:
            fits = self._fits(count)
            self._taken += count if fits else 0
            return fits

    def give(self, count: int) -> None:
        """Release `count` bytes."""
        with self._changed:
            self._taken -= count
            self._changed.notify_all()

    def close(self) -> None:
        """Stop the batch: all waiting threads get a CancelledError."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, count: int) -> bool:
        return self._size is None or self._taken + count <= self._size
