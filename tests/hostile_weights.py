"""Torch 7 and HDF5 files that somebody made to do harm; see hostile_files."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch7
from hostile_files import SPECIAL, Files, damaged, special

from adain.networks.architecture import PRESETS, VGG19_LAYERS, encoder_channels


class Tensor:
    """A float tensor whose sizes, strides and offset are only claims."""

    typename = "torch.FloatTensor"

    def __init__(self, shape, strides, offset=1, storage=9, claimed=None) -> None:
        self.shape, self.strides, self.offset = shape, strides, offset
        self.storage, self.claimed = storage, storage if claimed is None else claimed

    def write(self, writer) -> bytes:
        return (writer.torch(self.typename)
                + struct.pack(f"<i{2 * len(self.shape) + 1}q", len(self.shape), *self.shape,
                              *self.strides, self.offset)
                + writer.torch("torch.FloatStorage") + struct.pack("<q", self.claimed)
                + bytes(4 * self.storage))


class Raw:
    """Any bytes where a value should be."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def write(self, writer) -> bytes:
        return self.content


def torch_files(count: int = 9) -> Files:
    """Files that pass for vgg_normalised.t7 or decoder.t7; count: how many have bytes damaged."""
    for what, content in torch_contents(count):
        yield what, lambda path, content=content: path.write_bytes(content)
    for what in SPECIAL:
        yield what, lambda path, what=what: special(path, what)


def torch_contents(count: int) -> Iterator[tuple[str, bytes]]:
    def network(**fields):
        conv = torch7.convolution(np.zeros((1, 1, 3, 3), "f"), np.zeros(3, "f"))
        conv.fields |= fields
        return torch7.content(torch7.sequential(conv))

    big = 2**40
    tensors = [Tensor((3, 3, 1, 1), strides) for strides in (
        (big, 1, 1, 1), (-3, 1, 1, 1), (-big, big, 1, 1), (0, 0, 1, 1), (1, big, 1, 1),
        (2**62, 2**62, 1, 1))]
    tensors += [Tensor((3, 3, 1, 1), (3, 1, 1, 1), **claim) for claim in (
        {"offset": 0}, {"offset": -big}, {"offset": big}, {"offset": 2}, {"storage": 4},
        {"storage": 0}, {"claimed": big}, {"claimed": -1}, {"claimed": 2**61})]
    tensors += [Tensor(shape, (1,) * len(shape), storage=4) for shape in (
        (big,), (-1,), (0, 3), (512, 256, 3, 3), (1,) * 9, (2**32, 2**32))]
    for tensor in tensors:
        text = f"tensor {tensor.shape} {tensor.strides} {tensor.offset} {tensor.claimed}"
        yield text, network(weight=tensor)
    good = network()
    yield from damaged(good, count)
    for name, value in (("nOutputPlane", 2.5), ("nOutputPlane", -3), ("kH", float("nan")),
                        ("kW", 1e300), ("kH", "text"), ("nInputPlane", big), ("bias", 3),
                        ("weight", "text"), ("bias", np.full(3, np.nan))):
        yield f"{name} is {value}", network(**{name: value})
    yield "nothing", b""
    yield "a number", torch7.content(1)
    yield "no modules", torch7.content(torch7.Module("nn.Sequential"))
    yield "modules are text", torch7.content(torch7.Module("nn.Sequential", modules="text"))
    yield "unknown type", struct.pack("<i", 77)
    yield "text of 2 GB", struct.pack("<ii", 2, 2**31 - 1)
    yield "text of less than nothing", struct.pack("<ii", 2, -5)
    yield "table of 2**31", struct.pack("<iii", 3, 1, 2**31 - 1)
    yield "storage of itself", (struct.pack("<iiI", 4, 1, 17) + b"torch.FloatTensor"
                                + struct.pack("<iqqqii", 1, 9, 1, 1, 4, 1))
    yield "a table in itself", struct.pack("<iii", 3, 1, 1) + struct.pack("<idii", 1, 1, 3, 1)
    yield "deep", b"".join(struct.pack("<iiiid", 3, index, 1, 1, 1.0) for index in range(1, 5000))
    yield "many values", struct.pack("<iii", 3, 1, 2**30) + bytes(4_000_000)
    yield "functions", struct.pack("<iiii", 8, 1, 0, 8) * 5000
    yield "a file of Python's pickle", b"\x80\x04\x95cposix\nsystem\n(S'touch hacked'\ntR."
    yield "2**30 paths", torch7.content(paths(30))
    yield "a long chain", torch7.content(chain(5000))


def paths(depth: int):
    """A Sequential that is reached by 2**depth paths."""
    shared = torch7.sequential(torch7.padding())
    for _ in range(depth):
        shared = torch7.sequential(shared, shared)
    return shared


def chain(count: int):
    """Sequentials, each of which holds the one before; the last is named first."""
    modules = [torch7.sequential(torch7.padding())]
    for _ in range(count):
        modules.append(torch7.sequential(modules[-1]))
    return torch7.Module("nn.Sequential", modules={
        float(count - index): module for index, module in enumerate(modules)})


# --- HDF5 -----------------------------------------------------------------------------------------

def h5_files(secret: Path, count: int = 9) -> Files:
    """Files that pass for a VGG19 of Keras; secret: a file of nine floats that must not be read."""
    def groups(path, change=lambda file, group, index: None):
        with h5py.File(path, "w") as file:
            for index, layer in enumerate(VGG19_LAYERS):
                group = file.create_group(f"block{layer[4]}_conv{layer[6]}")
                group.attrs["weight_names"] = [b"kernel", b"bias"]
                if change(file, group, index):
                    continue
                channels = encoder_channels(layer, PRESETS["vgg19"].widths)
                if "kernel" not in group:
                    group.create_dataset("kernel", (3, 3, *channels), "f4", compression="gzip")
                if "bias" not in group:
                    group.create_dataset("bias", channels[1:], "f4")

    def one(change):
        return lambda path: groups(path, lambda file, group, index:
                                   change(file, group) if index == 0 else None)

    def link(target):
        return one(lambda file, group: group.__setitem__("kernel", target))

    def dataset(*args, **kwargs):
        return one(lambda file, group: group.create_dataset("kernel", *args, **kwargs) and None)

    def names(value):
        return one(lambda file, group: group.attrs.__setitem__("weight_names", value))

    def virtual(file, group):
        layout = h5py.VirtualLayout((3, 3, 3, 64), "f4")
        layout[:] = h5py.VirtualSource(str(secret), "x", (3, 3, 3, 64))
        group.create_virtual_dataset("kernel", layout)

    yield "an external link", link(h5py.ExternalLink(str(secret), "/x"))
    yield "a group that is an external link", lambda path: groups(
        path, lambda file, group, index: index == 0 and (
            file.__delitem__("block1_conv1"),
            file.__setitem__("block1_conv1", h5py.ExternalLink(str(secret), "/"))))
    yield "values in another file", dataset((3, 3, 3, 64), "f4", external=[(str(secret), 0, 6912)])
    yield "a virtual dataset", one(virtual)
    yield "a soft link to itself", link(h5py.SoftLink("/block1_conv1/kernel"))
    yield "a soft link to its group", link(h5py.SoftLink("/block1_conv1"))
    yield "a soft link to nothing", link(h5py.SoftLink("/none"))
    yield "a group as kernel", one(lambda file, group: group.create_group("kernel") and None)
    yield "a type as kernel", one(lambda file, group: group.__setitem__(
        "kernel", np.dtype("f4")))
    yield "a hard link to the root", one(lambda file, group: group.__setitem__("kernel", file))
    for what, args, options in (
            ("text", (), {"data": "text"}), ("texts", (), {"data": [b"a"] * 9}),
            ("integers", ((3, 3, 3, 64), "i4"), {}), ("complex", ((3, 3, 3, 64), "c8"), {}),
            ("records", ((3, 3, 3, 64), [("a", "f4")]), {}), ("empty", ((0,), "f4"), {}),
            ("no space", (), {"data": h5py.Empty("f4")}), ("scalar", ((), "f4"), {}),
            ("another shape", ((3, 3), "f4"), {}), ("too large", ((2**40,), "f4"),
                                                    {"chunks": (2**20,)}),
            ("large chunks", ((3, 3, 3, 64), "f4"), {"chunks": (3, 3, 3, 2**20), "maxshape": (
                3, 3, 3, None), "compression": "gzip"}),
            ("references", ((9,), h5py.ref_dtype), {}), ("NaN", (), {
                "data": np.full((3, 3, 3, 64), np.nan, "f4")}),
            ("1e300", (), {"data": np.full((3, 3, 3, 64), 1e300)})):
        yield f"the kernel is {what}", dataset(*args, **options)
    for value in (b"kernel", [b"kernel"], [b"kernel"] * 3, [1, 2], [b"../block1_conv2", b"bias"],
                  [b"/", b"/"], [b"", b""], [b".", b".."], [b"\xff", b"\xfe"], [b"kernel"] * 2,
                  h5py.Empty("f4"), np.zeros((2, 2))):
        yield f"the names are {value!r}", names(value)
    yield "no names", one(lambda file, group: group.attrs.__delitem__("weight_names"))
    yield "no groups", lambda path: h5py.File(path, "w").close()
    whole = io.BytesIO()
    groups(whole)
    for what, content in damaged(whole.getvalue(), count):
        yield what, lambda path, content=content: path.write_bytes(content)
    for what in SPECIAL:
        yield what, lambda path, what=what: special(path, what)
