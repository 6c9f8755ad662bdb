"""Which sample is white, where a TIFF does not say it: told by the range of its samples.

Formats of 8 and 16 bits say it by their bits. Floating point samples usually are from 0 to 1, but
some programs leave them as they were in 8 or 16 bits, and 32-bit integers are used for all these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_OVERSHOOT = 0.25  # of white, which resampling leaves outside of a range: it is cut off


class SampleRange(NamedTuple):
    """Of the samples that are finite."""

    low: float
    high: float
    mean: float


def measure(parts: Iterable[np.ndarray]) -> SampleRange:
    """Return the range of a picture that comes in parts; ValueError if no sample is finite."""
    lows, highs, total, count = [], [], 0.0, 0
    for part in parts:
        finite = part[np.isfinite(part)]
        if finite.size:
            lows.append(finite.min())
            highs.append(finite.max())
            with np.errstate(over="ignore"):  # of numbers near 1e308
                total = total + finite.sum(dtype=np.float64)
            count += finite.size
    if not count:
        raise ValueError("none of its samples is a finite number")
    return SampleRange(float(min(lows)), float(max(highs)), total / count)


def float_white(found: SampleRange) -> float:
    """Return 1, 255 or 65535; ValueError where none of them is certain."""
    if found.low >= -_OVERSHOOT and found.high <= 1 + _OVERSHOOT:
        return 1.0
    for white in (255.0, 65535.0):
        # Of high dynamic range only a few lights are as bright, and nearly all is near 0.
        if (found.low >= -_OVERSHOOT * white and found.mean > white / 64
                and white / 2 < found.high <= (1 + _OVERSHOOT) * white):
            return white
    raise _uncertain(found, "0 to 1, 255 or 65535")


def integer_white(found: SampleRange, largest: int) -> float:
    """Return 255, 65535 or the type's `largest`; ValueError where none of them is certain.

    A picture that reaches neither half of 8 nor half of 16 bits may have 10 or 12.
    """
    for low, white in ((127, 255), (32767, 65535), (min(largest // 2, 1 << 24), largest)):
        if found.low >= -_OVERSHOOT * white and low < found.high <= white:
            return float(white)
    if found.low == found.high == 0:  # black, whatever is white
        return float(largest)
    raise _uncertain(found, f"0 to 255, 65535 or {largest}")


def _uncertain(found: SampleRange, known: str) -> ValueError:
    return ValueError(f"its samples go from {found.low:.6g} to {found.high:.6g}, which leaves open "
                      f"what is white ({known}); save it with 8 or 16 bits")
