"""One picture file -> Picture: upright 8-bit sRGB, the opacity, the EXIF data that still holds.

Pillow decodes; the conversions run over bands of rows, so that beside Pillow's copy (4 bytes per
pixel) and the result (3, or 4 with opacity) nothing grows with the picture.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from adain import float_tiff
from adain.errors import ImageError

# Telephones make pictures of 200 megapixels, medium format cameras of 151. A picture of this size
# takes 2 GB while it is read.
MAX_PIXELS = 256_000_000

_BAND_PIXELS = 1 << 20
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_CHOICES = "JPEG, PNG, WebP, TIFF, BMP and GIF"


class Picture(NamedTuple):
    """What a picture file holds.

    rgb: uint8 (rows, columns, 3), upright, sRGB.
    opacity: uint8 (rows, columns), 0 where the picture is transparent; None when it is opaque.
    exif: what image_writer.write() takes; None when there is none.
    """

    rgb: np.ndarray
    opacity: np.ndarray | None = None
    exif: bytes | None = None


class _TiffImageFile(TiffImagePlugin.TiffImageFile):
    def _setup(self) -> None:
        super()._setup()
        if (self.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
                and max(self.tag_v2[TiffImagePlugin.BITSPERSAMPLE]) > 8):  # Pillow reads noise
            raise ValueError("samples of 16 bits in separate planes are not supported; "
                             "save it as PNG")

    def load_prepare(self) -> None:
        # Pillow's own would refuse by its fixed limit here; it does not when memory is there.
        self.im = Image.core.new(self.mode, getattr(self, "_tile_size", self.size))
        super().load_prepare()


# Pillow's classes are used directly: Image.open() warns above 89 and refuses above 179 megapixels,
# by a limit that all threads share; and it would try fifty formats, some by starting programs.
_READERS: tuple[tuple[bytes, Callable[[BinaryIO], Image.Image]], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"II*\0", _TiffImageFile),
    (b"MM\0*", _TiffImageFile),
    (b"II+\0", _TiffImageFile),  # BigTIFF
    (b"MM\0+", _TiffImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
)


def open_picture(source: str | Path | BinaryIO, max_pixels: int = MAX_PIXELS,
                 shorter_side: int | None = None) -> Picture:
    """Return what a picture file holds: JPEG, PNG, WebP, TIFF, BMP or GIF (its first frame).

    The format is told by the content, not by the name. EXIF orientation is applied, an ICC profile
    converted to sRGB, 16-bit and floating point ([0, 1]) samples are scaled to 8 bits.
    source: a path, or a binary file object, which is read to its end and need not seek.
    max_pixels: a file whose header says more is refused before it is decoded.
    shorter_side: a hint that the caller will shrink the picture to that size; JPEG files then
        decode faster, at an eighth, quarter or half of their size but never below the hint.
    Raises ImageError that names the file and what is wrong with it. WebP files above 179
    megapixels are refused by Pillow whatever max_pixels is.
    """
    if not isinstance(source, str | os.PathLike):
        name = getattr(source, "name", "picture")
        return _decode(io.BytesIO(source.read()), name, max_pixels, shorter_side)
    try:
        with open(source, "rb") as file:
            return _decode(file, source, max_pixels, shorter_side)
    except FileNotFoundError:
        raise ImageError(f"{source} does not exist.") from None
    except IsADirectoryError:
        raise ImageError(f"{source} is a folder, not a picture.") from None
    except OSError as error:
        raise ImageError(f"{source} cannot be read: {error.strerror}.") from None


def _decode(file: BinaryIO, name: str | Path, max_pixels: int,
            shorter_side: int | None) -> Picture:
    def check_size(size: tuple[int, int]) -> None:
        columns, rows = size
        if columns * rows > max_pixels:
            raise ImageError(f"{name} is refused: it has {columns} x {rows} = {columns * rows} "
                             f"pixels, the limit is {max_pixels}; "
                             f"raise it with --max-pixels {columns * rows}.")

    try:
        with _open(file, check_size) as image:
            if shorter_side is not None:
                _draft(image, shorter_side)
            image.load()
            return convert(image)
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise whatever broken bytes lead them to
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name} is not a readable image: {reason.rstrip('.')}.") from None


def _open(file: BinaryIO, check_size: Callable[[tuple[int, int]], None]) -> Image.Image:
    """Return an image of which nothing but the header is decoded, unless it is a float TIFF."""
    start = file.read(16)
    file.seek(0)
    if not start:
        raise ValueError("it is empty")
    reader = next((reader for signature, reader in _READERS if start.startswith(signature)), None)
    if reader is None:
        raise ValueError(f"unknown format; {_CHOICES} are read")
    try:
        image = reader(file)
    except SyntaxError as error:
        if reader is _TiffImageFile and str(error) == "unknown pixel mode":
            return float_tiff.read(file, check_size)
        raise
    check_size(image.size)
    return image


def _draft(image: Image.Image, shorter_side: int) -> None:
    factor = min(image.size) / shorter_side
    if factor >= 2:  # the mode stays: draft's own conversion would skip the ICC profile
        image.draft(image.mode, tuple(int(side / factor) for side in image.size))


def convert(image: Image.Image) -> Picture:
    """Return a Pillow image as a Picture."""
    exif, orientation = _exif(image)
    white, inverted = _deep_range(image)
    _shorten_transparent_colour(image)
    apply_profile = _profile_conversion(image)

    columns, rows = image.size
    rgb = np.empty((rows, columns, 3), np.uint8)
    opacity = np.full((rows, columns), 255, np.uint8) if image.has_transparency_data else None
    step = max(1, _BAND_PIXELS // max(1, columns))
    for top in range(0, rows, step):
        band = image.crop((0, top, columns, min(rows, top + step)))
        if white is not None:
            band, alpha = _eight_bit(band, white, inverted)
        else:
            band, alpha = _split_alpha(band)
        rgb[top:top + step] = np.asarray(apply_profile(band))
        if alpha is not None:
            opacity[top:top + step] = alpha
    if opacity is not None and opacity.min(initial=255) == 255:
        opacity = None
    return Picture(_upright(rgb, orientation),
                   None if opacity is None else _upright(opacity, orientation), exif)


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")


def _split_alpha(band: Image.Image) -> tuple[Image.Image, np.ndarray | None]:
    """Return an image without its alpha channel, whose colours no longer are multiplied by it."""
    if not band.has_transparency_data:
        return band, None
    with_alpha = "LA" if _is_grey(band) else "RGBA"
    if band.mode == "1":
        band = band.convert("RGBA")
    band = band.convert(with_alpha)
    return band.convert(with_alpha[:-1]), np.asarray(band.getchannel("A"))


def _deep_range(image: Image.Image) -> tuple[float | None, bool]:
    """Return the sample that means white, None for 8-bit pictures; and whether black is white."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return None, False
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
    signed = tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0] == 2
    white = 1.0 if image.mode == "F" else 2.0 ** (bits - signed) - 1
    return white, tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0


def _eight_bit(band: Image.Image, white: float,
               inverted: bool) -> tuple[Image.Image, np.ndarray | None]:
    """Return grey of more than 8 bits as 8, where Pillow's own conversion clips it at 255."""
    samples = np.asarray(band)
    if white > 2**31:  # Pillow keeps unsigned 32-bit samples as signed ones
        samples = samples.view(np.uint32)
    key = band.info.get("transparency")
    alpha = None if key is None else np.where(samples == key, 0, 255).astype(np.uint8)
    share = np.clip(np.nan_to_num(samples.astype(np.float32)) / white, 0, 1)
    if inverted:
        share = 1 - share
    return Image.fromarray((share * 255 + 0.5).astype(np.uint8)), alpha


def _shorten_transparent_colour(image: Image.Image) -> None:
    """Let the transparent colour of a 16-bit RGB PNG have 8 bits, as its pixels do by now."""
    colour = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(colour, tuple) and max(colour) > 255:
        image.info["transparency"] = tuple(sample >> 8 for sample in colour)


def _profile_conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return the conversion to RGB of this image's bands, which have lost their alpha channel."""
    try:
        if image.mode == "LAB":
            profile, space = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB"
        else:
            data = image.info.get("icc_profile")
            profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
            space = profile.profile.xcolor_space.strip()
        own = "CMYK" if image.mode == "CMYK" else "L" if _is_grey(image) else "RGB"
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "LAB": "LAB"}[space]
        if mode not in (own, "LAB") and (own, mode) != ("L", "RGB"):
            raise ValueError("a profile for other colours than the picture's")
        transform = ImageCms.buildTransform(profile, _SRGB, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError):
        # no profile, or a broken or foreign one: the numbers are all there is
        return lambda band: band.convert("RGB")
    if mode == "RGB" and _changes_nothing(transform):
        return lambda band: band.convert("RGB")
    return lambda band: ImageCms.applyTransform(band.convert(mode), transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Tell whether a profile is sRGB by another name, which rounding only could change."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return bool(abs(converted.astype(int) - colours).max() <= 1)


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return an array turned as EXIF 2.3, tag 0x0112, says; any other value turns nothing."""
    if orientation not in range(2, 9):
        return array
    import cv2

    if orientation in (5, 6, 7, 8):
        array = cv2.transpose(array)
    # 0 turns upside down, 1 left to right, -1 both
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return array if flip is None else cv2.flip(array, flip)


# What of the main EXIF directory describes the scene, not the file: 270 ImageDescription, 271 Make,
# 272 Model, 282 XResolution, 283 YResolution, 296 ResolutionUnit, 305 Software, 306 DateTime,
# 315 Artist, 316 HostComputer, 18246 Rating, 18249 RatingPercent, 33432 Copyright, 40091..40095
# title, comment, author, keywords and subject. TIFF files keep their layout there as well.
_KEPT_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 18249, 33432,
              40091, 40092, 40093, 40094, 40095)
# Of the camera's directory what no longer holds: 37396 SubjectArea and 41492 SubjectLocation (the
# picture was turned), 37500 MakerNote (its offsets point into the old file), 40961 ColorSpace,
# 40962 and 40963 pixel dimensions, 40965 interoperability.
_DROPPED_CAMERA_TAGS = (37396, 37500, 40961, 40962, 40963, 40965, 41492)
_SRGB_COLOR_SPACE = {40961: 1}


def _exif(image: Image.Image) -> tuple[bytes | None, int]:
    """Return the EXIF data that still holds, and the orientation that is to be applied."""
    try:
        source = image.getexif()
        orientation = source.get(ExifTags.Base.Orientation, 1)
        kept = Image.Exif()
        for tag in _KEPT_TAGS:
            if tag in source:
                kept[tag] = source[tag]
        camera = {tag: value for tag, value in source.get_ifd(ExifTags.IFD.Exif).items()
                  if tag not in _DROPPED_CAMERA_TAGS}
        if camera:
            kept[ExifTags.IFD.Exif] = camera | _SRGB_COLOR_SPACE
        if position := source.get_ifd(ExifTags.IFD.GPSInfo):
            kept[ExifTags.IFD.GPSInfo] = dict(position)
        return (kept.tobytes() if len(kept) else None), orientation
    except Exception:  # broken metadata raise anything; the picture is still good
        return None, 1
