"""The picture formats that can be read, detected by a file's first bytes.

Pillow's format classes are used directly instead of Image.open(), which warns above 89 megapixels
and refuses above 179, with a limit that all threads share, and tries fifty formats, some of which
start other programs.
"""

from __future__ import annotations

import ctypes
import functools
import math
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from typing import IO, Any, BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# In Pillow from 11.3 on, if it was built with libavif. Importing the module would take 0.01 s.
HAS_AVIF = find_spec("PIL._avif") is not None
# Suffixes of formats that cannot be read here, with the command that installs a reader.
INSTALL = {".avif": "pip install 'pillow>=11.3'"} if not HAS_AVIF else {}
if find_spec("pillow_heif") is None:
    INSTALL |= dict.fromkeys((".heic", ".heif", ".hif"), "pip install pillow-heif")
READ_SUFFIXES = tuple(suffix for suffix in (
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic",
    ".heif", ".hif") if suffix not in INSTALL)
_CHOICES = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF and HEIC"

_LARGE_CANVAS = 16_000_000  # pixels


def open_image(file: BinaryIO) -> Image.Image:
    """Return an image with only the header decoded; raise ValueError for unknown formats."""
    start = file.read(256)
    file.seek(0)
    return _reader(start)(file)


def _reader(start: bytes) -> Callable[[BinaryIO], Image.Image]:
    if not start:
        raise ValueError("it is empty")
    for signature, reader in _READERS:
        if start.startswith(signature):
            return reader
    if start.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        raise ValueError("JPEG XL is not read; save it as PNG")
    if start[4:8] == b"ftyp":  # a box: size, type, major brand, version, compatible brands
        box = start[:int.from_bytes(start[:4], "big")]
        brands = {box[8:12], *(box[place:place + 4] for place in range(16, len(box), 4))}
        if brands & {b"avif", b"avis"}:
            return _avif
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return _heif
    raise ValueError(f"unknown format; {_CHOICES} are read")


def _avif(file: BinaryIO) -> Image.Image:
    if not HAS_AVIF:
        raise ValueError("this Pillow reads no AVIF: pip install 'pillow>=11.3'")
    from PIL import AvifImagePlugin

    return AvifImagePlugin.AvifImageFile(file)


def _heif(file: BinaryIO) -> Image.Image:
    try:
        import pillow_heif
    except ModuleNotFoundError:
        raise ValueError("HEIC needs pillow-heif: pip install pillow-heif") from None
    image: Image.Image = pillow_heif.HeifImageFile(file)
    return image


class _GifImageFile(GifImagePlugin.GifImageFile):
    """Refuses a GIF whose canvas is nearly empty: 42 bytes could unpack to gigabytes."""

    def load_prepare(self) -> None:
        left, top, right, bottom = self.tile[0][1] or (0, 0, 0, 0)
        if math.prod(self.size) > max(_LARGE_CANVAS, 10 * (right - left) * (bottom - top)):
            raise ValueError(f"its canvas of {self.width} x {self.height} pixels holds a picture "
                             f"of {right - left} x {bottom - top}")
        super().load_prepare()


class _PngImageFile(PngImagePlugin.PngImageFile):
    """Refuses a PNG whose data end early; Pillow leaves the missing rows black."""

    def load(self) -> Any:
        file, unread = self.fp, bool(self.tile)
        pixels = super().load()
        if unread:
            last = self.im.getpixel((self.width - 1, self.height - 1))
            suspect = not any(last) if isinstance(last, tuple) else not last
            if (suspect or self.info.get("interlace")) and file and _ends_early(file):
                raise ValueError("its data end early")
        return pixels


def _ends_early(file: IO[bytes]) -> bool:
    """Return whether a PNG has fewer bytes of pixels than its header declares."""
    file.seek(16)
    columns, rows, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", file.read(13))
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    # First column, first row, column step and row step of each interlace pass.
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)) if interlace else ((0, 0, 1, 1),)
    missing = 0
    for left, top, across, down in passes:
        width, height = -((left - columns) // across), -((top - rows) // down)
        if width > 0 and height > 0:
            missing += height * (1 + (width * bits + 7) // 8)  # one byte per row for its filter
    inflate = zlib.decompressobj()
    file.seek(8)
    while missing > 0 and len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        end = file.tell() + length + 4
        while name == b"IDAT" and length > 0 and missing > 0:
            data = file.read(min(length, 16384))
            if not data:
                return True
            length -= len(data)
            missing -= len(inflate.decompress(data))
        file.seek(end)
    return missing > 0


class _TiffImageFile(TiffImagePlugin.TiffImageFile):
    def _setup(self) -> None:
        super()._setup()
        planar = self.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
        bits = self.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        if planar and max(bits) > 8:  # Pillow reads noise
            raise ValueError("samples of 16 bits in separate planes are not supported; "
                             "save it as PNG")
        if self.tile and self.tile[0][0] == "libtiff":
            _silence_libtiff()
            return
        # Pillow leaves areas black that no strip or tile covers.
        parts = Counter(tuple(tile[1] or (0, 0, 0, 0)) for tile in self.tile)
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in parts)
        if (area != math.prod(getattr(self, "_tile_size", self.size))
                or planar and min(parts.values()) < len(bits)):
            raise ValueError("its data end early")

    def load_prepare(self) -> None:
        # Pillow checks its pixel limit here, unless the memory is already allocated.
        size = getattr(self, "_tile_size", self.size)
        self.im = Image.core.new(self.mode, size)  # type: ignore[attr-defined]
        super().load_prepare()


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff from printing errors on stderr; Pillow raises them anyway."""
    try:
        ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)  # type: ignore[attr-defined]
    except (AttributeError, OSError):  # libtiff is linked statically and cannot be reached
        return


_READERS: tuple[tuple[bytes, Callable[[BinaryIO], Image.Image]], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", _PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"II*\0", _TiffImageFile),
    (b"MM\0*", _TiffImageFile),
    (b"II+\0", _TiffImageFile),  # BigTIFF
    (b"MM\0+", _TiffImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"GIF8", _GifImageFile),
)
