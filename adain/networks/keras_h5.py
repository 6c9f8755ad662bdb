"""Copies the convolutions out of a Keras weights file: python keras_h5.py FILE.h5 FILE.npz LAYER...

`published_weights` starts it as a separate process: HDF5 is large and trusts what it reads, so a
damaged file may crash it or never end. Links and arrays that lead into other files are
refused: HDF5 would follow them. It imports nothing of this package.
"""

from __future__ import annotations

import contextlib
import math
import sys

import h5py
import numpy as np

LARGEST = 512 * 512 * 9  # numbers in a kernel of VGG19
MEMORY = 4_000_000_000  # bytes of addresses, where they can be limited


def convolutions(path: str, layers: list[str]) -> dict[str, np.ndarray]:
    """Return a kernel and a bias for each conv1_1, which the file has in a group block1_conv1."""
    arrays = {}
    with h5py.File(path, "r") as file:
        for layer in layers:
            group = child(file, f"block{layer[4]}_conv{layer[6]}")
            if group.attrs.get_id("weight_names").shape != (2,):
                raise ValueError(f"{group.name} has not two weights")
            for part, name in zip(("kernel", "bias"), group.attrs["weight_names"]):
                name = name.decode() if isinstance(name, bytes) else str(name)
                arrays[f"{layer}/{part}"] = array(group, name)
    return arrays


def child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(
                group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"it has no {name!r}, or only a link to it")
        group = group[part]
    return group


def array(group: h5py.Group, name: str) -> np.ndarray:
    dataset = child(group, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
        raise ValueError(f"{name!r} is no array of floating-point numbers")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"the values of {name!r} are in another file")
    if dataset.size is None or not 0 < dataset.size <= LARGEST:
        raise ValueError(f"{name!r} has {dataset.size} values")
    if math.prod(dataset.chunks or ()) > 16 * LARGEST:  # HDF5 unpacks whole chunks
        raise ValueError(f"{name!r} has chunks of {dataset.chunks}")
    with np.errstate(over="ignore"):
        values = np.asarray(dataset[()], np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{name!r} has NaN or infinite values")
    return values


if __name__ == "__main__":
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        arrays = convolutions(sys.argv[1], sys.argv[3:])
        np.savez(sys.argv[2], **arrays)  # type: ignore[arg-type]  # as in files/arrays.py
    except Exception as error:  # whatever damage leads h5py to
        print(ascii(" ".join(str(error).split())[:300] or type(error).__name__)[1:-1])
        sys.exit(1)
