"""Stylise video files: frame by frame, steadily, with the sound as it was.

    stylizer = Stylizer("compact")
    stylize_file(stylizer, "clip.mp4", "painted.mp4", stylizer.encode_style("mosaic.jpg"))

`clips` says what becomes of times, sound, colours and sizes, `steady` why nothing flickers.
Decoding, computing and encoding overlap, with a few frames in flight, so that all cores work and
memory does not grow with the length.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from adain.errors import OptionError
from adain.files import images
from adain.networks.stats import ChannelStats
from adain.transfer.stylizer import Stylizer
from adain.video.clips import MAX_FRAME_PIXELS, Frame
from adain.video.reader import Source
from adain.video.steady import SMOOTHING, SteadyStylizer
from adain.video.writer import Sink, check_writable_format

# Items that are decoded ahead, and that wait for the encoder.
AHEAD = 4


class Summary(NamedTuple):
    """What stylize_file() did."""

    frames: int
    seconds: float  # that it took
    cuts: int  # at which smoothing started again
    damaged: int  # packets that could not be used and were skipped
    left_out: tuple[str, ...]  # streams that the result lacks
    missing_seconds: float  # at the end of a file that was cut


def stylize_file(stylizer: Stylizer, source: str | Path, target: str | Path, style: ChannelStats,
                 alpha: float = 1.0, smoothing: float = SMOOTHING,
                 progress: Callable[[int, int | None], None] | None = None,
                 max_pixels: int = MAX_FRAME_PIXELS) -> Summary:
    """Write the video `source` in the style to `target`, which appears whole or not at all.

    style: what stylizer.encode_style() returned; alpha and smoothing: see SteadyStylizer.
    progress: called with the number of frames done and, where it is known, that of all: after each
        frame, and before each tile of large ones. What it raises ends the clip.
    max_pixels: a clip whose frames have more is refused.
    Raises ImageError for a file that cannot be read or written, OptionError for the rest.
    """
    check_writable_format(target)
    if Path(target).resolve() == Path(source).resolve():
        raise OptionError(f"{target} is the clip itself; name another file for the result.")
    started, frames = time.perf_counter(), 0

    def before_each(tiles: Sequence) -> Iterator:
        for tile in tiles:
            if progress is not None:
                progress(frames, clip.frames)
            yield tile

    steady = SteadyStylizer(stylizer, style, alpha, smoothing, before_each)
    with (Source(source, max_pixels) as clip, images.atomic(target) as beside,
          Sink(beside, clip, target) as sink,
          ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer):
        items = iter(clip)
        reading = deque(reader.submit(next, items, None) for _ in range(AHEAD))
        writing = deque()
        while (item := reading.popleft().result()) is not None:
            reading.append(reader.submit(next, items, None))
            if isinstance(item, Frame):
                seconds = float(item.pts * clip.time_base)
                item = item._replace(image=steady.stylize(sink.fit(item.image), seconds))
                frames += 1
                if progress is not None:
                    progress(frames, clip.frames)
            writing.append(writer.submit(sink.write, item))
            if len(writing) > AHEAD:
                writing.popleft().result()
        while writing:
            writing.popleft().result()
        writer.submit(sink.finish).result()
    return Summary(frames, time.perf_counter() - started, steady.cuts, clip.damaged + sink.damaged,
                   sink.left_out, clip.missing_seconds)
