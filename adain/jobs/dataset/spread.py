"""Split the tasks of a folder into batches, which a cluster distributes to its workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from adain.files.storage import FolderWriter
from adain.jobs.dataset.process import TaskResult, process
from adain.jobs.dataset.worker import Result, Target, Task, Worker
from adain.progress import StopRequest

BATCH = 32  # contents; with compact, one to two seconds of one core


def batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """Yield lists of up to BATCH tasks, reading `tasks` only as far as needed."""
    remaining = iter(tasks)
    return iter(lambda: list(islice(remaining, BATCH)), [])


@dataclass(frozen=True)
class FolderProcessor:
    """Runs tasks and writes their results to a folder; can be pickled."""

    worker: Worker
    folder: FolderWriter
    overwrite: bool

    def process(self, tasks: Iterable[Task],
                stop: StopRequest | None = None) -> Iterator[TaskResult]:
        """Run the tasks; yield the outcome of each, in their order."""
        return process(tasks, self.worker, self._exists, self._write, stop,
                       self.worker.stylizer.picture_memory)

    def __call__(self, batch: list[Task]) -> list[TaskResult]:
        return list(self.process(batch))

    def _exists(self, target: Target) -> bool:
        return not self.overwrite and self.folder.has(target.name)

    def _write(self, result: Result) -> Result:
        """Write the file of a result; return the result without its bytes."""
        if result.data is not None:
            self.folder.write(result.target.name, result.data)
        return result._replace(data=None)
