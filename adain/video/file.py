"""Open a video file so that FFmpeg reads only this file, and only in one of the containers below.

FFmpeg detects the format by the content, not by the suffix, and some formats are lists of other
files or URLs, which it would open. Pictures, which FFmpeg reads as videos of one frame, are also
refused.
"""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from adain.errors import ImageError
from adain.video.clips import import_av, reason

if TYPE_CHECKING:
    from av.container import InputContainer

# FFmpeg's names of the containers of find.VIDEO_SUFFIXES.
CONTAINERS = ("mov", "matroska", "avi", "mpeg", "mpegvideo", "mpegts", "asf", "flv", "ogg")
_CHOICES = "MP4, MOV, Matroska, WebM, AVI, MPEG, ASF, FLV and Ogg"
# No other file is opened; the second line disables references inside MOV files.
_ALONE = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file",
          "enable_drefs": "0", "use_absolute_path": "0"}
_HEAD = 4096
# Decoders count this many more columns than a frame has, times the rows of the tallest frame.
_ALIGNED = 64 * 65536
# Other kinds of files that may have a video's suffix: offset of a signature, signature, kind.
_SIGNATURES = (
    (0, b"GIF8", "a GIF picture"), (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x89PNG", "a PNG picture"), (8, b"WEBP", "a WebP picture"),
    (0, b"II*\0", "a TIFF picture"), (0, b"MM\0*", "a TIFF picture"),
    *((4, b"ftyp" + brand, "an AVIF or HEIC picture")
      for brand in (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")),
    (8, b"WAVE", "sound (WAV)"), (0, b"ID3", "sound (MP3)"), (0, b"fLaC", "sound (FLAC)"),
    (0, b"#EXTM3U", "a list of other files (M3U)"),
    (0, b"ffconcat", "a list of other files (ffconcat)"),
    (0, b"[playlist]", "a list of other files (PLS)"),
    (0, b"PK\3\4", "a ZIP archive"), (0, b"%PDF", "a PDF document"))

# Encoding of titles that are not valid UTF-8: old programs mostly wrote Latin-1.
_LATIN_1 = "adain.latin_1"


def _decode_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start:error.end].decode("latin-1"), error.end


codecs.register_error(_LATIN_1, _decode_latin_1)


def decoder_options(max_pixels: int) -> dict[str, str]:
    """Return options that make decoders refuse frames of about more than max_pixels.

    The size in the container is no protection: it can differ from that of the frames.
    """
    return {"max_pixels": str(max_pixels + _ALIGNED)}


def open_clip(path: str | Path, max_pixels: int) -> InputContainer:
    """Open a video file as a PyAV container.

    Args:
        max_pixels: frames with more pixels are not decoded while the file is examined.

    Raises:
        ImageError: the file is not a supported video; the message names what it is.
    """
    av = import_av()
    head = _head(path)
    what = next((meaning for place, signature, meaning in _SIGNATURES
                 if head[place:].startswith(signature)), None)
    if what is not None:
        raise ImageError(f"{path} is not a readable video: it is {what}.")
    try:
        # The prefix "file:" keeps FFmpeg from reading a colon in the name as a protocol.
        container: InputContainer = av.open(
            f"file:{path}", options=decoder_options(max_pixels), container_options=_ALONE,
            metadata_errors=_LATIN_1)
        return container
    except (av.FFmpegError, OSError) as error:
        why = reason(error)
        if _is_text(head):
            why = "it is text"
        elif isinstance(error, av.ArgumentError):  # raised for formats outside the whitelist
            why = f"it is none of {_CHOICES}"
        raise ImageError(f"{path} is not a readable video: {why}.") from None


def _head(path: str | Path) -> bytes:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise ImageError(f"{path} is a folder, not a video.")
        if not stat.S_ISREG(mode):
            raise ImageError(f"{path} is no file; videos are read from files.")
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist.") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from None


def _is_text(head: bytes) -> bool:
    return bool(head) and not any(byte < 32 and byte not in b"\t\n\f\r\x1b" for byte in head)
