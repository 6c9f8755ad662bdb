"""SavedModel, a folder; and the TensorFlow function that LiteRT files are converted from.

The function uses only operations that LiteRT has built in, so that it needs no Select-TF
operations: reflect padding, for example, becomes MIRROR_PAD.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adain.errors import OptionError
from adain.export.plan import Plan
from adain.networks.keras.devices import hidden_native_stderr, start_quietly
from adain.networks.stats import EPSILON

start_quietly()
import tensorflow as tf

Tensor = Any
METADATA = "adain.json"  # in assets.extra/, the folder of a SavedModel for additional files


class Calls:
    """The parts.Operations of TensorFlow; activations are (1, rows, columns, channels).

    halves: store weights in 16 bits; computation is in 32 bits.
    """

    def __init__(self, halves: bool = False) -> None:
        self._halves = halves
        self.kernels: dict[str, Any] = {}  # variables, so that a file stores each kernel once

    def activation(self, picture: Tensor) -> Tensor:
        return picture

    def picture(self, x: Tensor) -> Tensor:
        return x

    def convolution(self, x: Tensor, name: str, kernel: np.ndarray, bias: np.ndarray | None,
                    stride: int = 1) -> Tensor:
        border = [kernel.shape[0] // 2] * 2
        x = tf.pad(x, [[0, 0], border, border, [0, 0]], "REFLECT")
        if name not in self.kernels:
            with tf.init_scope():  # creates the variable outside of the traced function
                self.kernels[name] = tf.Variable(
                    kernel.astype(np.float16) if self._halves else kernel, trainable=False)
        x = tf.nn.conv2d(x, tf.cast(self.kernels[name], tf.float32), stride, "VALID")
        return x if bias is None else x + bias

    def relu(self, x: Tensor, negative_slope: float) -> Tensor:
        return tf.nn.leaky_relu(x, negative_slope) if negative_slope else tf.nn.relu(x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return tf.sigmoid(x)

    def clip(self, x: Tensor) -> Tensor:
        return tf.clip_by_value(x, 0.0, 1.0)

    def max_pool(self, x: Tensor) -> Tensor:
        return tf.nn.max_pool2d(x, 2, 2, "VALID")

    def upsample(self, x: Tensor) -> Tensor:
        return tf.image.resize(x, 2 * tf.shape(x)[1:3], "nearest")

    def mean(self, x: Tensor) -> Tensor:
        return tf.reduce_mean(x, (1, 2), keepdims=True)

    def add_places(self, x: Tensor) -> Tensor:
        return tf.reduce_sum(x, (1, 2), keepdims=True)

    def deviation(self, variance: Tensor) -> Tensor:
        return tf.sqrt(variance + EPSILON)

    def per_channel(self, vector: Tensor | np.ndarray) -> Tensor:
        return tf.reshape(vector, (1, 1, 1, -1))

    def row(self, channels: Sequence[Tensor]) -> Tensor:
        return tf.reshape(tf.concat(channels, -1), (-1,))

    def split(self, table: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        return list(tf.split(table, sizes, -1))

    def maps(self, maps: Tensor, size: int) -> Tensor:
        x = tf.transpose(maps, (1, 2, 0))[None]
        return tf.nn.avg_pool2d(x, size, size, "VALID")

    def mixture(self, shares: Tensor, table: Tensor) -> Tensor:
        return tf.matmul(shares, table[None, None])


def function(plan: Plan) -> tuple[Any, Any]:
    """Return a tf.Module and its concrete function for a plan, with named inputs and outputs."""
    calls, module = Calls(plan.precision == "float16"), tf.Module()

    def run_named(**inputs: Tensor) -> dict[str, Tensor]:
        return plan.program(calls, inputs)

    specs = {value.name: tf.TensorSpec(plan.shape(value), tf.float32, value.name)
             for value in plan.inputs}
    module.run = tf.function(run_named, autograph=False)
    with hidden_native_stderr():
        concrete = module.run.get_concrete_function(**specs)
    module.kernels = list(calls.kernels.values())
    return module, concrete


def write(plan: Plan, path: Path) -> None:
    """Write a plan as a SavedModel with the signature `serving_default`."""
    if plan.precision == "int8":
        raise OptionError("`precision` must be float32 or float16 for a SavedModel; received int8.")
    module, concrete = function(plan)
    with hidden_native_stderr():
        tf.saved_model.save(module, str(path), signatures=concrete)
    extra = path / "assets.extra"
    extra.mkdir()
    (extra / METADATA).write_text(json.dumps(plan.metadata, indent=2) + "\n")


def run(path: Path, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute the outputs of a SavedModel with TensorFlow, on the CPU."""
    with hidden_native_stderr(), tf.device("CPU"):
        outputs = tf.saved_model.load(str(path)).signatures["serving_default"](
            **{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}
