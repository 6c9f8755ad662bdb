"""The order of a batch: contents of one size follow each other.

Networks prepare for each new size of pictures, and remember only the last few: see
_KEPT_OPERATIONS in adain/networks/openvino/compiled.py. For pictures of 64 to 500 pixels a side
that takes a third of the time. Only headers of files are read for the order.
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
    """Return rows and columns of a picture from its header, not turned upright; None if unknown.

    Only regular files are opened: a pipe can be read just once.
    """
    if not os.path.isfile(path):  # Path.is_file() raises some errors, as of folders without access
        return None
    try:
        with path.open("rb") as file:
            columns, rows = open_image(file).size
    except Exception:  # Pillow's plugins raise any error for broken bytes; reported when it is read
        return None
    return rows, columns


def by_shape(items: Sequence[Item], shape: Callable[[Item], Any]) -> Iterator[Item]:
    """Yield all items, those of one shape after each other within each WINDOW of them.

    shape: returns a tuple that can be ordered, or None where it is unknown; these come first.
    """
    for start in range(0, len(items), WINDOW):
        window = items[start:start + WINDOW]
        if len(window) == 1:
            yield from window
        else:
            yield from sorted(window, key=lambda item: shape(item) or ())
