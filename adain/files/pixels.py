"""Pictures as integers, and as the floats that networks compute with."""

from __future__ import annotations

import numpy as np


def to_float(image: np.ndarray) -> np.ndarray:
    """Convert uint8 or uint16 to float32 in [0, 1]; float32 is returned unchanged."""
    if image.dtype == np.float32:
        return image
    return image.astype(np.float32) / np.iinfo(image.dtype).max


def to_integers(image: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """Convert floats to unsigned integers: [0, 1] becomes the full range, clipped and rounded."""
    scaled = image * np.float32(np.iinfo(dtype).max)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0, np.iinfo(dtype).max, out=scaled).astype(dtype)
