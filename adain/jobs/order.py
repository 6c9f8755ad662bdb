"""Order the contents of a batch by size.

OpenVINO prepares operations for each new size of pictures and keeps only the last few, see
_KEPT_OPERATIONS in adain/networks/openvino/compiled.py. Without an order this takes a third of the
time for pictures of 64 to 500 pixels a side. Only the headers of files are read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from adain.files.formats import open_image

WINDOW = 5000  # contents that are ordered together, so that the first result does not wait long

Shape = tuple[int, int]
Item = TypeVar("Item")


def stored_shape(path: Path) -> Shape | None:
    """Return rows and columns from a picture's header, as stored; None if they are unknown.

    Only regular files are opened, because a pipe can be read only once.
    """
    if not os.path.isfile(path):  # Path.is_file() raises errors for folders without permission
        return None
    try:
        with path.open("rb") as file:
            columns, rows = open_image(file).size
    except Exception:  # Pillow raises any error for damaged files; reported when the file is read
        return None
    return rows, columns


def by_shape(items: Sequence[Item], shape: Callable[[Item], Any]) -> Iterator[Item]:
    """Yield all items; within each WINDOW of them they are sorted by shape.

    shape: returns the rows and columns of an item, or None; items without a shape come first.
    """
    for start in range(0, len(items), WINDOW):
        window = items[start:start + WINDOW]
        if len(window) == 1:
            yield from window
        else:
            yield from sorted(window, key=lambda item: shape(item) or ())
