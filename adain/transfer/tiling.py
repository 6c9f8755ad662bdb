"""Stylize a picture of any size exactly and in bounded memory, in two passes over its tiles.

AdaIN needs the content statistics of the *whole* picture. So pass 1 encodes every tile and sums
its statistics; pass 2 encodes every tile again with a halo of neighbouring pixels, replaces the
global statistics, decodes, and keeps the core without the halo. Tiles start at multiples of 8, so
pooling uses the same blocks as in the whole picture; halos end at its border, so reflect padding is
the same, too. The result equals that of the whole picture up to rounding: in float32 up to one
level of 255. In bfloat16 and int8 the statistics agree up to 1e-5, but features may be rounded
differently, so that single values differ by up to 7 and 25 levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from adain.files.pixels import to_float, to_integers
from adain.networks.architecture import STRIDE
from adain.networks.engine import Engine, StatisticsEngine
from adain.networks.stats import ChannelStats, StatsAccumulator, affine, interpolate

SMALLEST = 2 * STRIDE  # at 8 px relu4_1 has a single row, which reflect padding cannot mirror

Progress = Callable[[Sequence[Any]], Iterable[Any]]  # yields its items, like tqdm


class Span(NamedTuple):
    """A tile along one axis, in pixels: its core, and the window, which is core and halo."""

    start: int
    stop: int
    window_start: int
    window_stop: int

    def window(self) -> slice:
        return slice(self.window_start, self.window_stop)

    def core(self) -> slice:
        return slice(self.start, self.stop)

    def core_in_window(self) -> tuple[int, int]:
        """Return start and stop of the core, relative to the window."""
        return self.start - self.window_start, self.stop - self.window_start


def spans(length: int, tile_size: int, halo: int) -> list[Span]:
    """Divide `length` pixels into as few cores of at most tile_size as possible, about equal.

    All arguments are multiples of 8.
    """
    tile_size = stride_multiple(-(-length // -(-length // tile_size)))
    return [Span(start, min(start + tile_size, length),
                 max(start - halo, 0), min(start + tile_size + halo, length))
            for start in range(0, length, tile_size)]


class Tile(NamedTuple):
    """A tile: its rows (down) and its columns (across)."""

    down: Span
    across: Span


def tiles(rows: int, columns: int, tile_size: int, halo: int) -> list[Tile]:
    """Return all tiles of a picture, row by row."""
    return [Tile(down, across) for down in spans(rows, tile_size, halo)
            for across in spans(columns, tile_size, halo)]


def pad(image: np.ndarray) -> np.ndarray:
    """Pad (rows, columns, ...) at the bottom and right by mirroring, to padded_length()."""
    rows, columns = map(padded_length, image.shape[:2])
    border = [(0, rows - image.shape[0]), (0, columns - image.shape[1])]
    return np.pad(image, border + [(0, 0)] * (image.ndim - 2), mode="symmetric")


def stride_multiple(length: int) -> int:
    """Round up to a multiple of 8."""
    return -(-length // STRIDE) * STRIDE


def padded_length(length: int) -> int:
    """Round up to a multiple of 8, at least 16."""
    return max(SMALLEST, stride_multiple(length))


def default_halo(engine: Engine) -> int:
    """Return the number of pixels around a tile that affect it: the networks' receptive radius."""
    return stride_multiple(2 * engine.radius)


class Regions(NamedTuple):
    """Several styles, each for a region of the picture.

    masks: one for each style, uint8 (rows, columns), as large as the picture: the weight of the
        style in each pixel. If weights sum to less than 255, the rest is content; if they sum to
        more, they are scaled down.
    """

    styles: Sequence[ChannelStats]
    masks: Sequence[np.ndarray]


def channels(style: ChannelStats | Regions, place: slice) -> ChannelStats | Regions:
    """Return a style, or styles, reduced to a slice of the channels."""
    if isinstance(style, Regions):
        return style._replace(styles=[_channels(each, place) for each in style.styles])
    return _channels(style, place)


def _channels(style: ChannelStats, place: slice) -> ChannelStats:
    return ChannelStats(style.mean[..., place], style.std[..., place])


def measure(engine: StatisticsEngine, image: np.ndarray, tile_size: int,
            mask: np.ndarray | None = None, progress: Progress = iter) -> ChannelStats:
    """Return the channel statistics of a whole picture (pass 1).

    Args:
        engine: measures single tiles.
        image: uint8 RGB (rows, columns, 3), or float32 in [0, 1].
        tile_size: pixels, a multiple of 8.
        mask: weight of each pixel, (rows, columns), 0 or more; None: all pixels count equally.
        progress: called with the list of tiles; yields them, like tqdm.
    """
    rows, columns = map(padded_length, image.shape[:2])
    plan = tiles(rows, columns, tile_size, stride_multiple(engine.radius))
    statistics = StatsAccumulator()
    for down, across in progress(plan):
        window = pad(image[down.window(), across.window()])
        weights = np.zeros(window.shape[:2], np.float32)
        core = slice(*down.core_in_window()), slice(*across.core_in_window())
        weights[core] = 1 if mask is None else pad(mask[down.window(), across.window()])[core]
        area = float(weights.sum(dtype=np.float64))
        if area:
            with engine.session():
                statistics.add(area, *engine.measure(to_float(window), weights))
    return statistics.result()


def stylize(engine: Engine, image: np.ndarray, style: ChannelStats | Regions, alpha: float,
            tile_size: int, halo: int | None = None, dtype: type = np.uint8,
            progress: Progress = iter, content: ChannelStats | None = None) -> np.ndarray:
    """Return the stylized picture, exactly as large as `image` (both passes).

    Args:
        engine: computes single tiles.
        image: uint8 RGB, or float32 in [0, 1], (rows, columns, 3), 1 x 1 or larger.
        style: the target statistics, or Regions of them.
        alpha: strength, from 0 to 1.
        tile_size: pixels, a multiple of 8.
        halo: width of the border computed around a tile, in pixels; None: default_halo().
        dtype: of the result: np.uint8, np.uint16, or np.float32 for the output of the decoder,
            about [0, 1] and not clipped.
        progress: called with the list of tiles of each pass; yields them, like tqdm.
        content: content statistics to use instead of measuring them in pass 1; not with Regions.
    """
    rows, columns = map(padded_length, image.shape[:2])
    plan = tiles(rows, columns, tile_size, default_halo(engine) if halo is None else halo)
    transfer: Callable[[Tile], np.ndarray]
    if isinstance(style, Regions):
        transfer = _regions_transfer(engine, image, style, alpha, tile_size, progress)
    else:
        # A single tile needs no separate pass for its statistics.
        if content is None and len(plan) > 1:
            content = measure(engine, image, tile_size, None, progress)
        transfer = _transfer(engine, image, style, alpha, content)
    result: np.ndarray = np.empty(image.shape, dtype)
    for tile in progress(plan):
        place = result[tile.down.core(), tile.across.core()]  # a view, without the padding
        with engine.session():
            window = transfer(tile)
            core = window[slice(*tile.down.core_in_window()), slice(*tile.across.core_in_window())]
            core = core[:place.shape[0], :place.shape[1]]
            place[:] = core if dtype == np.float32 else to_integers(core, dtype)
    return result


def _transfer(engine: Engine, image: np.ndarray, style: ChannelStats, alpha: float,
              content: ChannelStats | None) -> Callable[[Tile], np.ndarray]:
    """Return a function from a tile to its stylized window."""
    def transfer(tile: Tile) -> np.ndarray:
        window = pad(image[tile.down.window(), tile.across.window()])
        return engine.transfer(to_float(window), style, alpha, content)[0]

    return transfer


def _regions_transfer(engine: Engine, image: np.ndarray, regions: Regions, alpha: float,
                      tile_size: int, progress: Progress) -> Callable[[Tile], np.ndarray]:
    """Return a function from a tile to its stylized window, for regions with different styles."""
    pairs = []
    for style, mask in zip(regions.styles, regions.masks):
        content = measure(engine, image, tile_size, mask, progress)
        pairs.append(affine(content, interpolate(content, style, alpha)))
    scales, shifts = (np.stack(vectors).astype(np.float32) for vectors in zip(*pairs))

    def transfer(tile: Tile) -> np.ndarray:
        place = tile.down.window(), tile.across.window()
        window = to_float(pad(image[place]))
        masks = np.stack([to_float(pad(mask[place])) for mask in regions.masks])
        total = masks.sum(axis=0)
        # Outside of all regions any shares will do, as `covered` is the content there.
        shares = np.where(total > 0, masks / np.maximum(total, 1e-6), 1 / len(masks))
        stylized = engine.transfer_regions(window, shares.astype(np.float32), scales, shifts)
        coverage = np.minimum(total, 1)[..., None]
        covered: np.ndarray = coverage * stylized + (1 - coverage) * window
        return covered

    return transfer
