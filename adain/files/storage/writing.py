"""Write files into folders and tar files, on this machine or behind URLs: whole or not at all."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from adain.files.atomic import atomic, atomic_file, remove_abandoned
from adain.files.storage.entry import join
from adain.files.storage.remote import file_system, is_url, local, url_errors


class FolderWriter:
    """Writes files below a folder or a URL; can be pickled, and used from several threads.

    Raises OptionError for a URL that cannot be used.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = local(root)
        self._system = file_system(self.root) if is_url(self.root) else None

    @property
    def is_remote(self) -> bool:
        """Whether the folder is behind a URL."""
        return self._system is not None

    def place(self, name: str) -> str:
        """Return the path or URL of a file."""
        return join(self.root, name)

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        if self._system is None:
            return os.path.isfile(self.place(name))
        system, root = self._system
        with url_errors(self.place(name)):
            return bool(system.isfile(join(root, name)))

    def write(self, name: str, data: bytes) -> None:
        """Write a file, and its folders; raise ImageError if that fails."""
        if self._system is None:
            with atomic_file(self.place(name)) as file:
                file.write(data)
            return
        system, root = self._system
        inner = join(root, name)
        with url_errors(self.place(name), doing="written"):
            system.makedirs(inner.rpartition("/")[0], exist_ok=True)
            system.pipe_file(inner, data)

    def remove_abandoned(self, folders: Iterable[str]) -> None:
        """Remove partial files of processes that were killed from these folders below it."""
        for folder in folders if self._system is None else ():
            remove_abandoned(self.place(folder))


class TarWriter:
    """Adds files to a tar file, see write_tar(); can be used from several threads."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
        self._lock = threading.Lock()

    def write(self, name: str, data: bytes) -> None:
        """Add a file."""
        member = tarfile.TarInfo(name)
        member.size = len(data)
        with self._lock:
            self._tar.addfile(member, io.BytesIO(data))
            self._tar.members.clear()  # type: ignore[attr-defined]  # else it keeps all

    def close(self) -> None:
        """Write the end of the tar file."""
        self._tar.close()


@contextmanager
def write_tar(path: str | Path) -> Iterator[TarWriter]:
    """Give a TarWriter; the tar file appears, whole, when the block ends without an error.

    Equal files in equal order give equal bytes. A tar file behind a URL is first written to a
    temporary file of this machine.

    Raises:
        ImageError: it cannot be written, because the disk is full, for example.
        OptionError: a URL that cannot be used.
    """
    with write_file(path) as file:
        tar = TarWriter(file)
        yield tar
        tar.close()


@contextmanager
def write_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Give a binary file that appears, whole, when the block ends without an error.

    Raises as write_tar().
    """
    place = local(path)
    if is_url(place):
        system, inner = file_system(place)
        with url_errors(place, doing="written"), tempfile.NamedTemporaryFile() as file:
            yield file
            file.flush()
            system.makedirs(inner.rpartition("/")[0], exist_ok=True)
            system.put_file(file.name, inner)
    else:
        with atomic(place) as beside, open(beside, "wb") as local_file:
            yield local_file


def exists(path: str | Path) -> bool:
    """Return whether there is a file of this path or URL."""
    place = local(path)
    if not is_url(place):
        return os.path.isfile(place)
    system, inner = file_system(place)
    with url_errors(place):
        return bool(system.isfile(inner))
