"""Weights as others publish them: the Keras VGG19 "notop" .h5, the .t7 files of AdaIN's authors.

Both come from strangers, so what a file says is checked before it is believed; `weights.check`
then compares layers, shapes and values. `weights` folds in what the networks expect of a picture.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from adain import torch7
from adain.architecture import VGG19_LAYERS
from adain.array_files import check_regular
from adain.errors import WeightsError

Convolution = tuple[np.ndarray, np.ndarray]  # kernel (rows, columns, inputs, outputs), bias
_LARGEST = 512 * 512 * 9  # numbers in a kernel of VGG19


def read_keras_h5(path: Path) -> dict[str, Convolution]:
    """Read conv1_1.. from a Keras weights file: groups block1_conv1.., a kernel and a bias each.

    Links and arrays that lead into other files are refused: HDF5 would follow them.
    """
    try:
        import h5py
    except ImportError:
        raise WeightsError(f"{path}: reading .h5 needs h5py: "
                           "pip install -e '.[weights]'") from None

    def child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
        for part in name.split("/"):
            if not isinstance(group, h5py.Group) or not isinstance(
                    group.get(part, getlink=True), h5py.HardLink):
                raise ValueError(f"it has no {name}, or only a link to it")
            group = group[part]
        return group

    def array(group: h5py.Group, name: str) -> np.ndarray:
        found = child(group, name)
        if not isinstance(found, h5py.Dataset) or found.dtype.kind != "f":
            raise ValueError(f"{name} is no array of floating-point numbers")
        if found.external or found.is_virtual:
            raise ValueError(f"the values of {name} are in another file")
        if found.size is None or not 0 < found.size <= _LARGEST:
            raise ValueError(f"{name} has {found.size} values")
        if math.prod(found.chunks or ()) > 16 * _LARGEST:  # HDF5 unpacks whole chunks
            raise ValueError(f"{name} has chunks of {found.chunks}")
        return _float32(found[()])

    weights = {}
    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            for layer in VGG19_LAYERS:
                group = child(file, f"block{layer[4]}_conv{layer[6]}")
                attribute = group.attrs.get_id("weight_names")
                if attribute.shape != (2,):
                    raise ValueError(f"{group.name} has not two weights")
                names = [name.decode() if isinstance(name, bytes) else str(name)
                         for name in group.attrs["weight_names"]]
                weights[layer] = tuple(array(group, name) for name in names)
    # What h5py makes of the errors of HDF5, which finds damage wherever it looks.
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} is not a Keras VGG19 notop weights file: {error}.") from None
    return weights


def read_t7(path: Path) -> list[Convolution]:
    """Return every convolution of a Torch nn.Sequential, in order; each counts once."""
    found, visited, waiting = [], set(), [torch7.load(path)]
    try:
        while waiting:
            module = waiting.pop()
            if not isinstance(module, torch7.Module) or id(module) in visited:
                continue
            visited.add(id(module))
            if module.typename.startswith("nn.SpatialConvolution"):
                found.append(_torch_convolution(module.fields))
            elif module.typename == "nn.Sequential":
                waiting += torch7.as_list(module.fields.get("modules"))[::-1]
    except ValueError as error:
        raise WeightsError(f"{path} is not a Torch network that can be read: {error}.") from None
    return found


def _torch_convolution(fields: dict[str, object]) -> Convolution:
    sides = [fields.get(name) for name in ("nOutputPlane", "nInputPlane", "kH", "kW")]
    kernel, bias = fields.get("weight"), fields.get("bias")
    if not (all(isinstance(side, float) and side.is_integer() and side > 0 for side in sides)
            and isinstance(kernel, np.ndarray) and isinstance(bias, np.ndarray)):
        raise ValueError("it has a convolution without weights, or of no size")
    shape = tuple(map(int, sides))
    if math.prod(shape) != kernel.size:
        raise ValueError(f"it has a convolution of {shape} with weights of {kernel.shape}")
    return _float32(kernel).reshape(shape).transpose(2, 3, 1, 0), _float32(bias)


def _float32(array: np.ndarray) -> np.ndarray:
    """Return a copy, infinite where float32 is: `weights.check` refuses that."""
    with np.errstate(over="ignore"):
        return np.array(array, np.float32)
