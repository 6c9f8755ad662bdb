"""Pictures that are read from where a command's user names them: a file, a pipe, standard input."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from adain.files import images
from adain.files.find import STREAM
from adain.progress import StopRequest, open_fifo, read_stream


def open_source(path: Path, max_pixels: int,
                check_size: images.CheckSize = lambda rows, columns: None,
                stop: StopRequest | None = None) -> images.Picture:
    """Read a picture file, a named pipe, or standard input where the path is find.STREAM.

    max_pixels, check_size: see images.open_picture(). stop: see read_stream().
    """
    source: Path | _Stream = path
    if str(path) == STREAM:
        source = _Stream(read_stream(sys.stdin.buffer, stop), "standard input")
    elif path.is_fifo():
        with open_fifo(path) as pipe:
            source = _Stream(read_stream(pipe, stop), str(path))
    return images.open_picture(source, max_pixels, check_size=check_size)


class _Stream(io.BytesIO):
    """What was read from a stream, with a name for errors."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name
