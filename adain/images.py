"""Picture files <-> uint8 RGB arrays (rows, columns, 3).

Whatever the file holds, what comes out is upright sRGB: EXIF orientation is applied, an embedded
ICC profile is converted, grey, palette, CMYK and 16-bit pictures become 8-bit RGB. Files are
written beside their name and renamed, so that a name never stands for half a picture.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from adain.errors import ImageError

READ_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
WRITE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
JPEG_QUALITY = 95

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def find(path: str | Path) -> list[Path]:
    """Return the picture at a path, or those directly in a folder, sorted by name.

    Raises ImageError when there is none. Only a folder's picture files count, by their ending;
    a file that is named itself is taken whatever its ending.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(entry for entry in path.iterdir()
                       if entry.suffix.lower() in READ_SUFFIXES and entry.is_file())
        if not found:
            raise ImageError(f"{path} has no pictures; looked for {' '.join(READ_SUFFIXES)}.")
        return found
    if not path.exists():
        raise ImageError(f"{path} does not exist.")
    return [path]


def read(path: str | Path, shorter_side: int | None = None) -> np.ndarray:
    """Return a picture file as uint8 RGB (rows, columns, 3), upright and in sRGB.

    shorter_side: a hint that the caller will shrink the picture to that size; JPEG files then
    decode faster, at an eighth, quarter or half of their size but never below the hint.
    Raises ImageError that names the file and what is wrong with it.
    """
    try:
        with Image.open(path) as image:
            if shorter_side is not None:
                _draft(image, shorter_side)
            image.load()
            return to_array(image)
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist.") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} is refused: {error}") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder, not a picture.") from None
    except Exception as error:  # Pillow's plugins raise whatever broken bytes lead them to
        reason = "unknown format" if isinstance(error, Image.UnidentifiedImageError) else error
        raise ImageError(f"{path} is not a readable image: {reason}.") from None


def _draft(image: Image.Image, shorter_side: int) -> None:
    factor = min(image.size) / shorter_side
    if factor >= 2:  # the mode stays: draft's own conversion would skip the ICC profile
        image.draft(image.mode, tuple(int(side / factor) for side in image.size))


def to_array(image: Image.Image) -> np.ndarray:
    """Return a Pillow image as uint8 RGB, upright and in sRGB; transparency is dropped."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        # Pillow's own conversion would clip 16-bit grey at 255 instead of scaling it.
        values = np.asarray(image).astype(np.float32)
        limit = 65535.0 if image.mode != "F" else 1.0
        grey = (np.clip(values / limit, 0, 1) * 255 + 0.5).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    profile = image.info.get("icc_profile")
    if image.mode in ("P", "LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        image = _to_srgb(image, profile)
    return np.array(image.convert("RGB"))


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode == "RGBA":
        image = image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken or foreign profile: the numbers are all there is


def write(path: str | Path, image: np.ndarray, quality: int = JPEG_QUALITY) -> None:
    """Write uint8 RGB (rows, columns, 3) in the format of the path's ending.

    JPEG is written without chroma subsampling. The file appears whole or not at all.
    """
    path = Path(path)
    check_writable_format(path)
    options = {"quality": quality}
    if path.suffix.lower() in (".jpg", ".jpeg"):
        options["subsampling"] = 0
    with atomic(path) as beside:
        Image.fromarray(image).save(beside, **options)


def check_writable_format(path: str | Path) -> None:
    """Raise ImageError unless the ending names a format that can be written."""
    if Path(path).suffix.lower() not in WRITE_SUFFIXES:
        raise ImageError(f"{path}: cannot write '{Path(path).suffix}'; "
                         f"use one of {' '.join(WRITE_SUFFIXES)}.")


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; it is renamed at the end, or removed on an error."""
    path = Path(path)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}.") from None


def resize(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the picture in another size: area means when it shrinks (no aliasing), else cubic."""
    import cv2

    if image.shape[:2] == (rows, columns):
        return image
    shrinks = rows <= image.shape[0] and columns <= image.shape[1]
    return cv2.resize(image, (columns, rows),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def resize_shorter_side(image: np.ndarray, size: int) -> np.ndarray:
    """Return the picture with its shorter side `size` pixels long and its aspect kept."""
    rows, columns = image.shape[:2]
    scale = size / min(rows, columns)
    return resize(image, max(size, round(rows * scale)), max(size, round(columns * scale)))
