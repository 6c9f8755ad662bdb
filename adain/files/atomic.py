"""Write files atomically: a file is complete or absent.

A file is written under a temporary name in the same folder, flushed to the disk and renamed. So no
incomplete file ever has the final name, even if the disk is full, the process is killed or the
machine loses power. An append that fails is undone by truncating the file to its previous size.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from adain.errors import AdaINError, ImageError

_PARTIAL = re.compile(r"\..*\.([0-9a-f]{8})\.(\d+)\.\d+\.partial(\..*)?", re.DOTALL)
# Seconds without a change after which a partial file of another machine counts as abandoned.
_ABANDONED = 7 * 24 * 3600
_cleaned: set[str] = set()  # folders where this process has removed abandoned files
_lock = threading.Lock()


@contextmanager
def atomic(path: str | Path, error: type[AdaINError] = ImageError) -> Iterator[Path]:
    """Yield a temporary path next to `path`; rename it at the end, or remove it on an error.

    Pillow must write to atomic_file() instead, because it ignores a full disk when it opens a path.

    Args:
        error: class of the error raised when `path` cannot be written, for example on a full disk.
    """
    path = Path(path)
    # Unique for every writer; shortened, because file systems allow 255 bytes.
    beside = path.with_name(f".{path.stem[:40]}.{_machine()}.{os.getpid()}."
                            f"{threading.get_ident()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clean_once(path.parent)
        try:
            yield beside
            _flush(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as failure:
        raise error(f"{path} cannot be written: {failure.strerror or failure}.") from None


@contextmanager
def atomic_file(path: str | Path, error: type[AdaINError] = ImageError) -> Iterator[BinaryIO]:
    """Yield a binary file that appears at `path` when the block ends without an error."""
    with atomic(path, error) as beside, io.BufferedWriter(_File(beside, "wb")) as file:
        yield file


@contextmanager
def atomic_entries(path: str | Path, error: type[AdaINError] = ImageError) -> Iterator[Path]:
    """Yield a path of that name in an empty folder beside `path`, for files or folders.

    What is in that folder when the block ends without an error is moved beside `path`, in the order
    of names, and replaces what has its name there.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name[:40]}.", suffix=".partial",
                                         dir=path.parent) as folder:
            yield Path(folder) / path.name
            for made in sorted(Path(folder).iterdir()):
                _replace(made, path.parent / made.name)
    except OSError as failure:
        raise error(f"{path} cannot be written: {failure.strerror or failure}.") from None


def _replace(made: Path, path: Path) -> None:
    for file in made.rglob("*") if made.is_dir() else [made]:
        if file.is_file():
            _flush(file)
    if path.is_dir():
        path.rename(made.with_name(f"{made.name}.old"))  # which goes with the folder around it
    made.replace(path)


class _File(io.FileIO):
    """A file without a descriptor: Pillow would write to that directly and ignore a full disk."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def append(path: Path, content: bytes, error: type[AdaINError] = AdaINError) -> None:
    """Append all of `content` to a file, or nothing and raise `error`, which names the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                while content:
                    content = content[file.write(content):]
            except OSError:
                file.truncate(size)
                raise
    except OSError as failure:
        raise error(f"{path} cannot be written: {failure.strerror or failure}.") from None


def _flush(path: Path) -> None:
    """Flush a file to the disk; some file systems report only then that they are full."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- partial files left by killed processes -------------------------------------------------------

def _machine() -> str:
    """Return eight hex digits that identify the machine or container, where process ids are unique.
    """
    name = os.uname().nodename if os.name == "posix" else ""
    with contextlib.suppress(OSError):
        name += os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(name.encode()):08x}"


def _clean_once(folder: Path) -> None:
    """Remove abandoned partial files when this process first writes into a folder."""
    with _lock:
        name = os.path.abspath(folder)
        if name in _cleaned:
            return
        _cleaned.add(name)
    remove_abandoned(folder)


def remove_abandoned(folder: str | Path) -> None:
    """Remove partial files of processes that were killed; those of another machine after a week."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            match = _PARTIAL.fullmatch(entry.name)
            if match and _is_abandoned(entry, match):
                with contextlib.suppress(OSError):  # already removed, or permission denied
                    os.unlink(entry.path)


def _is_abandoned(entry: os.DirEntry[str], match: re.Match[str]) -> bool:
    machine, process = match[1], int(match[2])
    if machine == _machine() and os.name == "posix":
        return not _is_alive(process)
    return time.time() - entry.stat().st_mtime > _ABANDONED


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends no signal
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # a process of another user
        return True
    return True
