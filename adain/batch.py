"""Stylise many pictures: reading, computing and writing overlap, so that all cores have work.

A bad picture is named and skipped; a result that exists is left alone, so a batch that was stopped
goes on where it was. Each result is written beside its name and renamed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from adain import images
from adain.errors import ImageError
from adain.naming import STREAM

AHEAD = 2  # pictures read before they are needed, and written behind: what the memory must hold
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts",
                  ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")
DONE, EXISTS, FAILED = "done", "exists", "failed"


class Job(NamedTuple):
    """One result to make; `style` is whatever the batch's `stylize` understands."""

    content: Path
    style: Any
    out_path: Path


class Outcome(NamedTuple):
    """What became of a job; error is set where it failed."""

    job: Job
    status: str
    out_path: Path  # where the result is, which `write` may have chosen
    seconds: float = 0.0  # of computing, without reading and writing
    error: ImageError | None = None


def run(jobs: Sequence[Job], read: Callable[[Path], Any], stylize: Callable[[Any, Any], Any],
        write: Callable[[Path, Any], Path],
        exists: Callable[[Path], bool] = Path.exists) -> Iterator[Outcome]:
    """Do the jobs in order and yield what became of each, in the order of completion.

    Jobs of the same content should follow each other: it is read once for all of them. read and
    write run in threads of their own, stylize in the caller's; write returns the path that it wrote
    to. An ImageError fails one job, that of reading all of a content's; anything else ends the
    batch. exists: tells of a result's path whether it is there already.
    """
    todo = []
    for job in jobs:
        if exists(job.out_path):
            yield Outcome(job, EXISTS, job.out_path)
        else:
            todo.append(job)
    writes: list[tuple[Outcome, Future]] = []
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(AHEAD) as writer:
        for group, content in _read_ahead(_groups(todo), read, reader):
            for job in group:
                try:
                    image = content.result()
                    started = time.perf_counter()
                    result = stylize(image, job.style)
                except ImageError as error:
                    yield Outcome(job, FAILED, job.out_path, error=error)
                    continue
                outcome = Outcome(job, DONE, job.out_path, time.perf_counter() - started)
                if job is group[-1]:
                    content = image = None  # the largest pictures fill the memory
                writes.append((outcome, writer.submit(write, job.out_path, result)))
                del result
                while len(writes) > AHEAD:
                    yield _written(*writes.pop(0))
        while writes:
            yield _written(*writes.pop(0))


def _groups(jobs: Iterable[Job]) -> list[list[Job]]:
    groups: list[list[Job]] = []
    for job in jobs:
        if groups and groups[-1][0].content == job.content:
            groups[-1].append(job)
        else:
            groups.append([job])
    return groups


def _read_ahead(groups: list[list[Job]], read, reader) -> Iterator[tuple[list[Job], Future]]:
    waiting: list[Future] = []
    for index, group in enumerate(groups):
        while len(waiting) < AHEAD and index + len(waiting) < len(groups):
            waiting.append(reader.submit(read, groups[index + len(waiting)][0].content))
        yield group, waiting.pop(0)


def _written(outcome: Outcome, future: Future) -> Outcome:
    try:
        return outcome._replace(out_path=future.result())
    except ImageError as error:
        return outcome._replace(status=FAILED, error=error)


def is_video(path: str | Path) -> bool:
    """Tell by its ending whether a file is taken for a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def find_contents(path: str | Path) -> list[tuple[Path, Path]]:
    """Return the pictures at a path, or all below a folder, each with its folder inside of that.

    Raises ImageError when there is none. STREAM is taken as it is.
    """
    path = Path(path)
    if str(path) == STREAM:
        return [(path, Path())]
    if not path.is_dir():
        return [(found, Path()) for found in images.find(path)]
    return [(file, file.parent.relative_to(path)) for file in images.find_nested(path)]
