"""ICC profiles and EXIF data of picture files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

import numpy as np
from PIL import ExifTags, Image, ImageCms

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def is_grey(image: Image.Image) -> bool:
    """Return whether an image has a grey mode."""
    return image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")


def profile_conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return a function that converts bands of this image, without alpha channel, to sRGB.

    A grey picture may have an RGB profile. With any other mismatch, or a broken profile, the
    picture is treated as if it had none.
    """
    try:
        if image.mode == "LAB":
            profile, space = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB"
        else:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
            space = profile.profile.xcolor_space.strip()
        native = image.mode if image.mode in ("CMYK", "LAB") else "L" if is_grey(image) else "RGB"
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "LAB": "LAB"}[space]
        if mode != native and (native, mode) != ("L", "RGB"):
            raise ValueError("a profile for other colours than the picture's")
        transform = ImageCms.buildTransform(profile, _SRGB, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError):
        # No profile, or a broken or unsuitable one: the samples are taken as sRGB.
        return lambda band: band.convert("RGB")
    if mode == "RGB" and _changes_nothing(transform):
        return lambda band: band.convert("RGB")
    return lambda band: cast(Image.Image, ImageCms.applyTransform(band.convert(mode), transform))


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Return whether a profile is equivalent to sRGB; converting could only add rounding errors."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return bool(abs(converted.astype(int) - colours).max() <= 1)


# Tags of the main EXIF directory about the scene, not the file: 270 ImageDescription, 271 Make,
# 272 Model, 282 XResolution, 283 YResolution, 296 ResolutionUnit, 305 Software, 306 DateTime,
# 315 Artist, 316 HostComputer, 18246 Rating, 18249 RatingPercent, 33432 Copyright, 40091..40095
# title, comment, author, keywords and subject. TIFF files store their layout there, too.
_KEPT_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 18249, 33432,
              40091, 40092, 40093, 40094, 40095)
# Tags of the camera's directory that are not true any more: 37396 SubjectArea and 41492
# SubjectLocation (the picture was rotated), 37500 MakerNote (its offsets point into the old file),
# 40961 ColorSpace, 40962 and 40963 dimensions, 40965 interoperability; and tags of the main one:
# 274 Orientation, 34665 and 34853, which point to directories.
_DROPPED_CAMERA_TAGS = (274, 34665, 34853, 37396, 37500, 40961, 40962, 40963, 40965, 41492)
_SRGB_COLOR_SPACE = {40961: 1}


def kept_exif(image: Image.Image) -> tuple[bytes | None, int]:
    """Return the EXIF data to keep in the result, and the orientation to apply.

    Values that cannot be read or written again are omitted. Broken metadata never make a picture
    unreadable, whatever error Pillow raises for them.
    """
    try:
        source = image.getexif()
        orientation = source.get(ExifTags.Base.Orientation, 1)
    except Exception:
        return None, 1
    kept = Image.Exif()
    for tag in _KEPT_TAGS:
        with suppress(Exception):
            if tag in source:
                kept[tag] = source[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        with suppress(Exception):
            tags = dict(source.get_ifd(directory))
            if directory == ExifTags.IFD.Exif:
                tags = {tag: tags[tag] for tag in tags if tag not in _DROPPED_CAMERA_TAGS}
            if tags:
                kept[directory] = tags
    if not _can_be_written(kept):
        kept = _writable(kept)
    if camera := kept.get(ExifTags.IFD.Exif):
        camera.update(_SRGB_COLOR_SPACE)
    return (kept.tobytes() if len(kept) else None), orientation


def _writable(exif: Image.Exif) -> Image.Exif:
    """Return the values that can be written; each is tried separately."""
    kept = Image.Exif()
    for tag, value in exif.items():
        if isinstance(value, dict):  # a directory
            value = {inner: value[inner] for inner in value
                     if _can_be_written({tag: {inner: value[inner]}})}
        if value != {} and _can_be_written({tag: value}):
            kept[tag] = value
    return kept


def _can_be_written(values: Mapping[int, Any]) -> bool:
    exif = Image.Exif()
    exif.update(values)
    try:
        exif.tobytes()
    except Exception:
        return False
    return True
