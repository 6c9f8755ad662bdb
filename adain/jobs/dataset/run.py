"""Make a data set: into a folder, or into tar files, here or behind a URL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from adain.errors import AdaINError, OptionError
from adain.files.storage import (
    Entry,
    FolderWriter,
    Pictures,
    TarWriter,
    exists,
    read,
    write_tar,
)
from adain.files.storage.listing import Heard, kind_of
from adain.files.storage.remote import is_url, local
from adain.jobs.dataset import manifest
from adain.jobs.dataset.cluster import Cluster
from adain.jobs.dataset.manifest import DONE, FAILED, Lines, Manifest
from adain.jobs.dataset.process import Finished, process
from adain.jobs.dataset.spread import FolderMaker, pieces
from adain.jobs.dataset.tasks import Drawn, Namer, Shard, sample_tasks, split_key
from adain.jobs.dataset.worker import Target, Task, Worker
from adain.progress import StopRequest, checked

KINDS = ("folder", "tar")
SHARD_PICTURES = 1000
_FEW = 10  # bad pictures that are no reason to end a run


@dataclass
class Summary:
    """Counts of results, and of those that failed in this run or are missing from whole shards."""

    done: int = 0
    existing: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Job:
    """What one job of a data set does, beside what a Worker knows.

    drawn: what the results of a content get. settings: see manifest. max_bad: the largest share of
    failed results; where there are more, and more than a few, the run ends. report: called with
    each error, advance with the number of results after each content. cluster: that makes the
    results; None: this process does.
    """

    worker: Worker
    drawn: Drawn
    out_path: str
    settings: dict[str, Any]
    shard: Shard = Shard()
    overwrite: bool = False
    max_bad: float = 1.0
    report: Callable[[AdaINError], None] = lambda error: None
    advance: Callable[[int], None] = lambda count: None
    stop: StopRequest | None = None
    summary: Summary = field(default_factory=Summary)
    cluster: Cluster | None = None

    def namer(self) -> Namer:
        """Return the names of results in one folder or tar file."""
        return Namer(self.worker.config, self.worker.styles.name)

    def finished(self, done: Finished, lines: Lines,
                 known: Callable[[Target], bool] = lambda target: True) -> Iterator[str]:
        """Count what became of a task; yield lines for the manifest.

        known: whether the manifest has the line of a result that was there already.
        """
        counts = self.summary
        for target in done.existing:
            counts.existing += 1
            if not known(target):
                yield lines(done.task, target)
        for made in done.made:
            if made.error is None:
                counts.done += 1
            else:
                counts.failed += 1
                self.report(made.error)
            yield lines(done.task, made.target, made.error)
        self.advance(len(done.task.targets))

    def check_bad(self) -> None:
        """Raise AdaINError where too many results failed."""
        counts = self.summary
        total = counts.done + counts.existing + counts.failed
        if counts.failed >= _FEW and counts.failed > self.max_bad * total:
            raise AdaINError(f"{counts.failed} of {total} results failed, more than "
                             f"`max_bad={self.max_bad:g}` allows: the run ends.")


def check_out_path(out_path: str, sources: Iterable[str]) -> None:
    """Raise OptionError where results would be written over, or between, the contents."""
    target = os.path.abspath(local(out_path))
    for source in sources:
        if is_url(source) or is_url(out_path):  # listings of URLs leave nothing out
            one, other = (f"{path.rstrip('/')}/" for path in (source, out_path))
            same = one.startswith(other) or other.startswith(one)
        else:
            folder = source if kind_of(source) == "folder" else os.path.dirname(source)
            inside = os.path.realpath(folder) + os.sep
            same = inside.startswith(os.path.realpath(target) + os.sep)
        if same:
            raise OptionError(f"`out_path={out_path}` holds the contents, {source}, or lies among "
                              "them: write to another folder.")


def into_folder(job: Job, tasks: Iterable[Task]) -> None:
    """Make the results of tasks, named by job.namer(), into a folder."""
    folder = FolderWriter(job.out_path)
    record = Manifest(folder, f"manifest{job.shard.suffix}.jsonl", job.settings, job.overwrite)
    lines = Lines(job.worker.config, job.worker.styles)

    maker = FolderMaker(job.worker, folder, job.overwrite)
    try:
        for done in (maker.process(tasks, job.stop) if job.cluster is None
                     else _spread(tasks, maker, job, job.cluster)):
            for line in job.finished(done, lines, lambda target: target.name in record.known):
                record.add(line)
            job.check_bad()
    finally:
        record.close()


def _spread(tasks: Iterable[Task], maker: FolderMaker, job: Job,
            cluster: Cluster) -> Iterator[Finished]:
    """Do the tasks on a cluster; yield what became of each, in their order."""
    folders: set[str] = set()
    for found in checked(cluster.do(pieces(tasks), maker), job.stop):
        folders.update(os.path.dirname(made.target.name) for done in found for made in done.made)
        yield from found
    maker.folder.remove_abandoned(folders)  # of workers that died


def into_tars(listing: Pictures, job: Job, pictures: int = SHARD_PICTURES) -> None:
    """Make a tar file of the results of each tar file of contents, or of so many pictures.

    With several jobs, each makes whole tar files. Labels and other files that accompany a picture
    in its tar file, as in WebDataset, accompany its results.

    Args:
        listing: of all files in tar files, not only pictures, so that labels are copied.
    """
    shards = _Shards(listing, pictures, job.shard)
    if job.cluster is None:
        for name, entries in shards:
            _into_tar(FolderWriter(job.out_path), name, shards.entries(entries), job)
            job.check_bad()
        return
    sent = replace(job, report=_nothing, advance=_nothing, stop=None, max_bad=1.0, cluster=None)
    made = job.cluster.do(shards, _TarMaker(shards, sent))
    for counts, errors, heard in checked(made, job.stop):
        listing.repeat(heard)
        job.summary.done += counts.done
        job.summary.existing += counts.existing
        job.summary.failed += counts.failed
        job.advance(counts.done + counts.existing + counts.failed)
        for error in errors:
            job.report(error)
        job.check_bad()


def are_tars(listing: Pictures) -> bool:
    """Return whether all contents are in tar files."""
    return all(kind_of(source) == "tar" for source in listing.sources)


@dataclass(frozen=True)
class _Shards:
    """Lists the tar files to make: the name of each, and its contents or where they are listed."""

    listing: Pictures
    pictures: int
    shard: Shard

    def __iter__(self) -> Iterator[tuple[str, str | list[Entry]]]:
        shards: Iterator[tuple[str, str | list[Entry]]] = (
            _tar_shards(self.listing) if are_tars(self.listing)
            else _runs(self.listing, self.pictures))
        return islice(shards, self.shard.index, None, self.shard.count)

    def entries(self, contents: str | list[Entry]) -> Iterator[Entry]:
        """Return the contents of a tar file."""
        return self.listing.of(contents) if isinstance(contents, str) else iter(contents)


@dataclass(frozen=True)
class _TarMaker:
    """Makes one tar file; returns its counts, errors and reports; can be pickled."""

    shards: _Shards
    job: Job

    def __call__(self, shard: tuple[str, str | list[Entry]]
                 ) -> tuple[Summary, list[AdaINError], Heard]:
        name, contents = shard
        errors: list[AdaINError] = []
        job = replace(self.job, report=errors.append, summary=Summary())
        heard = self.shards.listing.hear()
        _into_tar(FolderWriter(job.out_path), name, self.shards.entries(contents), job)
        return job.summary, errors, heard


def _nothing(_: object) -> None:
    pass


def _tar_shards(listing: Pictures) -> Iterator[tuple[str, str]]:
    """Yield the name of each tar file, and the one that it is made of."""
    names = [os.path.basename(source.partition("?")[0]) for source in listing.sources]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"several tar files are called {twice}: their results need folders of "
                          "their own; make them one after the other.")
    yield from zip(names, listing.sources)


def _runs(listing: Pictures, pictures: int) -> Iterator[tuple[str, list[Entry]]]:
    """Yield the names and the files of tar files of so many pictures."""
    entries = iter(listing)
    parts = iter(lambda: list(islice(entries, pictures)), [])
    yield from ((f"shard-{index:06d}.tar", part) for index, part in enumerate(parts))


def _into_tar(folder: FolderWriter, name: str, entries: Iterator[Entry], job: Job) -> None:
    part = f"{os.path.splitext(name)[0]}.jsonl"
    if not job.overwrite and exists(folder.place(name)):
        _count_existing(folder, part, job)
        return
    lines, text = Lines(job.worker.config, job.worker.styles), [manifest.header(job.settings)]
    with write_tar(folder.place(name)) as tar:
        others: list[Entry] = []
        for done in _tar_results(entries, job, others):
            _add(tar, done)
            text += job.finished(Finished(done.task, (), [made._replace(data=None)
                                                          for made in done.made]), lines)
            job.check_bad()
        for entry in others:
            tar.write(entry.name, read(entry))
        # Before the tar file appears: one that is there has its manifest.
        folder.write(part, "".join(text).encode())


def _tar_results(entries: Iterator[Entry], job: Job, others: list[Entry]) -> Iterator[Finished]:
    """Yield what became of each picture; add files that accompany none to `others`."""
    def tasks() -> Iterator[Task]:
        for one in sample_tasks(entries, job.drawn, job.namer()):
            if isinstance(one, Task):
                yield one
            else:
                others.append(one)

    return process(tasks(), job.worker, lambda target: False, lambda made: made, job.stop,
                   job.worker.stylizer.room_for_pictures)


def _add(tar: TarWriter, done: Finished) -> None:
    """Add the results of a content to a tar file, each followed by what accompanies it."""
    beside = [(split_key(entry.name)[1], read(entry)) for entry in done.task.beside]
    for made in done.made:
        if made.data is not None:
            tar.write(made.target.name, made.data)
            for ending, data in beside:
                tar.write(f"{split_key(made.target.name)[0]}.{ending}", data)


def _count_existing(folder: FolderWriter, part: str, job: Job) -> None:
    """Count the results of a tar file that is there, by its manifest."""
    if not folder.has(part):
        return
    count = 0
    for line in read(Entry(folder.root, part)).splitlines():
        found = manifest.parse(line) or {}
        if "settings" in found:
            manifest.check_settings(found["settings"], job.settings, folder.place(part))
        job.summary.existing += found.get("status") == DONE
        job.summary.failed += found.get("status") == FAILED
        count += "status" in found
    job.advance(count)
