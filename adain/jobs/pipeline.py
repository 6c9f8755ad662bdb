"""Stylise many pictures: reading, computing and writing overlap, so that all cores have work.

A bad picture is named and skipped; a result that exists is left alone, so a batch that was stopped
goes on where it was. Each result is written beside its name and renamed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from adain.errors import AdaINError, ImageError, NetworkMemoryError, StyleError
from adain.files.find import STREAM
from adain.jobs.room import Claim, Room, Size

AHEAD = 2  # pictures that are read, the current one with them, and that are being written
DONE, EXISTS, FAILED = "done", "exists", "failed"


class Job(NamedTuple):
    """One result to make; `style` is whatever the batch's `prepare` and `stylize` understand."""

    content: Path
    style: Any
    out_path: Path


class Outcome(NamedTuple):
    """What became of a job; error is set where it failed."""

    job: Job
    status: str
    out_path: Path  # where the result is, which `write` may have chosen
    seconds: float = 0.0  # of computing, without reading and writing
    error: AdaINError | None = None


def run(jobs: Sequence[Job], read: Callable[[Path, Claim], Any], stylize: Callable[[Any, Job], Any],
        write: Callable[[Path, Any], Path],
        existing: Callable[[Path], Path | None] = lambda path: None,
        prepare: Callable[[Any], None] = lambda style: None,
        room: int | None = None) -> Iterator[Outcome]:
    """Do the jobs in order and yield what became of each, in the order of completion.

    Jobs of the same content should follow each other: it is read once for all of them. read,
    prepare and write run in threads of their own, stylize in the caller's; prepare does what can be
    done for a style before its content is there; write returns the path that it wrote to. existing:
    returns where the result of a path is, if it is there already.
    room: bytes that the pictures in memory may take; None for no limit. Before read() decodes a
    content it calls the function that it is given with the memory that it and its results take;
    that returns when there is room for them, or no other picture in memory.
    What can go wrong with one picture, see one_picture(), fails the jobs that need it; anything
    else ends the batch.
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
    writes: deque[tuple[Outcome, Future]] = deque()
    with (_pool(1) as reader, _pool(1) as preparer, _pool(AHEAD) as writer,
          closing(Room(room)) as memory):
        prepared = _ahead(todo, lambda job: prepare(job.style), preparer)
        for group, content in _ahead(_groups(todo), partial(_read, read, memory), reader):
            last, size = None, Size()
            for job, (_, style_ready) in zip(group, prepared):
                taken = 0  # that of a first result is taken with the content's
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
                    content = image = None  # the largest pictures fill the memory
                last = writer.submit(write, job.out_path, result)
                last.add_done_callback(lambda _, taken=taken: memory.give(taken))
                writes.append((outcome, last))
                del result
                while len(writes) > AHEAD:
                    yield _written(*writes.popleft())
            content = image = None
            if last:
                last.add_done_callback(lambda _, size=size: memory.give(sum(size)))
            else:
                memory.give(sum(size))
        while writes:
            yield _written(*writes.popleft())


def _read(read: Callable[[Path, Claim], Any], memory: Room,
          group: list[Job]) -> tuple[Any, Size]:
    """Return a group's content, and the memory that was taken for it."""
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
    """Raise what can go wrong with a single picture as an error that names it.

    A closed pipe is no fault of a picture, and networks that ran out of memory make no other one.
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
    """Give an executor; work that has not begun is dropped when the batch is stopped."""
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


def _ahead(items: Iterable[Any], work: Callable[[Any], Any],
           executor: Executor) -> Iterator[tuple[Any, Future]]:
    """Yield the items, each with the future of its work: that of the next ones has begun, too."""
    waiting: deque[tuple[Any, Future]] = deque()
    for item in items:
        waiting.append((item, executor.submit(work, item)))
        if len(waiting) == AHEAD:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _written(outcome: Outcome, future: Future) -> Outcome:
    try:
        with one_picture(outcome.out_path):
            return outcome._replace(out_path=future.result())
    except AdaINError as error:
        return outcome._replace(status=FAILED, error=error)
