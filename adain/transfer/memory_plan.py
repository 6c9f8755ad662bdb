"""Tile sizes that fit the memory of the process, its container and the machine."""

from __future__ import annotations

import math
from collections.abc import Iterator

from adain import memory
from adain.errors import ImageError
from adain.networks.architecture import STRIDE, preset

SMALLEST_TILE = 64  # pixels: smaller ones are nearly all halo
# Factor for address space, which becomes fragmented if tiles have several sizes: 1.07 was measured.
_RESERVED = 1.2


class MemoryPlan:
    """The memory that the networks of a model may use.

    Create it before the networks are loaded, because it measures the free memory.

    Args:
        model: name of a preset.
        halo: width in pixels of the border that is computed around a tile.
        tile_size: pixels, chosen by the user; None: depends on the memory.
        max_memory: megabytes for the whole process; None for no limit.
        engine: name of the engine; limits of the machine are considered only for "openvino".
    """

    def __init__(self, model: str, halo: int, tile_size: int | None, max_memory: int | None,
                 engine: str) -> None:
        self._model, self._preset, self._margins = model, preset(model), 2 * halo
        self._tile_size, self._max_memory = tile_size, max_memory
        self._limits = list(self._find_limits(engine))

    @property
    def limit(self) -> int | None:
        """The smallest limit of memory in bytes; None if there is none."""
        return min((size for size, _, _ in self._limits), default=None)

    @property
    def pixels_at_once(self) -> float:
        """The number of pixels that can be computed at once; infinity if there is no limit."""
        return min(((size - start) / self._pixel_bytes for size, start, _ in self._limits),
                   default=math.inf)

    @property
    def picture_memory(self) -> int | None:
        """Bytes left for pictures besides networks and one tile; None if there is no limit."""
        side = (self._tile_size or self._preset.tile_size) + self._margins
        free = [size - start - side**2 * self._pixel_bytes for size, start, _ in self._limits]
        return max(0, int(min(free))) if free else None

    def tile_size(self, rows: int, columns: int) -> int:
        """Return the largest tile size, in pixels, with which a picture fits into the memory.

        Raises:
            ImageError: not even the smallest tile fits.
        """
        # The picture, its result, and a copy while one of them is read or written.
        pictures = 3 * 3 * rows * columns
        tile_size = self._preset.tile_size  # larger tiles would leave less memory for pictures
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
        """Yield each limit in bytes, the bytes that networks need without any pixel, and a text
        for messages.
        """
        if self._max_memory is not None:
            yield self._max_memory * 1_000_000, self._preset.base_bytes, "`max_memory` is"
        available = memory.available()
        if engine == "openvino" and available is not None:
            start = (self._preset.start_bytes if memory.reserved_counts() else
                     self._preset.base_bytes)
            yield available, start, ("limits of this process (ulimit), its container or the "
                                     "machine leave")
