"""Shrink a collection of pictures once, for training: python -m adain.prepare SOURCE TARGET

Full pictures of paintings have some 10 megapixels, and decoding them takes longer than a training
step does. What training reads is a picture whose shorter side is --image-size (512).
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from adain import find, images, naming
from adain.bad_files import BadFiles
from adain.commands import check_paths, progress, run
from adain.devices import usable_cores
from adain.errors import ImageError, OptionError
from adain.picture_cache import read

JPEG_SUFFIXES = (".jpg", ".jpeg")


def plan(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Return each picture below a folder and where its small copy goes.

    That is the same place in the tree, a JPEG. The ending of another format stays in the name:
    a.png and a.jpg of one folder must not meet.
    """
    files = find.list_below(source, leave_out=[target]).files
    names = [file.relative_to(source) for file in files]
    wanted = [(name.parent, name.stem, name.suffix) if name.suffix.lower() in JPEG_SUFFIXES
              else (name.parent, name.name, ".jpg") for name in names]
    return list(zip(files, naming.unique_places(target, wanted, list(map(str, names)))))


def shrink(file: Path, result: Path, size: int) -> ImageError | None:
    """Write a picture with its shorter side `size`, or as it is where that is smaller already.

    Returns why training could not use the file, if so; a result that cannot be written is raised.
    """
    try:
        image = read(file, size)
    except ImageError as error:
        return error
    if min(image.shape[:2]) > size:
        images.write(result, images.resize_shorter_side(image, size))
    elif _is_jpeg(file):
        with images.atomic(result) as beside:
            shutil.copyfile(file, beside)
    else:
        images.write(result, image)
    return None


def _is_jpeg(file: Path) -> bool:
    with open(file, "rb") as picture:
        return picture.read(3) == b"\xff\xd8\xff"


def _shrink(job: tuple[Path, Path], size: int) -> ImageError | None:
    return shrink(*job, size)


def prepare(jobs: Sequence[tuple[Path, Path]], size: int = 512,
            workers: int | None = None) -> Iterator[tuple[Path, ImageError | None]]:
    """Shrink each picture to its place; give each file, and why it was dropped, if it was.

    jobs: what plan() returns of the pictures that are still to do.
    """
    with ProcessPoolExecutor(workers or usable_cores()) as pool:
        try:
            # Chunks: handing over a single picture costs as much as shrinking a small one.
            errors = pool.map(partial(_shrink, size=size), jobs, chunksize=8)
            for (file, _), error in zip(jobs, errors):
                yield file, error
        except BrokenProcessPool:
            raise OptionError("a worker process was killed, perhaps for lack of memory. The same "
                              "command goes on where it was; use fewer --workers.") from None
        finally:
            pool.shutdown(cancel_futures=True)


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m adain.prepare",
                                   description=__doc__.partition(":")[0] + ".")
    root.add_argument("source", help="folder of pictures; subfolders count")
    root.add_argument("target", help="folder for the JPEGs, of the same tree; pictures that it has "
                                     "already are left as they are")
    root.add_argument("--size", type=int, default=512,
                      help="shorter side in pixels, train.py's --image-size (default %(default)s)")
    root.add_argument("--workers", type=int, help="processes (default: as many as cores)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    workers = options.workers or usable_cores()
    if options.size < 16 or workers < 1:
        raise OptionError("--size must be at least 16 and --workers 1; received "
                          f"{options.size} and {workers}.")
    check_paths(vars(options))
    source, target = Path(options.source), Path(options.target)
    if target.resolve().is_relative_to(source.resolve()):
        raise OptionError(f"{target} lies in {source}: name a folder outside of it.")
    jobs = plan(source, target)
    missing = [job for job in jobs if not job[1].is_file()]
    dropped = BadFiles(target / "dropped.txt")
    started, bad = time.perf_counter(), 0
    steps = prepare(missing, options.size, workers)
    for (file, error), _ in zip(steps, progress(missing, "pictures")):
        if error is not None:
            bad += 1
            dropped.add(file, error)
    seconds = time.perf_counter() - started
    count = len(missing)
    print(f"{count - bad} pictures in {seconds:.1f} s -> {target} ({count / seconds:.1f} a "
          f"second, {count / seconds / workers:.1f} a process); "
          f"{len(jobs) - count} were there already, {bad} dropped"
          + (f": {dropped.path} says why" if bad else ""))
    if bad == len(jobs):
        raise ImageError(f"none of the {bad} pictures in {source} can be read.")
    dropped.check()


if __name__ == "__main__":
    run(main)
