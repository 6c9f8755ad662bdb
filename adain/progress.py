"""What long runs share: the time left in words, and a stop signal that lets a step finish."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import BinaryIO, ClassVar

from adain.errors import ImageError

LARGEST_STREAM = 2_000_000_000  # bytes from a pipe, which has no size to look at before


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds as hh:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


class StopRequest:
    """Inside of `with`, SIGINT, SIGTERM and SIGHUP only set `name`; a second ends the program.

    SIGHUP tells that the terminal is gone; where it is ignored, under nohup, it stays ignored.
    Only the main thread receives signals: in another one nothing happens. Where one is inside of
    another, a signal stops both.
    then: called with that name, for code that waits for a callback instead of asking. It must not
    print: it could meet a print that the signal interrupted.
    """

    _active: ClassVar[list[StopRequest]] = []  # innermost last

    def __init__(self, then: Callable[[str], None] = lambda name: None) -> None:
        self.name: str | None = None
        self._then = then

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._stop(signal.Signals(number).name)
        signal.signal(number, signal.default_int_handler)

    def _stop(self, name: str) -> None:
        self.name = name
        self._then(name)

    def __enter__(self) -> StopRequest:
        main = threading.current_thread() is threading.main_thread()
        self._before = {number: signal.signal(number, self._handle)
                        for number in (_stop_signals() if main else ())}
        if main:
            if self._active and (name := self._active[-1].name):  # before this work began
                self._stop(name)
            self._active.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self in self._active:
            self._active.remove(self)
            if self.name and self._active:  # the work around this one stops, too
                self._active[-1]._stop(self.name)

    @classmethod
    def came(cls) -> bool:
        """Tell whether the signal came that the main thread waits for, if it waits for one."""
        return bool(cls._active and cls._active[-1].name)


def _stop_signals() -> list[signal.Signals]:
    found = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        found.append(hangup)
    return found


def read_stream(stream: BinaryIO) -> bytes:
    """Return all that comes from a pipe; KeyboardInterrupt when a StopRequest comes meanwhile.

    A plain read() goes on after a signal, for as long as nothing comes. ImageError past the limit.
    """
    descriptor, parts = stream.fileno(), []
    while not StopRequest.came():
        # On Windows, where this is for sockets only, Ctrl-C waits for the next bytes.
        if os.name == "posix" and not select.select([descriptor], [], [], 0.1)[0]:
            continue
        parts.append(os.read(descriptor, 1 << 20))
        if not parts[-1]:
            return b"".join(parts)
        if len(parts) * len(parts[0]) > LARGEST_STREAM and sum(map(len, parts)) > LARGEST_STREAM:
            raise ImageError(f"{stream.name} gives more than {LARGEST_STREAM} bytes.")
    raise KeyboardInterrupt


def open_fifo(path: Path) -> BinaryIO:
    """Open a named pipe for read_stream(), without waiting until something writes to it."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
