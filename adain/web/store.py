"""Pictures that were sent, and results that wait for their download: in files without a name.

Such a file is gone when it is closed, also when the process is killed.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Generic, TypeVar

import numpy as np

from adain.errors import ImageError
from adain.files import images
from adain.web.limits import Limits, NotAPictureError, NotFoundError, TooLargeError

PREVIEW_SIZE = 640  # pixels of the shorter side that is kept for previews
PREVIEW_PIXELS = 960 * PREVIEW_SIZE  # of panoramas, which are smaller
THUMBNAIL_SIZE = 160  # pixels of the shorter side
_SCREEN_QUALITY = 90  # of JPEG
ID_LENGTH = 32  # of a picture that was sent
_TEMPORARY = 8_000_000  # bytes that stay in memory, instead of in a file


class Spool:
    """Bytes in a temporary file, which any thread may read."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_TEMPORARY)  # noqa: SIM115
        self._file.write(data)
        self._lock, self.size = threading.Lock(), len(data)

    def read(self) -> bytes:
        with self._lock:
            self._file.seek(0)
            return self._file.read()

    def close(self) -> None:
        with self._lock:
            self._file.close()


class Source:
    """A picture that a request names: one that was sent, or a file of the gallery.

    id: what requests call it; name: what messages call it.
    """

    def __init__(self, id: str, name: str, data: Spool | Path, max_pixels: int) -> None:
        self.id, self.name = id, name
        self._data, self._max_pixels = data, max_pixels
        self._stored = (0, 0)  # rows and columns in the file's header
        self._transparent = False

    @property
    def size(self) -> int:
        return self._data.size if isinstance(self._data, Spool) else 0

    def close(self) -> None:
        if isinstance(self._data, Spool):
            self._data.close()

    def read(self, shorter_side: int | None = None) -> images.Picture:
        """Return the picture, with transparent pixels filled; see images.open_picture().

        Raises:
            TooLargeError, NotAPictureError: it is refused.
            NotFoundError: it was removed meanwhile.
        """
        try:
            file = _Named(self._data.read() if isinstance(self._data, Spool)
                          else self._data.read_bytes())
        except (ValueError, OSError):  # closed, or a file of the gallery was removed
            raise NotFoundError(f"{self.name} is not here any more: open it again.") from None
        file.name = self.name
        try:
            found = images.open_picture(file, images.NO_LIMIT**2, shorter_side, self._check)
        except TooLargeError:
            raise
        except ImageError as error:
            raise NotAPictureError(str(error)) from None
        return found._replace(rgb=images.fill_transparent(found.rgb, found.opacity))

    def _check(self, rows: int, columns: int) -> None:
        self._stored = rows, columns
        if rows * columns > self._max_pixels:
            raise TooLargeError(
                f"{self.name} has {columns} x {rows} = {rows * columns / 1e6:.0f} megapixels; the "
                f"limit is {self._max_pixels / 1e6:.0f}: shrink it first, or start `adain web` "
                "with a larger `max_pixels`.")

    @cached_property
    def screen(self) -> np.ndarray:
        """The picture at the size of a screen: uint8 (rows, columns, 3)."""
        rgb, opacity, _ = self.read(PREVIEW_SIZE)
        self._transparent = opacity is not None
        return images.shrink(rgb, largest_screen_size(*rgb.shape[:2]))

    @cached_property
    def thumbnail(self) -> bytes:
        """A small JPEG of the picture."""
        return to_jpeg(images.shrink(self.read(THUMBNAIL_SIZE).rgb, THUMBNAIL_SIZE))

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the upright picture."""
        rows, columns = self.screen.shape[:2]  # its header was read for it
        stored = self._stored
        return stored if (rows < columns) == (stored[0] < stored[1]) else stored[::-1]

    @property
    def transparent(self) -> bool:
        """Whether the picture is transparent anywhere."""
        return self.screen.size > 0 and self._transparent  # which reading it finds out


class _Named(io.BytesIO):
    name = "picture"


def to_jpeg(rgb: np.ndarray) -> bytes:
    """Return a picture for the screen as the bytes of a JPEG file."""
    file = io.BytesIO()
    images.write(file, rgb, format="jpg", quality=_SCREEN_QUALITY)
    return file.getvalue()


def largest_screen_size(rows: int, columns: int) -> int:
    """Return the shorter side of the largest preview of a picture with these proportions."""
    shorter, longer = sorted((rows, columns))
    return max(1, min(PREVIEW_SIZE, int((PREVIEW_PIXELS * shorter / longer) ** 0.5)))


@dataclass(frozen=True)
class Result:
    """A finished picture: its file's name and content, rows and columns."""

    name: str
    media_type: str
    data: Spool
    shape: tuple[int, int]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def size(self) -> int:
        return self.data.size

    def close(self) -> None:
        self.data.close()


Item = TypeVar("Item", Source, Result)


class Kept(Generic[Item]):
    """Keeps the newest items, as many as the limits allow; threads may share it."""

    def __init__(self, count: int, size: int, what: str) -> None:
        self._count, self._size, self._what = count, size, what
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, item: Item) -> Item:
        """Keep an item; return the one that has its id, if there is one already."""
        with self._lock:
            if item.id in self._items:
                item.close()
            else:
                self._items[item.id] = item
            self._items.move_to_end(item.id)
            while len(self._items) > 1 and (len(self._items) > self._count or sum(
                    each.size for each in self._items.values()) > self._size):
                self._items.popitem(last=False)[1].close()
            return self._items[item.id]

    def get(self, id: str) -> Item:
        """Return an item; NotFoundError if it is not here."""
        with self._lock:
            if id not in self._items:
                raise NotFoundError(f"there is no {self._what} {id[:80]!r} here, or not any more.")
            self._items.move_to_end(id)
            return self._items[id]

    def remove(self, id: str) -> None:
        self.get(id)
        with self._lock:
            if id in self._items:
                self._items.pop(id).close()

    def close(self) -> None:
        """Remove all."""
        with self._lock:
            while self._items:
                self._items.popitem()[1].close()


def sent(data: bytes, name: str, limits: Limits) -> Source:
    """Return a picture that was sent; its id is made of its content."""
    if not data:
        raise NotAPictureError(f"{name} is empty: send the bytes of a picture file.")
    id = hashlib.sha256(data).hexdigest()[:ID_LENGTH]
    return Source(id, name, Spool(data), limits.max_pixels)
