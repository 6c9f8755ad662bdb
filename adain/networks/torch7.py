"""Reads what torch.save() of Lua Torch 7 wrote in binary: .t7 files, as far as networks need it.

A file is a tree of values, each a type number and its content (torch7/File.lua); tables and Torch
objects carry an index, by which they are named again. Sizes, strides and offsets in it are claims:
all are compared with the bytes that are there before an array is made. (The package torchfile
hands them to NumPy unchecked, which reads memory that is not the file's.)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from adain.errors import WeightsError
from adain.files.arrays import check_regular

LIMIT = 1_000_000_000  # bytes of a file; the whole VGG19 of the paper's authors has 80 MB
_MOST = 200_000  # values in a file; theirs have some thousands
_DEEPEST = 64  # values inside of each other; theirs have 8
_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN, _FUNCTION, _OLD_FUNCTION, _NEW_FUNCTION = (
    *range(7), 7, 8)
# As 64-bit Torch wrote them, on the machines that it ran on: little-endian, a long of 8 bytes.
_DTYPES = {"Byte": "u1", "Char": "i1", "Short": "<i2", "Int": "<i4", "Long": "<i8", "Float": "<f4",
           "Double": "<f8", "Cuda": "<f4", "CudaDouble": "<f8", "CudaByte": "u1",
           "CudaChar": "i1", "CudaShort": "<i2", "CudaInt": "<i4", "CudaLong": "<i8"}


@dataclass(eq=False)
class Module:
    """A Torch object that is not an array: its type's name and its fields."""

    typename: str
    fields: dict[Any, Any] = field(default_factory=dict)


def load(path: str | Path) -> Any:
    """Return the value in a .t7 file: dict for a table, Module, np.ndarray, str, float, bool, None.

    Raises WeightsError for a file that is damaged, or holds anything else.
    """
    check_regular(path)
    try:
        size = Path(path).stat().st_size
        if size > LIMIT:
            raise ValueError(f"it has {size} bytes, the limit is {LIMIT}")
        return _Reader(Path(path).read_bytes()).value()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise WeightsError(f"{path} is not a Torch 7 file that can be read: {reason}.") from None


def as_list(table: Any) -> list[Any]:
    """Return what a Lua table has under 1, 2, ... in this order; nothing of other values."""
    items = table.items() if isinstance(table, dict) else ()
    return [value for key, value in sorted((item for item in items if isinstance(item[0], float)),
                                           key=lambda item: item[0])]


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0
        self._known: dict[int, Any] = {}
        self._depth = self._count = 0

    def value(self) -> Any:
        self._count += 1
        if self._count > _MOST:
            raise ValueError(f"it has more than {_MOST} values")
        kind = self._int()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return self._unpack("<d")
        if kind == _BOOLEAN:
            return self._int() == 1
        if kind == _STRING:
            return self._text()
        if kind not in (_TABLE, _TORCH, _FUNCTION, _OLD_FUNCTION, _NEW_FUNCTION):
            raise ValueError(f"type {kind} at byte {self._place - 4} is unknown")
        index = self._int()
        if index in self._known:
            return self._known[index]
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"its values are more than {_DEEPEST} inside of each other")
        if kind == _TABLE:
            value: Any = self._table(index)
        elif kind == _TORCH:
            value = self._object(index)
        else:  # the code of a Lua function, which nobody runs
            self._take(self._int())
            value = self._known[index] = None
            self.value()
        self._depth -= 1
        return value

    def _table(self, index: int) -> dict[Any, Any]:
        table: dict[Any, Any] = {}
        self._known[index] = table  # known before it is complete: it may hold itself
        for _ in range(self._int()):
            key, value = self.value(), self.value()
            if isinstance(key, (str, float, bool)):  # nothing that is wanted has another key
                table[key] = value
        return table

    def _object(self, index: int) -> Any:
        typename = self._text()
        if typename.startswith("V "):  # a version, which older files lack
            typename = self._text()
        name = typename.removeprefix("torch.")
        if name.removesuffix("Storage") in _DTYPES and name.endswith("Storage"):
            value: Any = self._storage(np.dtype(_DTYPES[name.removesuffix("Storage")]))
        elif name.removesuffix("Tensor") in _DTYPES and name.endswith("Tensor"):
            value = self._tensor()
        else:
            value = self._known[index] = Module(typename)
            fields = self.value()
            value.fields = fields if isinstance(fields, dict) else {}
        self._known[index] = value
        return value

    def _storage(self, dtype: np.dtype) -> np.ndarray:
        content = self._take(self._unpack("<q") * dtype.itemsize)
        return np.frombuffer(content, dtype) if content else np.empty(0, dtype)

    def _tensor(self) -> np.ndarray:
        dimensions = self._int()
        if not 0 <= dimensions <= 8:
            raise ValueError(f"it has a tensor of {dimensions} dimensions")
        *sides, offset = (self._unpack("<q") for _ in range(2 * dimensions + 1))
        shape, strides = sides[:dimensions], sides[dimensions:]
        storage = self.value()
        if not dimensions or storage is None:
            return np.empty(0, np.float32)
        if not isinstance(storage, np.ndarray) or storage.ndim != 1:
            raise ValueError("it has a tensor without a storage")
        last = offset - 1 + sum((side - 1) * stride for side, stride in zip(shape, strides))
        # Nor may a stride of 0 make much of little.
        if (min(shape) < 1 or min(strides) < 0 or offset < 1 or last >= storage.size
                or np.prod(shape, dtype=object) > storage.size):
            raise ValueError(f"it has a tensor of {shape} with strides {strides} from "
                             f"{offset} on in a storage of {storage.size}")
        return np.lib.stride_tricks.as_strided(
            storage[offset - 1:], shape, [stride * storage.itemsize for stride in strides],
            writeable=False)

    def _text(self) -> str:
        return bytes(self._take(self._int())).decode("latin-1")

    def _int(self) -> int:
        number: int = self._unpack("<i")
        return number

    def _unpack(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> memoryview:
        if not 0 <= count <= len(self._content) - self._place:
            raise ValueError(f"it ends early, or says at byte {self._place} that {count} follow")
        self._place += count
        return memoryview(self._content)[self._place - count:self._place]
