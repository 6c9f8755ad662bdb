"""The pieces in which a cluster makes the results of a folder: some contents each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from adain.files.storage import FolderWriter
from adain.jobs.dataset.process import Finished, process
from adain.jobs.dataset.worker import Made, Target, Task, Worker
from adain.progress import StopRequest

PIECE = 32  # contents: one to two seconds of a core with compact


def pieces(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """Yield the tasks, some at a time, as they are listed."""
    left = iter(tasks)
    return iter(lambda: list(islice(left, PIECE)), [])


@dataclass(frozen=True)
class FolderMaker:
    """Makes results into a folder; can be pickled."""

    worker: Worker
    folder: FolderWriter
    overwrite: bool

    def process(self, tasks: Iterable[Task], stop: StopRequest | None = None) -> Iterator[Finished]:
        """Do the tasks; yield what became of each."""
        return process(tasks, self.worker, self._has, self._finish, stop,
                       self.worker.stylizer.room_for_pictures)

    def __call__(self, piece: list[Task]) -> list[Finished]:
        return list(self.process(piece))

    def _has(self, target: Target) -> bool:
        return not self.overwrite and self.folder.has(target.name)

    def _finish(self, made: Made) -> Made:
        if made.data is not None:
            self.folder.write(made.target.name, made.data)
        return made._replace(data=None)
