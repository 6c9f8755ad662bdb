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
from adain.jobs.dataset.worker import Content, Made, Target, Task, Worker
from adain.jobs.pipeline import one_picture
from adain.jobs.room import DECODING, Room
from adain.networks.openvino.cpu import usable_cores
from adain.networks.stats import ChannelStats
from adain.progress import StopRequest


class _Limits(NamedTuple):
    """How much is done at once, for each thread that computes: enough to keep it busy.

    window: contents that are computed together, those of one size after each other. ahead: contents
    that are read meanwhile. held: bytes of contents and results. decoding: bytes that decoding may
    take. A single picture may have more.
    """

    window: int = 16
    ahead: int = 12
    held: int = 32_000_000
    decoding: int = 128_000_000

    def times(self, threads: int, room: int | None) -> _Limits:
        """Return the limits of all threads; room: bytes that pictures may take together."""
        all_of_them = _Limits(*(limit * threads for limit in self))
        if room is None:
            return all_of_them
        return all_of_them._replace(held=min(all_of_them.held, room // 4),
                                    decoding=min(all_of_them.decoding, room // 2))


class Finished(NamedTuple):
    """What became of a task: the results that there were before, and those made now."""

    task: Task
    existing: tuple[Target, ...]
    made: list[Made]


class _Ready(NamedTuple):
    """A task whose content is read: what is to be computed, and what cannot be."""

    task: Task
    existing: tuple[Target, ...]
    content: Content | None
    work: list[tuple[Target, ChannelStats]]
    failed: list[Made]


def process(tasks: Iterable[Task], worker: Worker, has: Callable[[Target], bool],
            finish: Callable[[Made], Made], stop: StopRequest | None = None,
            room: int | None = None) -> Iterator[Finished]:
    """Do the tasks; yield what became of each, in their order.

    Args:
        has: whether a result is there already; called in several threads.
        finish: called with each result in several threads, e.g. to write it; what it returns is
            yielded. An error that it raises ends the run.
        stop: ends the work between two windows of pictures.
        room: bytes that pictures may take together; None: as little as keeps all cores busy.
    """
    threads = worker.stylizer.threads or usable_cores()
    limits = _Limits().times(threads, room)
    decoding = Room(limits.decoding)
    # Threads that wait for the disk or the network take no core.
    with ThreadPoolExecutor(2 * threads + 2) as pool, closing(decoding):
        stream = _loaded(iter(tasks), lambda task: _load(task, worker, has, decoding), pool,
                         limits, worker)
        before: list[_Computed] = []
        try:
            while window := _window(stream, limits, worker):
                if stop is not None:
                    stop.check()
                computed = _compute(window, worker, pool, finish)
                for one in before:  # encoded while this window was computed
                    yield one.finished()
                before = computed
            for one in before:
                yield one.finished()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _loaded(tasks: Iterator[Task], load: Callable[[Task], _Ready], pool: ThreadPoolExecutor,
            limits: _Limits, worker: Worker) -> Iterator[_Ready]:
    """Yield tasks whose contents are read; the larger pictures are, the fewer are read ahead."""
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
    """Return the next tasks, with contents to compute."""
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


def _load(task: Task, worker: Worker, has: Callable[[Target], bool], decoding: Room) -> _Ready:
    existing = tuple(target for target in task.targets if has(target))
    targets = [target for target in task.targets if target not in existing]
    if not targets:
        return _Ready(task, existing, None, [], [])
    claimed = 0

    def claim(pixels: int) -> None:
        nonlocal claimed
        decoding.wait_for(DECODING * pixels)
        claimed = DECODING * pixels

    work, failed = [], []
    try:
        with one_picture(Path(task.entry.place)):
            content = worker.load(task, read(task.entry), claim)
    except AdaINError as error:
        return _Ready(task, existing, None, [], [Made(target, None, error) for target in targets])
    finally:
        decoding.give(claimed)
    for target in targets:
        try:
            work.append((target, mixed(worker.styles, target.draw)))
        except AdaINError as error:
            failed.append(Made(target, None, error))
    return _Ready(task, existing, content if work else None, work, failed)


class _Computed(NamedTuple):
    """A task whose results are being encoded."""

    ready: _Ready
    results: list[Future[Made]]

    def finished(self) -> Finished:
        made = [*self.ready.failed, *(result.result() for result in self.results)]
        order = {target: place for place, target in enumerate(self.ready.task.targets)}
        return Finished(self.ready.task, self.ready.existing,
                        sorted(made, key=lambda one: order[one.target]))


def _compute(window: list[_Ready], worker: Worker, pool: ThreadPoolExecutor,
             finish: Callable[[Made], Made]) -> list[_Computed]:
    """Compute the results of a window, and begin to encode them."""
    computed = [_Computed(ready, []) for ready in window]
    work = [(one, ready.content, target, style) for one, ready in zip(computed, window)
            if ready.content is not None for target, style in ready.work]
    # Networks prepare for each new size of pictures, see adain.jobs.order.
    work.sort(key=lambda item: item[1].picture.rgb.shape)
    step = 8 * (worker.stylizer.threads or usable_cores())
    for start in range(0, len(work), step):
        part = work[start:start + step]
        try:
            pictures = worker.paint([(content, style, target.draw.alpha)
                                     for _, content, target, style in part])
        except ImageError:  # of one of them, which is found alone
            for one, content, target, _ in part:
                made = worker.one(one.ready.task, target, content)
                one.results.append(pool.submit(finish, made))
            continue
        for (one, content, target, _), rgb in zip(part, pictures):
            one.results.append(pool.submit(
                lambda *made: finish(worker.encode(*made)), one.ready.task, target, content, rgb))
    return computed
