"""Write uint8 and uint16 RGB arrays as picture files, atomically."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from adain.errors import ImageError
from adain.files.atomic import atomic_file
from adain.files.formats import HAS_AVIF

JPEG_QUALITY = 95
NO_LIMIT = 2**31 - 1  # pixels a side: more than any picture has


class Format(NamedTuple):
    """A writable format: Pillow's name, what it keeps, and the longest side that it allows."""

    name: str
    suffixes: tuple[str, ...]
    keeps_opacity: bool = False
    keeps_16_bits: bool = False
    longest_side: int = NO_LIMIT


FORMATS = (Format("JPEG", (".jpg", ".jpeg"), longest_side=65500),
           Format("PNG", (".png",), keeps_opacity=True, keeps_16_bits=True),
           Format("WEBP", (".webp",), keeps_opacity=True, longest_side=16383),
           Format("TIFF", (".tif", ".tiff"), keeps_opacity=True, keeps_16_bits=True),
           Format("BMP", (".bmp",)),
           # AVIF readers refuse larger ones.
           *([Format("AVIF", (".avif",), keeps_opacity=True, longest_side=16384)] * HAS_AVIF))
WRITE_SUFFIXES = tuple(suffix for format in FORMATS for suffix in format.suffixes)


def _srgb_profile() -> bytes:
    """Return an ICC profile of 588 bytes, with a constant date, so that equal pictures give equal
    files."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(data)


SRGB_PROFILE = _srgb_profile()


def writable_format(path: str | Path) -> Format:
    """Return the format for a path's suffix, or for a format name such as "png".

    Raises ImageError if this format cannot be written.
    """
    ending = Path(path).suffix or f".{path}".replace("..", ".")
    for format in FORMATS:
        if ending.lower() in format.suffixes:
            return format
    raise ImageError(f"{path}: cannot write '{Path(path).suffix}'; "
                     f"use one of {' '.join(WRITE_SUFFIXES)}.")


def check_writable_format(path: str | Path) -> None:
    """Raise ImageError unless the suffix is that of a writable format."""
    writable_format(path)


def write(destination: str | Path | BinaryIO, image: np.ndarray, *,
          opacity: np.ndarray | None = None, exif: bytes | None = None,
          quality: int = JPEG_QUALITY, format: str | None = None) -> None:
    """Write a picture in the format of the path's suffix, tagged as sRGB.

    Args:
        destination: a path, which is written atomically, or a binary file object.
        image: uint8 (rows, columns, 3), or uint16 of the same shape for PNG and TIFF.
        opacity: uint8 (rows, columns). PNG, WebP, TIFF and AVIF keep it; JPEG and BMP show the
            picture on a white background.
        exif: as in reader.Picture. BMP cannot store it, JPEG at most 64 kB.
        quality: of JPEG, WebP and AVIF, 1 to 100. JPEG and AVIF keep full colour resolution.
        format: "jpg", "png" and so on; takes precedence over the suffix. Required for a file
            object.

    Raises:
        ImageError: the format cannot store this picture, or the file cannot be written.
    """
    name = (destination if isinstance(destination, str | os.PathLike)
            else getattr(destination, "name", "picture"))
    kind = writable_format(format or name)
    _check(name, image, kind)
    if opacity is not None and not kind.keeps_opacity:
        image, opacity = on_white(image, opacity), None
    if isinstance(destination, str | os.PathLike):
        with atomic_file(destination) as file:
            _encode(file, image, opacity, exif, quality, kind)
    else:
        buffer = io.BytesIO()  # pipes cannot seek, which TIFF needs
        _encode(buffer, image, opacity, exif, quality, kind)
        destination.write(buffer.getbuffer())


def _check(name: str | Path, image: np.ndarray, kind: Format) -> None:
    rows, columns = image.shape[:2]
    if not image.size:
        raise ImageError(f"{name} cannot be written: a picture of {columns} x {rows} pixels.")
    if image.dtype == np.uint16 and not kind.keeps_16_bits:
        raise ImageError(f"{name} cannot be written: {kind.name} has 8 bits, the picture 16; "
                         "use PNG or TIFF.")
    if max(rows, columns) > kind.longest_side:
        raise ImageError(f"{name} cannot be written: {kind.name} holds {kind.longest_side} pixels "
                         f"a side, the picture has {columns} x {rows}; use PNG or TIFF.")


def on_white(image: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Return a partly transparent uint8 picture on a white background."""
    import cv2

    return 255 - cv2.multiply(255 - image, cv2.merge([opacity] * 3), scale=1 / 255)


def _encode(file: BinaryIO, image: np.ndarray, opacity: np.ndarray | None, exif: bytes | None,
            quality: int, kind: Format) -> None:
    if image.dtype == np.uint16:
        encode = _encode_png_16 if kind.name == "PNG" else _encode_tiff_16
        return encode(file, image, opacity, exif)
    options: dict[str, Any] = {"icc_profile": SRGB_PROFILE}
    if exif and not (kind.name == "JPEG" and len(exif) > 65533):
        options["exif"] = exif
    if kind.name in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = quality
    if kind.name in ("JPEG", "AVIF"):
        options["subsampling"] = "4:4:4"
    if kind.name == "AVIF":  # takes a third of the default's time; files are 1 % larger
        options["speed"] = 8
    if kind.name == "PNG":  # as small as the default for photographs, in a third of the time
        options["compress_type"] = zlib.Z_RLE
    if opacity is not None:
        image = np.dstack([image, opacity])
    Image.fromarray(image).save(file, kind.name, **options)


def _with_opacity(image: np.ndarray, opacity: np.ndarray | None) -> np.ndarray:
    if opacity is None:
        return image
    return np.dstack([image, opacity.astype(np.uint16) * 257])


def _encode_png_16(file: BinaryIO, image: np.ndarray, opacity: np.ndarray | None,
                   exif: bytes | None) -> None:
    """Write a PNG with OpenCV, because Pillow has no 16-bit colour; add profile and EXIF chunks."""
    import cv2

    order = cv2.COLOR_RGB2BGR if opacity is None else cv2.COLOR_RGBA2BGRA
    data = cv2.imencode(".png", cv2.cvtColor(_with_opacity(image, opacity), order))[1].data
    header_end = 8 + 12 + 13  # signature; length, type, CRC and data of IHDR
    file.write(data[:header_end])
    file.write(_png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(SRGB_PROFILE)))
    if exif:
        file.write(_png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    file.write(data[header_end:])


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _encode_tiff_16(file: BinaryIO, image: np.ndarray, opacity: np.ndarray | None,
                    exif: bytes | None) -> None:
    """Write TIFF 6.0 directly: Pillow has no 16-bit colour, OpenCV no profile and opacity tag."""
    samples = _with_opacity(image, opacity)
    rows, columns, channels = samples.shape
    tags = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")  # little-endian
    if exif:
        kept = Image.Exif()
        kept.load(exif)
        for tag in kept:
            tags[tag] = kept.get_ifd(tag) or kept[tag]
    for tag, value in {
            TiffImagePlugin.IMAGEWIDTH: columns, TiffImagePlugin.IMAGELENGTH: rows,
            TiffImagePlugin.BITSPERSAMPLE: (16,) * channels,
            TiffImagePlugin.COMPRESSION: 1,  # none: it would save only a tenth of 16-bit samples
            TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: 2,  # RGB
            TiffImagePlugin.STRIPOFFSETS: 0,  # save() adds the end of the directory
            TiffImagePlugin.SAMPLESPERPIXEL: channels, TiffImagePlugin.ROWSPERSTRIP: rows,
            TiffImagePlugin.STRIPBYTECOUNTS: samples.nbytes,
            TiffImagePlugin.ICCPROFILE: SRGB_PROFILE}.items():
        tags[tag] = value
    if channels == 4:
        tags[TiffImagePlugin.EXTRASAMPLES] = 2  # unassociated alpha: colours not premultiplied
    tags.save(file)
    file.write(np.ascontiguousarray(samples, "<u2").data)
