"""Compiled networks in a folder of the user's: the next start reads them instead of making them.

That saves a start of the compact model 0.06 s to 0.1 s of 0.6. A file's name tells all that it was
made from, so what does not fit is not found. What cannot be read or written is made anew and not
kept: nothing depends on the folder, and it may be removed at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from adain import cpu
from adain.atomic import atomic_file
from adain.errors import ImageError
from adain.weights import Weights

VARIABLE = "ADAIN_CACHE"  # names another folder; empty: nothing is kept
SUFFIX = ".network"
KEPT = 16  # files; 1 to 3 MB each
# Numbers in the weights: to read a larger network, such as VGG19, takes half as long as to make it,
# which is little of the time that it then computes.
LARGEST = 2_000_000
_SOURCES = ("architecture.py", "convolutions.py", "graphs.py", "stats.py")  # what graphs come from
_DIGEST = 32  # bytes


def folder() -> Path | None:
    """Return where networks are kept; None: nowhere."""
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


def name(graph: str, weights: Iterable[Weights], *settings: object) -> str | None:
    """Return the name of a network in the folder; None: it is not kept.

    graph: the function in adain.graphs that makes it; weights, settings: all that it is given.
    """
    arrays = [(layer, array) for part in weights for layer, pair in part.items() for array in pair]
    if folder() is None or sum(array.size for _, array in arrays) > LARGEST:
        return None
    from adain.runtime import openvino

    digest = hashlib.sha256()
    try:
        for source in _SOURCES:
            digest.update(Path(__file__).with_name(source).read_bytes())
    except OSError:  # installed without its sources
        return None
    for layer, array in arrays:
        digest.update(f"{layer}{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    digest.update(repr((openvino.get_version(), cpu.description(), settings)).encode())
    return f"{graph}-{digest.hexdigest()[:32]}"


def read(name: str) -> bytes | None:
    """Return the network that was written under this name; None: there is none that is whole."""
    try:
        content = _path(name).read_bytes()
    except OSError:
        return None
    digest, network = content[:_DIGEST], content[_DIGEST:]
    return network if hashlib.sha256(network).digest() == digest else None


def write(name: str, network: bytes) -> None:
    """Keep a network under this name, and the newest others."""
    path = _path(name)
    with contextlib.suppress(ImageError, OSError):
        with atomic_file(path) as file:
            file.write(hashlib.sha256(network).digest() + network)
        files = sorted(path.parent.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime)
        for file in files[:-KEPT]:
            file.unlink(missing_ok=True)


def _path(name: str) -> Path:
    return folder() / f"{name}{SUFFIX}"
