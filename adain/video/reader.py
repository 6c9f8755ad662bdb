"""Read video files: progressive, upright frames in sRGB, and the packets of the other streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from adain.errors import ImageError
from adain.files import images
from adain.video import hdr
from adain.video.clips import (
    BT601,
    BT601_LIKE,
    BT709,
    BT2020,
    EXACT,
    MAX_FRAME_PIXELS,
    Frame,
    Look,
    import_av,
    reason,
)
from adain.video.clock import Clock
from adain.video.deinterlace import Deinterlacer
from adain.video.file import decoder_options, open_clip
from adain.video.webm_alpha import AlphaDecoder

if TYPE_CHECKING:
    import av

MATRICES = (BT709, 4, *BT601_LIKE, 7, BT2020)  # the matrices that swscale supports
HD_ROWS = 720  # from this height on, players assume BT.709 for untagged colours
_KINDS = {"video": "further video", "data": "data stream", "attachment": "attachment"}
_UNKNOWN = "stream of unknown kind"

Item: TypeAlias = "Frame | av.Packet[Any]"  # of a Source


class Source:
    """A video to read; iterating yields its Frames and, in between, packets of the other streams.

    Packets that cannot be decoded are skipped and counted in `damaged`; `left_out` describes the
    streams that are not read. Opening raises ImageError for a file without a readable frame, and
    for frames of more than max_pixels.
    """

    def __init__(self, path: str | Path, max_pixels: int = MAX_FRAME_PIXELS) -> None:
        self.path, self.damaged = Path(path), 0
        self.container = open_clip(path, max_pixels)
        try:
            self._choose_streams()
            self._prepare_decoders(max_pixels)
            self._examine()
            self._read_first_frame(max_pixels)
        except BaseException:
            self.container.close()
            raise

    def _choose_streams(self) -> None:
        streams, cover = self.container.streams, import_av().stream.Disposition.attached_pic
        videos = [stream for stream in streams.video if not stream.disposition & cover]
        if not videos:
            raise ImageError(f"{self.path} has no video.")
        self._video = videos[0]
        self.others = [*streams.audio, *streams.subtitles]
        kinds = Counter(
            "cover picture" if stream.disposition & cover else _KINDS.get(stream.type, _UNKNOWN)
            for stream in streams if stream not in (self._video, *self.others))
        self.left_out = tuple(f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds.items())

    def _prepare_decoders(self, max_pixels: int) -> None:
        context = self._video.codec_context
        if context is None:
            raise ImageError(f"{self.path} has a video of an unknown codec.")
        pixels = context.width * context.height
        if pixels > max_pixels:
            raise ImageError(f"{self.path} is refused: its frames have {context.width} x "
                             f"{context.height} = {pixels} pixels, the limit is {max_pixels}; "
                             f"raise it with `max_pixels={pixels}`.")
        context.options = decoder_options(max_pixels)
        self._video.thread_type = "AUTO"
        self._alpha: AlphaDecoder | None = None
        if self._video.metadata.get("alpha_mode") == "1" and context.name in ("vp8", "vp9"):
            self._alpha = AlphaDecoder(context.name, context.options)

    def _examine(self) -> None:
        """Read from the headers what Sink needs."""
        if self._video.time_base is None:
            raise ImageError(f"{self.path} has a video without a time base.")
        self.time_base = self._video.time_base
        self.rate = self._video.average_rate or self._video.guessed_rate or Fraction(25)
        self.frames = self._video.frames or self._guess_frames()  # None: unknown
        # Recordings of broadcasts and camcorders start at any timestamp; here they start at 0.
        self._clock = Clock(Fraction(max(self.container.start_time or 0, 0), 1_000_000))
        # Without an index or these Matroska tags, FFmpeg only estimates the duration.
        stated = self._video.frames or "DURATION" in self._video.metadata
        self._stated_seconds = Fraction(self.container.duration or 0, 1_000_000) if stated else 0

    def _read_first_frame(self, max_pixels: int) -> None:
        """Read size, rotation and colours from the first frame."""
        self._size: tuple[int, int] | None = None
        self._pts: int | None = None
        self._items = self._decode()
        self._seen: list[Item] = []
        while self._size is None:
            item = next(self._items, None)
            if item is None:
                raise ImageError(f"{self.path} has no readable frame of at most {max_pixels} "
                                 "pixels (`max_pixels`).")
            self._seen.append(item)

    def _guess_frames(self) -> int | None:
        microseconds = self.container.duration
        return None if microseconds is None else round(microseconds * self.rate / 1_000_000)

    def __iter__(self) -> Iterator[Item]:
        """Yield each item once."""
        while self._seen:
            yield self._seen.pop(0)
        yield from self._items

    @property
    def missing_seconds(self) -> float:
        """Seconds missing at the end of a truncated file; valid after the last item."""
        missing = float(self._stated_seconds - self._clock.seconds)
        return missing if missing > max(1, self._stated_seconds / 50) else 0.0

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self.container.close()

    def _decode(self) -> Iterator[Item]:
        av, whole = import_av(), Deinterlacer()
        try:
            for packet in self.container.demux(self._video, *self.others):
                if packet.size:  # the last packet of each stream is empty
                    self._clock.move(packet)
                if packet.stream is not self._video:
                    if packet.size:
                        yield packet
                    continue
                if self._alpha is not None:
                    self.damaged += self._alpha.add(packet)
                try:
                    frames = self._video.decode(packet)
                except av.FFmpegError:
                    self.damaged += 1
                    continue
                for frame in frames:
                    yield from map(self._convert, whole.add(frame))
            yield from map(self._convert, whole.finish())
        except (av.FFmpegError, OSError) as error:
            raise ImageError(f"{self.path} cannot be read on: {reason(error)}.") from None

    def _convert(self, frame: av.VideoFrame) -> Frame:
        if frame.colorspace not in MATRICES:
            is_hdr = frame.color_trc in (hdr.PQ, hdr.HLG)
            frame.colorspace = BT2020 if is_hdr else BT709 if frame.height >= HD_ROWS else BT601
        if self._size is None:
            self._size, self._turns = (frame.width, frame.height), round(frame.rotation / 90) % 4
            self.look = self._look(frame)
        # The size can change within a clip; the result has that of the first frame.
        columns, rows = self._size
        opacity = self._opacity(frame, columns, rows)
        picture = images.fill_transparent(_colours(frame, columns, rows), opacity)
        return Frame(np.rot90(picture, self._turns), *self._time(frame),
                     None if opacity is None else np.rot90(opacity, self._turns))

    def _opacity(self, frame: av.VideoFrame, columns: int, rows: int) -> np.ndarray | None:
        if self._alpha is not None:
            opacity = self._alpha.take(frame.pts)
            opacity = None if opacity is None else images.resize(opacity, rows, columns)
        elif _has_alpha(frame):
            opacity = frame.reformat(columns, rows, "rgba").to_ndarray()[..., 3]
        else:
            return None
        return None if opacity is None or opacity.min() == 255 else opacity

    def _look(self, frame: av.VideoFrame) -> Look:
        rows, columns, shape = frame.height, frame.width, self._video.sample_aspect_ratio
        if self._turns % 2:
            rows, columns, shape = columns, rows, 1 / shape if shape else None
        colours = ((BT709,) * 3 if frame.color_trc in (hdr.PQ, hdr.HLG)
                   else (frame.colorspace, frame.color_primaries, frame.color_trc))
        return Look(rows, columns, shape, *colours, self._alpha is not None or _has_alpha(frame))

    def _time(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return pts and duration; old containers omit them, damaged ones repeat them."""
        tick = max(1, round(1 / self.rate / self.time_base))
        if self._pts is None:
            self._pts = frame.pts or 0
        else:
            self._pts = max(self._pts + tick if frame.pts is None else frame.pts, self._pts + 1)
        return self._pts, frame.duration or tick


def _colours(frame: av.VideoFrame, columns: int, rows: int) -> np.ndarray:
    """Return the pixels of a frame in sRGB, uint8 (rows, columns, 3)."""
    if frame.color_trc in (hdr.PQ, hdr.HLG):
        deep = frame.reformat(columns, rows, "rgb48le", interpolation=EXACT).to_ndarray()
        return hdr.to_standard(deep, frame.color_trc)
    return frame.reformat(columns, rows, "rgb24", interpolation=EXACT).to_ndarray()


def _has_alpha(frame: av.VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components)
