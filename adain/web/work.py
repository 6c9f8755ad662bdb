"""JobQueue: computes the work of requests in one thread, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from adain.progress import Stopped, StopRequest
from adain.web.limits import BusyError


class Job:
    """The work of one request.

    Args:
        changed: called, in any thread, when `ahead` or `share` changes.

    Attributes:
        stop: asks the work to end early.
        ahead: number of jobs before this one in the queue; None once it has started.
        share: how much of the work is done, from 0 to 1.
        future: the result.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.stop, self._changed = StopRequest(), changed
        self.ahead: int | None = None
        self.share = 0.0
        self.future: Future[Any] = Future()

    def set_share(self, share: float) -> None:
        self.share = share
        self._changed()

    def set_ahead(self, ahead: int | None) -> None:
        self.ahead = ahead
        self._changed()


class JobQueue:
    """Runs jobs in one thread, in the order in which they were added.

    Args:
        name: name of the thread.
        length: maximum number of waiting jobs; add() refuses more.
        max_seconds: a job that takes longer is ended.
    """

    def __init__(self, name: str, length: int, max_seconds: float) -> None:
        self._executor = ThreadPoolExecutor(1, name)
        self._jobs: list[Job] = []  # the running job, then the waiting ones
        self._lock = threading.Lock()
        self._length, self._max_seconds = length, max_seconds

    def add(self, job: Job, work: Callable[[Job], Any]) -> None:
        """Compute work(job) after all earlier jobs; job.future gets the result.

        Raises:
            BusyError: too many jobs wait.
        """
        with self._lock:
            active = sum(job.stop.reason is None for job in self._jobs)
            if active > self._length:
                raise BusyError(f"{active} pictures are waiting already: try again when "
                                "one of them is done.")
            self._jobs.append(job)
            job.set_ahead(len(self._jobs) - 1 or None)
        job.future = self._executor.submit(self._run, job, work)
        job.future.add_done_callback(lambda future: job.set_ahead(None))

    def _run(self, job: Job, work: Callable[[Job], Any]) -> Any:
        timer = threading.Timer(self._max_seconds, job.stop.ask, ("time",))
        timer.daemon = True
        timer.start()
        try:
            job.set_ahead(None)
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
            for ahead, other in enumerate(waiting):
                other.set_ahead(ahead or None)

    def stop(self) -> None:
        """Ask the running job and the waiting ones to end."""
        with self._lock:
            for job in self._jobs:
                job.stop.ask("the server stops")

    def close(self) -> None:
        """End all jobs; return when the thread has ended."""
        self.stop()
        self._executor.shutdown(wait=True)
