"""The exact loss of the iterative method and its gradient, in tiles, so that memory is bounded.

A Gram matrix is a mean over pixels, so the Gram matrix of a picture is a weighted sum of those of
its tiles. Pass 1 computes this sum; pass 2 computes each tile again and differentiates the loss
with respect to its pixels, while the contributions of the other tiles are constants. The gradients
of all tiles add up to the gradient of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from adain.methods.gatys import openvino_losses
from adain.methods.gatys.config import GatysConfig
from adain.networks.architecture import VGG19_DEPTHS, radius
from adain.transfer.tiling import Tile, stride_multiple, tiles

ENCODER_HALO = stride_multiple(radius(VGG19_DEPTHS))


Arrays = dict[str, Any]  # by layer: NumPy arrays or tensors


class TileLosses(Protocol):
    """What an engine computes for one tile.

    A tile is given as a window of the picture, float32 (1, rows, columns, 3), and the position of
    its core in the window, int32 (4,): top, bottom, left, right, in pixels.
    """

    config: GatysConfig

    def features(self, window: np.ndarray, core: np.ndarray) -> Arrays:
        """Return the activations of the content layers, by layer."""

    def grams(self, window: np.ndarray, core: np.ndarray) -> Arrays:
        """Return the Gram matrices of the core at the style layers, (1, channels, channels)."""

    def gradient(self, window: np.ndarray, core: np.ndarray, share: np.float32, targets: Arrays,
                 others: Arrays, style: Arrays) -> tuple[Any, Any, Any]:
        """Return the tile's part of the content loss, the picture's style loss, and the gradient.

        Args:
            share: area of the core divided by that of the picture.
            targets: features() of the content.
            others: contribution of all other tiles to the picture's Gram matrices.
            style: Gram matrices of the style.
        """

    def tv_gradient(self, picture: np.ndarray) -> tuple[Any, Any]:
        """Return the total variation loss of a picture (1, rows, columns, 3), and its gradient."""


@lru_cache(maxsize=1)
def compiled(config: GatysConfig) -> TileLosses:
    """Return the TileLosses of config.engine; cached for the last settings."""
    if config.engine == "keras":
        from adain.methods.gatys import keras_losses

        losses: TileLosses = keras_losses.TileLosses(config)
        return losses
    return openvino_losses.TileLosses(config)


class Evaluation(NamedTuple):
    """The losses of a picture by name, and the gradient of their weighted sum, "total"."""

    losses: dict[str, float]
    gradient: np.ndarray

    @property
    def total(self) -> float:
        return self.losses["total"]


class Objective:
    """The loss at one size; called with a picture of the shape of `content`, float32 in [0, 1].

    Args:
        tile_losses: computes single tiles.
        content: float32 (rows, columns, 3) in [0, 1]; rows and columns are multiples of 8.
        style: the same; its size may differ.
    """

    def __init__(self, tile_losses: TileLosses, content: np.ndarray, style: np.ndarray) -> None:
        self.compiled, self.config = tile_losses, tile_losses.config
        self.plan = plan_tiles(content, self.config)
        self.targets = [self.compiled.features(*window(content, tile)) for tile in self.plan]
        self.style = add_up(self.part(style, tile) for tile in plan_tiles(style, self.config))

    def part(self, picture: np.ndarray, tile: Tile) -> Arrays:
        """Return the contribution of a tile to the Gram matrices of the picture."""
        share = area(tile) / (picture.shape[0] * picture.shape[1])
        return {name: share * gram
                for name, gram in self.compiled.grams(*window(picture, tile)).items()}

    def __call__(self, picture: np.ndarray) -> Evaluation:
        config = self.config
        if len(self.plan) == 1:
            parts = [self.style]  # any value: `others` below is 0 for a single tile
        else:
            parts = [self.part(picture, tile) for tile in self.plan]
        whole = add_up(parts)
        tv, gradient = self.compiled.tv_gradient(picture[None])
        gradient = config.tv_weight * np.asarray(gradient)[0]
        content = 0.0
        for tile, target, part in zip(self.plan, self.targets, parts):
            others = {name: whole[name] - part[name] for name in whole}
            share = area(tile) / (picture.shape[0] * picture.shape[1])
            tile_content, style, tile_gradient = self.compiled.gradient(
                *window(picture, tile), np.float32(share), target, others, self.style)
            content += float(tile_content)
            gradient[tile.down.window(), tile.across.window()] += np.asarray(tile_gradient)[0]
        values = {"content": content, "style": float(style), "tv": float(tv)}
        total = sum(getattr(config, f"{name}_weight") * value for name, value in values.items())
        return Evaluation({"total": total, **values}, gradient)


def plan_tiles(picture: np.ndarray, config: GatysConfig) -> list[Tile]:
    rows, columns = picture.shape[:2]
    return tiles(rows, columns, config.tile_size, ENCODER_HALO)


def window(picture: np.ndarray, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Return the window of a tile as a batch of one, and the position of its core, see TileLosses.
    """
    core = (*tile.down.core_in_window(), *tile.across.core_in_window())
    return picture[None, tile.down.window(), tile.across.window()], np.asarray(core, np.int32)


def area(tile: Tile) -> int:
    return (tile.down.stop - tile.down.start) * (tile.across.stop - tile.across.start)


def add_up(parts: Iterable[Arrays]) -> Arrays:
    """Return the sum of Gram matrices for each layer."""
    first, *others = parts
    return {name: sum((other[name] for other in others), gram) for name, gram in first.items()}
