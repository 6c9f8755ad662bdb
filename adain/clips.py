"""Video files <-> uint8 RGB frames with their times, through PyAV (extra "video").

What holds for a file that Sink writes from a Source:

* Times: every frame keeps its own, in the source's unit, whether or not the rate is constant; the
  clock starts at 0. Matroska and WebM count milliseconds.
* Sound and subtitles are copied packet for packet. Sound that the container cannot hold is an
  error; subtitles are left out, and named.
* Colours: RGB is computed with the matrix and range that the source states; where it states none,
  with those that players assume (BT.709 from 720 rows on, else BT.601; limited range). The result
  has limited range and BT.709 or BT.601, and says so. High dynamic range is not converted: such
  clips come out flat.
* Turned clips of phones come out upright. Pixels that are not square keep their shape.
* Odd sizes: H.264 has even ones only, as long as chroma is subsampled, and few players take other.
  So a row or column is added, the mirror image of its neighbour, and nothing of the clip is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adain.errors import ImageError, OptionError

# Container and video codec by ending.
FORMATS = {".mp4": ("mp4", "libx264"), ".m4v": ("mp4", "libx264"), ".mov": ("mov", "libx264"),
           ".mkv": ("matroska", "libx264"), ".webm": ("webm", "libvpx-vp9")}
# Fast, and hard to tell from the frames that go in.
ENCODER_OPTIONS = {"libx264": {"preset": "veryfast", "crf": "18"},
                   "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "row-mt": "1",
                                  "crf": "24", "b": "0"}}

# Codes of ITU-T H.273, as FFmpeg uses them.
BT709, BT601_625, BT601 = 1, 5, 6
BT601_LIKE = (BT601_625, BT601)
MATRICES = (BT709, 4, *BT601_LIKE, 7, 9)  # those that swscale computes with
LIMITED = 1
HD_ROWS = 720  # from here on, players take unnamed colours for BT.709
HDR_TRANSFERS = (16, 18)  # PQ, HLG
# swscale: cubic (4) with full chroma (0x2000) and exact rounding (0x40000), at most 1 level off;
# its default is off by up to 3.
EXACT = 0x42004
FRAME_DURATION = 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION: the last frame is shown as long as it was


class Frame(NamedTuple):
    """A decoded frame, upright; times are in the source's unit."""

    image: np.ndarray  # uint8 RGB (rows, columns, 3)
    pts: int
    duration: int


class Look(NamedTuple):
    """How a video's frames are shown; colours are codes of ITU-T H.273."""

    rows: int
    columns: int
    pixel_shape: Fraction | None  # width by height, of one pixel
    matrix: int
    primaries: int
    transfer: int


class Source:
    """A video being read: iterating gives Frames, and the packets of the other streams between.

    Raises ImageError for a file without a readable frame, as soon as it is opened. Packets that
    cannot be decoded are skipped, and counted in `damaged`.
    """

    def __init__(self, path: str | Path) -> None:
        av = import_av()
        self.path, self.damaged = Path(path), 0
        if not self.path.is_file():
            raise ImageError(f"{path} is a folder, not a video." if self.path.is_dir()
                             else f"{path} does not exist.")
        try:
            self.container = av.open(f"file:{path}")  # a colon in a name is no protocol
        except (av.FFmpegError, OSError) as error:
            raise ImageError(f"{path} is not a readable video: {_reason(error)}.") from None
        try:
            self._examine(av.stream.Disposition.attached_pic)
        except BaseException:
            self.container.close()
            raise

    def _examine(self, cover) -> None:
        """Find out what Sink has to know; size, turn and colours take the first frame."""
        streams = self.container.streams
        self._video = next((stream for stream in streams.video if not stream.disposition & cover),
                           None)
        if self._video is None:
            raise ImageError(f"{self.path} has no video.")
        self._video.thread_type = "AUTO"
        self.others = [*streams.audio, *streams.subtitles]
        self.time_base = self._video.time_base
        self.rate = self._video.average_rate or self._video.guessed_rate or Fraction(25)
        self.frames = self._video.frames or self._guess_frames()  # None: not known

        # Recordings of broadcasts and camcorders start at any time of their clock: here at 0.
        self._start = Fraction(max(self.container.start_time or 0, 0), 1_000_000)

        self._size: tuple[int, int] | None = None
        self._pts: int | None = None
        self._items, self._seen = self._decode(), []
        while self._size is None:
            item = next(self._items, None)
            if item is None:
                raise ImageError(f"{self.path} has no readable frame.")
            self._seen.append(item)

    def _guess_frames(self) -> int | None:
        microseconds = self.container.duration
        return None if microseconds is None else round(microseconds * self.rate / 1_000_000)

    def __iter__(self) -> Iterator:
        """Give each item once."""
        while self._seen:
            yield self._seen.pop(0)
        yield from self._items

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception) -> None:
        self.container.close()

    def _decode(self) -> Iterator:
        av = import_av()
        try:
            for packet in self.container.demux(self._video, *self.others):
                if packet.stream is not self._video:
                    if packet.size:  # the last of each stream is empty
                        yield self._from_start(packet)
                    continue
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    self.damaged += 1
                    continue
                for frame in frames:
                    yield self._convert(self._from_start(frame))
        except (av.FFmpegError, OSError) as error:
            raise ImageError(f"{self.path} cannot be read on: {_reason(error)}.") from None

    def _from_start(self, item):
        """Move a packet or frame to the time since the start."""
        shift = round(self._start / item.time_base)
        if item.pts is not None:
            item.pts -= shift
        if item.dts is not None:
            item.dts -= shift
        return item

    def _convert(self, frame) -> Frame:
        if frame.colorspace not in MATRICES:
            frame.colorspace = BT709 if frame.height >= HD_ROWS else BT601
        if self._size is None:
            self._size, self._turns = (frame.width, frame.height), round(frame.rotation / 90) % 4
            self.look = self._look(frame)
        # A clip can change its size on the way; the result keeps that of the first frame.
        picture = frame.reformat(*self._size, "rgb24", interpolation=EXACT).to_ndarray()
        return Frame(np.rot90(picture, self._turns), *self._time(frame))

    def _look(self, frame) -> Look:
        size, shape = (frame.height, frame.width), self._video.sample_aspect_ratio
        if self._turns % 2:
            size, shape = size[::-1], 1 / shape if shape else None
        return Look(*size, shape, frame.colorspace, frame.color_primaries, frame.color_trc)

    def _time(self, frame) -> tuple[int, int]:
        """Return when and how long; old containers leave times out, broken ones repeat them."""
        tick = max(1, round(1 / self.rate / self.time_base))
        if self._pts is None:
            self._pts = frame.pts or 0
        else:
            self._pts = max(self._pts + tick if frame.pts is None else frame.pts, self._pts + 1)
        return self._pts, frame.duration or tick


class Sink:
    """A video being written, with everything but the pictures taken from a source.

    Raises OptionError for a container that cannot hold the source's sound; `left_out` names the
    subtitles that it cannot hold. Call finish() at the end; leaving the context just closes.
    """

    def __init__(self, path: str | Path, source: Source) -> None:
        check_writable_format(path)
        name, codec = FORMATS[Path(path).suffix.lower()]
        self._av, self._source, self._even = import_av(), source, codec == "libx264"
        self._time_base = source.time_base
        # MP4 stores a late start in this unit, by default milliseconds; others do not know it.
        unit = {"movie_timescale": str(source.time_base.denominator)}
        self._container = self._av.open(f"file:{path}", "w", format=name, container_options=unit)
        try:
            self._video = self._container.add_stream(codec, source.rate,
                                                     options=dict(ENCODER_OPTIONS[codec]))
            self._describe(self._video.codec_context, source.look)
            self._copies, self.left_out = self._add_others(name)
            self._container.metadata.update(source.container.metadata)
            self._container.set_chapters(source.container.chapters())
        except BaseException:
            self._container.close()
            raise

    def _describe(self, context, look: Look) -> None:
        context.height, context.width = (
            side + side % 2 if self._even else side for side in look[:2])
        context.pix_fmt = "yuv420p"
        context.time_base = self._source.time_base
        context.flags |= FRAME_DURATION
        if look.pixel_shape:
            context.sample_aspect_ratio = look.pixel_shape
        context.color_range = LIMITED
        context.colorspace = look.matrix if look.matrix in (BT709, *BT601_LIKE) else BT709
        hdr = look.transfer in HDR_TRANSFERS
        context.color_primaries = BT709 if hdr else look.primaries
        context.color_trc = BT709 if hdr else look.transfer
        # swscale has one code for all that compute as BT.601 does.
        self._matrix = BT709 if context.colorspace == BT709 else BT601_625

    def _add_others(self, name: str):
        copies, left_out = {}, []
        for stream in self._source.others:
            try:
                copy = self._container.add_stream_from_template(stream)
            except ValueError:
                codec = stream.codec_context.name if stream.codec_context else "unknown"
                if stream.type == "audio":
                    raise OptionError(f"{name} cannot hold the {codec} sound of "
                                      f"{self._source.path} as it is; write .mkv.") from None
                left_out.append(f"{codec} subtitles")
                continue
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition.value  # a number for PyAV 17
            copies[stream.index] = copy
        return copies, tuple(left_out)

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind, *exception) -> None:
        try:
            self._container.close()
        except self._av.FFmpegError:
            if kind is None:
                raise

    def fit(self, image: np.ndarray) -> np.ndarray:
        """Return the picture in the size that is written, see the head of this file."""
        if not self._even:
            return image
        border = ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0))
        return np.pad(image, border, mode="symmetric")

    def write(self, item) -> None:
        """Write what iterating over the source gave, a Frame with another picture of size fit()."""
        with self._errors():
            if not isinstance(item, Frame):
                if item.stream.index in self._copies:
                    item.stream = self._copies[item.stream.index]
                    self._container.mux(item)
                return
            frame = self._av.VideoFrame.from_ndarray(item.image, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=self._matrix,
                                   dst_color_range=LIMITED, interpolation=EXACT)
            frame.pts, frame.duration, frame.time_base = item.pts, item.duration, self._time_base
            self._container.mux(self._video.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds, and the container's end."""
        with self._errors():
            self._container.mux(self._video.encode())
            self._container.close()

    @contextmanager
    def _errors(self):
        try:
            yield
        except self._av.FFmpegError as error:
            raise ImageError(f"the result of {self._source.path} cannot be written: "
                             f"{_reason(error)}.") from None


def check_writable_format(path: str | Path) -> None:
    """Raise OptionError unless the ending names a container that can be written."""
    if Path(path).suffix.lower() not in FORMATS:
        raise OptionError(f"{path}: cannot write '{Path(path).suffix}' videos; "
                          f"use one of {' '.join(FORMATS)}.")


def import_av():
    """Return PyAV, quiet, or raise OptionError."""
    try:
        import av
        import av.logging
    except ModuleNotFoundError:
        raise OptionError("videos need PyAV: pip install -e '.[video]'") from None
    av.logging.set_level(None)  # what goes wrong is said by our own errors
    return av


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
