"""Write Torch 7 .t7 files as torch.save() did, so that tests can read them back.

The format (torch7/File.lua, binary, 64 bit): every value is a type number; tables and Torch
objects carry an index, so that shared ones are written once; a class is a version and a name.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

NUMBER, STRING, TABLE, TORCH, BOOLEAN = 1, 2, 3, 4, 5


class Module:
    """A Torch class instance: its type name and its fields."""

    def __init__(self, typename: str, **fields) -> None:
        self.typename, self.fields = typename, fields


def convolution(kernel: np.ndarray, bias: np.ndarray, flat: bool = False) -> Module:
    """An nn.SpatialConvolution from a Keras kernel (rows, columns, inputs, outputs)."""
    rows, columns, inputs, outputs = kernel.shape
    weight = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    return Module("nn.SpatialConvolution", nInputPlane=inputs, nOutputPlane=outputs, kH=rows,
                  kW=columns, dH=1, dW=1, padH=0, padW=0, bias=bias, train=False,
                  weight=weight.reshape(outputs, -1) if flat else weight)


def padding() -> Module:
    return Module("nn.SpatialReflectionPadding", pad_l=1, pad_r=1, pad_t=1, pad_b=1)


def sequential(*modules: Module) -> Module:
    return Module("nn.Sequential", modules=list(modules), train=False)


def content(value) -> bytes:
    """A value as a file's bytes. One with a method write(writer) writes itself."""
    return b"".join(_Writer().value(value))


def save(path: Path, value) -> None:
    path.write_bytes(content(value))


class _Writer:
    def __init__(self) -> None:
        self.count = 0
        self.written: dict[int, bytes] = {}  # modules that others hold, too

    def index(self):
        self.count += 1
        return struct.pack("<i", self.count)

    def text(self, text: str):
        return struct.pack("<i", len(text)) + text.encode()

    def value(self, value):
        if isinstance(value, bool):
            yield struct.pack("<ii", BOOLEAN, value)
        elif isinstance(value, (int, float)):
            yield struct.pack("<id", NUMBER, value)
        elif isinstance(value, str):
            yield struct.pack("<i", STRING) + self.text(value)
        elif isinstance(value, (list, dict)):
            items = list(enumerate(value, 1)) if isinstance(value, list) else list(value.items())
            yield struct.pack("<i", TABLE) + self.index() + struct.pack("<i", len(items))
            for key, item in items:
                yield from self.value(key)
                yield from self.value(item)
        elif isinstance(value, np.ndarray):
            yield from self.tensor(value.astype("<f4"))
        elif hasattr(value, "write"):
            yield value.write(self)
        elif id(value) in self.written:
            yield self.written[id(value)]
        else:
            self.written[id(value)] = struct.pack("<ii", TORCH, self.count + 1)
            yield self.torch(value.typename)
            yield from self.value(value.fields)

    def torch(self, typename: str):
        return struct.pack("<i", TORCH) + self.index() + self.text("V 1") + self.text(typename)

    def tensor(self, array: np.ndarray):
        yield self.torch("torch.FloatTensor")
        strides = [stride // 4 for stride in array.strides]
        yield struct.pack(f"<i{2 * array.ndim}q", array.ndim, *array.shape, *strides)
        yield struct.pack("<q", 1)  # storage offset, counted from 1
        yield self.torch("torch.FloatStorage")
        yield struct.pack("<q", array.size) + array.tobytes()
