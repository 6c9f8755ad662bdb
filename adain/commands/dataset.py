"""adain dataset: stylize a whole data set, on this machine or on a cluster."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from adain import memory
from adain.commands import print_error, show_log
from adain.commands.dataset_options import alpha_of, parser, shard_of
from adain.commands.meter import Meter
from adain.errors import OptionError
from adain.jobs.dataset import manifest
from adain.jobs.dataset.cluster import Cluster
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.make import Dataset
from adain.jobs.dataset.run import Summary
from adain.progress import stop_on_signals
from adain.transfer.stylizer import Stylizer


def main(arguments: list[str] | None = None) -> int:
    """Stylize the data set; return the exit code: 1 if a result failed or a file was damaged."""
    root = parser()
    options = root.parse_args(arguments)
    show_log("stderr")
    memory.share_heaps()
    started = time.perf_counter()
    config, model = settings(root, options)
    shard = shard_of(options.shard)
    cluster = cluster_of(options)
    stylizer = partial(Stylizer, model, checkpoint=options.checkpoint, engine=options.engine,
                       precision=options.precision, max_memory=options.max_memory,
                       style_size=options.style_size or None,
                       threads=None if cluster is None else cluster.cpus)
    dataset = Dataset(options.content_path, options.style_path, options.out_path, config, stylizer,
                      annotations=options.annotations, repeats=options.manifest, shard=shard,
                      out_kind=options.out_kind, shard_pictures=options.shard_pictures,
                      overwrite=options.overwrite, max_bad=options.max_bad, cluster=cluster)
    meter = Meter("pictures", dataset.counter())
    with stop_on_signals() as stop:
        try:
            dataset.run(print_error, meter.advance, stop)
        finally:
            meter.close()
            if dataset.summary != Summary():
                print_summary(dataset, options.out_path, time.perf_counter() - started)
    return int(bool(dataset.summary.failed or dataset.listing.problems))


def cluster_of(options: argparse.Namespace) -> Cluster | None:
    """Return the cluster that --ray, --ray-cpus and --ray-gpus describe; None without --ray."""
    if options.ray is None and (options.ray_cpus != 1 or options.ray_gpus):
        raise OptionError("`ray_cpus` and `ray_gpus` are for workers of a cluster: add `ray`.")
    if options.ray_gpus and options.engine != "keras":
        raise OptionError(f"`ray_gpus={options.ray_gpus:g}` needs `engine=keras`; received "
                          f"{options.engine}, which computes on CPUs.")
    return (None if options.ray is None
            else Cluster(options.ray, options.ray_cpus, options.ray_gpus))


def settings(root: argparse.ArgumentParser,
             options: argparse.Namespace) -> tuple[DatasetConfig, str | None]:
    """Return the settings of results and the name of the model; with --from, the manifest's."""
    names = DatasetConfig.__dataclass_fields__
    if not options.manifest:
        given = {name: getattr(options, name) for name in names}
        return DatasetConfig(**given | {"alpha": alpha_of(options.alpha)}), options.model
    stored: dict[str, Any] = manifest.settings_of(Path(options.manifest))
    for name in names:
        if name in stored and getattr(options, name) != root.get_default(name):
            raise OptionError(f"--from takes `{name}` from {options.manifest}: leave it out.")
    used = {name: value for name, value in stored.items() if name in names}
    try:
        config = DatasetConfig(**used | {"alpha": tuple(stored["alpha"]),
                                         "max_pixels": options.max_pixels})
    except (KeyError, TypeError) as error:
        raise OptionError(f"{options.manifest} has invalid settings: {error}.") from None
    return config, None if options.checkpoint else options.model or stored.get("model")


def print_summary(dataset: Dataset, out_path: str, seconds: float) -> None:
    """Print the numbers of results, the time and the network."""
    counts, engine = dataset.summary, dataset.stylizer.engine
    text = f"{counts.done} picture{'' if counts.done == 1 else 's'}"
    if counts.existing:
        text += f", {counts.existing} exist already (--overwrite replaces them)"
    speed = f", {counts.done / seconds:.1f} a second" if counts.done else ""
    print(f"{text} in {seconds:.1f} s{speed} -> {out_path} ({dataset.stylizer.model}, "
          f"{engine.name} on {engine.device})")
    if counts.failed:
        print(f"skipped {counts.failed}: manifest.jsonl has the reasons", file=sys.stderr)
