"""What long runs share: a request to stop, and the time left in words."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO, TypeVar

from adain.errors import ImageError

Step = TypeVar("Step")
LARGEST_STREAM = 2_000_000_000  # bytes from a pipe, which has no size to look at before


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds as hh:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


class Stopped(BaseException):
    """Work ended early because a StopRequest asked for it; as KeyboardInterrupt, it is no error."""


class StopRequest:
    """Asks long work to end early, from any thread; the work checks it between two steps.

    Attributes:
        reason: why, for example the name of a signal; None until ask() is called.
    """

    def __init__(self) -> None:
        self.reason: str | None = None

    def ask(self, reason: str) -> None:
        """Ask the work to end."""
        self.reason = reason

    def check(self) -> None:
        """Raise Stopped if the work should end."""
        if self.reason is not None:
            raise Stopped(self.reason)


@contextmanager
def stop_on_signals(stop: StopRequest | None = None) -> Iterator[StopRequest]:
    """Give `stop`, or where it is None a new one that SIGINT, SIGTERM and SIGHUP ask.

    A second signal ends the program. SIGHUP tells that the terminal is gone; where it is ignored,
    under nohup, it stays ignored. Only the main thread receives signals: elsewhere there are none.
    """
    if stop is not None:
        yield stop
        return
    stop = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.ask(signal.Signals(number).name)
        signal.signal(number, signal.default_int_handler)

    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handle) for number in (_stop_signals() if main else ())}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_signals() -> list[signal.Signals]:
    found = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        found.append(hangup)
    return found


def checked(steps: Iterable[Step], stop: StopRequest | None) -> Iterator[Step]:
    """Yield the steps; raise Stopped before one if `stop` asks for it.

    Only between steps: raised anywhere, as by a signal, it could leave a thread pool's lock closed
    for good, or be lost inside of a library.
    """
    for step in steps:
        if stop is not None:
            stop.check()
        yield step


def read_stream(stream: BinaryIO, stop: StopRequest | None = None) -> bytes:
    """Return all that comes from a pipe; raise Stopped if `stop` asks for it meanwhile.

    A plain read() goes on after a signal, for as long as nothing comes. ImageError past the limit.
    """
    descriptor, parts = stream.fileno(), []
    while True:
        if stop is not None:
            stop.check()
        # On Windows, where this is for sockets only, Ctrl-C waits for the next bytes.
        if os.name == "posix" and not select.select([descriptor], [], [], 0.1)[0]:
            continue
        parts.append(os.read(descriptor, 1 << 20))
        if not parts[-1]:
            return b"".join(parts)
        if len(parts) * len(parts[0]) > LARGEST_STREAM and sum(map(len, parts)) > LARGEST_STREAM:
            raise ImageError(f"{stream.name} gives more than {LARGEST_STREAM} bytes.")


def open_fifo(path: Path) -> BinaryIO:
    """Open a named pipe for read_stream(), without waiting until something writes to it."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
