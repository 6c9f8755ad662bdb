"""Reads pictures for training, each once where memory allows."""

from __future__ import annotations

import threading

import numpy as np

from adain.errors import ImageError
from adain.files import images
from adain.training.picture_files import File, place, read_picture

# A strip of one row of pixels would be resized to gigabytes; scrolls in WikiArt stay below.
LARGEST_ASPECT = 32


class PictureCache:
    """Reads pictures for training, and keeps them decoded as long as `size` bytes suffice.

    Once all are kept, a crop costs a fifth of the time: a fast GPU waits for nothing else.
    """

    def __init__(self, size: int = 0) -> None:
        self._left = size
        self._kept: dict[tuple[File, int], np.ndarray] = {}
        self._lock = threading.Lock()

    def read(self, file: File, image_size: int) -> np.ndarray:
        """Return a picture resized to `image_size` on its shorter side; do not write into it."""
        kept = self._kept.get((file, image_size))
        if kept is not None:
            return kept
        image = images.resize_shorter_side(read(file, image_size), image_size)
        with self._lock:
            if image.nbytes <= self._left and (file, image_size) not in self._kept:
                self._left -= image.nbytes
                self._kept[file, image_size] = image
        return image


def read(file: File, image_size: int) -> np.ndarray:
    """Return a picture for training, as images.read; ImageError for one too narrow to resize."""
    image = read_picture(file, image_size)
    rows, columns = image.shape[:2]
    if max(rows, columns) > LARGEST_ASPECT * min(rows, columns):
        raise ImageError(f"{place(file)} is {columns} x {rows}: more than {LARGEST_ASPECT} times "
                         "as long as it is wide.")
    return image
