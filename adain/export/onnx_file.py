"""ONNX: a graph of standard operators (opset 18), built directly from the weights.

In the graph, activations are (1, channels, rows, columns).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from adain.export.parts import Value
from adain.export.plan import Plan
from adain.networks.networks import Ranges
from adain.networks.openvino.convolutions import quantise_kernel, with_zero
from adain.networks.stats import EPSILON

OPSET = 18
IR_VERSION = 8  # of onnx 1.13, the first release with opset 18


class Node:
    """A tensor of the graph; arithmetic operators add nodes to it."""

    def __init__(self, graph: Graph, name: str) -> None:
        self._graph, self.name = graph, name

    def __add__(self, other: Node | float) -> Node:
        return self._graph.node("Add", self, other)

    def __sub__(self, other: Node | float) -> Node:
        return self._graph.node("Sub", self, other)

    def __mul__(self, other: Node | float) -> Node:
        return self._graph.node("Mul", self, other)

    def __truediv__(self, other: Node | float) -> Node:
        return self._graph.node("Div", self, other)


class Graph:
    """The parts.Operations of ONNX; each method adds nodes.

    halves: store weights in 16 bits; computation is in 32 bits.
    ranges: value ranges of the inputs of convolutions that are computed in 8 bits.
    """

    def __init__(self, halves: bool = False, ranges: Ranges | None = None) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}  # by name
        self._halves, self._ranges = halves, ranges or {}

    def node(self, kind: str, *inputs: Node | np.ndarray | float, **attributes: Any) -> Node:
        """Add a node with one output; numbers and arrays among its inputs become constants."""
        return self.split_node(kind, inputs, 1, **attributes)[0]

    def split_node(self, kind: str, inputs: Sequence[Node | np.ndarray | float], count: int,
                   **attributes: Any) -> list[Node]:
        """Add a node with `count` outputs."""
        names = [each.name if isinstance(each, Node) else self._constant(each) for each in inputs]
        outputs = [f"{kind}_{len(self.nodes)}_{index}" for index in range(count)]
        self.nodes.append(helper.make_node(kind, names, outputs, name=outputs[0][:-2],
                                           **attributes))
        return [Node(self, name) for name in outputs]

    def _constant(self, value: np.ndarray | float, name: str = "") -> str:
        array = np.asarray(value, None if isinstance(value, np.ndarray) else np.float32)
        name = name or f"{array.dtype}_{'x'.join(map(str, array.shape))}_{array.tobytes().hex()}"
        if len(name) > 80:
            name = f"constant_{len(self.constants)}"
        self.constants.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def weights(self, name: str, array: np.ndarray) -> Node:
        """Return weights as a constant."""
        if not self._halves:
            return Node(self, self._constant(array, name))
        stored = Node(self, self._constant(array.astype(np.float16), name))
        return self.node("Cast", stored, to=TensorProto.FLOAT)

    def activation(self, picture: Node) -> Node:
        return self.node("Transpose", picture, perm=(0, 3, 1, 2))

    def picture(self, x: Node) -> Node:
        return self.node("Transpose", x, perm=(0, 2, 3, 1))

    def convolution(self, x: Node, name: str, kernel: np.ndarray, bias: np.ndarray | None,
                    stride: int = 1) -> Node:
        border = kernel.shape[0] // 2
        pads = np.array([0, 0, border, border] * 2, np.int64)
        filters = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        if name in self._ranges:
            low, high = with_zero(*self._ranges[name])
            step = (high - low) / np.float32(255)
            scale = step, np.uint8(round(-low / step))
            x = self.node("Pad", self.node("QuantizeLinear", x, *map(np.asarray, scale)), pads,
                          mode="reflect")
            x = self.node("DequantizeLinear", x, *map(np.asarray, scale))
            integers, factors = quantise_kernel(filters)
            packed = Node(self, self._constant(integers, f"{name}/kernel"))
            weights = self.node("DequantizeLinear", packed, factors.ravel(),
                                np.zeros(factors.size, np.int8), axis=0)
        else:
            x = self.node("Pad", x, pads, mode="reflect")
            weights = self.weights(f"{name}/kernel", filters)
        biases = [] if bias is None else [Node(self, self._constant(bias, f"{name}/bias"))]
        return self.node("Conv", x, weights, *biases, strides=(stride, stride))

    def relu(self, x: Node, negative_slope: float) -> Node:
        return (self.node("LeakyRelu", x, alpha=negative_slope) if negative_slope
                else self.node("Relu", x))

    def sigmoid(self, x: Node) -> Node:
        return self.node("Sigmoid", x)

    def clip(self, x: Node) -> Node:
        return self.node("Clip", x, 0.0, 1.0)

    def max_pool(self, x: Node) -> Node:
        return self.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))

    def upsample(self, x: Node) -> Node:
        scales = Node(self, self._constant(np.array([1, 1, 2, 2], np.float32)))
        return self.node("Resize", x, Node(self, ""), scales, mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def mean(self, x: Node) -> Node:
        return self.node("ReduceMean", x, np.array([2, 3], np.int64), keepdims=1)

    def add_places(self, x: Node) -> Node:
        return self.node("ReduceSum", x, np.array([2, 3], np.int64), keepdims=1)

    def deviation(self, variance: Node) -> Node:
        return self.node("Sqrt", variance + EPSILON)

    def per_channel(self, vector: Node | np.ndarray) -> Node:
        if isinstance(vector, np.ndarray):
            return Node(self, self._constant(vector.reshape(1, -1, 1, 1)))
        return self.node("Reshape", vector, np.array([1, -1, 1, 1], np.int64))

    def row(self, channels: Sequence[Node]) -> Node:
        joined = self.node("Concat", *channels, axis=1)
        return self.node("Reshape", joined, np.array([-1], np.int64))

    def split(self, table: Node, sizes: Sequence[int]) -> list[Node]:
        parts = Node(self, self._constant(np.array(sizes, np.int64)))
        return self.split_node("Split", [table, parts], len(sizes), axis=-1)

    def maps(self, maps: Node, size: int) -> Node:
        x = self.node("Unsqueeze", maps, np.array([0], np.int64))
        return x if size == 1 else self.node("AveragePool", x, kernel_shape=(size, size),
                                             strides=(size, size))

    def mixture(self, shares: Node, table: Node) -> Node:
        mixed = self.node("MatMul", self.picture(shares), table)
        return self.activation(mixed)


def write(plan: Plan, path: Path) -> None:
    """Write a plan as an ONNX file."""
    graph = Graph(plan.precision == "float16", plan.ranges)
    tensors = plan.program(graph, {value.name: Node(graph, value.name) for value in plan.inputs})
    for value in plan.outputs:  # give the tensor the name of the output
        graph.nodes.append(helper.make_node("Identity", [tensors[value.name].name], [value.name]))
    model = helper.make_model(
        helper.make_graph(graph.nodes, plan.name, [_info(plan, value) for value in plan.inputs],
                          [_info(plan, value) for value in plan.outputs],
                          list(graph.constants.values())),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="adain", producer_version=plan.metadata["version"])
    helper.set_model_props(model, plan.metadata)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _info(plan: Plan, value: Value) -> Any:
    shape = [size or f"{value.name}_{name}" for name, size in zip(value.shape, plan.shape(value))]
    return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, shape, value.meaning)


def run(path: Path, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute a file's outputs with onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs))))
