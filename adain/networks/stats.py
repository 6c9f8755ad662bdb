"""A style is two vectors: the channel means and deviations of its features.

Everything here is plain arithmetic, so it takes NumPy arrays and the tensors of any framework
alike, and imports neither. The functions that *measure* statistics live where the features do:
`ops.channel_stats` for tensors, the engines for tiles, which `StatsAccumulator` combines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adain.errors import OptionError

# Added to the variance, under the square root, and nowhere else: the statistics that adain()
# removes and those that interpolate() blends are then the same numbers, so alpha = 0 returns the
# features unchanged and mixing statistics equals mixing feature maps exactly.
EPSILON = 1e-5


class ChannelStats(NamedTuple):
    """Mean and standard deviation of every channel: all that AdaIN takes from a style.

    Attributes:
        mean: (..., channels), float32 where an engine measured it.
        std: the same shape, positive; the square root of variance + EPSILON.

    Where AdaIN acts on several activations, their channels stand one after the other.
    Source: Huang & Belongie 2017, section 5.
    """

    mean: Any
    std: Any


def interpolate(content: ChannelStats, style: ChannelStats, alpha: float) -> ChannelStats:
    """Return the statistics alpha of the way from content (0) to style (1).

    Args:
        content: the statistics of the content's features.
        style: the statistics of the style's, of the same shape.
        alpha: strength of the style, from 0 to 1; not checked.

    Returns:
        (1 - alpha) * content + alpha * style, for mean and std.

    Source: Huang & Belongie 2017, equation 14, which blends the content's features with the
    stylized ones. One AdaIN with the result equals that, as AdaIN is linear in its target.
    """
    return ChannelStats(
        (1 - alpha) * content.mean + alpha * style.mean,
        (1 - alpha) * content.std + alpha * style.std,
    )


def merge(styles: Sequence[ChannelStats], weights: Sequence[float]) -> ChannelStats:
    """Return the weighted mean of several styles.

    Args:
        styles: at least one, all of the same shape.
        weights: one for each style, 0 or more and not all 0; they are scaled to sum to 1.

    Returns:
        The mixture, which stylize() takes as it takes a single style.

    Raises:
        OptionError: for weights that are too few, too many, negative, all 0 or infinite.

    Source: Huang & Belongie 2017, equation 15, which mixes the features stylized by each style.
    One AdaIN with the result equals that, at the price of a single decode.
    """
    if len(styles) != len(weights) or not styles:
        raise OptionError(f"{len(styles)} styles need as many weights; received {len(weights)}.")
    total = float(sum(weights))
    if not 0 < total < math.inf or min(weights) < 0:
        raise OptionError("`style_weights` must be >= 0, not all 0, and their sum finite; "
                          f"received {' '.join(map(str, weights))}.")
    shares = [weight / total for weight in weights]
    return ChannelStats(
        sum(share * style.mean for share, style in zip(shares, styles)),
        sum(share * style.std for share, style in zip(shares, styles)),
    )


def adain(features: Any, content: ChannelStats, target: ChannelStats) -> Any:
    """Return the features with the content statistics replaced by the target ones (equation 8).

    features: (..., channels); content: the statistics of these features (of the whole picture
    where the features are one tile of it); target: those the result shall have.
    """
    scale, shift = affine(content, target)
    return features * scale + shift


def affine(content: ChannelStats, target: ChannelStats) -> tuple[Any, Any]:
    """Return (scale, shift) so that AdaIN is features * scale + shift."""
    scale = target.std / content.std
    return scale, target.mean - content.mean * scale


def join(first: ChannelStats, second: ChannelStats) -> ChannelStats:
    """Return the statistics of both, their channels one after the other."""
    return ChannelStats(*(np.concatenate(pair, axis=-1) for pair in zip(first, second)))


class StatsAccumulator:
    """Channel statistics of a picture that is seen tile by tile, combined in float64.

    The result does not depend on how the picture was cut, up to rounding.
    """

    def __init__(self) -> None:
        self._area = 0.0
        self._sum: Any = 0.0
        self._sum_of_squares: Any = 0.0

    def add(self, area: float, mean: np.ndarray, variance: np.ndarray) -> None:
        """Add a tile: mean and variance (channels,) of its features, and its weight, the area."""
        mean = mean.astype(np.float64)
        self._area += area
        self._sum = self._sum + area * mean
        self._sum_of_squares = self._sum_of_squares + area * (variance + mean**2)

    def result(self) -> ChannelStats:
        """Return the statistics so far, as float32 vectors of shape (channels,)."""
        mean = self._sum / self._area
        variance = np.maximum(self._sum_of_squares / self._area - mean**2, 0)
        return ChannelStats(mean.astype(np.float32),
                            np.sqrt(variance + EPSILON).astype(np.float32))
