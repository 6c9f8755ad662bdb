"""The objective of `refine`: the loss of a picture and its gradient, in tiles, with bounded memory.

The content loss compares activations; the style loss compares channel statistics, as in Huang &
Belongie (2017, equation 13). So pass 1 over the tiles measures the statistics of the picture, and
pass 2 computes the gradient of each tile with them. The sum over the tiles is exactly the gradient
of the whole picture.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adain.networks.architecture import CONTENT_LAYER, STYLE_LAYERS, VGG19_DEPTHS, radius, scale
from adain.networks.networks import Networks
from adain.networks.openvino import gradients, graphs
from adain.networks.openvino.compiled import CompiledGraph, Turns, compile_options
from adain.networks.stats import ChannelStats
from adain.networks.weights import load_encoder
from adain.transfer import tiling

if TYPE_CHECKING:
    import openvino

SMALLEST = 32  # pixels a side, see gradients
_CONTENT_SCALE = scale(CONTENT_LAYER)


class LossWeights(NamedTuple):
    """Factors of the losses, as in GatysConfig."""

    content: float = 1.0
    style: float = 1e-2
    tv: float = 10.0


class Perception:
    """VGG19 up to relu4_1, on OpenVINO; each graph is compiled when it is first used.

    It is a StatisticsEngine, so that tiling.measure() can use it.

    Args:
        precision: "auto", "float32" or "bfloat16", see Stylizer; "int8" counts as "auto".
        vgg_path: see Stylizer.
    """

    radius = radius(VGG19_DEPTHS)

    def __init__(self, precision: str = "auto", vgg_path: str | None = None) -> None:
        self.weights = load_encoder("vgg19", vgg_path)
        self._options = compile_options("auto" if precision == "int8" else precision)
        self.widths = gradients.widths(self.weights)
        self.channels = sum(self.widths)
        self._lock = threading.RLock()
        self._turns = Turns()

    def session(self) -> AbstractContextManager[object]:
        """Return a reentrant context manager; other threads wait until it is left."""
        return self._lock

    @cached_property
    def bfloat16(self) -> bool:
        """Whether computation is in bfloat16, which takes half the memory."""
        return self._statistics.precision == "bfloat16"

    @cached_property
    def _statistics(self) -> CompiledGraph:
        networks = Networks(self.weights, {}, STYLE_LAYERS)
        return self._compiled(partial(graphs.statistics_graph, networks))

    @cached_property
    def _content(self) -> CompiledGraph:
        return self._compiled(partial(graphs.activations_graph, self.weights, [CONTENT_LAYER]))

    @cached_property
    def _picture(self) -> CompiledGraph:
        return self._compiled(partial(gradients.picture_graph, self.weights))

    @cached_property
    def _tile(self) -> CompiledGraph:
        return self._compiled(partial(gradients.tile_graph, self.weights))

    def _compiled(self, make: Callable[[], openvino.Model]) -> CompiledGraph:
        return CompiledGraph(make, self._options)

    def measure(self, image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = self._turns.next(self._statistics)(image[None], weights[None])
        return mean.copy(), variance.copy()

    def content(self, image: np.ndarray) -> np.ndarray:
        """Return the content layer's activations, float32 (1, rows / 8, columns / 8, channels)."""
        return self._turns.next(self._content)(image[None])[0].copy()

    def picture(self, *inputs: np.ndarray | np.float32) -> list[np.ndarray]:
        """Return the outputs of gradients.picture_graph(); they are valid until the next call."""
        return self._turns.next(self._picture)(*inputs)

    def tile(self, *inputs: np.ndarray | np.float32) -> list[np.ndarray]:
        """Return the outputs of gradients.tile_graph(); they are valid until the next call."""
        return self._turns.next(self._tile)(*inputs)

    def release_memory(self) -> None:
        """Release the memory of activations until the next call."""
        self._turns.release_memory()


class Region(NamedTuple):
    """A region of the picture and its target statistics.

    mask: float32 (rows, columns), from 0 to 1; None: the whole picture.
    """

    target: ChannelStats
    mask: np.ndarray | None


class Objective:
    """The loss of pictures of one size, and its gradient.

    Args:
        vgg: computes activations and gradients.
        content: float32 RGB (rows, columns, 3) in [0, 1]; rows and columns are multiples of 8, and
            at least SMALLEST.
        regions: one region without a mask, or several with masks.
        weights: factors of the losses.
        tile_size: pixels, a multiple of 8.
    """

    def __init__(self, vgg: Perception, content: np.ndarray, regions: Sequence[Region],
                 weights: LossWeights, tile_size: int) -> None:
        self._vgg, self._regions, self._weights = vgg, regions, weights
        rows, columns = content.shape[:2]
        self._plan = tiling.tiles(rows, columns, tile_size, tiling.stride_multiple(vgg.radius))
        self._tile_size, self._pixels = tile_size, rows * columns
        self._whole = len(self._plan) == 1 and regions[0].mask is None
        self._content = [vgg.content(content) if self._whole else
                         vgg.content(content[window(tile)])[:, *_core(tile)].astype(np.float16)
                         for tile in self._plan]
        self._areas = [self._pixels if region.mask is None else
                       float(region.mask.sum(dtype=np.float64)) for region in regions]

    @property
    def tiled(self) -> bool:
        """Whether the picture has several tiles."""
        return len(self._plan) > 1

    def __call__(self, picture: np.ndarray, gradient: np.ndarray) -> float:
        """Return the loss of a picture; write its gradient with respect to the pixels.

        Args:
            picture: float32, of the same shape as `content`.
            gradient: float32 array of that shape, which is overwritten.
        """
        loss = self._weights.tv * total_variation(picture, gradient, self._weights.tv)
        if self._whole:
            content_loss, style_loss, vgg_gradient = self._vgg.picture(
                picture[None], self._content[0], *self._regions[0].target,
                np.float32(self._weights.content), np.float32(self._weights.style))
            gradient += vgg_gradient[0]
            return loss + self._weights.content * float(content_loss) + (
                self._weights.style * float(style_loss))
        style, scales, shifts = self._style_gradient(picture)
        number: int = self._pixels // _CONTENT_SCALE**2 * self._vgg.widths[-1]
        squares = 0.0
        for tile, content in zip(self._plan, self._content):
            place = window(tile)
            part = picture[place]
            core = np.zeros(part.shape[:2], np.float32)
            core[_core(tile, 1)] = 1
            masks = np.stack([core if region.mask is None else core * region.mask[place]
                              for region in self._regions])
            rows, columns = (side // _CONTENT_SCALE for side in part.shape[:2])
            target = np.zeros((1, rows, columns, content.shape[-1]), np.float32)
            target[:, *_core(tile)] = content
            result = self._vgg.tile(part[None], target, core, masks, scales, shifts,
                                    np.float32(2 * self._weights.content / number))
            squares += float(result[0])
            gradient[place] += result[1][0]
        return loss + style + self._weights.content * squares / number

    def _style_gradient(self, picture: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the weighted style loss, and the scales and shifts for gradients.tile_graph().

        The loss of a region is weighted by its share of the picture, so that content and style are
        balanced in each region as in a whole picture.

        Returns:
            The loss, and two float32 arrays (regions, channels).
        """
        loss, scales, shifts = 0.0, [], []
        blocks = np.repeat([scale(name)**2 for name in STYLE_LAYERS], self._vgg.widths)
        for region, area in zip(self._regions, self._areas):
            stats = tiling.measure(self._vgg, picture, self._tile_size, region.mask)
            mean_error, std_error = (actual.astype(np.float64) - target for actual, target
                                     in zip(stats, region.target))
            weight = self._weights.style * area / self._pixels
            loss += weight * float(np.sum(mean_error**2) + np.sum(std_error**2))
            share = 2 * weight * blocks / area
            scales.append(share * std_error / stats.std)
            shifts.append(share * mean_error - stats.mean * scales[-1])
        return loss, np.array(scales, np.float32), np.array(shifts, np.float32)


def window(tile: tiling.Tile) -> tuple[slice, slice]:
    return tile.down.window(), tile.across.window()


def _core(tile: tiling.Tile, scale: int = _CONTENT_SCALE) -> tuple[slice, slice]:
    """Return the position of a tile's core in activations of its window.

    scale: rows or columns of pixels for each row or column of activations. Cores and windows start
    and end at multiples of 8.
    """
    top, bottom = tile.down.core_in_window()
    left, right = tile.across.core_in_window()
    return slice(top // scale, bottom // scale), slice(left // scale, right // scale)


def total_variation(picture: np.ndarray, gradient: np.ndarray, weight: float) -> float:
    """Return the total variation loss; write its gradient, times a weight, to `gradient`.

    The loss is that of networks.keras.losses.total_variation_loss().

    Args:
        picture: float32 (rows, columns, 3).
        gradient: float32 array of that shape, which is overwritten.
    """
    gradient[:] = 0
    total = 0.0
    for axis in (0, 1):
        number = (picture.shape[axis] - 1) * picture.size // picture.shape[axis]
        for start in range(0, picture.shape[0] - (axis == 0), 256):  # in bands
            rows = slice(start, start + 256 + (axis == 0))
            difference = np.diff(picture[rows], axis=axis)
            total += float(np.vdot(difference, difference)) / number
            difference *= np.float32(2 * weight / number)
            along = gradient[rows]
            later, earlier = (along[1:], along[:-1]) if axis == 0 else (along[:, 1:], along[:, :-1])
            later += difference
            earlier -= difference
    return total
