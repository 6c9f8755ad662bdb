"""Meter: shows the progress, the speed and the remaining time of a long run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from adain.progress import duration

_SECONDS = 60.0  # between two lines in a log file


class Meter:
    """A progress bar if standard error is a terminal; otherwise one line a minute there.

    Args:
        unit: name of the things that are counted, in plural.
        count: returns the total number; called in a thread, as it may take long. None if the total
            is unknown.
    """

    def __init__(self, unit: str, count: Callable[[], int] | None = None) -> None:
        self.total: int | None = None
        self._unit, self._done, self._new = unit, 0, 0
        self._started = self._told = time.monotonic()
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(unit=f" {unit}", leave=False)
        else:
            self._bar = None
        if count is not None:
            threading.Thread(target=self._count, args=(count,), daemon=True).start()

    def _count(self, count: Callable[[], int]) -> None:
        self.total = count()

    def advance(self, count: int, made: int | None = None) -> None:
        """Count `count` more as done; made: number of those that took time, by default all."""
        self._done += count
        self._new += count if made is None else made
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.update(count)
        elif (now := time.monotonic()) - self._told >= _SECONDS:
            self._told = now
            print(self.line(now - self._started), file=sys.stderr, flush=True)

    def line(self, seconds: float) -> str:
        """Return the progress as one line, `seconds` after the start."""
        speed = self._new / max(seconds, 1e-9)
        text = f"{self._done} {self._unit}"
        if self.total:
            text = f"{self._done} of {self.total} {self._unit} ({self._done / self.total:.1%})"
        text += f", {speed:.1f} a second"
        if self.total and speed:
            text += f", {duration(max(0, self.total - self._done) / speed)} left"
        return text

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
