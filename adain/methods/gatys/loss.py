"""The loss of the iterative method and its gradient, exactly, in tiles of bounded memory.

A Gram matrix is a mean over pixels, so that of a picture is the sum of its tiles' shares. Pass 1
adds them up; pass 2 computes each tile again and differentiates the loss of (its own share + those
of the others). The gradients of all tiles add up to that of the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from adain.methods.gatys.config import GatysConfig
from adain.methods.gatys.openvino_losses import TileLosses
from adain.networks.architecture import VGG19_DEPTHS, radius
from adain.transfer.tiling import Tile, stride_multiple, tiles

ENCODER_HALO = stride_multiple(radius(VGG19_DEPTHS))


@lru_cache(maxsize=1)
def compiled(config: GatysConfig) -> TileLosses:
    """Return TileLosses, those of the last call where the settings are the same: many pictures."""
    if config.engine == "keras":
        from adain.methods.gatys import keras_losses

        return keras_losses.TileLosses(config)
    return TileLosses(config)


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
        self.plan = tiles(*content.shape[:2], self.config.tile_size, ENCODER_HALO)
        self.targets = [self.compiled.features(*window(content, tile)) for tile in self.plan]
        plan = tiles(*style.shape[:2], self.config.tile_size, ENCODER_HALO)
        self.style = add_up(self.part(style, tile) for tile in plan)

    def part(self, picture: np.ndarray, tile: Tile) -> dict[str, Any]:
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


def window(picture: np.ndarray, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Return a tile's pixels, as a batch of one, and where its core lies in them."""
    core = (*tile.down.core_in_window(), *tile.across.core_in_window())
    return picture[None, tile.down.window(), tile.across.window()], np.asarray(core, np.int32)


def area(tile: Tile) -> int:
    return (tile.down.stop - tile.down.start) * (tile.across.stop - tile.across.start)


def add_up(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums of Gram matrices by layer."""
    first, *others = parts
    return {name: sum((other[name] for other in others), gram) for name, gram in first.items()}
