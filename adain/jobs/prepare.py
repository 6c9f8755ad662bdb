"""Shrink a collection of pictures for training, as `adain prepare` does.

Photographs of paintings have about 10 megapixels, and decoding one takes longer than a training
step. Training needs only a shorter side of `image_size` (512) pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from adain.errors import ImageError, OptionError
from adain.files import images
from adain.jobs import naming
from adain.networks.openvino.cpu import usable_cores
from adain.training.picture_cache import read
from adain.training.picture_files import File, list_files, name_below, read_bytes

JPEG_SUFFIXES = (".jpg", ".jpeg")


def plan(source: str | Path, target: Path) -> list[tuple[File, Path]]:
    """Return all pictures of a source, each with the path of its small copy.

    Copies are JPEG files in the same subfolders. The suffix of another format remains in the name,
    so that a.png and a.jpg get different copies.

    Args:
        source: folder, .zip or .tar file, pattern of tar files, or URL of one.
        target: folder for the copies.

    Raises:
        ImageError: the source does not exist, or has no pictures.
    """
    files = list_files(source, [target])
    names = [Path(name_below(source, file)) for file in files]
    wanted = [(name.parent, name.stem, name.suffix) if name.suffix.lower() in JPEG_SUFFIXES
              else (name.parent, name.name, ".jpg") for name in names]
    return list(zip(files, naming.unique_places(target, wanted, list(map(str, names)))))


def shrink(file: File, result: Path, size: int) -> ImageError | None:
    """Write a copy of a picture with a shorter side of at most `size` pixels.

    Returns:
        The error if the picture cannot be read, else None.

    Raises:
        ImageError: the copy cannot be written.
    """
    try:
        image = read(file, size)
    except ImageError as error:
        return error
    if min(image.shape[:2]) > size:
        images.write(result, images.resize_shorter_side(image, size))
    elif _is_jpeg(file):
        with images.atomic(result) as beside:
            beside.write_bytes(read_bytes(file))
    else:
        images.write(result, image)
    return None


def _is_jpeg(file: File) -> bool:
    return read_bytes(file).startswith(b"\xff\xd8\xff")


def _shrink(job: tuple[File, Path], size: int) -> ImageError | None:
    return shrink(*job, size)


def prepare(jobs: Sequence[tuple[File, Path]], size: int = 512,
            workers: int | None = None) -> Iterator[tuple[File, ImageError | None]]:
    """Shrink pictures in several processes.

    Args:
        jobs: pairs that plan() returned.
        size: shorter side of the copies, in pixels; smaller pictures keep their size.
        workers: number of processes; None: one for each core.

    Yields:
        Each picture, and the error if it could not be read, else None.

    Raises:
        ImageError: a copy cannot be written.
        OptionError: a process was killed.
    """
    with ProcessPoolExecutor(workers or usable_cores()) as pool:
        try:
            # In chunks, because sending a single job to a process takes as long as the job itself.
            errors = pool.map(partial(_shrink, size=size), jobs, chunksize=8)
            for (file, _), error in zip(jobs, errors):
                yield file, error
        except BrokenProcessPool:
            raise OptionError("a worker process was killed, perhaps for lack of memory. Run the "
                              "same command again to continue, with fewer `workers`.") from None
        finally:
            pool.shutdown(cancel_futures=True)
