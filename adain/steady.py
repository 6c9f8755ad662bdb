"""Stylise the frames of a video so that flat areas do not flicker.

AdaIN removes the statistics of each frame. Where they waver (noise, an exposure that adjusts
itself, something that walks through the picture) the whole picture wavers with them. So what is
removed here is their exponential mean over time. At a cut the mean starts again.
"""

from __future__ import annotations

import math

import numpy as np

from adain import tiling
from adain.errors import OptionError
from adain.stats import ChannelStats, interpolate
from adain.stylizer import Stylizer, check_alpha

# Seconds over which the mean forgets; chosen by `python -m adain.flicker`.
SMOOTHING = 1.0
# A cut is a `jump` larger than this: the pictures of inputs/ are 0.37 to 1.4 apart, the frames of a
# pan at 15 % of the width a frame 0.05, with and without a fifth of the light 0.13.
CUT = 0.25


class SteadyStylizer:
    """Stylises the frames of one video, in their order.

    style: what stylizer.encode_style() returned; alpha: as in Stylizer.stylize().
    smoothing: the time constant of the mean in seconds; 0: every frame on its own.
    """

    def __init__(self, stylizer: Stylizer, style: ChannelStats, alpha: float = 1.0,
                 smoothing: float = SMOOTHING) -> None:
        check_alpha(alpha)
        check_smoothing(smoothing)
        stylizer.check_style(style)
        self._engine, self._tile_size = stylizer.engine, stylizer.tile_size
        self._style, self._alpha, self._smoothing = style, alpha, smoothing
        self._time = 0.0
        self._own: ChannelStats | None = None  # statistics of the frame before
        self._mean: ChannelStats | None = None  # what was removed from it
        self.cuts = 0

    def stylize(self, image: np.ndarray, time: float) -> np.ndarray:
        """Return the stylised frame, exactly as large as `image`.

        image: uint8 RGB (rows, columns, 3), all of one size; time: when it is shown, in seconds.
        """
        share = 1.0
        if self._mean is not None and self._smoothing:
            share = -math.expm1(-max(time - self._time, 1e-3) / self._smoothing)
        rows, columns = image.shape[:2]
        padded = tiling.pad(image)
        if max(padded.shape[:2]) > self._tile_size:
            result = self._tiled(padded, share)
        else:
            result = self._whole(tiling.to_float(padded), share)
        self._time = time
        return result[:rows, :columns]

    def _whole(self, image: np.ndarray, share: float) -> np.ndarray:
        mean = self._mean if share < 1 else None
        picture, removed = self._engine.transfer(image, self._style, self._alpha, mean, share)
        # The engine tells the mixture that it removed: (1 - share) mean + share own.
        own = removed if mean is None else interpolate(mean, removed, 1 / share)
        if mean is not None and self._is_cut(own):
            picture, removed = self._engine.transfer(image, self._style, self._alpha)
            own = removed
        self._own, self._mean = own, removed
        return tiling.to_uint8(picture)

    def _tiled(self, image: np.ndarray, share: float) -> np.ndarray:
        own = tiling.measure(self._engine, image, self._tile_size)
        starts = share == 1 or self._is_cut(own)
        self._own, self._mean = own, own if starts else interpolate(self._mean, own, share)
        return tiling.stylize(self._engine, image, self._style, self._alpha, self._tile_size,
                              content=self._mean)

    def _is_cut(self, own: ChannelStats) -> bool:
        cut = jump(self._own, own) > CUT
        self.cuts += cut
        return cut


def jump(before: ChannelStats, after: ChannelStats) -> float:
    """Return how far two frames' statistics lie apart: 0 for the same.

    The root mean square over channels of the difference of means, in units of the deviations, and
    of the difference of the deviations' logarithms.
    """
    scale = np.sqrt(before.std * np.maximum(after.std, 1e-6))
    means = (after.mean - before.mean) / scale
    deviations = np.log(np.maximum(after.std, 1e-6) / before.std)
    return float(np.sqrt(np.mean(means**2 + deviations**2)))


def check_smoothing(smoothing: float) -> None:
    """Raise OptionError unless smoothing is a number of seconds >= 0."""
    if not 0 <= smoothing < math.inf:
        raise OptionError("smoothing must be a number of seconds, 0 or more (0: every frame on its "
                          f"own); received {smoothing}.")
