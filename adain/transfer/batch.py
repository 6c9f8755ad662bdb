"""Stylize many pictures, each in its own style, with as few calls of the engine as memory allows.
"""

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
    """Return the stylized pictures, uint8 RGB, each exactly as large as its content.

    Args:
        engine: computes the pictures.
        images: uint8 RGB (rows, columns, 3), of any sizes.
        styles, alphas: one for each image.
        tile_size_for: returns the tile size for an image, in pixels; images larger than one tile
            are computed one after the other.
        pixels: maximum number of pixels in one call of the engine; a larger image is allowed.
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
            pictures = engine.transfer_batch([tiling.pad(images[index]) for index in group],
                                             [styles[index] for index in group],
                                             [alphas[index] for index in group])
        for index, picture in zip(group, pictures):
            rows, columns = images[index].shape[:2]
            results[index] = picture[:rows, :columns].copy()  # without the padding
    return [results[index] for index in range(len(images))]


def _groups(indices: Sequence[int], images: Sequence[np.ndarray],
            pixels: float) -> Iterator[list[int]]:
    """Yield lists of consecutive indices whose images have at most `pixels` pixels together."""
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
