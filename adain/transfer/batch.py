"""Stylize many pictures, each in its own style, in as few calls of an engine as memory allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from adain.networks.engine import Engine
from adain.networks.stats import ChannelStats
from adain.transfer import tiling


def stylize(engine: Engine, images: Sequence[np.ndarray], styles: Sequence[ChannelStats],
            alphas: Sequence[float], tile_size_for: Callable[[np.ndarray], int],
            pixels: float = math.inf) -> list[np.ndarray]:
    """Return the stylized pictures, uint8, each exactly as large as its content.

    Args:
        images: uint8 (rows, columns, 3), of any sizes.
        styles, alphas: one for each.
        tile_size_for: returns the size of a picture's tiles; pictures larger than one tile are
            computed one after the other.
        pixels: maximum number that is computed at once.
    """
    tile_sizes = [tile_size_for(image) for image in images]
    results: dict[int, np.ndarray] = {}
    whole = []
    for index, (image, tile_size) in enumerate(zip(images, tile_sizes)):
        if max(map(tiling.padded_length, image.shape[:2])) <= tile_size:
            whole.append(index)
        else:
            results[index] = tiling.stylize(engine, image, styles[index], alphas[index], tile_size)
    for group in _groups(whole, images, pixels):
        with engine.session():
            found = engine.transfer_batch([tiling.pad(images[index]) for index in group],
                                          [styles[index] for index in group],
                                          [alphas[index] for index in group])
        for index, picture in zip(group, found):
            rows, columns = images[index].shape[:2]
            results[index] = picture[:rows, :columns].copy()  # without the padding around it
    return [results[index] for index in range(len(images))]


def _groups(indices: Sequence[int], images: Sequence[np.ndarray],
            pixels: float) -> Iterator[list[int]]:
    """Yield neighbouring indices whose pictures have that many pixels or fewer, at least one."""
    group: list[int] = []
    left = pixels
    for index in indices:
        size = math.prod(map(tiling.padded_length, images[index].shape[:2]))
        if group and size > left:
            yield group
            group, left = [], pixels
        group.append(index)
        left -= size
    if group:
        yield group
