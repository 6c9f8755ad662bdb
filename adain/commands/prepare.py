"""adain prepare: shrink a collection of pictures once, for training."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from adain.commands import check_paths, progress, show_log
from adain.errors import ImageError, OptionError
from adain.files import find
from adain.files.bad_files import BadFiles
from adain.jobs.prepare import plan, prepare
from adain.networks.openvino.cpu import usable_cores
from adain.training.picture_files import place


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain prepare",
        description="Shrink a collection of pictures once, so that training reads it faster.")
    root.add_argument("source", help="folder of pictures (subfolders included), .zip or .tar "
                                     "file, tar files like shard-{000..146}.tar, or a URL of these")
    root.add_argument("target", help="folder for the shrunk JPEG files, which get the same "
                                     "subfolders; existing files are kept")
    root.add_argument("--size", type=int, default=512, metavar="PIXELS",
                      help="shrink pictures to this shorter side, the --image-size of the training "
                           "(default %(default)s)")
    root.add_argument("--workers", type=int, metavar="N",
                      help="number of processes (default: one per core)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    workers = options.workers or usable_cores()
    if options.size < 16 or workers < 1:
        raise OptionError("--size must be at least 16 and --workers at least 1; received "
                          f"{options.size} and {workers}.")
    check_paths(vars(options), urls=("source",))
    show_log()
    source, target = options.source, Path(options.target)
    if not find.is_address(source) and target.resolve().is_relative_to(Path(source).resolve()):
        raise OptionError(f"{target} is inside {source}: name a folder outside of it.")
    jobs = plan(source, target)
    missing = [job for job in jobs if not job[1].is_file()]
    dropped = BadFiles(target / "dropped.txt")
    started, bad = time.perf_counter(), 0
    steps = prepare(missing, options.size, workers)
    for (file, error), _ in zip(steps, progress(missing, "pictures")):
        if error is not None:
            bad += 1
            dropped.add(place(file), error)
    seconds = time.perf_counter() - started
    count = len(missing)
    print(f"{count - bad} pictures in {seconds:.1f} s -> {target} ({count / seconds:.1f} a "
          f"second, {count / seconds / workers:.1f} for each process); "
          f"{len(jobs) - count} exist already, {bad} dropped"
          + (f": {dropped.path} has the reasons" if bad else ""))
    if bad == len(jobs):
        raise ImageError(f"none of the {bad} pictures in {source} can be read.")
    dropped.check()
