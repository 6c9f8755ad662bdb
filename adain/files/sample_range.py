"""Derive the white level of a TIFF from the range of its samples.

With 8 and 16 bits the white level follows from the type. Floating point samples usually range from
0 to 1, but some programs write them with the range of 8 or 16 bits, and 32-bit integers are used
with all these ranges.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_OVERSHOOT = 0.25  # share of white by which resampled values may exceed the range; they are clipped


class SampleRange(NamedTuple):
    """The range of the finite samples."""

    low: float
    high: float
    mean: float


def measure(parts: Iterable[np.ndarray]) -> SampleRange:
    """Return the range of a picture given in parts; raise ValueError if no sample is finite."""
    lows, highs, total, count = [], [], 0.0, 0
    for part in parts:
        finite = part[np.isfinite(part)]
        if finite.size:
            lows.append(finite.min())
            highs.append(finite.max())
            with np.errstate(over="ignore"):  # numbers near 1e308 overflow
                total = total + finite.sum(dtype=np.float64)
            count += finite.size
    if not count:
        raise ValueError("none of its samples is a finite number")
    return SampleRange(float(min(lows)), float(max(highs)), total / count)


def float_white(samples: SampleRange) -> float:
    """Return 1, 255 or 65535; raise ValueError if the white level is uncertain."""
    if samples.low >= -_OVERSHOOT and samples.high <= 1 + _OVERSHOOT:
        return 1.0
    for white in (255.0, 65535.0):
        # Of high dynamic range only a few lights are as bright, and nearly all is near 0.
        if (samples.low >= -_OVERSHOOT * white and samples.mean > white / 64
                and white / 2 < samples.high <= (1 + _OVERSHOOT) * white):
            return white
    raise _uncertain(samples, "0 to 1, 255 or 65535")


def integer_white(samples: SampleRange, largest: int) -> float:
    """Return 255, 65535 or the type's `largest`; raise ValueError if the white level is uncertain.

    A picture that reaches neither half of the 8-bit nor half of the 16-bit range may have 10 or 12
    bits.
    """
    for low, white in ((127, 255), (32767, 65535), (min(largest // 2, 1 << 24), largest)):
        if samples.low >= -_OVERSHOOT * white and low < samples.high <= white:
            return float(white)
    if samples.low == samples.high == 0:  # black with any white level
        return float(largest)
    raise _uncertain(samples, f"0 to 255, 65535 or {largest}")


def _uncertain(samples: SampleRange, known: str) -> ValueError:
    return ValueError(f"its samples go from {samples.low:.6g} to {samples.high:.6g}, which leaves "
                      f"open what is white ({known}); save it with 8 or 16 bits")
