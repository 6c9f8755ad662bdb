"""Stylise a picture of any size in bounded memory, exactly, in two passes over its tiles.

AdaIN needs the content statistics of the *whole* picture. So pass 1 encodes every tile and sums
its statistics; pass 2 encodes every tile again with a halo of neighbouring pixels, replaces the
global statistics, decodes, and keeps the core without the halo. Tiles start at multiples of 8, so
pooling sees the same blocks; where the picture ends the tile ends too, so reflect padding acts as
in the whole picture. The result equals that of the whole picture at once, up to rounding: in
float32 to one level of 255. In bfloat16 and int8 the statistics still agree to 1e-5, but where that
changes how a feature is rounded, single pixels differ by up to 7 and 16 levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from adain.networks.architecture import STRIDE
from adain.networks.engine import Engine
from adain.networks.stats import ChannelStats, StatsAccumulator, affine, interpolate

SMALLEST = 2 * STRIDE  # at 8 px relu4_1 has a single row, which reflect padding cannot mirror

Progress = Callable[[Sequence], Iterable]  # yields what it is given, and may show how far it is


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
    """Return the tiles that cover `length` pixels: few, and about equally long.

    All arguments are multiples of 8; no tile is longer than tile_size.
    """
    tile_size = stride_multiple(-(-length // -(-length // tile_size)))
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
    """Return (rows, columns, ...) mirrored down and to the right to multiples of 8, 16 at least."""
    rows, columns = map(padded_length, image.shape[:2])
    border = [(0, rows - image.shape[0]), (0, columns - image.shape[1])]
    return np.pad(image, border + [(0, 0)] * (image.ndim - 2), mode="symmetric")


def stride_multiple(length: int) -> int:
    """Return the next multiple of 8."""
    return -(-length // STRIDE) * STRIDE


def padded_length(length: int) -> int:
    """Return the next multiple of 8, 16 at least."""
    return max(SMALLEST, stride_multiple(length))


def to_float(image: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1]; float32 stays as it is."""
    return image if image.dtype == np.float32 else image.astype(np.float32) / 255


def to_integers(image: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """Float about [0, 1] -> unsigned integers of full range, clipped and rounded."""
    scaled = image * np.float32(np.iinfo(dtype).max)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0, np.iinfo(dtype).max, out=scaled).astype(dtype)


def default_halo(engine: Engine) -> int:
    """Return how many pixels around a tile change it: as far as encoder and decoder see."""
    return stride_multiple(2 * engine.radius)


class Regions(NamedTuple):
    """Several styles, each for a part of the picture.

    masks: uint8 (rows, columns) each, as large as the picture: how much of each pixel takes
    which style. Where they sum up to less than 255 the content shows through, where to more they
    are scaled down.
    """

    styles: Sequence[ChannelStats]
    masks: Sequence[np.ndarray]


def channels(style: ChannelStats | Regions, place: slice) -> ChannelStats | Regions:
    """Return some of a style's channels."""
    if isinstance(style, Regions):
        return style._replace(styles=[channels(each, place) for each in style.styles])
    return ChannelStats(style.mean[..., place], style.std[..., place])


def measure(engine: Engine, image: np.ndarray, tile_size: int, mask: np.ndarray | None = None,
            progress: Progress = iter) -> ChannelStats:
    """Return the channel statistics of a whole picture (pass 1).

    image: uint8 (rows, columns, 3); mask: uint8 (rows, columns), how much each pixel counts.
    """
    plan = tiles(*map(padded_length, image.shape[:2]), tile_size, stride_multiple(engine.radius))
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

    image: uint8, or float32 in [0, 1], (rows, columns, 3), 1 x 1 or larger; halo: pixels around a
    tile that are computed with it, by default as far as the networks see; dtype: np.uint8,
    np.uint16, or np.float32 for the decoder's own values, about [0, 1] and not clipped; progress:
    is given the list of tiles and yields them; content: the statistics to remove, where they are
    not the picture's own (then there is no pass 1; not for Regions).
    """
    plan = tiles(*map(padded_length, image.shape[:2]), tile_size,
                 default_halo(engine) if halo is None else halo)
    if isinstance(style, Regions):
        transfer = _regions_transfer(engine, image, style, alpha, tile_size, progress)
    else:
        # A single tile needs no pass of its own to know its statistics.
        if content is None and len(plan) > 1:
            content = measure(engine, image, tile_size, None, progress)

        def transfer(tile):
            window = pad(image[tile.down.window(), tile.across.window()])
            return engine.transfer(to_float(window), style, alpha, content)[0]

    result = np.empty(image.shape, dtype)
    for tile in progress(plan):
        place = result[tile.down.core(), tile.across.core()]  # a view, without what was padded
        with engine.session():
            window = transfer(tile)
            core = window[slice(*tile.down.core_in_window()), slice(*tile.across.core_in_window())]
            core = core[:place.shape[0], :place.shape[1]]
            place[:] = core if dtype == np.float32 else to_integers(core, dtype)
    return result


def _regions_transfer(engine, image, regions, alpha, tile_size, progress):
    """Return the function from a tile to its stylized window, where regions have styles."""
    pairs = []
    for style, mask in zip(regions.styles, regions.masks):
        content = measure(engine, image, tile_size, mask, progress)
        pairs.append(affine(content, interpolate(content, style, alpha)))
    scales, shifts = (np.stack(vectors).astype(np.float32) for vectors in zip(*pairs))

    def transfer(tile):
        place = tile.down.window(), tile.across.window()
        window = to_float(pad(image[place]))
        masks = np.stack([to_float(pad(mask[place])) for mask in regions.masks])
        total = masks.sum(axis=0)
        # Outside of all regions any shares will do: the content is put there.
        shares = np.where(total > 0, masks / np.maximum(total, 1e-6), 1 / len(masks))
        stylized = engine.transfer_regions(window, shares.astype(np.float32), scales, shifts)
        coverage = np.minimum(total, 1)[..., None]
        return coverage * stylized + (1 - coverage) * window

    return transfer
