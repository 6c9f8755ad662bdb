"""Write video files: stylized frames, and all other streams copied from the source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adain.errors import ImageError, OptionError
from adain.files.writer import on_white
from adain.video.clips import BT601_625, BT601_LIKE, BT709, EXACT, Frame, Look, import_av, reason
from adain.video.reader import Item, Source

if TYPE_CHECKING:
    import av
    from av.stream import Stream
    from av.video.codeccontext import VideoCodecContext

# Container and video codec by suffix.
FORMATS = {".mp4": ("mp4", "libx264"), ".m4v": ("mp4", "libx264"), ".mov": ("mov", "libx264"),
           ".mkv": ("matroska", "libx264"), ".webm": ("webm", "libvpx-vp9")}
# Fast, with hardly visible losses.
ENCODER_OPTIONS = {"libx264": {"preset": "veryfast", "crf": "18"},
                   "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "row-mt": "1",
                                  "crf": "24", "b": "0"}}
_TRANSPARENCY = "transparency, which .webm keeps"
LIMITED = 1  # AVCOL_RANGE_MPEG
FRAME_DURATION = 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION: keeps the duration of the last frame


class Sink:
    """A video to write, with everything but the pictures copied from a source.

    `left_out` describes the streams that are missing in the result: subtitles that the container
    cannot store, and streams that the source does not read. `damaged` counts packets that no
    container accepts. Call finish() at the end; leaving the context only closes the file.

    Args:
        target: the path to name in errors, if `path` is a temporary one.

    Raises:
        OptionError: the container cannot store the sound of the source.
    """

    def __init__(self, path: str | Path, source: Source, target: str | Path | None = None) -> None:
        check_writable_format(path)
        self._target = target or path
        self._failure: ImageError | None = None
        name, codec = FORMATS[Path(path).suffix.lower()]
        self._av, self._source, self._even = import_av(), source, codec == "libx264"
        self._time_base, self.damaged = source.time_base, 0
        self._keeps_opacity = codec == "libvpx-vp9" and source.look.has_opacity
        self._strict = name not in ("matroska", "webm")  # Matroska accepts equal timestamps
        self._last: dict[int, int] = {}  # last dts of each copied stream
        # MP4 stores the offset of the start in this unit, by default milliseconds.
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

    def _describe(self, context: VideoCodecContext, look: Look) -> None:
        context.height, context.width = (
            side + side % 2 if self._even else side for side in look[:2])
        context.pix_fmt = "yuva420p" if self._keeps_opacity else "yuv420p"
        context.time_base = self._source.time_base
        context.flags |= FRAME_DURATION
        if look.pixel_shape:
            context.sample_aspect_ratio = look.pixel_shape
        context.color_range = LIMITED
        context.colorspace = look.matrix if look.matrix in (BT709, *BT601_LIKE) else BT709
        context.color_primaries, context.color_trc = look.primaries, look.transfer
        # swscale has one code for all matrices that equal BT.601.
        self._matrix = BT709 if context.colorspace == BT709 else BT601_625

    def _add_others(self, name: str) -> tuple[dict[int, Stream], tuple[str, ...]]:
        """Return the copied streams by their index in the source, and what cannot be copied."""
        copies: dict[int, Stream] = {}
        left_out = list(self._source.left_out)
        for stream in self._source.others:
            if stream.type == "audio" and not getattr(stream.codec_context, "sample_rate", 0):
                left_out.append("sound of unknown format")
                continue
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

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        try:
            self._container.close()
        except self._av.FFmpegError:
            if kind is None:
                raise

    def fit(self, image: np.ndarray) -> np.ndarray:
        """Return the picture in the size that is written; odd sizes grow, see `clips`."""
        if not self._even:
            return image
        border = ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0))
        return np.pad(image, border[:image.ndim], mode="symmetric")

    def write(self, item: Item) -> None:
        """Write an item of the source: a packet, or a Frame with a new picture in size of fit()."""
        with self._errors():
            self._container.start_encoding()  # writes the header
            if not isinstance(item, Frame):
                if item.stream.index in self._copies:
                    self._copy(item)
                return
            frame = self._frame(item.image, item.opacity).reformat(
                format=self._video.codec_context.pix_fmt, dst_colorspace=self._matrix,
                dst_color_range=LIMITED, interpolation=EXACT)
            frame.pts, frame.duration, frame.time_base = item.pts, item.duration, self._time_base
            self._container.mux(self._video.encode(frame))

    def _frame(self, image: np.ndarray, opacity: np.ndarray | None) -> av.VideoFrame:
        kind = "rgb24"
        if self._keeps_opacity:
            if opacity is None:
                opacity = np.full(image.shape[:2], 255, np.uint8)
            image, kind = np.dstack([image, opacity]), "rgba"
        elif opacity is not None:
            image = on_white(image, self.fit(opacity))
            if _TRANSPARENCY not in self.left_out:
                self.left_out += (_TRANSPARENCY,)
        frame: av.VideoFrame = self._av.VideoFrame.from_ndarray(image, format=kind)
        return frame

    def _copy(self, packet: av.Packet[Any]) -> None:
        index, av = packet.stream.index, self._av
        if packet.dts is not None:
            # Damaged and joined recordings jump back in time, which no container accepts.
            earliest = self._last[index] + self._strict if index in self._last else packet.dts
            if packet.dts < earliest:
                packet.dts = earliest
                packet.pts = None if packet.pts is None else max(packet.pts, earliest)
            self._last[index] = packet.dts
        packet.stream = self._copies[index]
        try:
            self._container.mux(packet)
        except (av.ArgumentError, av.InvalidDataError, av.PatchWelcomeError):
            self.damaged += 1

    def finish(self) -> None:
        """Flush the encoder and write the end of the container."""
        with self._errors():
            self._container.mux(self._video.encode())
            self._container.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise what FFmpeg reports as ImageError."""
        if self._failure is not None:  # FFmpeg crashes if writing the header has failed
            raise self._failure
        try:
            yield
        except self._av.FFmpegError as error:
            self._failure = ImageError(f"{self._target} cannot be written: {reason(error)}.")
            raise self._failure from None


def check_writable_format(path: str | Path) -> None:
    """Raise OptionError unless the suffix is that of a writable container."""
    if Path(path).suffix.lower() not in FORMATS:
        raise OptionError(f"{path}: cannot write '{Path(path).suffix}' videos; "
                          f"use one of {' '.join(FORMATS)}.")
