"""Files that are written whole or not at all.

A file is written beside its name, flushed to the disk and renamed. So a name never stands for half
a file, whether the disk is full, the process is killed or the machine loses its power. What is
appended to is cut back to its last whole line where there is no room.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from adain.errors import AdaINError, ImageError

_PARTIAL = re.compile(r"\..*\.([0-9a-f]{8})\.(\d+)\.\d+\.partial(\..*)?", re.DOTALL)
_ABANDONED = 7 * 24 * 3600  # seconds without a change, where no process can be asked for
_cleaned: set[str] = set()  # folders
_lock = threading.Lock()


@contextmanager
def atomic(path: str | Path, error: type[AdaINError] = ImageError) -> Iterator[Path]:
    """Give a name beside `path` to write to; it is renamed at the end, or removed on an error.

    error: raised where the place cannot be written, as on a full disk; it names `path`. Pillow must
    not get that name but atomic_file().
    """
    path = Path(path)
    # Its own for every writer; cut, because file systems allow 255 bytes.
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
    """Give a file that appears under `path` at the end of the block, or not at all."""
    with atomic(path, error) as beside, io.BufferedWriter(_File(beside, "wb")) as file:
        yield file


class _File(io.FileIO):
    """A file without a descriptor: Pillow writes to those by itself, and ignores a full disk."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def append(path: Path, content: bytes, error: type[AdaINError] = AdaINError) -> None:
    """Write at the end of a file: all of `content`, or nothing and `error`, which names it."""
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
    """Wait until a file is on the disk; some file systems say only then that they are full."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- what a killed process has left ---------------------------------------------------------------

def _machine() -> str:
    """Return eight digits for where process numbers mean the same: a machine, or a container."""
    name = os.uname().nodename if os.name == "posix" else ""
    with contextlib.suppress(OSError):
        name += os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(name.encode()):08x}"


def _clean_once(folder: Path) -> None:
    """Remove partial files that nobody writes any more, when a process first writes there."""
    with _lock:
        name = os.path.abspath(folder)
        if name in _cleaned:
            return
        _cleaned.add(name)
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            match = _PARTIAL.fullmatch(entry.name)
            if match and _is_abandoned(entry, match):
                with contextlib.suppress(OSError):  # removed by another process, or not allowed
                    os.unlink(entry.path)


def _is_abandoned(entry: os.DirEntry, match: re.Match) -> bool:
    machine, process = match[1], int(match[2])
    if machine == _machine() and os.name == "posix":
        return not _is_alive(process)
    return time.time() - entry.stat().st_mtime > _ABANDONED


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True
