"""Weights as others publish them: the Keras VGG19 "notop" .h5, the .t7 files of AdaIN's authors.

Such files come from strangers: everything in them is checked before it is used; `weights.check`
then compares layers, shapes and values, and `weights` folds in the expected range of pictures.
"""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from adain.errors import WeightsError
from adain.files.arrays import check_regular, read_arrays
from adain.networks import torch7
from adain.networks.architecture import VGG19_LAYERS

Convolution = tuple[np.ndarray, np.ndarray]  # kernel (rows, columns, inputs, outputs), bias
SECONDS = 40  # limit for HDF5; it reads a VGG19 in one second


def read_keras_h5(path: Path) -> dict[str, Convolution]:
    """Read conv1_1.. from a Keras weights file: groups block1_conv1.., a kernel and a bias each."""
    check_regular(path)
    if importlib.util.find_spec("h5py") is None:
        raise WeightsError(f"{path}: reading .h5 needs h5py: pip install -e '.[weights]'")
    kind = "a Keras VGG19 notop weights file"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "weights.npz"
        try:
            done = subprocess.run(  # -P: what is beside that file is not to be imported
                [sys.executable, "-P", Path(__file__).with_name("keras_h5.py"), path, copy,
                 *VGG19_LAYERS], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise WeightsError(f"{path} is not {kind}: HDF5 reads it for more than {SECONDS} s."
                               ) from None
        if done.returncode:
            raise WeightsError(f"{path} is not {kind}: "
                               f"{done.stdout.decode(errors='replace').strip() or 'HDF5 crashes'}.")
        arrays = read_arrays(copy, kind)
    return {layer: (arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]) for layer in VGG19_LAYERS}


def read_t7(path: Path) -> list[Convolution]:
    """Return every convolution of a Torch nn.Sequential, in order; each counts once."""
    convolutions: list[Convolution] = []
    visited: set[int] = set()
    waiting = [torch7.load(path)]
    try:
        while waiting:
            module = waiting.pop()
            if not isinstance(module, torch7.Module) or id(module) in visited:
                continue
            visited.add(id(module))
            if module.typename.startswith("nn.SpatialConvolution"):
                convolutions.append(_torch_convolution(module.fields))
            elif module.typename == "nn.Sequential":
                waiting += torch7.as_list(module.fields.get("modules"))[::-1]
    except ValueError as error:
        raise WeightsError(f"{path} is not a Torch network that can be read: {error}.") from None
    return convolutions


def _torch_convolution(fields: dict[str, object]) -> Convolution:
    shape = tuple(int(side) for name in ("nOutputPlane", "nInputPlane", "kH", "kW")
                  if isinstance(side := fields.get(name), float) and side.is_integer() and side > 0)
    kernel, bias = fields.get("weight"), fields.get("bias")
    if not (len(shape) == 4 and isinstance(kernel, np.ndarray) and isinstance(bias, np.ndarray)):
        raise ValueError("it has a convolution without weights, or of no size")
    if math.prod(shape) != kernel.size:
        raise ValueError(f"it has a convolution of {shape} with weights of {kernel.shape}")
    return _float32(kernel).reshape(shape).transpose(2, 3, 1, 0), _float32(bias)


def _float32(array: np.ndarray) -> np.ndarray:
    """Return a copy, infinite where float32 is: `weights.check` refuses that."""
    with np.errstate(over="ignore"):
        return np.array(array, np.float32)
