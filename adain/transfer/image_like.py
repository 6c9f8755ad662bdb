"""Pictures as the public functions take them: paths, Pillow images or arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from adain.errors import ImageError
from adain.files import images
from adain.files.pixels import to_integers

ImageLike = str | Path | Image.Image | np.ndarray  # what as_image() takes


def as_image(picture: ImageLike) -> np.ndarray:
    """Return a picture as uint8 RGB (rows, columns, 3).

    Args:
        picture: a path, a Pillow image, or an array as in Stylizer.stylize().

    Raises:
        ImageError: the file cannot be read, or the type, shape or range of values is wrong.
    """
    if isinstance(picture, (str, Path)):
        return images.read(picture)
    if isinstance(picture, Image.Image):
        return images.to_array(picture)
    if not hasattr(picture, "__array__"):
        raise ImageError("a picture must be a path, a Pillow image or an array; received "
                         f"{type(picture).__name__}.")
    array = np.asarray(picture)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise ImageError("an array must have shape (rows, columns), (rows, columns, 3) or "
                         f"(rows, columns, 4), at least 1 x 1; received {array.shape}.")
    array = array[..., :3]
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0 and array.max() <= 1):  # also refuses NaN
            raise ImageError("an array of floats must be within [0, 1]; received "
                             f"{array.min()} .. {array.max()}. Divide 8-bit values by 255.")
        return to_integers(array)
    if array.dtype != np.uint8:
        raise ImageError(f"an array must be uint8 or floats in [0, 1]; received {array.dtype}.")
    return array
