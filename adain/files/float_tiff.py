"""Read colour TIFFs with floating point samples, which OpenCV decodes and Pillow does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from adain.files.sample_range import float_white, measure

_BAND_SAMPLES = 1 << 20


def read(file: BinaryIO, check_size: Callable[[tuple[int, int]], None]) -> Image.Image:
    """Return the first picture as 8-bit RGB or RGBA, upright, with its ICC profile.

    Args:
        check_size: called with (columns, rows) before anything is decoded.

    Raises:
        ValueError: the samples are not interleaved RGB or RGBA of 32 or 64 bits, or their white
            level is uncertain.
    """
    import cv2

    file.seek(0)
    tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
    file.seek(tags.next)
    tags.load(file)
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    if (tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0] != 3 or bits[0] not in (32, 64)
            or len(bits) not in (3, 4) or tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) != 1):
        raise ValueError(f"this kind of TIFF is not supported ({len(bits)} samples of {bits[0]} "
                         "bits); save it as PNG")
    check_size((tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]))

    file.seek(0)
    # OpenCV applies the orientation of TIFFs in every mode.
    samples = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise ValueError("its samples cannot be decoded")
    alpha = samples.shape[2] == 4
    rows = max(1, _BAND_SAMPLES // samples[0].size)
    bands = [samples[top:top + rows] for top in range(0, len(samples), rows)]
    white = float_white(measure(band[..., :3] for band in bands))
    whites = np.full(samples.shape[2], white, samples.dtype)
    # The alpha channel may have the range 0 to 1 beside colours of any range.
    if alpha and measure(band[..., 3] for band in bands).high <= 1:
        whites[3] = 1
    levels = (np.clip(np.nan_to_num(samples) / whites, 0, 1) * 255 + 0.5).astype(np.uint8)
    image = Image.fromarray(cv2.cvtColor(levels, cv2.COLOR_BGRA2RGBA if alpha
                                         else cv2.COLOR_BGR2RGB))
    if TiffImagePlugin.ICCPROFILE in tags:
        image.info["icc_profile"] = tags[TiffImagePlugin.ICCPROFILE]
    return image
