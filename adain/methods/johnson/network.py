"""Networks for one style (Johnson, Alahi & Fei-Fei 2016): their layers, files and use on a CPU.

`training` trains such networks. Departures from the paper: instance normalization (Ulyanov et al.
2016) instead of batch normalization; upsampling and convolution instead of transposed convolution,
which causes checkerboard patterns; reflect padding everywhere.

Instance normalization needs the statistics of the whole picture at every layer, so tiles would
change the result. Pictures are therefore computed in one piece: 0.6 GB per megapixel in float32,
half of that in bfloat16.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from adain import memory
from adain.errors import ImageError, OptionError, WeightsError
from adain.files import images
from adain.files.arrays import TEXT, parse_json, read_arrays, write_arrays
from adain.files.pixels import to_float, to_integers
from adain.networks import checkpoint
from adain.networks.openvino.compiled import compile_graph
from adain.networks.openvino.convolutions import upsample
from adain.networks.stats import EPSILON
from adain.transfer.image_like import ImageLike, as_image
from adain.transfer.tiling import pad

if TYPE_CHECKING:
    import openvino

    from adain.networks.openvino.runtime import Tensor

T = TypeVar("T")  # a tensor of any framework
Arrays = dict[str, np.ndarray]
METHOD = "johnson"  # the name in config.json
FLOAT32_BYTES, BFLOAT16_BYTES = 600, 300  # memory per pixel, measured


class Layer(NamedTuple):
    """A convolution: kernel size, numbers of input and output channels, and stride."""

    size: int
    inputs: int
    outputs: int
    stride: int = 1


OUTPUT = "output"  # its output is the picture; all other layers have instance normalization
DOWN, RESIDUAL, UP = (("down1", "down2", "down3"), tuple(f"residual{n}" for n in range(1, 6)),
                      ("up1", "up2"))
LAYERS = {
    "down1": Layer(9, 3, 32), "down2": Layer(3, 32, 64, 2), "down3": Layer(3, 64, 128, 2),
    **{f"{block}{half}": Layer(3, 128, 128) for block in RESIDUAL for half in "ab"},
    "up1": Layer(3, 128, 64), "up2": Layer(3, 64, 32), OUTPUT: Layer(9, 32, 3),
}


def forward(image: T, layer: Callable[[str, T], T], relu: Callable[[T], T],
            add: Callable[[T, T], T], upsample: Callable[[T], T]) -> T:
    """Return the output of the last convolution, whose sigmoid is the stylized picture.

    Keras, OpenVINO and export use this function with their own operations.

    Args:
        image: a picture, or a batch.
        layer: layer(name, x) returns the convolution of x, normalized except for OUTPUT.
        relu, add, upsample: operations on tensors.
    """
    x = image
    for name in DOWN:
        x = relu(layer(name, x))
    for name in RESIDUAL:  # without a ReLU after the sum (Gross & Wilber 2016), as in the paper
        x = add(x, layer(f"{name}b", relu(layer(f"{name}a", x))))
    for name in UP:
        x = relu(layer(name, upsample(x)))
    return layer(OUTPUT, x)


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's arrays by name, in the order of its layers.

    A normalized convolution has the mean and the standard deviation that its channels get, and no
    bias, which normalization would remove.
    """
    sizes: dict[str, tuple[int, ...]] = {}
    for name, (size, inputs, outputs, _) in LAYERS.items():
        sizes[f"{name}/kernel"] = (size, size, inputs, outputs)
        for vector in ("bias",) if name == OUTPUT else ("mean", "std"):
            sizes[f"{name}/{vector}"] = (outputs,)
    return sizes


# --- files ---------------------------------------------------------------------------------------

def save(path: str | Path, arrays: Arrays, about: dict[str, Any]) -> None:
    """Write a network to one .npz file of 3.4 MB: float16 arrays, and its settings as JSON."""
    halves = {name: array.astype(np.float16) for name, array in arrays.items()}
    with images.atomic_file(path, WeightsError) as file:
        write_arrays(file, {"about": json.dumps({"method": METHOD, **about}), **halves},
                     compressed=True)


def load(path: str | Path) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays, float32, and the settings of a network.

    Args:
        path: a file written by save(), or a training folder, whose newest checkpoint is read.

    Raises:
        WeightsError: the path is neither, or the file is damaged.
    """
    path, kind = Path(path), "a network for one style"
    checkpoint.refuse_file(path)
    if path.is_dir():
        saved = checkpoint.load(path, METHOD)
        path, about = saved.path / "model.npz", saved.config
    else:
        text = str(read_arrays(path, kind, {"about": TEXT})["about"])
        try:
            about = parse_json(text)
        except ValueError as error:
            raise WeightsError(f"{path} is not {kind}: its settings cannot be read, {error}."
                               ) from None
    name = about.get("style_name", "")
    if not isinstance(name, str) or "\0" in name or len(name) > 255:
        raise WeightsError(f"{path} is not {kind}: its style_name is no file's name.")
    arrays = read_arrays(path, kind, shapes())
    return {name: array.astype(np.float32) for name, array in arrays.items()}, about


def style_name(path: str | Path) -> str:
    """Return the name of the picture that a network was trained on, without its suffix."""
    return Path(load(path)[1].get("style_name", "")).stem or "style"


def export(folder: str | Path, path: str | Path) -> None:
    """Write the newest network in a training folder to one small file, see save()."""
    arrays, about = load(folder)
    save(path, arrays, {name: about.get(name) for name in ("step", "style_name", "options")})


def is_network(path: str | Path) -> bool:
    """Return whether a path is an .npz file, or a training folder of this method.

    The file itself is not checked: load() may still raise an error.
    """
    path = Path(path)
    checkpoint.refuse_file(path)
    return checkpoint.method_of(path) == METHOD if path.is_dir() else path.suffix == ".npz"


# --- use -----------------------------------------------------------------------------------------

class StyleNetwork:
    """A network trained for one style, which stylizes pictures on the CPU.

    Args:
        path: a folder written by train_style(), or a .npz file written by `adain pack`.
        precision: "auto", "float32" or "bfloat16"; auto is bfloat16 where the CPU is faster with
            it.
        max_memory: megabytes that a picture may take; None: all memory that is available.

    Raises:
        OptionError: the precision is int8 or unknown.
        WeightsError: there is no network for one style at `path`, or it is damaged.

    Source: Johnson, Alahi & Fei-Fei 2016 (arXiv:1603.08155); departures are listed in this
    module's docstring.
    """

    def __init__(self, path: str | Path, precision: str = "auto",
                 max_memory: int | None = None) -> None:
        if precision == "int8":
            raise OptionError("`precision=int8` is for the models vgg19 and compact; a network for "
                              "one style takes auto, float32 or bfloat16.")
        arrays, self.about = load(path)
        self._network = compile_graph(graph(arrays), precision)
        self.device = f"CPU, {self.precision}"
        self.pixel_bytes = BFLOAT16_BYTES if self.precision == "bfloat16" else FLOAT32_BYTES
        free = memory.available()
        self.max_memory = max_memory or (None if free is None else free // 1_000_000)

    @property
    def precision(self) -> str:
        """The precision of the computation: "float32" or "bfloat16"."""
        return self._network.precision

    def release_memory(self) -> None:
        """Release the memory of activations until the next call."""
        self._network.release_memory()

    def check_size(self, rows: int, columns: int) -> None:
        """Raise ImageError if a picture of this size does not fit into the memory."""
        needed = rows * columns * self.pixel_bytes // 1_000_000
        if self.max_memory is not None and needed > self.max_memory:
            side = math.isqrt(self.max_memory * 1_000_000 // self.pixel_bytes
                              * min(rows, columns) // max(rows, columns))
            raise ImageError(f"a picture of {columns} x {rows} needs {needed} MB, as it cannot be "
                             f"computed in tiles; the limit is {self.max_memory} MB. "
                             f"`content_size={side}` fits.")

    def stylize(self, content: ImageLike, dtype: type = np.uint8) -> np.ndarray:
        """Return the content in the network's style.

        Args:
            content: a path, a Pillow image or an array, as in Stylizer.stylize().
            dtype: of the result: np.uint8, np.uint16, or np.float32 in [0, 1].

        Returns:
            A new array (rows, columns, 3), RGB, exactly as large as the content.

        Raises:
            ImageError: the picture cannot be read, or does not fit into the memory.
        """
        image = as_image(content)
        rows, columns = image.shape[:2]
        self.check_size(rows, columns)
        result = self._network(to_float(pad(image))[None])[0][0][:rows, :columns]
        return result.copy() if dtype == np.float32 else to_integers(result, dtype)


def graph(arrays: Arrays) -> openvino.Model:
    """Return an openvino.Model: float32 (1, rows, columns, 3) in [0, 1] -> the same, stylized."""
    from adain.networks.openvino.runtime import op, openvino

    def layer(name: str, x: Tensor) -> Tensor:
        border = np.array([0, 0, LAYERS[name].size // 2, LAYERS[name].size // 2])
        kernel = np.ascontiguousarray(arrays[f"{name}/kernel"].transpose(3, 2, 0, 1))
        strides = [LAYERS[name].stride] * 2
        x = op.convolution(op.pad(x, border, border, "reflect"), op.constant(kernel), strides,
                           [0, 0], [0, 0], [1, 1])
        if name == OUTPUT:
            return op.add(x, column(arrays[f"{name}/bias"]))
        x = op.mvn(x, np.array([2, 3]), True, EPSILON, "INSIDE_SQRT")
        return op.add(op.multiply(x, column(arrays[f"{name}/std"])), column(arrays[f"{name}/mean"]))

    def column(vector: np.ndarray) -> Tensor:
        return op.constant(vector.reshape(1, -1, 1, 1))

    image = op.parameter([1, -1, -1, 3], np.float32, name="image")
    x = forward(op.transpose(image, np.array([0, 3, 1, 2])), layer, op.relu, op.add, upsample)
    return openvino.Model([op.transpose(op.sigmoid(x), np.array([0, 2, 3, 1]))], [image])
