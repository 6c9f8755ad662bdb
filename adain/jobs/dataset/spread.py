"""The pieces that a cluster makes a data set in: some contents of a folder, or one tar file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from adain.files.storage import FolderWriter, Pictures
from adain.files.storage.listing import Heard
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.process import Finished, process
from adain.jobs.dataset.styles import Styles
from adain.jobs.dataset.tasks import Namer
from adain.jobs.dataset.worker import Made, Target, Task, Worker
from adain.progress import StopRequest

PIECE = 32  # contents: one to two seconds of a core with compact


@dataclass(frozen=True)
class FolderTasks:
    """The tasks of a folder; can be pickled.

    tasks: gives them, named by a Namer. listing: whose reports are to be heard.
    """

    tasks: Callable[[Namer], Iterable[Task]]
    config: DatasetConfig
    styles: Styles
    listing: Pictures | None = None

    def pieces(self) -> Iterator[list[Task] | Heard]:
        """Yield the tasks, some at a time, and what was reported while they were listed."""
        heard = Heard() if self.listing is None else self.listing.hear()
        tasks = iter(self.tasks(Namer(self.config, self.styles.name)))
        while piece := list(islice(tasks, PIECE)):
            yield piece
        yield heard


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

    def __call__(self, piece: list[Task] | Heard) -> list[Finished] | Heard:
        return piece if isinstance(piece, Heard) else list(self.process(piece))

    def _has(self, target: Target) -> bool:
        return not self.overwrite and self.folder.has(target.name)

    def _finish(self, made: Made) -> Made:
        if made.data is not None:
            self.folder.write(made.target.name, made.data)
        return made._replace(data=None)
