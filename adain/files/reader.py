"""Read a picture file as upright 8-bit sRGB, with its opacity and the EXIF data to keep.

Pillow decodes. Conversions work on bands of rows, so the memory is that of Pillow's copy (4 bytes
per pixel) and the result (3 bytes, or 4 with opacity).
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin

from adain.errors import ImageError
from adain.files import sample_range
from adain.files.formats import open_image
from adain.files.metadata import is_grey, kept_exif, profile_conversion

# Phones make pictures of 200 megapixels, medium format cameras of 151. Reading one of this size
# takes 2 GB.
MAX_PIXELS = 256_000_000

_BAND_PIXELS = 1 << 18

CheckSize = Callable[[int, int], None]


class Picture(NamedTuple):
    """The content of a picture file.

    rgb: uint8 (rows, columns, 3), upright, sRGB.
    opacity: uint8 (rows, columns), 0 where the picture is transparent; None for an opaque picture.
    exif: EXIF data as writer.write() takes them, or None.
    """

    rgb: np.ndarray
    opacity: np.ndarray | None = None
    exif: bytes | None = None


def open_picture(source: str | Path | BinaryIO, max_pixels: int = MAX_PIXELS,
                 shorter_side: int | None = None,
                 check_size: CheckSize = lambda rows, columns: None) -> Picture:
    """Return a picture file as a Picture; of an animation, the first frame.

    The format is detected by the content, not by the name. The EXIF orientation is applied, an ICC
    profile is converted to sRGB, and samples of 16 and 32 bits are scaled to 8: see sample_range.

    Args:
        source: a path, or a binary file object, which is read to its end and need not be seekable.
        max_pixels: larger pictures are refused before they are decoded.
        shorter_side: a hint that the caller will shrink the picture to that size. JPEG files are
            then decoded faster, at an eighth, quarter or half of their size, never below the hint.
        check_size: called with rows and columns from the header before anything is decoded; raises
            ImageError to refuse the picture.

    Raises:
        ImageError: the file cannot be read; the message names it. Pillow refuses WebP files above
            179 megapixels whatever max_pixels is.
    """
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", "picture")
    try:
        if not isinstance(source, str | os.PathLike):
            return open_bytes(source.read(), name, max_pixels, shorter_side, check_size)
        with open(source, "rb") as file:
            return _decode(file, name, max_pixels, shorter_side, check_size)
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist.") from None
    except IsADirectoryError:
        raise ImageError(f"{name} is a folder, not a picture.") from None
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror or error}.") from None
    except MemoryError:
        raise ImageError(f"{name} needs more memory than there is.") from None


def open_bytes(data: bytes, name: str | Path, max_pixels: int = MAX_PIXELS,
               shorter_side: int | None = None,
               check_size: CheckSize = lambda rows, columns: None) -> Picture:
    """Return the bytes of a picture file as a Picture, see open_picture(); name: for errors."""
    try:
        return _decode(io.BytesIO(data), name, max_pixels, shorter_side, check_size)
    except MemoryError:
        raise ImageError(f"{name} needs more memory than there is.") from None


def _decode(file: BinaryIO, name: str | Path, max_pixels: int, shorter_side: int | None,
            check_size: CheckSize) -> Picture:
    def check(size: tuple[int, int]) -> None:
        columns, rows = size
        if columns * rows > max_pixels:
            raise ImageError(f"{name} is refused: it has {columns} x {rows} = {columns * rows} "
                             f"pixels, the limit is {max_pixels}; "
                             f"raise it with `max_pixels={columns * rows}`.")
        check_size(rows, columns)

    try:
        with _open(file, check) as image:
            if shorter_side is not None:
                _draft(image, shorter_side)
            picture, orientation = _convert(image)
        del image  # frees Pillow's copy before the rotation makes another one
        return _upright(picture, orientation)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow's plugins may raise any error for broken bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith("decoder error"):  # with a number
            reason = "its data are damaged"
        raise ImageError(f"{name} is not a readable image: {reason.rstrip('.')}.") from None


def _open(file: BinaryIO, check_size: Callable[[tuple[int, int]], None]) -> Image.Image:
    """Return an image with only the header decoded; a floating point TIFF is decoded at once."""
    try:
        image = open_image(file)
    except SyntaxError as error:
        if str(error) == "unknown pixel mode":  # of a TIFF
            from adain.files import float_tiff

            return float_tiff.read(file, check_size)
        raise
    check_size(image.size)
    return image


def _draft(image: Image.Image, shorter_side: int) -> None:
    factor = min(image.size) / shorter_side
    if image.format == "JPEG" and factor >= 2:  # other formats return a thumbnail, or nothing
        # Keep the mode: a conversion by draft() would ignore the ICC profile.
        image.draft(image.mode, (int(image.width / factor), int(image.height / factor)))


def convert(image: Image.Image) -> Picture:
    """Return a Pillow image as a Picture; raise ImageError if its white level is uncertain."""
    try:
        return _upright(*_convert(image))
    except ValueError as error:
        raise ImageError(f"the image cannot be used: {error}.") from None


def _convert(image: Image.Image) -> tuple[Picture, int]:
    """Return the stored picture and its EXIF orientation, which is not applied yet."""
    image.load()  # first: for TIFFs, Pillow applies the orientation here and drops the tag
    exif, orientation = kept_exif(image)
    white, inverted = _deep_range(image)
    apply_profile = profile_conversion(image)

    columns, rows = image.size
    rgb = np.empty((rows, columns, 3), np.uint8)
    opacity = np.full((rows, columns), 255, np.uint8) if image.has_transparency_data else None
    for place, band in _bands(image):
        if white is not None:
            band, alpha = _eight_bit(band, white, inverted)
        else:
            band, alpha = _split_alpha(band)
        rgb[place] = np.asarray(apply_profile(band))
        if alpha is not None and opacity is not None:
            opacity[place] = alpha
    if opacity is not None and opacity.min(initial=255) == 255:
        opacity = None
    return Picture(rgb, opacity, exif), orientation


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield bands of rows, each with its slice of the picture."""
    columns, rows = image.size
    step = max(1, _BAND_PIXELS // max(1, columns))
    for top in range(0, rows, step):
        end = min(rows, top + step)
        yield slice(top, end), image.crop((0, top, columns, end))


def _split_alpha(band: Image.Image) -> tuple[Image.Image, np.ndarray | None]:
    """Return an image without its alpha channel, not premultiplied, and the alpha channel."""
    if not band.has_transparency_data:
        return band, None
    key = band.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # of a PNG of 16 bits, whose pixels have 8 by now
        band.info["transparency"] = tuple(sample >> 8 for sample in key)
    with_alpha = "LA" if is_grey(band) else "RGBA"
    if band.mode == "1":
        band = band.convert("RGBA")
    band = band.convert(with_alpha)
    return band.convert(with_alpha[:-1]), np.asarray(band.getchannel("A"))


def _deep_range(image: Image.Image) -> tuple[float | None, bool]:
    """Return the sample value of white (None for 8-bit pictures), and whether grey is inverted."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return None, False
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
    signed = tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0] == 2
    white = 2 ** (bits - signed) - 1
    if image.mode == "F" or signed or bits == 32:
        measured = sample_range.measure(_samples(band, white) for _, band in _bands(image))
        white = (sample_range.float_white(measured) if image.mode == "F" else
                 sample_range.integer_white(measured, white))
    return white, tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0


def _samples(band: Image.Image, white: float) -> np.ndarray:
    """Return grey samples of more than 8 bits; Pillow stores unsigned 32-bit samples as signed."""
    samples = np.asarray(band)
    return samples.view(np.uint32) if white > 2**31 and samples.dtype == np.int32 else samples


def _eight_bit(band: Image.Image, white: float,
               inverted: bool) -> tuple[Image.Image, np.ndarray | None]:
    """Convert grey of more than 8 bits to 8 bits; Pillow's conversion would clip it at 255."""
    samples = _samples(band, white)
    key = band.info.get("transparency")
    alpha = None if key is None else np.where(samples == key, 0, 255).astype(np.uint8)
    share = np.clip(np.nan_to_num(samples.astype(np.float32)) / white, 0, 1)
    if inverted:
        share = 1 - share
    return Image.fromarray((share * 255 + 0.5).astype(np.uint8)), alpha


def _upright(picture: Picture, orientation: int) -> Picture:
    rgb, opacity, exif = picture
    rgb = _turn(rgb, orientation)
    return Picture(rgb, None if opacity is None else _turn(opacity, orientation), exif)


def _turn(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return an array in upright orientation (EXIF 2.3, tag 0x0112); ignore unknown values."""
    if orientation not in range(2, 9):
        return array
    import cv2

    if orientation in (5, 6, 7, 8):
        array = cv2.transpose(array)
    # Code 0 flips vertically, 1 horizontally, -1 both; in place.
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return array if flip is None else cv2.flip(array, flip, array)
