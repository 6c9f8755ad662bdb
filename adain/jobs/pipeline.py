"""Stylize many pictures; reading, computing and writing overlap, so that all cores are busy.

A picture that fails is reported and skipped. Existing results are kept, so that running a stopped
batch again continues it.
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
from adain.jobs.memory_budget import Claim, MemoryBudget, Size
from adain.jobs.order import by_shape

AHEAD = 2  # pictures read ahead, the current one included; also pictures waiting to be written
DONE, EXISTS, FAILED = "done", "exists", "failed"


class Job(NamedTuple):
    """One result to make; `style` is passed on to the `prepare` and `stylize` of run()."""

    content: Path
    style: Any
    out_path: Path


class Outcome(NamedTuple):
    """The outcome of a job.

    status: DONE, EXISTS or FAILED.
    out_path: path of the result, as `write` returned it.
    seconds: time of computing, without reading and writing.
    error: set if the job failed.
    """

    job: Job
    status: str
    out_path: Path
    seconds: float = 0.0
    error: AdaINError | None = None


def run(jobs: Sequence[Job], read: Callable[[Path, Claim], Any], stylize: Callable[[Any, Job], Any],
        write: Callable[[Path, Any], Path],
        existing: Callable[[Path], Path | None] = lambda path: None,
        prepare: Callable[[Any], None] = lambda style: None,
        memory_limit: int | None = None,
        shape: Callable[[Path], Any] = lambda path: None) -> Generator[Outcome, None, None]:
    """Run the jobs; yield their outcomes in the order of completion.

    Jobs with the same content should be consecutive, so that it is read once. An error of a single
    picture, see picture_errors(), fails the jobs that need it; any other error ends the batch.

    Args:
        jobs: the results to make.
        read: called in a thread with a path and a function; returns the content. Before it decodes
            the file, it must call the function with the memory that the content needs, a Size;
            the call returns when that memory is free.
        stylize: called in the caller's thread with a content and a job; returns the result.
        write: called in a thread with a path and a result; writes it and returns its path.
        existing: returns the path of an existing result, or None.
        prepare: called in a thread with a style before `stylize` needs it.
        memory_limit: maximum number of bytes of all pictures in memory; None for no limit. A
            picture that needs more is processed alone.
        shape: returns the shape that a content has in the networks, or None; contents of equal
            shape are computed one after the other, see order.by_shape().
    """
    todo = []
    for job in jobs:
        try:
            with picture_errors(job.out_path):
                existing_path = existing(job.out_path)
        except AdaINError as error:
            yield Outcome(job, FAILED, job.out_path, error=error)
            continue
        if existing_path is not None:
            yield Outcome(job, EXISTS, existing_path)
        else:
            todo.append(job)
    writes: deque[tuple[Outcome, Future[Any]]] = deque()
    content: Any
    with (_pool(1) as reader, _pool(1) as preparer, _pool(AHEAD) as writer,
          closing(MemoryBudget(memory_limit)) as memory):
        groups, again = tee(by_shape(_groups(todo), lambda group: shape(group[0].content)))
        prepared = ahead(chain.from_iterable(again), lambda job: prepare(job.style), preparer)
        for group, content in ahead(groups, partial(_read, read, memory), reader):
            last, size = None, Size()
            for job, (_, style_ready) in zip(group, prepared):
                acquired = 0  # the memory of the first result was acquired with the content's
                while last and writes:
                    if memory.try_acquire(size.result):
                        acquired = size.result
                        break
                    yield _written(*writes.popleft())
                try:
                    with picture_errors(job.content):
                        image, size = content.result()
                        style_ready.result()
                        started = time.perf_counter()
                        result = stylize(image, job)
                except AdaINError as error:
                    memory.release(acquired)
                    yield Outcome(job, FAILED, job.out_path, error=error)
                    continue
                outcome = Outcome(job, DONE, job.out_path, time.perf_counter() - started)
                if job is group[-1]:
                    content = image = None  # free the memory of the content before it is written
                last = writer.submit(write, job.out_path, result)
                last.add_done_callback(_releaser(memory, acquired))
                writes.append((outcome, last))
                del result
                while len(writes) > AHEAD:
                    yield _written(*writes.popleft())
            content = image = None
            if last:
                last.add_done_callback(_releaser(memory, sum(size)))
            else:
                memory.release(sum(size))
        while writes:
            yield _written(*writes.popleft())


def _releaser(memory: MemoryBudget, count: int) -> Callable[[Future[Any]], None]:
    """Return a callback for a future that releases `count` bytes."""
    return lambda _: memory.release(count)


def _read(read: Callable[[Path, Claim], Any], memory: MemoryBudget,
          group: list[Job]) -> tuple[Any, Size]:
    """Return the content of a group, and the memory that was acquired for it."""
    size = Size()

    def claim(needed: Size) -> None:
        nonlocal size
        memory.acquire(sum(needed))
        size = needed

    try:
        return read(group[0].content, claim), size
    except BaseException:
        memory.release(sum(size))
        raise


@contextmanager
def picture_errors(path: Path) -> Iterator[None]:
    """Convert the errors that a single picture can cause to an AdaINError that names its path.

    Errors that concern the whole batch pass unchanged: a closed pipe, and networks that ran out of
    memory, after which they cannot be used.
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
    """Yield an executor; at the end, calls that have not started are cancelled."""
    executor = ThreadPoolExecutor(threads)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _groups(jobs: Iterable[Job]) -> list[list[Job]]:
    """Return lists of consecutive jobs with the same content."""
    groups: list[list[Job]] = []
    for job in jobs:
        if groups and groups[-1][0].content == job.content:
            groups[-1].append(job)
        else:
            groups.append([job])
    return groups


def ahead(items: Iterable[Any], work: Callable[[Any], Any], executor: Executor,
          count: int = AHEAD) -> Iterator[tuple[Any, Future[Any]]]:
    """Yield each item with the future of work(item), in order; the next ones have been started.

    Args:
        count: number of items whose work is started before the first of them is yielded.
    """
    waiting: deque[tuple[Any, Future[Any]]] = deque()
    for item in items:
        waiting.append((item, executor.submit(work, item)))
        if len(waiting) == count:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _written(outcome: Outcome, future: Future[Any]) -> Outcome:
    """Return the outcome of a job after its result was written."""
    try:
        with picture_errors(outcome.out_path):
            return outcome._replace(out_path=future.result())
    except AdaINError as error:
        return outcome._replace(status=FAILED, error=error)
