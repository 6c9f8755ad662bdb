"""Deinterlace video frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from adain.video.clips import import_av

if TYPE_CHECKING:
    import av
    from av.filter import Graph


class Deinterlacer:
    """Returns one progressive frame for each frame, in order.

    FFmpeg's bwdif filter interpolates the rows of a frame's second field from its first field and
    the fields before and after. Frames that are not marked as interlaced do not change. The filter
    starts at the first interlaced frame; from then on frames are delayed by one.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._format: tuple[int, int, str] | None = None

    def add(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Add an av.VideoFrame; yield the frames that are ready."""
        if self._graph is None and not frame.interlaced_frame:
            yield frame
            return
        if self._graph is None or self._format != _format(frame):
            yield from self.finish()
            self._graph, self._format, self._unit = _bwdif(frame), _format(frame), cast(
                Fraction, frame.time_base)  # decoded frames have one
        self._graph.push(frame)
        yield from self._ready(self._graph)

    def finish(self) -> Iterator[av.VideoFrame]:
        """Yield the remaining frames."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready(self._graph)
        self._graph = self._format = None

    def _ready(self, graph: Graph) -> Iterator[av.VideoFrame]:
        """Yield the frames that the filter has finished."""
        av = import_av()
        while True:
            try:
                frame = graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            # The filter's time base is halved, because it can return one frame per field.
            halves = round(self._unit / cast(Fraction, frame.time_base))
            if frame.pts is not None:
                frame.pts //= halves
            frame.duration //= halves
            frame.time_base = self._unit
            yield frame


def _format(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _bwdif(frame: av.VideoFrame) -> Graph:
    """Return the filter for frames like this one."""
    graph: Graph = import_av().filter.Graph()
    graph.link_nodes(
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format,
                         time_base=frame.time_base),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink")).configure()
    return graph
