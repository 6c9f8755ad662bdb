"""Dataset: a data set to make, from its paths and settings to its results."""

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
from adain.jobs.dataset.tasks import Drawn, Shard, tasks_of
from adain.jobs.dataset.worker import Worker
from adain.progress import StopRequest
from adain.transfer.stylizer import Stylizer


class Dataset:
    """A data set to make; everything that can be wrong is found out before it is begun.

    Args:
        content_path, style_path: as --content-path and --style-path of adain dataset: paths, tar
            patterns or URLs. A bank is the only style_path.
        out_path: a folder or a URL.
        config: what results get.
        stylizer: the networks, a function that loads them after everything else was checked.
        annotations: a file of COCO annotations of the contents.
        repeats: a manifest whose draws are repeated, instead of drawing.
        shard: the part of the work to do.
        out_kind: "folder" or "tar"; None: tar where all contents are in tar files.
        shard_pictures: contents of each tar file, where they come from no tar files.
        overwrite: replace results that are there.
        max_bad: the share of results that may fail before the run ends.
        cluster: that does the work; None: this process does.
        tell: called with lines about what is left out.

    Raises:
        OptionError: arguments that make no sense or do not go together.
        ImageError: contents or styles that are not there.
        WeightsError: a bank that is damaged or of another model.

    >>> made = Dataset(["photos"], ["bank.npz"], "stylized", DatasetConfig(content_size=256),
    ...                partial(Stylizer, "compact")).run()
    >>> made.done, made.existing, made.failed
    """

    def __init__(self, content_path: Sequence[str], style_path: Sequence[str], out_path: str,
                 config: DatasetConfig, stylizer: Callable[[], Stylizer], *,
                 annotations: str | None = None, repeats: str | None = None,
                 shard: Shard = Shard(), out_kind: str | None = None,  # noqa: B008
                 shard_pictures: int = SHARD_PICTURES, overwrite: bool = False,
                 max_bad: float = 0.1, cluster: Cluster | None = None,
                 tell: Callable[[str], None] = warn) -> None:
        if not 0 <= max_bad <= 1:
            raise OptionError(f"`max_bad` must be from 0 to 1; received {max_bad}.")
        if shard_pictures < 1:
            raise OptionError(f"`shard_pictures` must be at least 1; received {shard_pictures}.")
        self._shard_pictures, self._tell = shard_pictures, tell
        self.listing = Pictures(content_path, leave_out=[out_path], report=tell)
        check_out_path(out_path, self.listing.sources)
        self._coco = self._annotated(annotations, config, out_kind)
        self._into_tar = out_kind == "tar" or (out_kind is None and are_tars(self.listing))
        if self._into_tar and are_tars(self.listing):  # with labels and what else is in them
            self.listing = Pictures(content_path, None, report=tell)
        networks = stylizer()
        styles = open_styles(style_path, networks)
        check_count(config, len(styles))
        drawn: Drawn = (manifest.drawn_from(Path(repeats), styles) if repeats else
                        partial(draw, config, styles=len(styles)))
        settings = config.settings() | {"model": networks.model, "encoder": networks.fingerprint,
                                        "styles": styles.digest}
        self._job = Job(Worker(config, networks, styles), drawn, out_path, settings, shard,
                        overwrite, max_bad, cluster=cluster)

    @property
    def stylizer(self) -> Stylizer:
        """The networks."""
        return self._job.worker.stylizer

    @property
    def summary(self) -> Summary:
        """What was made so far."""
        return self._job.summary

    def _annotated(self, path: str | None, config: DatasetConfig,
                   out_kind: str | None) -> Coco | None:
        if path is None:
            if config.region is not None:
                raise OptionError("`region` needs the `annotations` that have the objects.")
            return None
        if config.content_size is not None:
            raise OptionError("`content_size` would move what the `annotations` mark: leave it "
                              "out.")
        if list(map(kind_of, self.listing.sources)) != ["folder"] or out_kind == "tar":
            raise OptionError("`annotations` need one folder, or URL of a folder, of contents, and "
                              "results in a folder.")
        return Coco(path, self.listing.sources[0])

    def counter(self) -> Callable[[], int] | None:
        """Return a function that counts the results to make; None behind URLs, where it is slow."""
        if any(map(is_url, self.listing.sources)):
            return None
        again = Pictures(self.listing.sources, report=lambda line: None)
        coco, config, shard = self._coco, self._job.worker.config, self._job.shard

        def count() -> int:
            try:
                number = sum(1 for _ in again) if coco is None else len(coco)
            except AdaINError:  # said by the run itself
                return 0
            return number * config.styles_per_picture // shard.count

        return count

    def run(self, report: Callable[[AdaINError], None] = lambda error: None,
            advance: Callable[[int], None] = lambda count: None,
            stop: StopRequest | None = None) -> Summary:
        """Make what is missing, and return what was made.

        Args:
            report: called with the error of each result that failed.
            advance: called with the number of results after each content.
            stop: ends the work by raising Stopped, soon after it is asked to.

        Raises:
            AdaINError: too many results failed, or one could not be written.
        """
        job = replace(self._job, report=report, advance=advance, stop=stop)
        coco, drawn, shard, config = self._coco, job.drawn, job.shard, job.worker.config
        if coco is not None:
            with_objects = config.region is not None
            into_folder(job, coco.tasks(drawn, job.namer(), shard, with_objects))
            self._write_annotations(coco)
        elif self._into_tar:
            into_tars(self.listing, job, self._shard_pictures)
        else:
            into_folder(job, tasks_of(self.listing, drawn, job.namer(), shard))
        return job.summary

    def _write_annotations(self, coco: Coco) -> None:
        job = self._job
        folder = FolderWriter(job.out_path)
        place = folder.place(coco.path.name)
        if job.shard.count > 1:
            self._tell(f"{place} is written by a last run of all shards together")
            return
        lacking = coco.write(place, job.drawn, job.namer, job.worker.styles,
                             lambda target: folder.has(target.name))
        self._tell(f"annotations -> {place}" + (f", without {lacking} pictures that have no result"
                                                if lacking else ""))
