"""Lane: a thread that computes what requests ask for, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from adain.progress import Stopped, StopRequest
from adain.web.limits import BusyError


class Job:
    """A request's work; `changed` is called, in any thread, when what is told of it changes.

    ahead: number of jobs before it; None once it has begun. share: how much is done, 0 to 1.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.stop, self._changed = StopRequest(), changed
        self.ahead: int | None = None
        self.share = 0.0
        self.future: Future[Any] = Future()

    def tell(self, share: float) -> None:
        self.share = share
        self._changed()

    def move(self, ahead: int | None) -> None:
        self.ahead = ahead
        self._changed()


class Lane:
    """Runs jobs in their order in one thread; refuses more than `length` waiting ones.

    max_seconds: a job that takes longer is ended.
    """

    def __init__(self, name: str, length: int, max_seconds: float) -> None:
        self._executor = ThreadPoolExecutor(1, name)
        self._jobs: list[Job] = []  # the one that is computed, and those that wait
        self._lock = threading.Lock()
        self._length, self._max_seconds = length, max_seconds

    def add(self, job: Job, work: Callable[[Job], Any]) -> None:
        """Compute work(job) when its turn comes; job.future gets the result.

        Raises:
            BusyError: too many jobs wait.
        """
        with self._lock:
            wanted = sum(job.stop.reason is None for job in self._jobs)
            if wanted > self._length:
                raise BusyError(f"{wanted} pictures are waiting already: try again when "
                                "one of them is done.")
            self._jobs.append(job)
            job.move(len(self._jobs) - 1 or None)
        job.future = self._executor.submit(self._run, job, work)
        job.future.add_done_callback(lambda future: job.move(None))

    def _run(self, job: Job, work: Callable[[Job], Any]) -> Any:
        timer = threading.Timer(self._max_seconds, job.stop.ask, ("time",))
        timer.daemon = True
        timer.start()
        try:
            job.move(None)
            job.stop.check()
            return work(job)
        except Stopped as stopped:
            if job.stop.reason == "time":
                raise BusyError(f"this picture took longer than {self._max_seconds:g} seconds and "
                                "was ended: make it smaller, or start `adain web` with a larger "
                                "`max_seconds`.") from None
            raise BusyError(f"the work was ended: {stopped}.") from None
        finally:
            timer.cancel()
            with self._lock:
                self._jobs.remove(job)
                waiting = list(self._jobs)
            for place, other in enumerate(waiting):
                other.move(place or None)

    def stop(self) -> None:
        """Ask what is computed and what waits to end."""
        with self._lock:
            for job in self._jobs:
                job.stop.ask("the server stops")

    def close(self) -> None:
        """End all jobs; return when the thread has ended."""
        self.stop()
        self._executor.shutdown(wait=True)
