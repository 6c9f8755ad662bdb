"""Store uploaded pictures, and results until they are downloaded, in unnamed temporary files.

The system removes such a file when it is closed, and when the process is killed.
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

PREVIEW_SIZE = 640  # shorter side of the copy from which previews are made, in pixels
PREVIEW_PIXELS = 960 * PREVIEW_SIZE  # at most: the shorter side of a panorama is smaller
THUMBNAIL_SIZE = 160  # shorter side in pixels
_SCREEN_QUALITY = 90  # of JPEG
ID_LENGTH = 32  # characters of the id of an uploaded picture
_IN_MEMORY = 8_000_000  # bytes; more go to a file


class Spool:
    """Bytes in memory or in a temporary file; several threads may read them."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
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
    """A picture that requests refer to: an uploaded one, or a file of a gallery.

    Args:
        id: identifies it in requests.
        name: file name, for messages and for names of results.
        data: the uploaded bytes, or the path of a file.
        max_pixels: pictures with more pixels are refused.
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
        """Decode the picture, and fill its transparent pixels.

        Args:
            shorter_side: if given, JPEG files may be decoded at a smaller size, whose shorter side
                is at least this many pixels; see images.open_picture().

        Raises:
            TooLargeError: the picture has more than max_pixels.
            NotAPictureError: the data cannot be read as a picture.
            NotFoundError: the picture was removed.
        """
        try:
            file = _Named(self._data.read() if isinstance(self._data, Spool)
                          else self._data.read_bytes())
        except (ValueError, OSError):  # closed, or a file of the gallery was removed
            raise NotFoundError(f"{self.name} was removed: open it again.") from None
        file.name = self.name
        try:
            picture = images.open_picture(file, images.NO_LIMIT**2, shorter_side, self._check)
        except TooLargeError:
            raise
        except ImageError as error:
            raise NotAPictureError(str(error)) from None
        return picture._replace(rgb=images.fill_transparent(picture.rgb, picture.opacity))

    def _check(self, rows: int, columns: int) -> None:
        self._stored = rows, columns
        if rows * columns > self._max_pixels:
            raise TooLargeError(
                f"{self.name} has {columns} x {rows} = {rows * columns / 1e6:.0f} megapixels; the "
                f"limit is {self._max_pixels / 1e6:.0f}: shrink it first, or start `adain web` "
                "with a larger `max_pixels`.")

    @cached_property
    def screen(self) -> np.ndarray:
        """The picture at the size of previews: uint8 RGB (rows, columns, 3), upright."""
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
        rows, columns = self.screen.shape[:2]  # sets _stored
        stored = self._stored
        return stored if (rows < columns) == (stored[0] < stored[1]) else stored[::-1]

    @property
    def transparent(self) -> bool:
        """Whether any pixel is transparent."""
        return self.screen.size > 0 and self._transparent  # `screen` sets _transparent


class _Named(io.BytesIO):
    name = "picture"


def to_jpeg(rgb: np.ndarray) -> bytes:
    """Return a picture, uint8 RGB, as the bytes of a JPEG file for the screen."""
    file = io.BytesIO()
    images.write(file, rgb, format="jpg", quality=_SCREEN_QUALITY)
    return file.getvalue()


def largest_screen_size(rows: int, columns: int) -> int:
    """Return the shorter side of the largest preview of a picture with these proportions."""
    shorter, longer = sorted((rows, columns))
    return max(1, min(PREVIEW_SIZE, int((PREVIEW_PIXELS * shorter / longer) ** 0.5)))


@dataclass(frozen=True)
class Result:
    """A finished picture.

    name: file name for the download.
    data: the bytes of the file.
    shape: rows and columns.
    """

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


class Store(Generic[Item]):
    """Keeps the most recently used items within limits; several threads may use it.

    Args:
        count: maximum number of items.
        size: maximum number of bytes of all items; the newest item is always kept.
        kind: what an item is, for messages.
    """

    def __init__(self, count: int, size: int, kind: str) -> None:
        self._count, self._size, self._kind = count, size, kind
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, item: Item) -> Item:
        """Store an item and return it; if its id is stored already, return that item instead."""
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
        """Return an item; raise NotFoundError if it was never stored, or was removed."""
        with self._lock:
            if id not in self._items:
                raise NotFoundError(f"there is no {self._kind} {id[:80]!r}, or it was removed.")
            self._items.move_to_end(id)
            return self._items[id]

    def remove(self, id: str) -> None:
        self.get(id)
        with self._lock:
            if id in self._items:
                self._items.pop(id).close()

    def close(self) -> None:
        """Remove all items."""
        with self._lock:
            while self._items:
                self._items.popitem()[1].close()


def uploaded(data: bytes, name: str, limits: Limits) -> Source:
    """Return the Source of uploaded bytes; its id is a hash of them."""
    if not data:
        raise NotAPictureError(f"{name} is empty: send the bytes of a picture file.")
    id = hashlib.sha256(data).hexdigest()[:ID_LENGTH]
    return Source(id, name, Spool(data), limits.max_pixels)
