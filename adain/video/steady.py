"""Stylise the frames of a video so that they do not flicker.

Two things make a stylised video flicker though its scene is calm, and both are treated in time:

* AdaIN removes the statistics of each frame. Where they waver, because something walks through the
  picture, everything wavers with them. So what is removed is their exponential mean over time.
* The networks turn sensor noise into strokes that dance. So where nothing moves, the networks see
  the exponential mean of the pixels; where something moves, they see the frame as it is.

At a cut both start again. `adain flicker` measures what it is worth.
"""

from __future__ import annotations

import math

import numpy as np

from adain.errors import OptionError
from adain.networks.stats import ChannelStats, interpolate
from adain.transfer import tiling
from adain.transfer.stylizer import Stylizer, check_alpha

# Seconds over which the mean of the statistics forgets. In levels, as `adain flicker` measures, for
# 0 (every frame alone), 0.5, 1 and 2: noise 6.1, 2.3, 1.3, 0.8; flat areas beside a passer 1.3,
# 0.4, 0.3, 0.2. From 1 on there is little to gain, and faint traces of what moved stay longer.
SMOOTHING = 1.0
# The same for pixels that do not move, as a part of it.
PIXELS = 0.15
# Around a pixel that does not move, frame and mean differ by less than the first on the average
# (noise of deviation 5 in levels of 255 gives 4); from the second on it moves.
STILL, MOVING = 6 / 255, 12 / 255
# A cut is a `jump` larger than this. With compact the pictures of inputs/ are 0.5 to 1 apart; the
# frames of a fast pan (8 % of the width a frame) 0.05, with a fifth less light 0.26 to 0.46.
CUT = 0.45


class SteadyStylizer:
    """Stylises the frames of one video, in their order.

    Several may share a stylizer, each in a thread of its own.

    style: what stylizer.encode_style() returned; alpha: as in Stylizer.stylize().
    smoothing: how many seconds the mean of the statistics forgets in; 0: every frame on its own.
    progress: as in Stylizer.stylize(), of frames that are computed in several tiles.
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
        self._pixels: np.ndarray | None = None  # what the networks saw of the frame before
        self._own: ChannelStats | None = None  # its statistics
        self._mean: ChannelStats | None = None  # what was removed from it
        self.cuts = 0

    def stylize(self, image: np.ndarray, time: float) -> np.ndarray:
        """Return the stylised frame, exactly as large as `image`.

        image: uint8 RGB (rows, columns, 3), all of one size; time: when it is shown, in seconds.
        """
        rows, columns = image.shape[:2]
        image = tiling.to_float(tiling.pad(image))
        if self._mean is None or not self._smoothing:
            result = self._start(image)
        else:
            result = self._go_on(image, max(time - self._time, 1e-3))
        self._time = time
        return result[:rows, :columns]

    def _start(self, image: np.ndarray) -> np.ndarray:
        self._pixels = image
        result, self._own = self._transfer(image, None, 1.0)
        self._mean = self._own
        return result

    def _go_on(self, image: np.ndarray, seconds: float) -> np.ndarray:
        pixels = calm(self._pixels, image, _share(seconds, PIXELS * self._smoothing))
        share = _share(seconds, self._smoothing)
        result, mean = self._transfer(pixels, self._mean, share)
        # The mean is now (1 - share) mean + share own; so this is the frame's own:
        own = interpolate(self._mean, mean, 1 / share)
        if jump(self._own, own) > CUT:
            self.cuts += 1
            return self._start(image)
        self._pixels, self._own, self._mean = pixels, own, mean
        return result

    def _transfer(self, image: np.ndarray, mean: ChannelStats | None,
                  share: float) -> tuple[np.ndarray, ChannelStats]:
        """Return the stylised picture and the statistics that were removed."""
        tile_size = self._tile_size_for(image)
        if max(image.shape[:2]) <= tile_size:
            with self._engine.session():
                picture, removed = self._engine.transfer(image, self._style, self._alpha, mean,
                                                         share)
                return tiling.to_integers(picture), removed
        own = tiling.measure(self._engine, image, tile_size, progress=self._progress)
        removed = own if mean is None else interpolate(mean, own, share)
        return tiling.stylize(self._engine, image, self._style, self._alpha, tile_size,
                              progress=self._progress, content=removed), removed


def calm(before: np.ndarray, image: np.ndarray, share: float) -> np.ndarray:
    """Return the frame, with only `share` of what is new where nothing moves.

    before: what this returned for the frame before. All float32 (rows, columns, 3) in [0, 1].
    """
    import cv2

    change = image - before
    around = cv2.blur(cv2.cvtColor(np.abs(change), cv2.COLOR_RGB2GRAY), (7, 7))
    motion = np.clip((around - STILL) * (1 / (MOVING - STILL)), share, 1)
    change *= motion[..., None]
    change += before
    return change


def jump(before: ChannelStats, after: ChannelStats) -> float:
    """Return how far two frames' statistics lie apart: 0 for the same.

    The root mean square over channels of the difference of means, in units of the deviations, and
    of the difference of the deviations' logarithms.
    """
    stds = np.maximum(after.std, 1e-6)
    means = (after.mean - before.mean) / np.sqrt(before.std * stds)
    return float(np.sqrt(np.mean(means**2 + np.log(stds / before.std)**2)))


def _share(seconds: float, constant: float) -> float:
    """Return the share of what is new in an exponential mean over time."""
    return -math.expm1(-seconds / constant)


def check_smoothing(smoothing: float) -> None:
    """Raise OptionError unless smoothing is a number of seconds >= 0."""
    if not 0 <= smoothing < math.inf:
        raise OptionError("`smoothing` must be a number of seconds, 0 or more (0: every frame on "
                          f"its own); received {smoothing}.")
