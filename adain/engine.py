"""encode() and decode(): the two networks behind one small interface, NumPy in and NumPy out.

OpenVINO runs them on a CPU (starts in a fraction of a second, three to eight times faster than
TensorFlow here); Keras runs them on whatever it finds, a GPU above all. The OpenVINO graphs are
built straight from the weight arrays, so there is no export step and a checkpoint works at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from adain.architecture import CONTENT_LAYER, DECODER_OUTPUT, DECODER_PLAN, ENCODER_PLAN, relu
from adain.errors import OptionError
from adain.weights import Weights

ENGINES = ("openvino", "keras")
PRECISIONS = ("auto", "float32", "bfloat16")


class Engine(Protocol):
    """The two networks on some device; pictures and features are float32, channels last."""

    name: str
    device: str

    def encode(self, image: np.ndarray) -> np.ndarray:
        """(rows, columns, 3) in [0, 1], multiples of 8 -> relu4_1 (rows/8, columns/8, channels)."""

    def decode(self, features: np.ndarray) -> np.ndarray:
        """Features (rows, columns, channels) -> a picture of 8 times the size, about [0, 1]."""


def create(name: str, encoder: Weights, decoder: Weights, precision: str = "auto") -> Engine:
    """Return the engine of that name; OptionError says what to install where it is missing."""
    if precision not in PRECISIONS:
        raise OptionError(f"precision must be one of {', '.join(PRECISIONS)}; "
                          f"received {precision}.")
    if name == "openvino":
        return OpenVINOEngine(encoder, decoder, precision)
    if name == "keras":
        return KerasEngine(encoder, decoder, precision)
    raise OptionError(f"engine must be one of {', '.join(ENGINES)}; received {name}.")


class OpenVINOEngine:
    """Runs on the CPU. Precision "auto" is bfloat16 where the CPU computes it, else float32."""

    name = "openvino"

    def __init__(self, encoder: Weights, decoder: Weights, precision: str = "auto") -> None:
        self._encoder = compile_graph(encoder_graph(encoder, [CONTENT_LAYER]), precision)
        self._decoder = compile_graph(decoder_graph(decoder), precision)
        used = self._encoder.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.device = "CPU, " + {"bf16": "bfloat16", "f32": "float32"}.get(used, used)

    def encode(self, image: np.ndarray) -> np.ndarray:
        return self._encoder(image[None])[0][0]

    def decode(self, features: np.ndarray) -> np.ndarray:
        return self._decoder(features[None])[0][0]


def encoder_graph(weights: Weights, outputs: Sequence[str]):
    """Return an openvino.Model: float32 pictures (1, rows, columns, 3) -> the named activations.

    outputs: relu names in the order wanted; each comes out as (1, rows, columns, channels).
    """
    from openvino import opset13 as op

    image = op.parameter([1, -1, -1, 3], np.float32, name="image")
    x = _transpose(image, (0, 3, 1, 2))
    found = {}
    for step in ENCODER_PLAN:
        if len(found) == len(set(outputs)):
            break
        if step == "pool":
            x = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor").output(0)
            continue
        x = op.relu(_reflect_conv(x, *weights[step]))
        if relu(step) in outputs:
            found[relu(step)] = _transpose(x, (0, 2, 3, 1))
    return _model([found[name] for name in outputs], image, "encoder")


def decoder_graph(weights: Weights):
    """Return an openvino.Model: features (1, rows, columns, channels) -> pictures, 8 x the size."""
    from openvino import opset13 as op

    channels = weights[DECODER_PLAN[0]][0].shape[2]
    features = op.parameter([1, -1, -1, channels], np.float32, name="features")
    x = _transpose(features, (0, 3, 1, 2))
    for step in DECODER_PLAN:
        if step == "upsample":
            x = op.interpolate(x, np.array([2, 2], np.float32), "nearest", "scales",
                               axes=np.array([2, 3]), coordinate_transformation_mode="asymmetric",
                               nearest_mode="floor")
            continue
        x = _reflect_conv(x, *weights[step])
        if step != DECODER_OUTPUT:
            x = op.relu(x)
    return _model([_transpose(x, (0, 2, 3, 1))], features, "decoder")


def compile_graph(model, precision: str = "auto"):
    """Compile an openvino.Model for the CPU."""
    import openvino

    options = {"PERFORMANCE_HINT": "LATENCY"}
    if precision != "auto":
        options["INFERENCE_PRECISION_HINT"] = {"float32": "f32", "bfloat16": "bf16"}[precision]
    return openvino.Core().compile_model(model, "CPU", options)


def _transpose(x, order: tuple[int, ...]):
    from openvino import opset13 as op

    return op.transpose(x, np.array(order))


def _reflect_conv(x, kernel: np.ndarray, bias: np.ndarray):
    from openvino import opset13 as op

    border = np.array([0, 0, 1, 1])
    x = op.pad(x, border, border, "reflect")
    filters = op.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    x = op.convolution(x, filters, [1, 1], [0, 0], [0, 0], [1, 1])
    return op.add(x, op.constant(bias.reshape(1, -1, 1, 1)))


def _model(outputs, parameter, name: str):
    import openvino

    return openvino.Model(outputs, [parameter], name)


class KerasEngine:
    """Runs on the device of the Keras backend; needs the extra "train"."""

    name = "keras"

    def __init__(self, encoder: Weights, decoder: Weights, precision: str = "auto") -> None:
        from adain import model
        from adain.devices import describe_device

        policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
        self._encoder = model.Encoder.from_weights(encoder, dtype=policy)
        self._decoder = model.Decoder.from_weights(decoder, dtype=policy)
        self.device = f"{describe_device()}, {'bfloat16' if 'bfloat16' in policy else 'float32'}"

    def encode(self, image: np.ndarray) -> np.ndarray:
        return np.asarray(self._encoder.predict_on_batch(image[None])[-1][0], np.float32)

    def decode(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self._decoder.predict_on_batch(features[None])[0], np.float32)
