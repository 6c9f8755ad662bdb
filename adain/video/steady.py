"""Stylize the frames of a video without flicker.

A stylized video of a calm scene flickers for two reasons. Both are removed by averages over time:

* AdaIN removes the statistics of each frame. If they change, for example because somebody walks
  through the picture, all pixels change. So their exponential moving average is removed instead.
* The networks turn sensor noise into moving strokes. So where nothing moves, the networks get the
  exponential moving average of the pixels; where something moves, they get the frame itself.

At a cut both averages start again. `adain flicker` measures the effect.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from adain.errors import OptionError
from adain.files.pixels import to_float, to_integers
from adain.networks.stats import ChannelStats, interpolate
from adain.transfer import tiling
from adain.transfer.stylizer import Stylizer, check_alpha

# Time constant of the average of the statistics, in seconds. Flicker by `adain flicker`, in levels,
# for 0 (every frame alone), 0.5, 1 and 2: noise 6.1, 2.3, 1.3, 0.8; flat areas beside a moving
# object 1.3, 0.4, 0.3, 0.2. Above 1 there is little to gain, and traces of motion stay longer.
SMOOTHING = 1.0
# Time constant of the average of pixels, as a fraction of the smoothing.
PIXELS = 0.15
# Mean difference between frame and average around a pixel: below the first nothing moves (noise
# with a deviation of 5 levels of 255 gives 4), above the second the pixel moves.
STILL, MOVING = 6 / 255, 12 / 255
# A `jump` larger than this is a cut. With compact it is 0.5 to 1 between the pictures of inputs/,
# 0.05 between frames of a fast pan (8 % of the width per frame), and 0.26 to 0.46 with a fifth less
# light.
CUT = 0.45


class _State(NamedTuple):
    """What the next frame is compared with."""

    pixels: np.ndarray  # averaged over time, float32 (rows, columns, 3)
    stats: ChannelStats  # of the frame
    mean: ChannelStats  # averaged over time


class SteadyStylizer:
    """Stylizes the frames of one video in order.

    Several can share a stylizer, each in its own thread.

    Args:
        style: returned by stylizer.encode_style().
        alpha: strength of the style, 0 to 1.
        smoothing: time constant of the averages, in seconds; 0 stylizes every frame alone.
        progress: called with the tiles of a large frame; yields them, as in Stylizer.stylize().
    """

    def __init__(self, stylizer: Stylizer, style: ChannelStats, alpha: float = 1.0,
                 smoothing: float = SMOOTHING, progress: tiling.Progress = iter) -> None:
        check_alpha(alpha)
        check_smoothing(smoothing)
        stylizer.check_style(style)
        self._engine, self._tile_size_for = stylizer.engine, stylizer.tile_size_for
        self._style, self._alpha, self._smoothing = style, alpha, smoothing
        self._progress = progress
        self._time = 0.0
        self._state: _State | None = None  # after the last frame
        self.cuts = 0

    def stylize(self, image: np.ndarray, time: float) -> np.ndarray:
        """Return the stylized frame, uint8 RGB of the same size.

        Args:
            image: uint8 RGB (rows, columns, 3); all frames have the same size.
            time: presentation time in seconds.
        """
        rows, columns = image.shape[:2]
        image = to_float(tiling.pad(image))
        if self._state is None or not self._smoothing:
            result = self._start(image)
        else:
            result = self._go_on(self._state, image, max(time - self._time, 1e-3))
        self._time = time
        return result[:rows, :columns]

    def _start(self, image: np.ndarray) -> np.ndarray:
        result, stats = self._transfer(image, None, 1.0)
        self._state = _State(image, stats, stats)
        return result

    def _go_on(self, last: _State, image: np.ndarray, seconds: float) -> np.ndarray:
        pixels = calm(last.pixels, image, _share(seconds, PIXELS * self._smoothing))
        share = _share(seconds, self._smoothing)
        result, mean = self._transfer(pixels, last.mean, share)
        # mean = (1 - share) * last.mean + share * stats, solved for the frame's statistics:
        stats = interpolate(last.mean, mean, 1 / share)
        if jump(last.stats, stats) > CUT:
            self.cuts += 1
            return self._start(image)
        self._state = _State(pixels, stats, mean)
        return result

    def _transfer(self, image: np.ndarray, mean: ChannelStats | None,
                  share: float) -> tuple[np.ndarray, ChannelStats]:
        """Return the stylized picture and the statistics that were removed."""
        tile_size = self._tile_size_for(image)
        if max(image.shape[:2]) <= tile_size:
            with self._engine.session():
                picture, removed = self._engine.transfer(image, self._style, self._alpha, mean,
                                                         share)
                return to_integers(picture), removed
        stats = tiling.measure(self._engine, image, tile_size, progress=self._progress)
        removed = stats if mean is None else interpolate(mean, stats, share)
        return tiling.stylize(self._engine, image, self._style, self._alpha, tile_size,
                              progress=self._progress, content=removed), removed


def calm(before: np.ndarray, image: np.ndarray, share: float) -> np.ndarray:
    """Return the frame, averaged over time where nothing moves.

    Args:
        before: the result for the previous frame, float32 (rows, columns, 3) in [0, 1].
        image: the frame, likewise.
        share: weight of the frame where nothing moves, 0 to 1.
    """
    import cv2

    change = image - before
    around = cv2.blur(cv2.cvtColor(np.abs(change), cv2.COLOR_RGB2GRAY), (7, 7))
    motion = np.clip((around - STILL) * (1 / (MOVING - STILL)), share, 1)
    change *= motion[..., None]
    change += before
    moved: np.ndarray = change
    return moved


def jump(before: ChannelStats, after: ChannelStats) -> float:
    """Return the distance between the statistics of two frames; 0 if they are equal.

    It is the root mean square, over channels, of the difference of the means in units of the
    standard deviations, and of the difference of the logarithms of the standard deviations.
    """
    stds = np.maximum(after.std, 1e-6)
    means = (after.mean - before.mean) / np.sqrt(before.std * stds)
    return float(np.sqrt(np.mean(means**2 + np.log(stds / before.std)**2)))


def _share(seconds: float, constant: float) -> float:
    """Return the weight of a new value in an exponential moving average after some seconds."""
    return -math.expm1(-seconds / constant)


def check_smoothing(smoothing: float) -> None:
    """Raise OptionError unless smoothing is a number of seconds >= 0."""
    if not 0 <= smoothing < math.inf:
        raise OptionError("`smoothing` must be a number of seconds, 0 or more (0: every frame on "
                          f"its own); received {smoothing}.")
