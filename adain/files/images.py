"""Read, write and resize pictures as uint8 RGB arrays (rows, columns, 3).

Pictures are upright and in sRGB whatever the file contains. The names of `reader` and `writer` are
available here, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from adain.files.atomic import atomic, atomic_file
from adain.files.formats import READ_SUFFIXES
from adain.files.reader import MAX_PIXELS, CheckSize, Picture, convert, open_picture
from adain.files.writer import (
    FORMATS,
    JPEG_QUALITY,
    NO_LIMIT,
    WRITE_SUFFIXES,
    Format,
    check_writable_format,
    writable_format,
    write,
)

__all__ = ["FORMATS", "JPEG_QUALITY", "MAX_PIXELS", "NO_LIMIT", "READ_SUFFIXES", "WRITE_SUFFIXES",
           "CheckSize", "Format", "Picture", "atomic", "atomic_file", "check_writable_format",
           "fill_transparent", "open_picture", "read", "resize", "resize_shorter_side",
           "shape_of_shorter_side", "shrink", "to_array", "writable_format", "write"]

_BAND_ROWS = 64  # even: as floats a picture takes four times the memory


def read(source: str | Path | BinaryIO, shorter_side: int | None = None,
         max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return a picture file as uint8 RGB (rows, columns, 3), upright and in sRGB.

    Transparent pixels get the colours of visible ones nearby. Arguments and errors are those of
    open_picture().
    """
    picture = open_picture(source, max_pixels, shorter_side)
    return fill_transparent(picture.rgb, picture.opacity)


def to_array(image: Image.Image) -> np.ndarray:
    """Return a Pillow image as uint8 RGB (rows, columns, 3), as read() does."""
    picture = convert(image)
    return fill_transparent(picture.rgb, picture.opacity)


def fill_transparent(rgb: np.ndarray, opacity: np.ndarray | None) -> np.ndarray:
    """Return the picture with fully transparent pixels replaced by colours nearby.

    The stored colours of transparent pixels are arbitrary, often black, and convolutions would mix
    them into visible edges. Visible pixels do not change; a picture without any is returned as is.
    Each transparent pixel gets the mean of the visible pixels at the finest of half, quarter, ...
    resolution that has any (the pull-push algorithm of Gortler et al. 1996, "The Lumigraph").

    Args:
        rgb: uint8 (rows, columns, 3).
        opacity: uint8 (rows, columns); None if all pixels are opaque.
    """
    if opacity is None or opacity.min(initial=255) > 0 or not opacity.any():
        return rgb
    rows, columns = opacity.shape
    colours = np.empty(((rows + 1) // 2, (columns + 1) // 2, 3), np.float32)
    weight = np.empty(colours.shape[:2], np.float32)
    for top in range(0, rows, _BAND_ROWS):
        band = opacity[top:top + _BAND_ROWS].astype(np.float32)
        half = slice(top // 2, (top + _BAND_ROWS) // 2)
        colours[half] = _halve(rgb[top:top + _BAND_ROWS] * band[..., None])
        weight[half] = _halve(band)
    _fill(colours, weight)
    nearby = np.rint(colours, out=colours).astype(np.uint8)
    del colours, weight
    filled = rgb.copy()
    _replace(filled, opacity == 0, nearby)
    return filled


def _fill(colours: np.ndarray, weight: np.ndarray) -> None:
    """Make of float32 colours that are premultiplied by the weight colours for every pixel."""
    empty = weight == 0
    if empty.any():
        coarse, coarse_weight = _halve(colours), _halve(weight)
        _fill(coarse, coarse_weight)
        _replace(colours, empty, coarse)
    np.divide(colours, weight[..., None], out=colours, where=~empty[..., None])


def _replace(picture: np.ndarray, where: np.ndarray, half: np.ndarray) -> None:
    """Replace pixels of a picture by those of one of half its size (rounded up), interpolated."""
    import cv2

    for top in range(0, len(half), _BAND_ROWS):
        start, stop = max(top - 1, 0), min(top + _BAND_ROWS, len(half))
        band = cv2.resize(half[start:stop + 1], None, fx=2, fy=2)[2 * (top - start):]
        place = picture[2 * top:2 * stop]
        rows, columns = place.shape[:2]
        np.copyto(place, band[:rows, :columns], where=where[2 * top:2 * stop, :, None])


def _halve(array: np.ndarray) -> np.ndarray:
    """Return the means of 2 x 2 pixels; an odd last row or column counts twice."""
    import cv2

    rows, columns = ((length + 1) // 2 for length in array.shape[:2])
    halved = np.empty((rows, columns, *array.shape[2:]), np.float32)
    for top in range(0, rows, _BAND_ROWS):
        band = array[2 * top:2 * (top + _BAND_ROWS)]
        band = cv2.copyMakeBorder(band, 0, len(band) % 2, 0, array.shape[1] % 2,
                                  cv2.BORDER_REPLICATE)
        halved[top:top + _BAND_ROWS] = cv2.resize(band, (columns, len(band) // 2),
                                                  interpolation=cv2.INTER_AREA)
    return halved


def resize(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Resize a picture: area means when it shrinks (no aliasing), cubic when it is enlarged."""
    if image.shape[:2] == (rows, columns):
        return image
    import cv2  # 0.1 s and 100 MB of address space: only where something is resized

    shrinks = rows <= image.shape[0] and columns <= image.shape[1]
    return cv2.resize(image, (columns, rows),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def resize_shorter_side(image: np.ndarray, size: int) -> np.ndarray:
    """Resize a picture to a shorter side of `size` pixels; the aspect ratio is kept."""
    rows, columns = image.shape[:2]
    return resize(image, *shape_of_shorter_side(rows, columns, size))


def shrink(image: np.ndarray, shorter_side: int | None) -> np.ndarray:
    """Shrink a picture to this shorter side, in pixels; a smaller one stays as it is.

    shorter_side: None shrinks nothing.
    """
    if shorter_side is None or min(image.shape[:2]) <= shorter_side:
        return image
    return resize_shorter_side(image, shorter_side)


def shape_of_shorter_side(rows: int, columns: int, size: int) -> tuple[int, int]:
    """Return the rows and columns of a picture whose shorter side becomes `size` pixels long."""
    scale = size / min(rows, columns)
    return max(size, round(rows * scale)), max(size, round(columns * scale))
