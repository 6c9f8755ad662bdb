"""Masks of the objects of a picture, from the segmentations of COCO annotations.

A segmentation has one of three forms:

* a list of polygons [x, y, x, y, ...], whose outlines belong to the object;
* {"size": [rows, columns], "counts": [...]}: run lengths, column by column, background first;
* the same with its counts encoded as a string, as rleFrString of the COCO API decodes it: five bits
  per character; from the fourth count on, the difference to the count two before.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adain.errors import ImageError
from adain.files.formats import open_image

_MOST_PIXELS = 256_000_000


def region_mask(objects: Iterable[Any], data: bytes, shape: tuple[int, int],
                background: bool) -> np.ndarray:
    """Return a mask, uint8 (rows, columns): 255 in the region, 0 elsewhere.

    Args:
        objects: segmentations of a picture's annotations, in pixels of its file.
        data: the bytes of that file.
        shape: rows and columns of the mask; those of the decoded picture, which may be smaller
            than the stored one.
        background: the region is the part that no object covers, instead of the objects.

    Raises:
        ImageError: a segmentation is invalid.
    """
    import cv2

    columns, rows = open_image(io.BytesIO(data)).size
    if (rows > columns) != (shape[0] > shape[1]) and rows != columns:
        rows, columns = columns, rows  # turned upright by its EXIF orientation
    mask = np.zeros((rows, columns), np.uint8)
    for segmentation in objects:
        try:
            if isinstance(segmentation, dict):
                decoded = decode_rle(segmentation)
                if decoded.shape != mask.shape:
                    raise ValueError(f"it is for {decoded.shape[1]} x {decoded.shape[0]} pixels, "
                                     f"the picture has {columns} x {rows}")
                mask |= decoded
            else:
                for polygon in segmentation:
                    points = np.array(polygon, np.float64).reshape(-1, 2)
                    if not np.isfinite(points).all() or np.abs(points).max(initial=0) > 1e6:
                        raise ValueError("its coordinates are out of range")
                    # Fixed-point numbers with 4 fractional bits; COCO's first pixel centre is 0.5.
                    fixed = np.rint((points - 0.5) * 16).astype(np.int32)
                    cv2.fillPoly(mask, [fixed], (1,), cv2.LINE_8, 4)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise ImageError(f"a segmentation is invalid: {error}.") from None
    region = (1 - mask if background else mask) * np.uint8(255)
    if region.shape == shape:
        return region
    return cv2.resize(region, shape[::-1], interpolation=cv2.INTER_AREA)


def decode_rle(segmentation: dict[str, Any]) -> np.ndarray:
    """Return the mask of run lengths, uint8 (rows, columns) of 0 and 1.

    Raises ValueError, TypeError, KeyError or OverflowError for an invalid segmentation.
    """
    rows, columns = map(int, segmentation["size"])
    counts = segmentation["counts"]
    if isinstance(counts, str | bytes):
        counts = unpack_counts(counts)
    if rows < 1 or columns < 1 or rows * columns > _MOST_PIXELS:
        raise ValueError(f"its size is {columns} x {rows}")
    lengths = np.asarray(counts, np.int64)
    if lengths.ndim != 1 or lengths.min(initial=0) < 0 or lengths.sum() != rows * columns:
        raise ValueError("its run lengths do not sum to its size")
    values = np.arange(len(lengths), dtype=np.uint8) & 1
    return np.repeat(values, lengths).reshape(columns, rows).T


def unpack_counts(text: str | bytes) -> Sequence[int]:
    """Return the run lengths that a string encodes; raise ValueError if it is invalid."""
    counts: list[int] = []
    value = shift = 0
    for char in text.encode() if isinstance(text, str) else text:
        part = char - 48
        if not 0 <= part < 64 or shift > 60:
            raise ValueError("its string does not encode run lengths")
        value |= (part & 31) << shift
        shift += 5
        if part & 32:
            continue
        if part & 16:  # negative
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("its string ends early")
    return counts
