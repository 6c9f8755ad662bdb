"""Deinterlace video frames."""

from __future__ import annotations

from collections.abc import Iterator

from adain.video.clips import import_av


class Deinterlacer:
    """Returns one progressive frame for each frame, in order.

    FFmpeg's bwdif filter interpolates the rows of a frame's second field from its first field and
    the fields before and after. Frames that are not marked as interlaced do not change. The filter
    starts at the first interlaced frame; from then on frames are delayed by one.
    """

    def __init__(self) -> None:
        self._graph = self._format = None

    def add(self, frame) -> Iterator:
        """Add an av.VideoFrame; yield the frames that are ready."""
        if self._graph is None and not frame.interlaced_frame:
            yield frame
            return
        if (frame.width, frame.height, frame.format.name) != self._format:
            yield from self.finish()
            self._start(frame)
        self._graph.push(frame)
        yield from self._ready()

    def finish(self) -> Iterator:
        """Yield the remaining frames."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready()
        self._graph = self._format = None

    def _start(self, frame) -> None:
        av = import_av()
        self._format, self._unit = (frame.width, frame.height, frame.format.name), frame.time_base
        self._graph = av.filter.Graph()
        self._graph.link_nodes(
            self._graph.add_buffer(width=frame.width, height=frame.height, format=frame.format,
                                   time_base=frame.time_base),
            self._graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            self._graph.add("buffersink")).configure()

    def _ready(self) -> Iterator:
        av = import_av()
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            # The filter's time base is halved, because it can return one frame per field.
            halves = round(self._unit / frame.time_base)
            if frame.pts is not None:
                frame.pts //= halves
            frame.duration //= halves
            frame.time_base = self._unit
            yield frame
