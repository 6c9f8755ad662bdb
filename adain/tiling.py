"""Stylise a picture of any size in bounded memory, exactly, in two passes over its tiles.

AdaIN needs the content statistics of the *whole* picture. So pass 1 encodes every tile and sums
its statistics; pass 2 encodes every tile again with a halo of neighbouring pixels, replaces the
global statistics, decodes, and keeps the core without the halo. Tiles start at multiples of 8, so
pooling sees the same blocks; where the picture ends the tile ends too, so reflect padding acts as
in the whole picture. The result equals that of the whole picture at once, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from adain.architecture import ENCODER_HALO, HALO, STRIDE
from adain.engine import Engine
from adain.stats import ChannelStats, StatsAccumulator, adain

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

    def core_in_window(self, scale: int = 1) -> slice:
        """The core's place inside the window; scale 8 counts in features instead of pixels."""
        return slice((self.start - self.window_start) // scale,
                     (self.stop - self.window_start) // scale)


def spans(length: int, tile_size: int, halo: int) -> list[Span]:
    """Return the tiles that cover `length` pixels; all arguments are multiples of 8."""
    return [Span(start, min(start + tile_size, length),
                 max(start - halo, 0), min(start + tile_size + halo, length))
            for start in range(0, length, tile_size)]


def tiles(rows: int, columns: int, tile_size: int, halo: int) -> list[tuple[Span, Span]]:
    """Return the (vertical, horizontal) spans of all tiles, row by row."""
    return [(down, across) for down in spans(rows, tile_size, halo)
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
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def measure(engine: Engine, image: np.ndarray, tile_size: int) -> ChannelStats:
    """Return the channel statistics of a whole picture (pass 1).

    image: uint8 (rows, columns, 3), rows and columns multiples of 8, see `pad`.
    """
    statistics = StatsAccumulator()
    for down, across in tiles(*image.shape[:2], tile_size, ENCODER_HALO):
        features = engine.encode(to_float(image[down.window(), across.window()]))
        statistics.add(features[down.core_in_window(STRIDE), across.core_in_window(STRIDE)])
    return statistics.result()


def stylize(engine: Engine, image: np.ndarray, target: Callable[[ChannelStats], ChannelStats],
            tile_size: int, halo: int = HALO, dtype: type = np.uint8) -> np.ndarray:
    """Return the stylized picture, exactly as large as `image` (both passes).

    image: uint8 (rows, columns, 3), 1 x 1 or larger; target: from the content's statistics to
    those that the result shall have; dtype: np.uint8, or np.float32 for the decoder's own values,
    about [0, 1] and not clipped.
    """
    finish = to_uint8 if dtype == np.uint8 else np.asarray
    rows, columns = image.shape[:2]
    image = pad(image)
    plan = tiles(*image.shape[:2], tile_size, halo)
    if len(plan) == 1:  # the same two passes; the only tile's features need no second encoding
        features = engine.encode(to_float(image))
        statistics = StatsAccumulator()
        statistics.add(features)
        content = statistics.result()
        return finish(engine.decode(adain(features, content, target(content))))[:rows, :columns]
    content = measure(engine, image, tile_size)
    wanted = target(content)
    result = np.empty(image.shape, dtype)
    for down, across in plan:
        features = engine.encode(to_float(image[down.window(), across.window()]))
        window = engine.decode(adain(features, content, wanted))
        result[down.core(), across.core()] = finish(
            window[down.core_in_window(), across.core_in_window()])
    return result[:rows, :columns]
