"""Video files <-> uint8 RGB frames with their times, through PyAV (extra "video").

What holds for a file that clip_sink.Sink writes from a clip_source.Source:

* Times: every frame keeps its own, in the source's unit, whether or not the rate is constant; the
  clock starts at 0. Matroska and WebM count milliseconds.
* Sound and subtitles are copied packet for packet. Sound that the container cannot hold is an
  error; subtitles are left out, and named; so are further videos, data and attachments.
* Colours: RGB is computed with the matrix and range that the source states; where it states none,
  with those that players assume (BT.709 from 720 rows on, else BT.601; limited range). The result
  has limited range and BT.709 or BT.601, and says so. High dynamic range becomes standard (`hdr`).
* WebM keeps transparency, as VP9; in the others the result is laid on white, and that is said.
* Interlaced frames become whole ones, as many as there were.
* Turned clips of phones come out upright. Pixels that are not square keep their shape.
* Odd sizes: H.264 has even ones only, as long as chroma is subsampled, and few players take other.
  So a row or column is added, the mirror image of its neighbour, and nothing of the clip is lost.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from adain.errors import OptionError

# Codes of ITU-T H.273, as FFmpeg uses them.
BT709, BT601_625, BT601, BT2020 = 1, 5, 6, 9
BT601_LIKE = (BT601_625, BT601)
# swscale: cubic (4) with full chroma (0x2000) and exact rounding (0x40000), at most 1 level off;
# its default is off by up to 3.
EXACT = 0x42004
# 8K of cinemas, the largest format in use. Larger frames are refused unless that is asked for: a
# clip of some kB can hold one of 16000 x 16000. (8192 x 8192 take 4.5 GB while they are stylised.)
MAX_FRAME_PIXELS = 8192 * 4320


class Frame(NamedTuple):
    """A decoded frame, upright; times are in the source's unit."""

    image: np.ndarray  # uint8 RGB (rows, columns, 3)
    pts: int
    duration: int
    opacity: np.ndarray | None = None  # uint8 (rows, columns); None when all is opaque


class Look(NamedTuple):
    """How a video's frames are shown; colours are codes of ITU-T H.273."""

    rows: int
    columns: int
    pixel_shape: Fraction | None  # width by height, of one pixel
    matrix: int
    primaries: int
    transfer: int
    has_opacity: bool = False


def import_av():
    """Return PyAV, quiet, or raise OptionError."""
    try:
        import av
        import av.logging
    except ModuleNotFoundError:
        raise OptionError("videos need PyAV: pip install -e '.[video]'") from None
    av.logging.set_level(None)  # what goes wrong is said by our own errors
    return av


def reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
