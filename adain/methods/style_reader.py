"""Read the styles of a batch when they are first needed, and keep them as two vectors.

The pictures of 79 000 paintings would not fit into memory, but their vectors nearly do: 3 kB per
painting with compact, 5 kB with vgg19. Pictures, a megabyte each, are kept only if results need
them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from adain.errors import ImageError, StyleError, WeightsError
from adain.networks.stats import ChannelStats
from adain.recently_used import RecentlyUsed
from adain.transfer import style_file as stylefile
from adain.transfer.stylizer import Stylizer

STYLE_BYTES = 256_000_000  # of vectors: all of WikiArt with compact
LEAST_STYLE_BYTES = 4_000_000  # a thousand, though memory is short
PICTURE_BYTES = 64_000_000  # some sixty, shrunk to 512 pixels
_ENTRY_BYTES = 600  # of two arrays and their place in a dictionary, beside their values


T = TypeVar("T")


class StyleReader:
    """Reads and encodes styles on demand; can be used from several threads.

    Args:
        read: returns the picture in a file as uint8 RGB.
        limit: maximum number of bytes of vectors, and likewise of pictures, to keep; the least
            recently used ones are dropped.
    """

    def __init__(self, stylizer: Stylizer, read: Callable[[Path], np.ndarray],
                 limit: int = STYLE_BYTES, refine: bool = False) -> None:
        self._stylizer, self._read = stylizer, read
        self._refine = refine
        self._vectors = RecentlyUsed[ChannelStats](
            limit, lambda style: style.mean.nbytes + style.std.nbytes + _ENTRY_BYTES)
        self._pictures = RecentlyUsed[np.ndarray](
            min(limit, PICTURE_BYTES), lambda picture: picture.nbytes)
        self._failed: dict[Path, str] = {}

    def encoded(self, path: Path) -> ChannelStats:
        """Return the style of a picture, or of a file by --save-style; StyleError if it is none."""
        return self._vectors.get(path, lambda: self._encode_file(path))

    def picture(self, path: Path) -> np.ndarray:
        """Return a style's picture in the size that it is encoded in; StyleError if it is none."""
        return self._pictures.get(path, lambda: self._shrunk(path))

    def _encode_file(self, path: Path) -> ChannelStats:
        if path.suffix == stylefile.SUFFIX:
            return self._checked(path, self._encode)
        kept = self._pictures.peek(path)
        return self._encode(self._shrunk(path) if kept is None else kept)

    def _encode(self, style: Path | np.ndarray) -> ChannelStats:
        return self._stylizer.encode_style(style, refine=self._refine)

    def _shrunk(self, path: Path) -> np.ndarray:
        return self._checked(path, lambda path: self._stylizer.shrink_style(self._read(path)))

    def _checked(self, path: Path, read: Callable[[Path], T]) -> T:
        """Return read(path); a file that failed once is not read again."""
        if path not in self._failed:
            try:
                return read(path)
            except MemoryError:  # there may be enough of it later
                raise StyleError(path, f"{path} cannot be read: there is not enough memory "
                                       "for it.") from None
            except (ImageError, WeightsError) as error:
                self._failed[path] = str(error)
        raise StyleError(path, self._failed[path])
