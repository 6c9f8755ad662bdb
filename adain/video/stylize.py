"""Stylize video files frame by frame, without flicker; the sound is copied.

    stylizer = Stylizer("compact")
    stylize_video(stylizer, "clip.mp4", "painted.mp4", stylizer.encode_style("mosaic.jpg"))

`clips` describes times, sound, colours and sizes of the result, `steady` how flicker is removed.
Decoding, computing and encoding overlap, with a few frames in flight, so that all cores work and
memory does not grow with the duration.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from adain.errors import OptionError
from adain.files import images
from adain.networks.stats import ChannelStats
from adain.progress import StopRequest, checked
from adain.transfer.stylizer import Stylizer
from adain.video.clips import MAX_FRAME_PIXELS, Frame
from adain.video.reader import Source
from adain.video.steady import SMOOTHING, SteadyStylizer
from adain.video.writer import Sink, check_writable_format

# Maximum number of items that are decoded ahead, and that wait for the encoder.
AHEAD = 4


class Summary(NamedTuple):
    """The outcome of stylize_video()."""

    frames: int
    seconds: float  # elapsed time
    cuts: int  # cuts at which smoothing started again
    damaged: int  # damaged packets that were skipped
    left_out: tuple[str, ...]  # streams that are missing in the result
    missing_seconds: float  # missing at the end of a truncated source


def stylize_video(stylizer: Stylizer, source: str | Path, target: str | Path, style: ChannelStats,
                  alpha: float = 1.0, smoothing: float = SMOOTHING,
                  progress: Callable[[int, int | None], None] | None = None,
                  max_pixels: int = MAX_FRAME_PIXELS, stop: StopRequest | None = None) -> Summary:
    """Stylize the video `source` and write it to `target`, which is complete or absent.

    Args:
        stylizer: the networks.
        source: a file in MP4, MOV, Matroska, WebM, AVI, MPEG, ASF, FLV or Ogg.
        target: a .mp4, .m4v, .mov, .mkv or .webm file; not `source`.
        style: returned by stylizer.encode_style().
        alpha: strength of the style, 0 to 1.
        smoothing: time constant of the averages that remove flicker, in seconds; 0 stylizes every
            frame alone. See SteadyStylizer.
        progress: called with the number of finished frames and the total (None if unknown), after
            each frame and before each tile of large frames.
        max_pixels: clips with larger frames are refused.
        stop: asks the work to end early.

    Returns:
        What was written, and which streams and packets are missing in it.

    Raises:
        ImageError: a file cannot be read or written.
        OptionError: an argument is invalid, or PyAV is missing.
        Stopped: `stop` was asked to end the work; `target` is not written.
    """
    check_writable_format(target)
    if Path(target).resolve() == Path(source).resolve():
        raise OptionError(f"{target} is the source itself: name another file for the result.")
    started, frames = time.perf_counter(), 0

    def before_each(tiles: Sequence[Any]) -> Iterator[Any]:
        for tile in checked(tiles, stop):
            if progress is not None:
                progress(frames, clip.frames)
            yield tile

    steady = SteadyStylizer(stylizer, style, alpha, smoothing, before_each)
    with (Source(source, max_pixels) as clip, images.atomic(target) as beside,
          Sink(beside, clip, target) as sink,
          ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer):
        items = iter(clip)
        reading = deque(reader.submit(next, items, None) for _ in range(AHEAD))
        writing: deque[Future[None]] = deque()
        while (item := reading.popleft().result()) is not None:
            reading.append(reader.submit(next, items, None))
            if isinstance(item, Frame):
                seconds = float(item.pts * clip.time_base)
                item = item._replace(image=steady.stylize(sink.fit(item.image), seconds))
                frames += 1
                if stop is not None:
                    stop.check()
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
