"""Write .npz files, and read arrays and settings from untrusted .npz and JSON files.

Weights, encoded styles, checkpoints and networks for one style are all read here. Only regular
files are opened; the declared shapes, types and sizes are compared with the expected ones and with
a limit before anything is decompressed; only plain numbers and short text are read; every number
must be finite. numpy.load() is not used because it decompresses whatever size a file declares, and
raises about twelve kinds of errors.
"""

from __future__ import annotations

import json
import math
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

import numpy as np

from adain.errors import WeightsError

LIMIT = 128_000_000  # bytes of arrays; the largest file written here (vgg19 optimizer) has 28 MB
TEXT_LIMIT = 1_000_000  # bytes of a text or a JSON file
TEXT = "text"  # in place of a shape: a string
Shape = tuple[int, ...] | str | None  # None: any shape

# The header that NumPy writes for plain arrays; all others are refused.
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '[<>|=]?(f2|f4|f8|[iu][1248]|b1|U\d{1,7})', 'fortran_order': (True|False), "
    rb"'shape': \((\d{1,15}(?:, \d{1,15}){0,7},?|)\), \}\s*")
_DAMAGE = (OSError, ValueError, EOFError, OverflowError, NotImplementedError, struct.error,
           zlib.error, zipfile.BadZipFile)


def write_arrays(file: str | Path | IO[bytes], arrays: Mapping[str, np.ndarray | str],
                 compressed: bool = False) -> None:
    """Write named arrays as an .npz file; see `atomic` for a path that is whole or not there."""
    write = np.savez_compressed if compressed else np.savez
    write(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub compares with `allow_pickle`


def read_arrays(path: str | Path, kind: str, shapes: Mapping[str, Shape] | None = None,
                prefix: str = "", limit: int = LIMIT) -> dict[str, np.ndarray]:
    """Return arrays of an .npz file, read-only.

    Args:
        kind: what the file should be, for error messages.
        shapes: names of the arrays to read, with their required shapes. None: read every array
            whose name starts with `prefix`.
        limit: maximum number of bytes of all arrays together.

    Raises:
        WeightsError: the file is missing, damaged, too large, or not of these names and shapes.
    """
    try:
        check_regular(path)
        size = Path(path).stat().st_size
        if size > 2 * limit:  # the list of names alone could fill the memory
            raise ValueError(f"it has {size} bytes, the limit is {2 * limit}")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if shapes is None:
                shapes = dict.fromkeys(name for name in members if name.startswith(prefix))
            for name in shapes:
                if name not in members:
                    raise ValueError(f"it has no {name}")
            total = sum(members[name].file_size for name in shapes)
            if total > limit:
                raise ValueError(f"it unpacks to {total} bytes, the limit is {limit}")
            return {name: _read(archive, members[name], name, shape)
                    for name, shape in shapes.items()}
    except _DAMAGE as error:
        raise _not(kind, path, error) from None


def array_names(path: str | Path, limit: int) -> set[str]:
    """Return the names of the arrays in an .npz file; empty if it is unreadable or over limit."""
    try:
        if not Path(path).is_file() or Path(path).stat().st_size > limit:
            return set()
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except _DAMAGE:
        return set()


def check_regular(path: str | Path) -> None:
    """Raise WeightsError unless this is a regular file; pipes and devices may block forever."""
    if not Path(path).exists():
        raise WeightsError(f"{path} does not exist.")
    if not Path(path).is_file():
        raise WeightsError(f"{path} is not a regular file.")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, shape: Shape) -> np.ndarray:
    if info.flag_bits & 0x1:
        raise ValueError("it is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed by another method than deflate")
    with archive.open(info) as file:
        dtype, stored, order, size, _ = _read_header(file, info, name)
        _check_header(name, dtype, stored, shape)
        # Without a size, read() would decompress everything at once.
        content = file.read(size)
    array = np.frombuffer(content, dtype) if size else np.empty(0, dtype)
    array = array.reshape(stored, order=order)
    check_finite(name, array)
    return array


def map_arrays(path: str | Path, kind: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return arrays of an uncompressed .npz file as read-only maps of the file.

    Values are read where they are used: none has been checked.

    Args:
        kind: what the file should be, for error messages.

    Raises:
        WeightsError: the file is missing or damaged, or an array is missing or compressed.
    """
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {name: _map(archive, file, members.get(name), name) for name in names}
    except _DAMAGE as error:
        raise _not(kind, path, error) from None


def _map(archive: zipfile.ZipFile, file: BinaryIO, info: zipfile.ZipInfo | None,
         name: str) -> np.ndarray:
    if info is None:
        raise ValueError(f"it has no {name}")
    if info.flag_bits & 0x1 or info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed or encrypted, so that it cannot be mapped")
    with archive.open(info) as member:
        dtype, shape, order, size, before = _read_header(member, info, name)
    file.seek(info.header_offset + 26)  # the lengths of the name and the extra field, which follow
    start = info.header_offset + 30 + sum(struct.unpack("<HH", file.read(4))) + before
    if file.seek(0, 2) < start + size:
        raise ValueError(f"{name} is cut")
    if not size:
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "r", start, shape, order)


def _read_header(file: IO[bytes], info: zipfile.ZipInfo, name: str
                 ) -> tuple[np.dtype, tuple[int, ...], Literal["C", "F"], int, int]:
    """Return an array's type, shape, order and bytes, and the number of bytes before those."""
    start = file.read(len(_MAGIC) + 2)
    length = int.from_bytes(start[len(_MAGIC):], "little")
    header = _HEADER.fullmatch(file.read(length))
    if not start.startswith(_MAGIC) or not header:
        raise ValueError(f"{name} is not a plain array as NumPy writes it")
    dtype = np.dtype(header[0].split(b"'")[3].decode())
    shape = tuple(int(side) for side in header[3].replace(b",", b" ").split())
    size = math.prod(shape) * dtype.itemsize
    if size != info.file_size - len(start) - length:
        raise ValueError(f"{name} has another size than its header says")
    return dtype, shape, "F" if header[2] == b"True" else "C", size, len(start) + length


def _not(kind: str, path: str | Path, error: Exception) -> WeightsError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    reason = " ".join(str(reason).split())[:300]  # the message may quote the file
    return WeightsError(f"{path} is not {kind}: {reason}.")


def _check_header(name: str, dtype: np.dtype, stored: tuple[int, ...], shape: Shape) -> None:
    if (dtype.kind == "U") != (shape == TEXT):
        raise ValueError(f"{name} is {'text' if dtype.kind == 'U' else 'no text'}")
    if shape == TEXT and (stored or not 0 < dtype.itemsize <= TEXT_LIMIT):
        raise ValueError(f"{name} is no text of at most {TEXT_LIMIT} bytes")
    if shape not in (None, TEXT, stored):
        raise ValueError(f"{name} has shape {stored}, expected {shape}")


def check_finite(name: str, array: np.ndarray) -> None:
    """Raise ValueError if an array has numbers that are not finite as float32."""
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(np.float32, copy=False)).all()
        if not finite:
            raise ValueError(f"{name} has NaN or infinite values")


def parse_json(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object; raise ValueError for invalid JSON or any other value."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"it has {len(text)} characters, the limit is {TEXT_LIMIT}")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return value


def is_number(value: Any, minimum: float = -sys.float_info.max) -> bool:
    """Return whether a JSON value is a finite number of at least `minimum`."""
    if isinstance(value, int):
        return not isinstance(value, bool) and minimum <= value < 2**63
    return isinstance(value, float) and minimum <= value < math.inf
