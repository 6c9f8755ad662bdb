"""Conventions for video files, which are read and written with PyAV (extra "video").

A file that writer.Sink writes from a reader.Source has these properties:

* Times: every frame keeps its presentation time, in the source's unit, at constant and variable
  frame rates; the clock starts at 0. Matroska and WebM use milliseconds.
* Sound and subtitles are copied packet by packet. Sound that the container cannot store is an
  error. Subtitles that it cannot store, further videos, data and attachments are reported and
  omitted.
* Colours: RGB is computed with the matrix and range tagged in the source; without tags, with those
  that players assume (BT.709 from 720 rows on, else BT.601; limited range). The result has limited
  range and BT.709 or BT.601, and is tagged. High dynamic range becomes standard range (`hdr`).
* WebM keeps transparency, as VP9; in other containers the background becomes white, and a warning
  is reported.
* Interlaced frames are deinterlaced to the same number of frames.
* Rotated clips of phones become upright. The pixel aspect ratio is kept.
* Odd sizes: H.264 with subsampled chroma has even sizes only, and few players support anything
  else. So an odd size gains a mirrored row or column.
"""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType
from typing import NamedTuple

import numpy as np

from adain.errors import OptionError

# Codes of ITU-T H.273, as FFmpeg uses them.
BT709, BT601_625, BT601, BT2020 = 1, 5, 6, 9
BT601_LIKE = (BT601_625, BT601)
# Flags of swscale: cubic (4), full chroma (0x2000), exact rounding (0x40000): errors of at most 1
# level. Its default has errors of up to 3.
EXACT = 0x42004
# Cinema 8K, the largest format in use. Larger frames are refused by default, because a clip of a
# few kB can contain one of 16000 x 16000. (Stylizing a frame of 8192 x 8192 takes 4.5 GB.)
MAX_FRAME_PIXELS = 8192 * 4320


class Frame(NamedTuple):
    """A decoded, upright frame; pts and duration are in the source's time base."""

    image: np.ndarray  # uint8 RGB (rows, columns, 3)
    pts: int
    duration: int
    opacity: np.ndarray | None = None  # uint8 (rows, columns); None if the frame is opaque


class Look(NamedTuple):
    """Size, pixel aspect ratio and colour codes (ITU-T H.273) of a video's frames."""

    rows: int
    columns: int
    pixel_shape: Fraction | None  # aspect ratio of a pixel, width / height
    matrix: int
    primaries: int
    transfer: int
    has_opacity: bool = False


def import_av() -> ModuleType:
    """Import PyAV and turn off its log; raise OptionError if it is not installed."""
    try:
        import av
        import av.logging
    except ModuleNotFoundError:
        raise OptionError("videos need PyAV: pip install -e '.[video]'") from None
    av.logging.set_level(None)  # errors are reported by adain.errors
    return av


def reason(error: Exception) -> str:
    """Return the message of an error of FFmpeg or of the system, without codes."""
    return getattr(error, "strerror", None) or str(error)
