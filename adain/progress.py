"""What long runs share: the time left in words, and a stop signal that lets a step finish."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds as hh:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


class StopRequest:
    """Inside of `with`, SIGINT, SIGTERM and SIGHUP only set `name`; a second ends the program.

    SIGHUP tells that the terminal is gone; where it is ignored, under nohup, it stays ignored.
    Only the main thread receives signals: in another one nothing happens.
    then: called with that name, for code that waits for a callback instead of asking. It must not
    print: it could meet a print that the signal interrupted.
    """

    def __init__(self, then: Callable[[str], None] = lambda name: None) -> None:
        self.name: str | None = None
        self._then = then

    def _handle(self, number, frame) -> None:
        self.name = signal.Signals(number).name
        self._then(self.name)
        signal.signal(number, signal.default_int_handler)

    def __enter__(self) -> StopRequest:
        main = threading.current_thread() is threading.main_thread()
        self._before = {number: signal.signal(number, self._handle)
                        for number in (_stop_signals() if main else ())}
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _stop_signals() -> list[signal.Signals]:
    found = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        found.append(hangup)
    return found
