"""adain dataset: stylize a whole data set, on one core or on a cluster."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from adain import memory
from adain.commands import show_log, tell_error
from adain.commands.dataset_options import alpha_of, parser, shard_of
from adain.commands.meter import Meter
from adain.errors import AdaINError, OptionError
from adain.files.storage import FolderWriter, Pictures
from adain.files.storage.listing import kind_of
from adain.files.storage.remote import is_url
from adain.jobs.dataset import manifest
from adain.jobs.dataset.cluster import Cluster
from adain.jobs.dataset.coco import Coco
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.draws import check_count, draw
from adain.jobs.dataset.run import (
    Job,
    Summary,
    are_tars,
    check_out_path,
    into_folder,
    into_tars,
)
from adain.jobs.dataset.styles import open_styles
from adain.jobs.dataset.tasks import Shard, tasks_of
from adain.jobs.dataset.worker import Worker
from adain.progress import stop_on_signals
from adain.transfer.stylizer import Stylizer


def main(arguments: list[str] | None = None) -> int:
    """Make the data set, and return 1 when some result could not be made."""
    root = parser()
    options = root.parse_args(arguments)
    show_log("stderr")
    memory.share_heaps()
    started = time.perf_counter()
    shard = shard_of(options.shard)
    if not 0 <= options.max_bad <= 1:
        raise OptionError(f"`max_bad` must be from 0 to 1; received {options.max_bad}.")
    if options.shard_pictures < 1:
        raise OptionError("`shard_pictures` must be at least 1; received "
                          f"{options.shard_pictures}.")
    config, model = settings(root, options)
    listing = Pictures(options.content_path, leave_out=[options.out_path])
    check_out_path(options.out_path, listing.sources)
    coco = coco_of(options, config, listing)
    into_tar = options.out_kind == "tar" or (options.out_kind is None and are_tars(listing))
    if into_tar and are_tars(listing):  # with labels and what else is in them
        listing = Pictures(options.content_path, None)
    cluster = None if options.ray is None else Cluster(options.ray, options.ray_cpus,
                                                       options.ray_gpus)
    stylizer = Stylizer(model, checkpoint=options.checkpoint, engine=options.engine,
                        precision=options.precision, max_memory=options.max_memory,
                        style_size=options.style_size or None,
                        threads=None if cluster is None else cluster.cpus)
    styles = open_styles(options.style_path, stylizer)
    check_count(config, len(styles))
    found = config.settings() | {"model": stylizer.model, "encoder": stylizer.fingerprint,
                                 "styles": styles.digest}
    drawn = (manifest.drawn_from(Path(options.manifest), styles) if options.manifest
             else partial(draw, config, styles=len(styles)))
    meter = Meter("pictures", counter(coco or listing, config, shard))
    with stop_on_signals() as stop:
        job = Job(Worker(config, stylizer, styles), drawn, options.out_path, found, shard,
                  options.overwrite, options.max_bad, tell_error, meter.advance, stop,
                  cluster=cluster)
        try:
            if coco is not None:
                into_folder(job, lambda namer: coco.tasks(
                    drawn, namer, shard, config.region is not None))
                write_annotations(coco, job)
            elif into_tar:
                into_tars(listing, job, options.shard_pictures)
            else:
                into_folder(job, lambda namer: tasks_of(listing, drawn, namer, shard), listing)
        finally:
            meter.close()
            if job.summary != Summary():
                tell(job, time.perf_counter() - started)
    return int(bool(job.summary.failed or listing.problems))


def settings(root: argparse.ArgumentParser,
             options: argparse.Namespace) -> tuple[DatasetConfig, str | None]:
    """Return the options about results, and the model; with --from, those of the manifest."""
    names = DatasetConfig.__dataclass_fields__
    if not options.manifest:
        given = {name: getattr(options, name) for name in names}
        return DatasetConfig(**given | {"alpha": alpha_of(options.alpha)}), options.model
    found: dict[str, Any] = manifest.settings_of(Path(options.manifest))
    for name in names:
        if name in found and getattr(options, name) != root.get_default(name):
            raise OptionError(f"--from takes `{name}` from {options.manifest}: leave it out.")
    kept = {name: value for name, value in found.items() if name in names}
    try:
        config = DatasetConfig(**kept | {"alpha": tuple(found["alpha"]),
                                         "max_pixels": options.max_pixels})
    except (KeyError, TypeError) as error:
        raise OptionError(f"{options.manifest} has impossible settings: {error}.") from None
    return config, None if options.checkpoint else options.model or found.get("model")


def coco_of(options: argparse.Namespace, config: DatasetConfig,
            listing: Pictures) -> Coco | None:
    """Return the annotations, if there are any; OptionError for what does not go with them."""
    if options.annotations is None:
        if config.region is not None:
            raise OptionError("`region` needs the `annotations` that have the objects.")
        return None
    if config.content_size is not None:
        raise OptionError("`content_size` would move what the `annotations` mark: leave it out.")
    if [kind_of(source) for source in listing.sources] != ["folder"] or options.out_kind == "tar":
        raise OptionError("`annotations` need one folder, or URL of a folder, of contents, and "
                          "results in a folder.")
    return Coco(options.annotations, listing.sources[0])


def write_annotations(coco: Coco, job: Job) -> None:
    """Write the annotations of all results."""
    folder = FolderWriter(job.out_path)
    place = folder.place(coco.path.name)
    if job.shard.count > 1:
        print(f"{place} is written by a last run without --shard, when all jobs are done",
              file=sys.stderr)
        return
    lacking = coco.write(place, job.drawn, job.namer, job.worker.styles,
                         lambda target: folder.has(target.name))
    print(f"annotations -> {place}" + (f", without {lacking} pictures that have no result"
                                       if lacking else ""), file=sys.stderr)


def counter(contents: Coco | Pictures, config: DatasetConfig,
            shard: Shard) -> Callable[[], int] | None:
    """Return what counts the results of a job; None behind URLs, where listing takes long."""
    if isinstance(contents, Pictures):
        if any(map(is_url, contents.sources)):
            return None
        contents = Pictures(contents.sources, report=lambda line: None)

    def count() -> int:
        try:
            number = (len(contents) if isinstance(contents, Coco)
                      else sum(1 for _ in contents))
        except AdaINError:  # said by the run itself
            return 0
        return number * config.styles_per_picture // shard.count

    return count


def tell(job: Job, seconds: float) -> None:
    """Print what was made."""
    counts, engine = job.summary, job.worker.stylizer.engine
    text = f"{counts.done} picture{'' if counts.done == 1 else 's'}"
    if counts.existing:
        text += f", {counts.existing} exist already (--overwrite replaces them)"
    speed = f", {counts.done / seconds:.1f} a second" if counts.done else ""
    print(f"{text} in {seconds:.1f} s{speed} -> {job.out_path} ({job.worker.stylizer.model}, "
          f"{engine.name} on {engine.device})")
    if counts.failed:
        print(f"skipped {counts.failed}: manifest.jsonl says why", file=sys.stderr)
