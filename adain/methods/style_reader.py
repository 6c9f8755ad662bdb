"""Read and encode the styles of a batch when they are first needed, and cache the results.

The pictures of 79 000 paintings would not fit into memory, but encoded styles do: two vectors, 3 kB
per painting with compact, 5 kB with vgg19. Pictures, a megabyte each, are kept only if results need
them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from adain.errors import ImageError, StyleError, WeightsError
from adain.networks.stats import ChannelStats
from adain.progress import StopRequest
from adain.recently_used import RecentlyUsed
from adain.transfer import style_file as stylefile
from adain.transfer.stylizer import Stylizer

logger = logging.getLogger(__name__)

STYLE_BYTES = 256_000_000  # of encoded styles; enough for all of WikiArt with compact
LEAST_STYLE_BYTES = 4_000_000  # a thousand styles; used if memory is short
PICTURE_BYTES = 64_000_000  # of pictures; about sixty, shrunk to 512 pixels
_ENTRY_BYTES = 600  # overhead of one style: two array objects and a dictionary entry


T = TypeVar("T")


class StyleReader:
    """Reads and encodes styles on demand; several threads may use it.

    Args:
        stylizer: encodes the styles.
        read: returns the picture in a file as uint8 RGB (rows, columns, 3).
        limit: maximum number of bytes of encoded styles to keep, and likewise of pictures; the
            least recently used ones are dropped.
        refine: whether styles get the statistics that refinement needs.
        tune: iterations that tune the statistics of pictures; see Stylizer.encode_style().

    Attributes:
        stop: asks tuning to end early.
    """

    stop: StopRequest | None = None

    def __init__(self, stylizer: Stylizer, read: Callable[[Path], np.ndarray],
                 limit: int = STYLE_BYTES, refine: bool = False, tune: int = 0) -> None:
        self._stylizer, self._read = stylizer, read
        self._refine, self._tune = refine, tune
        self._vectors = RecentlyUsed[ChannelStats](
            limit, lambda style: style.mean.nbytes + style.std.nbytes + _ENTRY_BYTES)
        self._pictures = RecentlyUsed[np.ndarray](
            min(limit, PICTURE_BYTES), lambda picture: picture.nbytes)
        self._failed: dict[Path, str] = {}

    def encoded(self, path: Path) -> ChannelStats:
        """Return the encoded style of a picture or a style file; StyleError if it is unusable."""
        return self._vectors.get(path, lambda: self._encode_file(path))

    def picture(self, path: Path) -> np.ndarray:
        """Return the picture of a style, shrunk to style_size; StyleError if it is unusable."""
        return self._pictures.get(path, lambda: self._shrunk(path))

    def _encode_file(self, path: Path) -> ChannelStats:
        if path.suffix == stylefile.SUFFIX:
            if self._tune:
                logger.warning("the style %s is encoded already, so it is not tuned", path.name)
            return self._checked(path, self._encode)
        cached = self._pictures.peek(path)
        picture = self._shrunk(path) if cached is None else cached
        if self._tune:
            logger.info("tunes the style %s in %d iteration%s", path.name, self._tune,
                        "" if self._tune == 1 else "s")
        return self._encode(picture, self._tune)

    def _encode(self, style: Path | np.ndarray, tune: int = 0) -> ChannelStats:
        return self._stylizer.encode_style(style, refine=self._refine, tune=tune, stop=self.stop)

    def _shrunk(self, path: Path) -> np.ndarray:
        return self._checked(path, lambda path: self._stylizer.shrink_style(self._read(path)))

    def _checked(self, path: Path, read: Callable[[Path], T]) -> T:
        """Return read(path); a file that failed once is not read again."""
        if path not in self._failed:
            try:
                return read(path)
            except MemoryError:  # not stored as failed: there may be enough memory later
                raise StyleError(path, f"{path} cannot be read: there is not enough memory "
                                       "for it.") from None
            except (ImageError, WeightsError) as error:
                self._failed[path] = str(error)
        raise StyleError(path, self._failed[path])
