"""Cache compiled networks in a folder of the user, so that the next start does not compile them.

That saves the compact model 0.06 to 0.1 s of a start of 0.6 s. A file's name is a hash of all that
the network depends on, so a network that does not fit is not found. A file that cannot be read or
written is skipped: nothing depends on the folder, and it may be removed at any time. A network from
somebody else would change pictures, so only files are read that nobody else can have written.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import sys
import threading
from pathlib import Path

import numpy as np

from adain.errors import ImageError
from adain.files.atomic import atomic
from adain.networks.networks import Networks
from adain.networks.openvino import cpu

logger = logging.getLogger(__name__)

VARIABLE = "ADAIN_CACHE"  # names another folder; empty: nothing is kept
SUFFIX = ".network"
KEPT = 16  # files; 1 to 4 MB each
# Numbers in the weights. To read a larger network, such as VGG19, takes half as long as to compile
# it; both take little of the time that it then computes.
LARGEST = 2_000_000
LARGEST_FILE = 32_000_000  # bytes
# The sources of the graphs, relative to this file.
_SOURCES = ("../architecture.py", "../networks.py", "convolutions.py", "graphs.py", "../stats.py")
_DIGEST = 32  # bytes
_lock = threading.Lock()  # networks are read in several threads
_warned: set[Path] = set()


def folder() -> Path | None:
    """Return the folder of the cache; None if there is none."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    try:
        home = Path.home()
    except RuntimeError:  # nobody's
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "adain"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "adain"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "adain"


def name(graph: str, networks: Networks, options: dict[str, str]) -> str | None:
    """Return the name of a compiled graph in the cache; None if it is not cached.

    graph: the function in `graphs` that builds it; networks: its argument; options: of OpenVINO.
    """
    arrays = [(layer, array) for part in (networks.encoder, networks.decoder)
              for layer, pair in part.items() for array in pair]
    if folder() is None or sum(array.size for _, array in arrays) > LARGEST:
        return None
    from adain.networks.openvino.runtime import openvino

    digest = hashlib.sha256()
    try:
        for source in _SOURCES:
            digest.update((Path(__file__).parent / source).read_bytes())
    except OSError:  # installed without its sources
        return None
    for layer, array in arrays:
        digest.update(f"{layer}{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    settings = networks.adain_layers, networks.negative_slope, networks.ranges, options
    digest.update(repr((openvino.get_version(), cpu.description(), settings)).encode())
    return f"{graph}-{digest.hexdigest()[:32]}"


def read(name: str) -> bytes | None:
    """Return the network of this name; None if there is none that can be trusted.

    The digest shows that a file is complete, its owner and mode that nobody else wrote it.
    """
    kept = folder()
    if kept is None:
        return None
    path = _path(kept, name)
    try:
        if not _check(path.parent, os.stat(path.parent)):
            return None
        with open(path, "rb", opener=_open_plainly) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
                _warn(path, f"it is no file of at most {LARGEST_FILE} bytes")
                return None
            content = file.read(LARGEST_FILE) if _check(path, status) else b""
    except FileNotFoundError:
        return None
    except OSError as error:  # a symbolic link, too
        _warn(path, error.strerror or str(error))
        return None
    digest, network = content[:_DIGEST], content[_DIGEST:]
    return network if hashlib.sha256(network).digest() == digest else None


def write(name: str, network: bytes) -> None:
    """Write a network, and remove all but the newest; not where others can write, too."""
    kept = folder()
    if kept is None:
        return
    path = _path(kept, name)
    with contextlib.suppress(ImageError, OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _check(path.parent, os.stat(path.parent)):
            return
        with atomic(path) as beside:
            beside.touch(mode=0o600)
            beside.write_bytes(hashlib.sha256(network).digest() + network)
        files = sorted(path.parent.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime)
        for file in files[:-KEPT]:
            file.unlink(missing_ok=True)


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}{SUFFIX}"


def _open_plainly(path: str, flags: int) -> int:
    """Open no symbolic link, and do not wait for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _check(path: Path, status: os.stat_result) -> bool:
    """Return whether only this user can have written this; log the reason if not."""
    if not hasattr(os, "getuid"):  # Windows: the folder is the user's own
        return True
    if status.st_uid != os.getuid():
        _warn(path, "it belongs to another user")
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        _warn(path, "other users can write to it. Remove it, and it is made again")
    else:
        return True
    return False


def _warn(path: Path, reason: str) -> None:
    """Log once why a file or folder is not used."""
    with _lock:
        if path not in _warned:
            logger.warning("%s is not used to start faster: %s.", path, reason)
        _warned.add(path)
