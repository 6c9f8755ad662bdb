"""Optimize the pixels of a stylized picture, starting from the result of a network.

Gatys, Ecker & Bethge (2016) start from the content or from noise. A stylized picture already has
strokes and colours, so a tenth of the iterations reaches the same losses. Another departure: the
style loss compares channel means and standard deviations instead of Gram matrices. So a style is
two vectors, as for the networks, and alpha, mixtures and masks are the same arithmetic.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from adain.errors import ImageError
from adain.files.pixels import to_float, to_integers
from adain.networks.architecture import STRIDE
from adain.networks.stats import ChannelStats, interpolate
from adain.progress import StopRequest
from adain.transfer import tiling
from adain.transfer.descent import Descent, dot
from adain.transfer.objective import SMALLEST, LossWeights, Objective, Perception, Region
from adain.transfer.refine_run import Position, RefineRun

logger = logging.getLogger(__name__)

# Bytes per element of the picture: a step and a change of the gradient, both int16.
_PAIR_BYTES, _HISTORY_BYTES, _HISTORY = 4, 400_000_000, 10
# Bytes of the networks; and of everything, if no limit is given.
_BASE_BYTES, _USUAL_BYTES = 300_000_000, 2_350_000_000
_TILE_BYTES = 3500  # per pixel of a tile and its halo, in float32; half of it in bfloat16
# Per pixel of the picture, without the history: it and its gradient (float32), the best so far
# (uint16), the content's activations (float16), content and result (uint8), a gradient (int16).
_PICTURE_BYTES = 24 + 6 + 16 + 6 + 6
_ROWS = 256  # converted at a time, to save memory
_SMALLEST_TILE = 96  # pixels: smaller ones are nearly all halo
HALO = tiling.stride_multiple(Perception.radius)


class Refiner:
    """Refines pictures with VGG19; several threads may share it, and take turns.

    Args:
        precision: "auto", "float32" or "bfloat16", see Stylizer.
        tile_size: pixels, a multiple of 8, which does not change results; None: depends on the size
            of the picture and the limit.
        limit: maximum number of bytes; None: no limit.

    Attributes:
        vgg: compares pictures.
    """

    def __init__(self, precision: str = "auto", tile_size: int | None = None,
                 limit: int | None = None) -> None:
        self.vgg, self._tile_size, self._limit = Perception(precision), tile_size, limit

    def measure(self, image: np.ndarray) -> ChannelStats:
        """Return the statistics of a style, uint8 RGB (rows, columns, 3), for refine()."""
        with self.vgg.session():
            return tiling.measure(self.vgg, image, self._tile_size_for(image))

    def refine(self, picture: np.ndarray | None, content: np.ndarray,
               style: ChannelStats | tiling.Regions, alpha: float, iterations: int,
               dtype: type = np.uint8, progress: tiling.Progress = iter,
               stop: StopRequest | None = None, run: RefineRun | None = None) -> np.ndarray:
        """Return the picture with the lowest loss.

        Args:
            picture: the result of a network, float32 RGB (rows, columns, 3). It may be overwritten,
                to save memory. None if `run` continues.
            content: uint8 RGB of the same size.
            style: statistics returned by measure(), or Regions of them.
            alpha: strength: target statistics from those of the content (0) to the style's (1).
            iterations: number of iterations.
            dtype: of the result: np.uint8, np.uint16, or np.float32 in [0, 1].
            progress: called with the range of iterations; yields them, and may end early.
            stop: asks the iterations to end early.
            run: a state from which to continue, and intermediate pictures to write.

        Returns:
            A new array (rows, columns, 3) of that dtype.

        Raises:
            ImageError: the picture needs more memory than `limit`.
            WeightsError: the state of `run` is damaged.
        """
        if picture is not None:
            picture = pad(picture)
            np.clip(picture, 0, 1, out=picture)
        x = _optimise(self.vgg, picture, content, style, alpha, iterations,
                      self._tile_size_for(content), progress, stop, run or RefineRun())
        x = x[:content.shape[0], :content.shape[1]]
        if isinstance(style, tiling.Regions):
            x = _cover(x, content, style.masks)
        if dtype == np.float32:
            return x
        result: np.ndarray = np.empty(x.shape, dtype)
        for start in range(0, len(x), _ROWS):
            rows = slice(start, start + _ROWS)
            result[rows] = to_integers(x[rows], dtype)
        return result

    def _tile_size_for(self, image: np.ndarray) -> int:
        rows, columns = image.shape[:2]
        return self._tile_size or tile_size(rows, columns, self.vgg.bfloat16, self._limit)


def _optimise(vgg: Perception, picture: np.ndarray | None, content: np.ndarray,
              style: ChannelStats | tiling.Regions, alpha: float, iterations: int, tile_size: int,
              progress: tiling.Progress, stop: StopRequest | None, run: RefineRun) -> np.ndarray:
    """Return the padded picture with the lowest loss, or the last one before the loss became NaN.

    The picture after the last step counts as the best if the one before was: computing its loss
    would take as long as another iteration.
    """
    with vgg.session():
        wanted = to_float(pad(content))
        regions = [Region(interpolate(tiling.measure(vgg, wanted, tile_size, mask), target, alpha),
                          mask) for target, mask in _targets(style)]
        objective = Objective(vgg, wanted, regions, LossWeights(), tile_size)
        shape = wanted.shape
        del wanted
        position = run.position(shape, history(math.prod(shape)))
        if position is None:
            if picture is None:
                raise ValueError("a picture is needed where `run` has no position to continue from")
            position = Position(0, picture, None, math.inf, Descent(history(math.prod(shape))))
        start, x, best, least, descent = position
        del picture, position
        gradient = np.empty(shape, np.float32)
        for step in progress(range(start, iterations)):
            if stop is not None and stop.reason is not None:
                logger.info("stopped at iteration %d of %d: the result is the best so far", step,
                            iterations)
                run.save(Position(step, x, best, least, descent))
                break
            run.save(Position(step, x, best, least, descent), due=True)
            run.show(x, *content.shape[:2])
            loss = objective(x, gradient)
            if objective.tiled:
                vgg.release_memory()  # of activations: a step takes as much
            if not math.isfinite(loss + dot(gradient, gradient)):
                logger.warning("refining stopped at iteration %d, because the loss became %s: the "
                               "best picture before is kept", step, loss)
                best = descent.undo(x) if best is None else best
                break
            if loss < least:
                best, least = None, loss  # None: x is the best
            elif best is None:
                best = descent.undo(x)
            descent.move(x, gradient)
        vgg.release_memory()
    if best is None:
        return x
    del x, gradient, descent  # memory
    return to_float(best)


def _cover(refined: np.ndarray, content: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the refined picture where masks are white, the content where all are black."""
    for start in range(0, len(refined), _ROWS):
        rows = slice(start, start + _ROWS)
        share = np.minimum(sum(to_float(mask[rows]) for mask in masks), 1)[..., None]
        refined[rows] = share * refined[rows] + (1 - share) * to_float(content[rows])
    return refined


def pad(image: np.ndarray) -> np.ndarray:
    """Pad at the bottom and right by mirroring, to multiples of 8, at least SMALLEST."""
    border = [(0, max(SMALLEST, tiling.stride_multiple(side)) - side) for side in image.shape[:2]]
    if not np.any(border):
        return image
    return np.pad(image, border + [(0, 0)] * (image.ndim - 2), mode="symmetric")


def _targets(style: ChannelStats | tiling.Regions) -> list[tuple[ChannelStats, np.ndarray | None]]:
    if isinstance(style, tiling.Regions):
        return [(each, to_float(pad(mask))) for each, mask in zip(style.styles, style.masks)]
    return [(style, None)]


def history(numbers: int) -> int:
    """Return the number of L-BFGS steps to store for a picture of `numbers` elements."""
    return max(1, min(_HISTORY, _HISTORY_BYTES // (_PAIR_BYTES * numbers)))


def tile_size(rows: int, columns: int, bfloat16: bool, limit: int | None = None) -> int:
    """Return the tile size for refining a picture; a single tile if that fits.

    Args:
        limit: maximum number of bytes; None for no limit.

    Raises:
        ImageError: the limit is too small.
    """
    numbers, margins = 3 * rows * columns, 2 * HALO
    pixel_bytes = _TILE_BYTES / 2 if bfloat16 else _TILE_BYTES
    pictures = (_BASE_BYTES + rows * columns * _PICTURE_BYTES
                + history(numbers) * numbers * _PAIR_BYTES)
    usual = max(_USUAL_BYTES - pictures, (_SMALLEST_TILE + margins)**2 * pixel_bytes)
    room = usual if limit is None else min(limit - pictures, usual)
    side = math.isqrt(int(max(room, 0) / pixel_bytes))
    if limit is not None and side < _SMALLEST_TILE + margins:  # `usual` alone is enough
        needed = pictures + (_SMALLEST_TILE + margins)**2 * pixel_bytes
        raise ImageError(f"refining a picture of {columns} x {rows} needs {needed / 1e6:.0f} MB; "
                         f"the limit is {limit // 1_000_000} MB.")
    padded = [max(SMALLEST, tiling.stride_multiple(side)) for side in (rows, columns)]
    whole = padded[0] * padded[1] <= side**2
    return max(padded) if whole else (side - margins) // STRIDE * STRIDE
