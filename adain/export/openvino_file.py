"""OpenVINO's format: model.xml, and model.bin with the weights.

In the graph, activations are (1, channels, rows, columns).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adain.export.plan import Plan
from adain.networks.networks import Ranges
from adain.networks.openvino.compiled import compile_options
from adain.networks.openvino.convolutions import max_pool, quantise_kernel, upsample, with_zero
from adain.networks.openvino.runtime import op, openvino
from adain.networks.stats import EPSILON

Node = Any
_PLACES = np.array([2, 3])


class Graph:
    """The parts.Operations of OpenVINO.

    ranges: value ranges of the inputs of convolutions that are computed in 8 bits.
    """

    def __init__(self, ranges: Ranges | None = None) -> None:
        self._ranges = ranges or {}

    def activation(self, picture: Node) -> Node:
        return op.transpose(picture, np.array([0, 3, 1, 2]))

    def picture(self, x: Node) -> Node:
        return op.transpose(x, np.array([0, 2, 3, 1]))

    def convolution(self, x: Node, name: str, kernel: np.ndarray, bias: np.ndarray | None,
                    stride: int = 1) -> Node:
        border = np.array([0, 0, kernel.shape[0] // 2, kernel.shape[0] // 2])
        filters = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        weights = op.constant(filters)
        if name in self._ranges:
            low, high = map(op.constant, with_zero(*self._ranges[name]))
            x = op.fake_quantize(x, low, high, low, high, 256)
            integers, factors = quantise_kernel(filters)
            weights = op.multiply(op.convert(op.constant(integers), "f32"), op.constant(factors))
        x = op.convolution(op.pad(x, border, border, "reflect"), weights, [stride] * 2, [0, 0],
                           [0, 0], [1, 1])
        return x if bias is None else x + self.per_channel(bias)

    def relu(self, x: Node, negative_slope: float) -> Node:
        return op.prelu(x, np.array([negative_slope], np.float32)) if negative_slope else op.relu(x)

    def sigmoid(self, x: Node) -> Node:
        return op.sigmoid(x)

    def clip(self, x: Node) -> Node:
        return op.clamp(x, 0.0, 1.0)

    def max_pool(self, x: Node) -> Node:
        return max_pool(x)

    def upsample(self, x: Node) -> Node:
        return upsample(x)

    def mean(self, x: Node) -> Node:
        return op.reduce_mean(x, _PLACES, keep_dims=True)

    def add_places(self, x: Node) -> Node:
        return op.reduce_sum(x, _PLACES, keep_dims=True)

    def deviation(self, variance: Node) -> Node:
        return op.sqrt(op.add(variance, np.float32(EPSILON)))

    def per_channel(self, vector: Node | np.ndarray) -> Node:
        if isinstance(vector, np.ndarray):
            return op.constant(vector.reshape(1, -1, 1, 1))
        return op.reshape(vector, np.array([1, -1, 1, 1]), False)

    def row(self, channels: Sequence[Node]) -> Node:
        return op.reshape(op.concat(list(channels), 1), np.array([-1]), False)

    def split(self, table: Node, sizes: Sequence[int]) -> list[Node]:
        parts = op.variadic_split(table, np.array(-1), np.array(sizes))
        return [parts.output(index) for index in range(len(sizes))]

    def maps(self, maps: Node, size: int) -> Node:
        x = op.unsqueeze(maps, np.array(0))
        return x if size == 1 else op.avg_pool(x, [size, size], [0, 0], [0, 0], [size, size],
                                               False, "floor")

    def mixture(self, shares: Node, table: Node) -> Node:
        return self.activation(op.matmul(self.picture(shares), table, False, False))


def graph(plan: Plan) -> Any:
    """Return the openvino.Model of a plan."""
    inputs = {}
    for value in plan.inputs:
        shape = [-1 if size is None else size for size in plan.shape(value)]
        inputs[value.name] = op.parameter(shape, np.float32, name=value.name)
        inputs[value.name].output(0).set_names({value.name})
    tensors = plan.program(Graph(plan.ranges), inputs)
    outputs = []
    for value in plan.outputs:
        outputs.append(op.result(tensors[value.name], name=value.name))
        outputs[-1].output(0).set_names({value.name})
    model = openvino.Model(outputs, list(inputs.values()), plan.name)
    for name, text in plan.metadata.items():
        model.set_rt_info(text, ["adain", name])
    return model


def write(plan: Plan, path: Path) -> None:
    """Write a plan to `path` (.xml), and its weights beside it (.bin)."""
    openvino.save_model(graph(plan), path, compress_to_fp16=plan.precision == "float16")


def run(path: Path | Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute the outputs of a file, or of an openvino.Model, by OpenVINO in float32."""
    model = openvino.Core().compile_model(path, "CPU", compile_options("float32"))
    results = model(dict(inputs))
    return {output.any_name: results[output].copy() for output in model.outputs}
