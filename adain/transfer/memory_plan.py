"""Tile sizes that fit the memory of the process, its container and the machine."""

from __future__ import annotations

import math
from collections.abc import Iterator

from adain import memory
from adain.errors import ImageError
from adain.networks.architecture import STRIDE, preset

SMALLEST_TILE = 64  # pixels: smaller ones are nearly all halo
# Address space gets holes where tiles have several sizes: 1.07 times tile_bytes was seen.
_RESERVED = 1.2


class MemoryPlan:
    """What the networks of a model may take; made before they start, which take their part.

    Args:
        model: name of a preset.
        halo: pixels around a tile that are computed with it.
        tile_size: pixels, chosen by the user; None: by the memory.
        max_memory: megabytes for the process; None for no limit.
        engine: its name; the limits of the machine count for "openvino" only.
    """

    def __init__(self, model: str, halo: int, tile_size: int | None, max_memory: int | None,
                 engine: str) -> None:
        self._model, self._preset, self._margins = model, preset(model), 2 * halo
        self._tile_size, self._max_memory = tile_size, max_memory
        self._limits = list(self._find_limits(engine))

    @property
    def limit(self) -> int | None:
        """The smallest limit in bytes; None where there is none."""
        return min((size for size, _, _ in self._limits), default=None)

    @property
    def pixels_at_once(self) -> float:
        """The number of pixels that can be computed at once; infinity where there is no limit."""
        return min(((size - start) / self._pixel_bytes for size, start, _ in self._limits),
                   default=math.inf)

    @property
    def picture_memory(self) -> int | None:
        """Bytes left for pictures besides networks and one tile; None if there is no limit."""
        side = (self._tile_size or self._preset.tile_size) + self._margins
        free = [size - start - side**2 * self._pixel_bytes for size, start, _ in self._limits]
        return max(0, int(min(free))) if free else None

    def tile_size(self, rows: int, columns: int) -> int:
        """Return the largest tile size for a picture that fits, in pixels.

        Raises:
            ImageError: not even the smallest tile fits.
        """
        # The picture and its result, and one more copy while it is read or written.
        pictures = 3 * 3 * rows * columns
        tile_size = self._preset.tile_size  # larger ones would take the room of other pictures
        for size, start, name in self._limits:
            free = max(size - start - pictures, 0)
            side = math.isqrt(int(free / self._pixel_bytes)) - self._margins
            if side < SMALLEST_TILE:
                subject = (f"a picture of {columns} x {rows}" if rows * columns > 1 else
                           "any picture")
                needed = (start + pictures
                          + (SMALLEST_TILE + self._margins) ** 2 * self._pixel_bytes)
                raise ImageError(f"{subject} needs at least {math.ceil(needed / 1e6)} MB with the "
                                 f"model {self._model}; {name} {size // 1_000_000}.")
            tile_size = min(tile_size, side // STRIDE * STRIDE)
        return tile_size

    @property
    def _pixel_bytes(self) -> float:
        return self._preset.tile_bytes * (_RESERVED if memory.reserved_counts() else 1)

    def _find_limits(self, engine: str) -> Iterator[tuple[int, int, str]]:
        """Yield each limit in bytes, what of it is needed before the first pixel, and its name."""
        if self._max_memory is not None:
            yield self._max_memory * 1_000_000, self._preset.base_bytes, "`max_memory` is"
        available = memory.available()
        if engine == "openvino" and available is not None:
            start = (self._preset.start_bytes if memory.reserved_counts() else
                     self._preset.base_bytes)
            yield available, start, ("limits of this process (ulimit), its container or the "
                                     "machine leave")
