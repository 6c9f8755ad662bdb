"""What long runs share: requests to stop, reading of pipes, and durations as texts."""

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
    """Work ended early because a StopRequest asked for it; like KeyboardInterrupt, not an error."""


class StopRequest:
    """Asks long work to end early, from any thread; the work checks it between its steps.

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
    """Yield `stop`; or, if it is None, a new StopRequest that SIGINT, SIGTERM and SIGHUP set.

    A second signal ends the program. SIGHUP means that the terminal was closed; if it is ignored,
    as under nohup, it stays ignored. In other threads than the main one signals are not handled.
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
    signals = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        signals.append(hangup)
    return signals


def checked(steps: Iterable[Step], stop: StopRequest | None) -> Iterator[Step]:
    """Yield the steps; raise Stopped before a step if `stop` asks for it.

    An exception raised at any place, as by a signal handler, could leave the lock of a thread pool
    locked, or be lost inside of a library.
    """
    for step in steps:
        if stop is not None:
            stop.check()
        yield step


def read_stream(stream: BinaryIO, stop: StopRequest | None = None) -> bytes:
    """Return all bytes of a pipe; raise Stopped if `stop` asks for it, also while waiting.

    A plain read() continues to wait after a signal.

    Raises:
        ImageError: the pipe has more than LARGEST_STREAM bytes.
    """
    descriptor, parts = stream.fileno(), []
    while True:
        if stop is not None:
            stop.check()
        # On Windows select() supports only sockets, so there Ctrl-C waits for the next bytes.
        if os.name == "posix" and not select.select([descriptor], [], [], 0.1)[0]:
            continue
        parts.append(os.read(descriptor, 1 << 20))
        if not parts[-1]:
            return b"".join(parts)
        if len(parts) * len(parts[0]) > LARGEST_STREAM and sum(map(len, parts)) > LARGEST_STREAM:
            raise ImageError(f"{stream.name} has more than {LARGEST_STREAM} bytes.")


def open_fifo(path: Path) -> BinaryIO:
    """Open a named pipe for read_stream(), without waiting for a writer."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
