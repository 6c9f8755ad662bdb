"""Run tasks: reading, computing, encoding and writing overlap, and memory stays bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from adain.errors import AdaINError, ImageError
from adain.files.storage import read
from adain.jobs.dataset.styles import mixed
from adain.jobs.dataset.worker import Content, Result, Target, Task, Worker
from adain.jobs.memory_budget import DECODING, MemoryBudget
from adain.jobs.pipeline import picture_errors
from adain.networks.openvino.cpu import usable_cores
from adain.networks.stats import ChannelStats
from adain.progress import StopRequest


class _Limits(NamedTuple):
    """Limits per computing thread, chosen so that it is always busy.

    window: contents that are computed together, sorted by size.
    ahead: contents that are read while a window is computed.
    held: bytes of contents and results in memory; a single larger picture is allowed.
    decoding: bytes that decoding may take; a single larger picture is allowed.
    """

    window: int = 16
    ahead: int = 12
    held: int = 32_000_000
    decoding: int = 128_000_000

    def times(self, threads: int, memory_limit: int | None) -> _Limits:
        """Return the limits for all threads together; memory_limit: see process()."""
        total = _Limits(*(limit * threads for limit in self))
        if memory_limit is None:
            return total
        return total._replace(held=min(total.held, memory_limit // 4),
                              decoding=min(total.decoding, memory_limit // 2))


class TaskResult(NamedTuple):
    """The outcome of a task: the results that existed before, and the results of this run."""

    task: Task
    existing: tuple[Target, ...]
    results: list[Result]


class _Ready(NamedTuple):
    """A task whose content is loaded: the results to compute, and those that failed already.

    content: None if there is nothing to compute.
    work: for each result to compute its target and its encoded style.
    """

    task: Task
    existing: tuple[Target, ...]
    content: Content | None
    work: list[tuple[Target, ChannelStats]]
    failed: list[Result]


def process(tasks: Iterable[Task], worker: Worker, exists: Callable[[Target], bool],
            finish: Callable[[Result], Result], stop: StopRequest | None = None,
            memory_limit: int | None = None) -> Iterator[TaskResult]:
    """Run the tasks; yield the outcome of each, in their order.

    Args:
        tasks: read only as far as needed.
        worker: makes the results.
        exists: returns whether a result exists already; called in several threads.
        finish: called with each result, in several threads, e.g. to write it; the results that it
            returns are yielded. An error that it raises ends the run.
        stop: asks the run to end, by raising Stopped, between two windows of pictures.
        memory_limit: bytes that all pictures together may take; None: enough to keep all cores
            busy.
    """
    threads = worker.stylizer.threads or usable_cores()
    limits = _Limits().times(threads, memory_limit)
    decoding = MemoryBudget(limits.decoding)
    # More threads than cores, because some of them wait for the disk or the network.
    with ThreadPoolExecutor(2 * threads + 2) as pool, closing(decoding):
        stream = _loaded(iter(tasks), lambda task: _load(task, worker, exists, decoding), pool,
                         limits, worker)
        before: list[_Computed] = []
        try:
            while window := _window(stream, limits, worker):
                if stop is not None:
                    stop.check()
                computed = _compute(window, worker, pool, finish)
                for item in before:  # encoded while this window was computed
                    yield item.outcome()
                before = computed
            for item in before:
                yield item.outcome()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _loaded(tasks: Iterator[Task], load: Callable[[Task], _Ready], pool: ThreadPoolExecutor,
            limits: _Limits, worker: Worker) -> Iterator[_Ready]:
    """Yield loaded tasks in order; the larger their pictures are, the fewer are read ahead."""
    waiting: deque[Future[_Ready]] = deque()
    count = limits.ahead
    while True:
        for task in islice(tasks, max(0, count - len(waiting))):
            waiting.append(pool.submit(load, task))
        if not waiting:
            return
        ready = waiting.popleft().result()
        size = 1 if ready.content is None else worker.bytes_of(ready.content)
        count = max(2, min(limits.ahead, limits.held // size))
        yield ready


def _window(stream: Iterator[_Ready], limits: _Limits, worker: Worker) -> list[_Ready]:
    """Return the next tasks, as many as the limits of a window allow; none at the end."""
    window: list[_Ready] = []
    contents = size = 0
    for ready in stream:
        window.append(ready)
        if ready.content is not None:
            contents, size = contents + 1, size + worker.bytes_of(ready.content)
        if (contents == limits.window or size >= limits.held
                or len(window) == 10 * limits.window):
            break
    return window


def _load(task: Task, worker: Worker, exists: Callable[[Target], bool],
          decoding: MemoryBudget) -> _Ready:
    """Read the content and the styles of a task, unless all of its results exist."""
    existing = tuple(target for target in task.targets if exists(target))
    targets = [target for target in task.targets if target not in existing]
    if not targets:
        return _Ready(task, existing, None, [], [])
    claimed = 0

    def claim(pixels: int) -> None:
        nonlocal claimed
        decoding.acquire(DECODING * pixels)
        claimed = DECODING * pixels

    work, failed = [], []
    try:
        with picture_errors(Path(task.entry.place)):
            content = worker.load(task, read(task.entry), claim)
    except AdaINError as error:
        return _Ready(task, existing, None, [], [Result(target, None, error) for target in targets])
    finally:
        decoding.release(claimed)
    for target in targets:
        try:
            work.append((target, mixed(worker.styles, target.draw)))
        except AdaINError as error:
            failed.append(Result(target, None, error))
    return _Ready(task, existing, content if work else None, work, failed)


class _Computed(NamedTuple):
    """A task whose results are being encoded."""

    ready: _Ready
    results: list[Future[Result]]

    def outcome(self) -> TaskResult:
        """Wait until all results are encoded; return the outcome of the task."""
        results = [*self.ready.failed, *(future.result() for future in self.results)]
        order = {target: index for index, target in enumerate(self.ready.task.targets)}
        return TaskResult(self.ready.task, self.ready.existing,
                          sorted(results, key=lambda result: order[result.target]))


def _compute(window: list[_Ready], worker: Worker, pool: ThreadPoolExecutor,
             finish: Callable[[Result], Result]) -> list[_Computed]:
    """Compute the results of a window, and start to encode them."""
    computed = [_Computed(ready, []) for ready in window]
    work = [(item, ready.content, target, style) for item, ready in zip(computed, window)
            if ready.content is not None for target, style in ready.work]
    # By size, because networks take time to prepare for a new one, see adain.jobs.order.
    work.sort(key=lambda entry: entry[1].picture.rgb.shape)
    step = 8 * (worker.stylizer.threads or usable_cores())
    for start in range(0, len(work), step):
        part = work[start:start + step]
        try:
            pictures = worker.paint([(content, style, target.draw.alpha)
                                     for _, content, target, style in part])
        except ImageError:  # one picture failed: compute each alone to find out which
            for item, content, target, _ in part:
                result = worker.make_result(item.ready.task, target, content)
                item.results.append(pool.submit(finish, result))
            continue
        for (item, content, target, _), rgb in zip(part, pictures):
            item.results.append(pool.submit(
                lambda *painted: finish(worker.encode(*painted)), item.ready.task, target, content,
                rgb))
    return computed
