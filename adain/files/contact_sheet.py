"""Contact sheets: small pictures in rows, on white."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adain.files import images

GAP = 4  # white pixels between cells
SIZE = 256  # of a cell


def sheet(rows: Sequence[Sequence[np.ndarray | None]], size: int = SIZE) -> np.ndarray:
    """Return a contact sheet, uint8 RGB, of the middle square of each picture.

    Args:
        rows: rows of equally many uint8 RGB pictures; None leaves a cell white.
        size: side of a cell in pixels.
    """
    side = size + GAP
    result = np.full((len(rows) * side - GAP, len(rows[0]) * side - GAP, 3), 255, np.uint8)
    for down, row in enumerate(rows):
        for across, picture in enumerate(row):
            if picture is not None:
                result[down * side:down * side + size, across * side:across * side + size] = (
                    cell(picture, size))
    return result


def cell(picture: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Return the middle square of a picture, resized to `size` pixels a side."""
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    return images.resize(picture[top:top + side, left:left + side], size, size)
