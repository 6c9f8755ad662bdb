"""Run the job of a data set and write its results: to a folder, or to tar files; URLs, too."""

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
from adain.files.storage.listing import Reports, kind_of
from adain.files.storage.remote import is_url, local
from adain.jobs.dataset.cluster import Cluster
from adain.jobs.dataset.manifest import (
    DONE,
    FAILED,
    LineFormatter,
    Manifest,
    check_settings,
    header,
    parse,
)
from adain.jobs.dataset.process import TaskResult, process
from adain.jobs.dataset.spread import FolderProcessor, batches
from adain.jobs.dataset.tasks import DrawsOf, Namer, Shard, sample_tasks, split_key
from adain.jobs.dataset.worker import Target, Task, Worker
from adain.progress import StopRequest, checked

KINDS = ("folder", "tar")
SHARD_PICTURES = 1000
_FEWEST_FAILED = 10  # fewer failed results never end a run


@dataclass
class Summary:
    """Numbers of results: made in this run, existing before it, and failed.

    A tar file that exists already is counted by its part of the manifest.
    """

    done: int = 0
    existing: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Job:
    """One job of a data set: a Worker, and what to do with its results.

    draws_of: returns the draws of a content by its name.
    settings: for the first line of the manifest.
    shard, overwrite, max_bad, cluster: see Dataset.
    report, advance, stop: see Dataset.run().
    summary: counts the results; changed while the job runs.
    """

    worker: Worker
    draws_of: DrawsOf
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
        """Return a Namer for one folder or tar file."""
        return Namer(self.worker.config, self.worker.styles.name)

    def count(self, outcome: TaskResult, line_of: LineFormatter,
              known: Callable[[Target], bool] = lambda target: True) -> Iterator[str]:
        """Count and report the results of a task; yield their lines for the manifest.

        known: returns whether the manifest has the line of an existing result.
        """
        counts = self.summary
        for target in outcome.existing:
            counts.existing += 1
            if not known(target):
                yield line_of(outcome.task, target)
        for result in outcome.results:
            if result.error is None:
                counts.done += 1
            else:
                counts.failed += 1
                self.report(result.error)
            yield line_of(outcome.task, result.target, result.error)
        self.advance(len(outcome.task.targets))

    def check_bad(self) -> None:
        """Raise AdaINError if too many results failed."""
        counts = self.summary
        total = counts.done + counts.existing + counts.failed
        if counts.failed >= _FEWEST_FAILED and counts.failed > self.max_bad * total:
            raise AdaINError(f"{counts.failed} of {total} results failed, more than "
                             f"`max_bad={self.max_bad:g}` allows: the run ends.")


def check_out_path(out_path: str, sources: Iterable[str]) -> None:
    """Raise OptionError if results would be written over the contents, or between them."""
    target = os.path.abspath(local(out_path))
    for source in sources:
        if is_url(source) or is_url(out_path):  # listing a URL would not skip the results in it
            one, other = (f"{path.rstrip('/')}/" for path in (source, out_path))
            overlaps = one.startswith(other) or other.startswith(one)
        else:
            folder = source if kind_of(source) == "folder" else os.path.dirname(source)
            contents = os.path.realpath(folder) + os.sep
            overlaps = contents.startswith(os.path.realpath(target) + os.sep)
        if overlaps:
            raise OptionError(f"`out_path={out_path}` holds the contents, {source}, or is inside "
                              "their folder: write to another folder.")


def into_folder(job: Job, tasks: Iterable[Task]) -> None:
    """Run the tasks of a job; write their results and the manifest to a folder.

    Args:
        job: what to do with results.
        tasks: their targets are named by one job.namer().

    Raises:
        OptionError: the folder has results with other settings.
        AdaINError: too many results failed, or a file could not be written.
        Stopped: job.stop asked for it.
    """
    folder = FolderWriter(job.out_path)
    manifest = Manifest(folder, f"manifest{job.shard.suffix}.jsonl", job.settings, job.overwrite)
    line_of = LineFormatter(job.worker.config, job.worker.styles)

    processor = FolderProcessor(job.worker, folder, job.overwrite)
    try:
        for outcome in (processor.process(tasks, job.stop) if job.cluster is None
                        else _on_cluster(tasks, processor, job, job.cluster)):
            for line in job.count(outcome, line_of, lambda target: target.name in manifest.known):
                manifest.add(line)
            job.check_bad()
    finally:
        manifest.close()


def _on_cluster(tasks: Iterable[Task], processor: FolderProcessor, job: Job,
                cluster: Cluster) -> Iterator[TaskResult]:
    """Run the tasks on a cluster; yield the outcome of each, in their order."""
    folders: set[str] = set()
    for outcomes in checked(cluster.map(processor, batches(tasks)), job.stop):
        folders.update(os.path.dirname(result.target.name)
                       for outcome in outcomes for result in outcome.results)
        yield from outcomes
    processor.folder.remove_abandoned(folders)  # partial files of workers that died


def into_tars(listing: Pictures, job: Job, pictures: int = SHARD_PICTURES) -> None:
    """Write the results of each tar file of contents, or of each `pictures` contents, to one.

    A tar file is never divided among several jobs. As in WebDataset, labels and other files that
    accompany a picture in its tar file are copied beside its results.

    Args:
        listing: the contents; of tar files all files, not only the pictures.
        job: what to do with results.
        pictures: number of contents for each tar file, if they are not in tar files.

    Raises:
        OptionError: a tar file of results exists that was made with other settings, or several tar
            files of contents have the same name.
        AdaINError: too many results failed, or a file could not be written.
        Stopped: job.stop asked for it.
    """
    shards = _Shards(listing, pictures, job.shard)
    if job.cluster is None:
        for name, entries in shards:
            _into_tar(FolderWriter(job.out_path), name, shards.entries(entries), job)
            job.check_bad()
        return
    sent = replace(job, report=_ignore, advance=_ignore, stop=None, max_bad=1.0, cluster=None)
    results = job.cluster.map(_TarProcessor(shards, sent), shards)
    for counts, errors, reports in checked(results, job.stop):
        listing.add_reports(reports)
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
    """Lists the tar files to write: the name of each, and its contents or their tar file."""

    listing: Pictures
    pictures: int
    shard: Shard

    def __iter__(self) -> Iterator[tuple[str, str | list[Entry]]]:
        shards: Iterator[tuple[str, str | list[Entry]]] = (
            _tar_shards(self.listing) if are_tars(self.listing)
            else _groups(self.listing, self.pictures))
        return islice(shards, self.shard.index, None, self.shard.count)

    def entries(self, contents: str | list[Entry]) -> Iterator[Entry]:
        """Return the contents themselves, listed if a tar file is given."""
        return self.listing.of(contents) if isinstance(contents, str) else iter(contents)


@dataclass(frozen=True)
class _TarProcessor:
    """Writes one tar file; returns its counts, its errors and what was reported; can be pickled."""

    shards: _Shards
    job: Job

    def __call__(self, shard: tuple[str, str | list[Entry]]
                 ) -> tuple[Summary, list[AdaINError], Reports]:
        name, contents = shard
        errors: list[AdaINError] = []
        job = replace(self.job, report=errors.append, summary=Summary())
        reports = self.shards.listing.collect_reports()
        _into_tar(FolderWriter(job.out_path), name, self.shards.entries(contents), job)
        return job.summary, errors, reports


def _ignore(_: object) -> None:
    """Do nothing: a function that can be pickled, unlike a lambda."""


def _tar_shards(listing: Pictures) -> Iterator[tuple[str, str]]:
    """Yield the name of each tar file to write, and the path of its contents."""
    names = [os.path.basename(source.partition("?")[0]) for source in listing.sources]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"several tar files have the name {repeated}, so that their results "
                          "would replace each other: stylize them by separate commands, into "
                          "different folders.")
    yield from zip(names, listing.sources)


def _groups(listing: Pictures, pictures: int) -> Iterator[tuple[str, list[Entry]]]:
    """Yield the name of each tar file to write, and its contents, `pictures` of them."""
    entries = iter(listing)
    groups = iter(lambda: list(islice(entries, pictures)), [])
    yield from ((f"shard-{index:06d}.tar", group) for index, group in enumerate(groups))


def _into_tar(folder: FolderWriter, name: str, entries: Iterator[Entry], job: Job) -> None:
    """Write the results of contents to a tar file, and its part of the manifest beside it."""
    part = f"{os.path.splitext(name)[0]}.jsonl"
    if not job.overwrite and exists(folder.place(name)):
        _count_existing(folder, part, job)
        return
    line_of = LineFormatter(job.worker.config, job.worker.styles)
    lines = [header(job.settings)]
    with write_tar(folder.place(name)) as tar:
        unpaired: list[Entry] = []
        for outcome in _tar_results(entries, job, unpaired):
            _add(tar, outcome)
            lines += job.count(TaskResult(outcome.task, (), [
                result._replace(data=None) for result in outcome.results]), line_of)
            job.check_bad()
        for entry in unpaired:
            tar.write(entry.name, read(entry))
        # Before the tar file gets its name, so that a complete tar file always has its manifest.
        folder.write(part, "".join(lines).encode())


def _tar_results(entries: Iterator[Entry], job: Job,
                 unpaired: list[Entry]) -> Iterator[TaskResult]:
    """Yield the outcome of each picture; add files that accompany no picture to `unpaired`."""
    def tasks() -> Iterator[Task]:
        for item in sample_tasks(entries, job.draws_of, job.namer()):
            if isinstance(item, Task):
                yield item
            else:
                unpaired.append(item)

    return process(tasks(), job.worker, lambda target: False, lambda result: result, job.stop,
                   job.worker.stylizer.picture_memory)


def _add(tar: TarWriter, outcome: TaskResult) -> None:
    """Add the results of a content to a tar file, each followed by its accompanying files."""
    beside = [(split_key(entry.name)[1], read(entry)) for entry in outcome.task.beside]
    for result in outcome.results:
        if result.data is not None:
            tar.write(result.target.name, result.data)
            for ending, data in beside:
                tar.write(f"{split_key(result.target.name)[0]}.{ending}", data)


def _count_existing(folder: FolderWriter, part: str, job: Job) -> None:
    """Count the results of an existing tar file by its part of the manifest."""
    if not folder.has(part):
        return
    count = 0
    for line in read(Entry(folder.root, part)).splitlines():
        record = parse(line) or {}
        if "settings" in record:
            check_settings(record["settings"], job.settings, folder.place(part))
        job.summary.existing += record.get("status") == DONE
        job.summary.failed += record.get("status") == FAILED
        count += "status" in record
    job.advance(count)
