"""Stylize many pictures; reading, computing and writing overlap, so that all cores have work.

A bad picture is reported and skipped. Results that exist are kept, so a stopped batch continues
where it was. Results are written atomically.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain, tee
from pathlib import Path
from typing import Any, NamedTuple

from adain.errors import AdaINError, ImageError, NetworkMemoryError, StyleError
from adain.files.find import STREAM
from adain.jobs.order import by_shape
from adain.jobs.room import Claim, Room, Size

AHEAD = 2  # pictures read ahead, including the current one; and pictures being written
DONE, EXISTS, FAILED = "done", "exists", "failed"


class Job(NamedTuple):
    """One result to make; `style` is whatever the batch's `prepare` and `stylize` understand."""

    content: Path
    style: Any
    out_path: Path


class Outcome(NamedTuple):
    """The outcome of a job; `error` is set if it failed."""

    job: Job
    status: str
    out_path: Path  # the path of the result, as `write` returned it
    seconds: float = 0.0  # time of computing, without reading and writing
    error: AdaINError | None = None


def run(jobs: Sequence[Job], read: Callable[[Path, Claim], Any], stylize: Callable[[Any, Job], Any],
        write: Callable[[Path, Any], Path],
        existing: Callable[[Path], Path | None] = lambda path: None,
        prepare: Callable[[Any], None] = lambda style: None,
        room: int | None = None,
        shape: Callable[[Path], Any] = lambda path: None) -> Generator[Outcome, None, None]:
    """Run the jobs; yield their outcomes in the order of completion.

    Jobs with the same content should be consecutive, so that it is read once. An error of a single
    picture, see one_picture(), fails the jobs that need it; any other error ends the batch.

    Args:
        read: returns a content, in its own thread. Before it decodes the file it calls its second
            argument with the memory needed, which returns when there is room, or no other picture
            in memory.
        stylize: returns a result, in the caller's thread.
        write: writes a result, in its own thread, and returns the path.
        existing: returns the path of an existing result, or None.
        prepare: prepares a style before its content is ready, in its own thread.
        room: maximum number of bytes of the pictures in memory; None for no limit.
        shape: returns the shape in which a content is computed, or None; contents of one shape are
            computed after each other, see order.by_shape().
    """
    todo = []
    for job in jobs:
        try:
            with one_picture(job.out_path):
                there = existing(job.out_path)
        except AdaINError as error:
            yield Outcome(job, FAILED, job.out_path, error=error)
            continue
        if there is not None:
            yield Outcome(job, EXISTS, there)
        else:
            todo.append(job)
    writes: deque[tuple[Outcome, Future[Any]]] = deque()
    content: Any
    with (_pool(1) as reader, _pool(1) as preparer, _pool(AHEAD) as writer,
          closing(Room(room)) as memory):
        groups, again = tee(by_shape(_groups(todo), lambda group: shape(group[0].content)))
        prepared = ahead(chain.from_iterable(again), lambda job: prepare(job.style), preparer)
        for group, content in ahead(groups, partial(_read, read, memory), reader):
            last, size = None, Size()
            for job, (_, style_ready) in zip(group, prepared):
                taken = 0  # the memory of the first result was taken together with the content's
                while last and writes:
                    if memory.take(size.result):
                        taken = size.result
                        break
                    yield _written(*writes.popleft())
                try:
                    with one_picture(job.content):
                        image, size = content.result()
                        style_ready.result()
                        started = time.perf_counter()
                        result = stylize(image, job)
                except AdaINError as error:
                    memory.give(taken)
                    yield Outcome(job, FAILED, job.out_path, error=error)
                    continue
                outcome = Outcome(job, DONE, job.out_path, time.perf_counter() - started)
                if job is group[-1]:
                    content = image = None  # free the memory: the largest pictures fill it
                last = writer.submit(write, job.out_path, result)
                last.add_done_callback(_giver(memory, taken))
                writes.append((outcome, last))
                del result
                while len(writes) > AHEAD:
                    yield _written(*writes.popleft())
            content = image = None
            if last:
                last.add_done_callback(_giver(memory, sum(size)))
            else:
                memory.give(sum(size))
        while writes:
            yield _written(*writes.popleft())


def _giver(memory: Room, taken: int) -> Callable[[Future[Any]], None]:
    """Return what gives memory back when a future is done."""
    return lambda _: memory.give(taken)


def _read(read: Callable[[Path, Claim], Any], memory: Room,
          group: list[Job]) -> tuple[Any, Size]:
    """Return the content of a group, and the memory taken for it."""
    size = Size()

    def claim(wanted: Size) -> None:
        nonlocal size
        memory.wait_for(sum(wanted))
        size = wanted

    try:
        return read(group[0].content, claim), size
    except BaseException:
        memory.give(sum(size))
        raise


@contextmanager
def one_picture(path: Path) -> Iterator[None]:
    """Convert errors of a single picture to an AdaINError that names it.

    A closed pipe is not an error of a picture, and networks that ran out of memory cannot be used
    any more; both end the batch.
    """
    try:
        yield
    except (StyleError, BrokenPipeError, NetworkMemoryError):
        raise
    except AdaINError as error:
        if str(path) in str(error) or str(path) == STREAM:  # "standard input is ..."
            raise
        raise type(error)(f"{path}: {error}") from None
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}.") from None
    except Exception as error:
        if isinstance(error, MemoryError) or _opencv_lacks_memory(error):
            raise ImageError(f"{path}: there is not enough memory for it.") from None
        raise


def _opencv_lacks_memory(error: Exception) -> bool:
    return type(error).__module__ == "cv2" and "alloc" in str(error)


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yield an executor; when the batch is stopped, work that has not started is dropped."""
    executor = ThreadPoolExecutor(threads)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _groups(jobs: Iterable[Job]) -> list[list[Job]]:
    groups: list[list[Job]] = []
    for job in jobs:
        if groups and groups[-1][0].content == job.content:
            groups[-1].append(job)
        else:
            groups.append([job])
    return groups


def ahead(items: Iterable[Any], work: Callable[[Any], Any], executor: Executor,
          count: int = AHEAD) -> Iterator[tuple[Any, Future[Any]]]:
    """Yield each item with the future of its work; work on the next has already started.

    count: items whose work has started, the current one included.
    """
    waiting: deque[tuple[Any, Future[Any]]] = deque()
    for item in items:
        waiting.append((item, executor.submit(work, item)))
        if len(waiting) == count:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _written(outcome: Outcome, future: Future[Any]) -> Outcome:
    try:
        with one_picture(outcome.out_path):
            return outcome._replace(out_path=future.result())
    except AdaINError as error:
        return outcome._replace(status=FAILED, error=error)
