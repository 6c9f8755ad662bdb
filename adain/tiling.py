"""Stylise a picture of any size in bounded memory, exactly, in two passes over its tiles.

AdaIN needs the content statistics of the *whole* picture. So pass 1 encodes every tile and sums
its statistics; pass 2 encodes every tile again with a halo of neighbouring pixels, replaces the
global statistics, decodes, and keeps the core without the halo. Tiles start at multiples of 8, so
pooling sees the same blocks; where the picture ends the tile ends too, so reflect padding acts as
in the whole picture. The result equals that of the whole picture at once, up to rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from adain.architecture import ENCODER_HALO, HALO, STRIDE
from adain.engine import Core, Engine
from adain.stats import ChannelStats, StatsAccumulator

SMALLEST = 2 * STRIDE  # at 8 px relu4_1 has a single row, which reflect padding cannot mirror


class Span(NamedTuple):
    """One tile along one axis, in pixels: its core, and the window around it that is computed."""

    start: int
    stop: int
    window_start: int
    window_stop: int

    def window(self) -> slice:
        return slice(self.window_start, self.window_stop)

    def core(self) -> slice:
        return slice(self.start, self.stop)

    def core_in_window(self) -> tuple[int, int]:
        """The core's first pixel inside the window, and the one after its last."""
        return self.start - self.window_start, self.stop - self.window_start


def spans(length: int, tile_size: int, halo: int) -> list[Span]:
    """Return the tiles that cover `length` pixels; all arguments are multiples of 8."""
    return [Span(start, min(start + tile_size, length),
                 max(start - halo, 0), min(start + tile_size + halo, length))
            for start in range(0, length, tile_size)]


class Tile(NamedTuple):
    """One tile: its rows and its columns."""

    down: Span
    across: Span


def tiles(rows: int, columns: int, tile_size: int, halo: int) -> list[Tile]:
    """Return all tiles of a picture, row by row."""
    return [Tile(down, across) for down in spans(rows, tile_size, halo)
            for across in spans(columns, tile_size, halo)]


def pad(image: np.ndarray) -> np.ndarray:
    """Return the picture mirrored down and to the right to multiples of 8, 16 at least."""
    rows, columns = (max(SMALLEST, -(-side // STRIDE) * STRIDE) for side in image.shape[:2])
    border = ((0, rows - image.shape[0]), (0, columns - image.shape[1]), (0, 0))
    return np.pad(image, border, mode="symmetric")


def to_float(image: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1]."""
    return image.astype(np.float32) / 255


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Float about [0, 1] -> uint8, clipped and rounded."""
    scaled = image * np.float32(255)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def measure(engine: Engine, image: np.ndarray, tile_size: int) -> ChannelStats:
    """Return the channel statistics of a whole picture (pass 1).

    image: uint8 (rows, columns, 3), rows and columns multiples of 8, see `pad`.
    """
    statistics = StatsAccumulator()
    for down, across in tiles(*image.shape[:2], tile_size, ENCODER_HALO):
        core = Core(*down.core_in_window(), *across.core_in_window())
        mean, variance = engine.measure(to_float(image[down.window(), across.window()]), core)
        statistics.add((core.bottom - core.top) * (core.right - core.left), mean, variance)
    return statistics.result()


def stylize(engine: Engine, image: np.ndarray, style: ChannelStats, alpha: float, tile_size: int,
            halo: int = HALO, dtype: type = np.uint8,
            content: ChannelStats | None = None) -> np.ndarray:
    """Return the stylized picture, exactly as large as `image` (both passes).

    content: the statistics to remove, where they are not the picture's own (then no pass 1).
    image: uint8 (rows, columns, 3), 1 x 1 or larger; dtype: np.uint8, or np.float32 for the
    decoder's own values, about [0, 1] and not clipped.
    """
    finish = to_uint8 if dtype == np.uint8 else np.asarray
    rows, columns = image.shape[:2]
    image = pad(image)
    result = np.empty(image.shape, dtype)
    plan = tiles(*image.shape[:2], tile_size, halo)
    # A single tile needs no pass of its own to know its statistics.
    if content is None and len(plan) > 1:
        content = measure(engine, image, tile_size)
    for down, across in plan:
        window, _ = engine.transfer(to_float(image[down.window(), across.window()]), style, alpha,
                                    content)
        result[down.core(), across.core()] = finish(
            window[slice(*down.core_in_window()), slice(*across.core_in_window())])
    return result[:rows, :columns]
