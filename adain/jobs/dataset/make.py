"""Dataset: stylizes a whole data set, from paths and settings to results and their manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from adain.errors import AdaINError, OptionError
from adain.files.find import warn
from adain.files.storage import FolderWriter, Pictures
from adain.files.storage.listing import kind_of
from adain.files.storage.remote import is_url
from adain.jobs.dataset import manifest
from adain.jobs.dataset.cluster import Cluster
from adain.jobs.dataset.coco import Coco
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.draws import check_count, draw
from adain.jobs.dataset.run import (
    SHARD_PICTURES,
    Job,
    Summary,
    are_tars,
    check_out_path,
    into_folder,
    into_tars,
)
from adain.jobs.dataset.styles import open_styles
from adain.jobs.dataset.tasks import DrawsOf, Shard, tasks_of
from adain.jobs.dataset.worker import Worker
from adain.progress import StopRequest
from adain.transfer.stylizer import Stylizer


class Dataset:
    """A data set to stylize. The constructor checks all arguments; run() makes the results.

    Args:
        content_path: the contents: folders (subfolders included), .zip and .tar files, patterns
            such as "shard-{000000..000146}.tar", or URLs of these.
        style_path: the path of one bank written by `adain styles`, or pictures in the same ways.
        out_path: folder or URL for results and manifest.jsonl.
        config: number, styles, strength, size and format of results.
        stylizer: called once, after all other checks; returns the networks.
        annotations: path of a file of COCO annotations of the contents; needs one folder of
            contents.
        repeats: path of a manifest, or of a folder of manifests: use their draws instead of new
            ones.
        shard: the part of the work that this object does.
        out_kind: "folder" or "tar"; None: "tar" if all contents are in tar files, else "folder".
        shard_pictures: number of contents in each tar file, if contents are not in tar files.
        overwrite: replace existing results instead of keeping them.
        max_bad: share of results, from 0 to 1, that may fail before run() ends with an error.
        cluster: the Ray cluster to compute on; None: this process.
        log: called with one line for each thing that is skipped or written besides results.

    Raises:
        OptionError: arguments are invalid or exclude each other.
        ImageError: contents or styles do not exist.
        WeightsError: the bank is damaged, or was made with another model.

    >>> dataset = Dataset(["photos"], ["bank.npz"], "stylized", DatasetConfig(content_size=256),
    ...                   partial(Stylizer, "compact"))
    >>> summary = dataset.run()
    >>> summary.done, summary.existing, summary.failed
    """

    def __init__(self, content_path: Sequence[str], style_path: Sequence[str], out_path: str,
                 config: DatasetConfig, stylizer: Callable[[], Stylizer], *,
                 annotations: str | None = None, repeats: str | None = None,
                 shard: Shard = Shard(), out_kind: str | None = None,  # noqa: B008
                 shard_pictures: int = SHARD_PICTURES, overwrite: bool = False,
                 max_bad: float = 0.1, cluster: Cluster | None = None,
                 log: Callable[[str], None] = warn) -> None:
        if not 0 <= max_bad <= 1:
            raise OptionError(f"`max_bad` must be from 0 to 1; received {max_bad}.")
        if shard_pictures < 1:
            raise OptionError(f"`shard_pictures` must be at least 1; received {shard_pictures}.")
        self._shard_pictures, self._log = shard_pictures, log
        self.listing = Pictures(content_path, leave_out=[out_path], report=log)
        check_out_path(out_path, self.listing.sources)
        self._coco = self._annotated(annotations, config, out_kind)
        self._into_tar = out_kind == "tar" or (out_kind is None and are_tars(self.listing))
        if self._into_tar and are_tars(self.listing):  # labels and other files are copied
            self.listing = Pictures(content_path, None, report=log)
        networks = stylizer()
        styles = open_styles(style_path, networks)
        check_count(config, len(styles))
        draws_of: DrawsOf = (manifest.draws_from(Path(repeats), styles) if repeats else
                             partial(draw, config, styles=len(styles)))
        settings = config.settings() | {"model": networks.model, "encoder": networks.fingerprint,
                                        "styles": styles.digest}
        self._job = Job(Worker(config, networks, styles), draws_of, out_path, settings, shard,
                        overwrite, max_bad, cluster=cluster)

    @property
    def stylizer(self) -> Stylizer:
        """The networks that stylize the contents."""
        return self._job.worker.stylizer

    @property
    def summary(self) -> Summary:
        """Counts of the results so far."""
        return self._job.summary

    def _annotated(self, path: str | None, config: DatasetConfig,
                   out_kind: str | None) -> Coco | None:
        if path is None:
            if config.region is not None:
                raise OptionError("`region` needs `annotations`, which hold the objects.")
            return None
        if config.content_size is not None:
            raise OptionError("`content_size` cannot be used with `annotations`, whose coordinates "
                              "it would invalidate: leave it out.")
        if list(map(kind_of, self.listing.sources)) != ["folder"] or out_kind == "tar":
            raise OptionError("`annotations` need one folder, or URL of a folder, of contents, and "
                              "results in a folder.")
        return Coco(path, self.listing.sources[0])

    def counter(self) -> Callable[[], int] | None:
        """Return a function that counts the results to make; None for URLs: listing them is slow.
        """
        if any(map(is_url, self.listing.sources)):
            return None
        contents = Pictures(self.listing.sources, report=lambda line: None)
        coco, config, shard = self._coco, self._job.worker.config, self._job.shard

        def count() -> int:
            try:
                number = sum(1 for _ in contents) if coco is None else len(coco)
            except AdaINError:  # run() raises it, too
                return 0
            return number * config.styles_per_picture // shard.count

        return count

    def run(self, report: Callable[[AdaINError], None] = lambda error: None,
            advance: Callable[[int], None] = lambda count: None,
            stop: StopRequest | None = None) -> Summary:
        """Make all results that do not exist yet.

        Args:
            report: called with the error of each result that failed.
            advance: called after each content, with the number of its results.
            stop: asks the run to end early; it then raises Stopped.

        Returns:
            The numbers of results that were made, existed already, and failed.

        Raises:
            AdaINError: too many results failed, or a result could not be written.
            Stopped: `stop` asked for it; the next run continues.
        """
        job = replace(self._job, report=report, advance=advance, stop=stop)
        coco, draws_of, shard, config = self._coco, job.draws_of, job.shard, job.worker.config
        if coco is not None:
            with_objects = config.region is not None
            into_folder(job, coco.tasks(draws_of, job.namer(), shard, with_objects))
            self._write_annotations(coco)
        elif self._into_tar:
            into_tars(self.listing, job, self._shard_pictures)
        else:
            into_folder(job, tasks_of(self.listing, draws_of, job.namer(), shard))
        return job.summary

    def _write_annotations(self, coco: Coco) -> None:
        job = self._job
        folder = FolderWriter(job.out_path)
        path = folder.place(coco.path.name)
        if job.shard.count > 1:
            self._log(f"{path} is not written: run the command again without `shard` when all "
                      "shards are done")
            return
        missing = coco.write(path, job.draws_of, job.namer, job.worker.styles,
                             lambda target: folder.has(target.name))
        self._log(f"annotations -> {path}" + (f", without {missing} pictures that have no result"
                                              if missing else ""))
