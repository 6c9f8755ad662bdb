"""Training pictures where they are: folders, zip and tar files, and behind URLs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from adain.errors import ImageError
from adain.files import find, images
from adain.files.reader import open_bytes
from adain.files.storage import Entry, Pictures, read
from adain.files.storage.remote import is_url, local

logger = logging.getLogger(__name__)

File = Path | Entry  # a Path is a file in a folder of this machine
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
REMOTE_READERS = 32  # files that are read at once from a URL: each waits for the network
ATTEMPTS = 3  # to read a file behind a URL


def list_files(path: str | Path, leave_out: Iterable[str | Path] = ()) -> list[File]:
    """Return the pictures of a folder, a zip or tar file, a pattern of them, or a URL.

    They are sorted by the names of their folders and their own, so that an archive has the order
    of the folder that it was made of. What is cut or left out is logged.

    Raises:
        ImageError: there is no such file, or it has no pictures.
        OptionError: leave_out contains the folder itself, or a URL needs a package.
    """
    text = local(path)
    if not (is_url(text) or (text.lower().endswith(ARCHIVES) and not os.path.isdir(text))):
        return list(find.list_below(text, leave_out=leave_out).files)
    entries: list[Entry] = sorted(Pictures(text, leave_out=leave_out, report=logger.warning),
                                  key=lambda entry: (entry.name.split("/"), entry.source))
    return list(entries)


def is_remote(file: File) -> bool:
    """Return whether a file is behind a URL."""
    return isinstance(file, Entry) and is_url(file.source)


def name_below(path: str | Path, file: File) -> str:
    """Return the name of a file below the folder, or in the archive, that it was listed in."""
    return file.name if isinstance(file, Entry) else os.path.relpath(file, path)


def stem(file: File) -> str:
    """Return a file's name without folders and suffix."""
    return PurePosixPath(file.name).stem


def place(file: File) -> str:
    """Return where a file is, for messages."""
    return file.place if isinstance(file, Entry) else str(file)


def size(file: File) -> int | None:
    """Return the bytes of a file; None if it is unknown before the file is read."""
    if isinstance(file, Path):
        return file.stat().st_size
    size = file.unpacked if file.method >= 0 else file.size
    return size if size >= 0 else None


def read_bytes(file: File) -> bytes:
    """Return the bytes of a file; ImageError where it cannot be read.

    Behind a URL it is tried again: a file that the network lost once would be another picture in
    the training than in one that is repeated.
    """
    if isinstance(file, Path):
        try:
            return file.read_bytes()
        except OSError as error:
            raise ImageError(f"{file} cannot be read: {error.strerror}.") from None
    for _ in range(ATTEMPTS - 1 if is_remote(file) else 0):
        try:
            return read(file)
        except ImageError:
            continue
    return read(file)


def read_picture(file: File, shorter_side: int) -> np.ndarray:
    """Return a picture, uint8 RGB, with a shorter side of at least that many pixels, if it has."""
    if isinstance(file, Path):
        return images.read(file, shorter_side=shorter_side)
    picture = open_bytes(read_bytes(file), file.place, shorter_side=shorter_side)
    return images.fill_transparent(picture.rgb, picture.opacity)
