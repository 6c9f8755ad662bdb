"""The loss of the iterative method and its gradient, exactly, in tiles of bounded memory.

A Gram matrix is a mean over pixels, so that of a picture is the sum of its tiles' shares. Pass 1
adds them up; pass 2 computes each tile again and differentiates the loss of (its own share + those
of the others). The gradients of all tiles add up to that of the whole picture.
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
    """What an engine computes of one tile.

    A tile is a window of a picture, float32 (1, rows, columns, 3), and its core in it: top, bottom,
    left, right, in pixels.
    """

    config: GatysConfig

    def features(self, window: np.ndarray, core: np.ndarray) -> Arrays:
        """Return the activations of the content layers."""

    def grams(self, window: np.ndarray, core: np.ndarray) -> Arrays:
        """Return the core's Gram matrices of the style layers."""

    def gradient(self, window: np.ndarray, core: np.ndarray, share: np.float32, targets: Arrays,
                 others: Arrays, style: Arrays) -> tuple[Any, Any, Any]:
        """Return the content loss of this tile, the style loss of the picture, the gradient.

        share: the core's part of the picture's area; others: the Gram matrices of the rest of the
        picture, times its share of the area.
        """

    def tv_gradient(self, picture: np.ndarray) -> tuple[Any, Any]:
        """Return the total variation of a picture (1, rows, columns, 3), and its gradient."""


@lru_cache(maxsize=1)
def compiled(config: GatysConfig) -> TileLosses:
    """Return the losses of an engine; for the settings of the last call, the same object."""
    if config.engine == "keras":
        from adain.methods.gatys import keras_losses

        losses: TileLosses = keras_losses.TileLosses(config)
        return losses
    return openvino_losses.TileLosses(config)


class Evaluation(NamedTuple):
    """The losses of a picture, and how their weighted sum changes with its pixels."""

    losses: dict[str, float]
    gradient: np.ndarray

    @property
    def total(self) -> float:
        return self.losses["total"]


class Objective:
    """The loss at one size: call it with a picture, float32 (rows, columns, 3) as `content` is.

    content, style: float32 in [0, 1]; all sides multiples of 8; the two may differ in size.
    """

    def __init__(self, tile_losses: TileLosses, content: np.ndarray, style: np.ndarray) -> None:
        self.compiled, self.config = tile_losses, tile_losses.config
        self.plan = plan_tiles(content, self.config)
        self.targets = [self.compiled.features(*window(content, tile)) for tile in self.plan]
        self.style = add_up(self.part(style, tile) for tile in plan_tiles(style, self.config))

    def part(self, picture: np.ndarray, tile: Tile) -> Arrays:
        """Return what a tile contributes to the Gram matrices of the picture."""
        share = area(tile) / (picture.shape[0] * picture.shape[1])
        return {name: share * gram
                for name, gram in self.compiled.grams(*window(picture, tile)).items()}

    def __call__(self, picture: np.ndarray) -> Evaluation:
        config = self.config
        if len(self.plan) == 1:
            parts = [self.style]  # all that counts: a single tile has no others
        else:
            parts = [self.part(picture, tile) for tile in self.plan]
        whole = add_up(parts)
        tv, gradient = self.compiled.tv_gradient(picture[None])
        gradient = config.tv_weight * np.asarray(gradient)[0]
        content = 0.0
        for tile, target, part in zip(self.plan, self.targets, parts):
            others = {name: whole[name] - part[name] for name in whole}
            share = area(tile) / (picture.shape[0] * picture.shape[1])
            of_tile, style, slope = self.compiled.gradient(
                *window(picture, tile), np.float32(share), target, others, self.style)
            content += float(of_tile)
            gradient[tile.down.window(), tile.across.window()] += np.asarray(slope)[0]
        values = {"content": content, "style": float(style), "tv": float(tv)}
        total = sum(getattr(config, f"{name}_weight") * value for name, value in values.items())
        return Evaluation({"total": total, **values}, gradient)


def plan_tiles(picture: np.ndarray, config: GatysConfig) -> list[Tile]:
    rows, columns = picture.shape[:2]
    return tiles(rows, columns, config.tile_size, ENCODER_HALO)


def window(picture: np.ndarray, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Return a tile's pixels, as a batch of one, and where its core lies in them."""
    core = (*tile.down.core_in_window(), *tile.across.core_in_window())
    return picture[None, tile.down.window(), tile.across.window()], np.asarray(core, np.int32)


def area(tile: Tile) -> int:
    return (tile.down.stop - tile.down.start) * (tile.across.stop - tile.across.start)


def add_up(parts: Iterable[Arrays]) -> Arrays:
    """Return the sums of Gram matrices by layer."""
    first, *others = parts
    return {name: sum((other[name] for other in others), gram) for name, gram in first.items()}
