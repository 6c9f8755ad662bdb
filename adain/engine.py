"""encode() and decode(): the two networks behind one small interface, NumPy in and NumPy out.

OpenVINO runs them on a CPU (starts in a fraction of a second, three to eight times faster than
TensorFlow here); Keras runs them on whatever it finds, a GPU above all. The OpenVINO graphs are
built straight from the weight arrays, so there is no export step and a checkpoint works at once.

Statistics are measured, and AdaIN is applied, inside the graphs: features never leave them.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from adain.architecture import DECODER_OUTPUT, DECODER_PLAN, ENCODER_PLAN, conv, relu, scale
from adain.errors import OptionError
from adain.weights import Weights

ENGINES = ("openvino", "keras")
PRECISIONS = ("auto", "float32", "bfloat16")
Features = list[Any]  # one an AdaIN layer, in whatever form an engine keeps them
# OpenVINO works on the arrays themselves instead of copies of them.
SHARED = {"share_inputs": True, "share_outputs": True}


class Core(NamedTuple):
    """The part of a tile that statistics are taken of, in pixels, multiples of 8."""

    top: int
    bottom: int
    left: int
    right: int


class Encoded(NamedTuple):
    """What encode() returns; the vectors hold the channels of all AdaIN layers in a row."""

    features: Features  # valid until the next encode(), which may use the same memory
    mean: np.ndarray  # (channels,) over the core
    variance: np.ndarray  # (channels,)


class Engine(Protocol):
    """The two networks on some device."""

    name: str
    device: str

    def encode(self, image: np.ndarray, core: Core) -> Encoded:
        """Encode float32 (rows, columns, 3) in [0, 1]; rows and columns are multiples of 8."""

    def decode(self, features: Features, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Decode features * scale + shift to float32 (rows, columns, 3), about [0, 1].

        scale and shift are (channels,) float32, in the order of Encoded.mean. The result is valid
        until the next decode().
        """


def create(name: str, encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
           precision: str = "auto") -> Engine:
    """Return the engine of that name; OptionError lists the names there are."""
    if precision not in PRECISIONS:
        raise OptionError(f"precision must be one of {', '.join(PRECISIONS)}; "
                          f"received {precision}.")
    if name not in ENGINES:
        raise OptionError(f"engine must be one of {', '.join(ENGINES)}; received {name}.")
    engine = OpenVINOEngine if name == "openvino" else KerasEngine
    return engine(encoder, decoder, adain_layers, precision)


def split_levels(vector: np.ndarray, encoder: Weights, adain_layers: Sequence[str]) -> list:
    """Cut a vector of all AdaIN layers' channels into one a layer."""
    widths = [encoder[conv(name)][1].size for name in adain_layers]
    return np.split(vector, np.cumsum(widths)[:-1])


class OpenVINOEngine:
    """Runs on the CPU. Precision "auto" is bfloat16 where the CPU computes it, else float32."""

    name = "openvino"

    def __init__(self, encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
                 precision: str = "auto") -> None:
        self._split = lambda vector: split_levels(vector, encoder, adain_layers)
        self._encoder = compile_graph(encoder_graph(encoder, adain_layers), precision)
        self._decoder = compile_graph(decoder_graph(decoder, adain_layers), precision)
        used = self._encoder.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.device = "CPU, " + {"bf16": "bfloat16", "f32": "float32"}.get(used, used)

    def encode(self, image: np.ndarray, core: Core) -> Encoded:
        results = self._encoder([image[None], np.array(core)], **SHARED)
        *features, mean, variance = results.values()
        return Encoded(features, mean.copy(), variance.copy())

    def decode(self, features: Features, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
        return self._decoder([*features, *self._split(scale), *self._split(shift)], **SHARED)[0][0]


def activations_graph(weights: Weights, names: Sequence[str]):
    """Return an openvino.Model: float32 pictures (1, rows, columns, 3) -> the named activations.

    names: relu names in the order wanted; each comes out as (1, rows, columns, channels).
    """
    image, found = _encoder(weights, names)
    return _model([_transpose(found[name], (0, 2, 3, 1)) for name in names], [image])


def encoder_graph(weights: Weights, adain_layers: Sequence[str]):
    """Return an openvino.Model: a picture and its core -> features of each layer, mean, variance.

    The features stay channels first, which is how they are computed.
    """
    from openvino import opset13 as op

    image, found = _encoder(weights, adain_layers)
    core = op.parameter([4], np.int64, name="core")
    starts, ends = (op.gather(core, np.array(places), np.array(0))
                    for places in ([0, 2], [1, 3]))
    means, variances = [], []
    for name in adain_layers:
        size = np.array(scale(name))
        part = op.slice(found[name], op.divide(starts, size), op.divide(ends, size),
                        np.array([1, 1]), np.array([2, 3]))
        mean = op.reduce_mean(part, np.array([2, 3]), keep_dims=True)
        variance = op.reduce_mean(op.power(op.subtract(part, mean), np.float32(2)),
                                  np.array([2, 3]))
        means.append(op.squeeze(mean, np.array([0, 2, 3])))
        variances.append(op.squeeze(variance, np.array([0])))
    return _model([*(found[name] for name in adain_layers), op.concat(means, 0),
                   op.concat(variances, 0)], [image, core])


def _encoder(weights: Weights, names: Sequence[str]):
    """Return the input and {name: activation (1, channels, rows, columns)}."""
    from openvino import opset13 as op

    image = op.parameter([1, -1, -1, 3], np.float32, name="image")
    x = _transpose(image, (0, 3, 1, 2))
    found = {}
    for step in ENCODER_PLAN:
        if len(found) == len(set(names)):
            break
        if step == "pool":
            x = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor").output(0)
            continue
        x = op.relu(_reflect_conv(x, *weights[step]))
        if relu(step) in names:
            found[relu(step)] = x
    return image, found


def decoder_graph(weights: Weights, adain_layers: Sequence[str]):
    """Return an openvino.Model: features, scale and shift of each layer -> the picture."""
    from openvino import opset13 as op

    layers = {name: weights[conv(name)][0].shape[2] for name in adain_layers}
    features = {name: op.parameter([1, channels, -1, -1], np.float32)
                for name, channels in layers.items()}
    scales, shifts = ({name: op.parameter([channels], np.float32)
                       for name, channels in layers.items()} for _ in range(2))
    x = None
    for step in DECODER_PLAN:
        if step == "upsample":
            x = op.interpolate(x, np.array([2, 2], np.float32), "nearest", "scales",
                               axes=np.array([2, 3]), coordinate_transformation_mode="asymmetric",
                               nearest_mode="floor")
            continue
        if relu(step) in features:
            factor, offset = (op.reshape(vectors[relu(step)], np.array([1, -1, 1, 1]), False)
                              for vectors in (scales, shifts))
            restyled = op.add(op.multiply(features[relu(step)], factor), offset)
            x = restyled if x is None else op.add(x, restyled)
        x = _reflect_conv(x, *weights[step])
        if step != DECODER_OUTPUT:
            x = op.relu(x)
    return _model([_transpose(x, (0, 2, 3, 1))],
                  [*features.values(), *scales.values(), *shifts.values()])


def compile_graph(model, precision: str = "auto"):
    """Compile an openvino.Model for the CPU."""
    import openvino

    options = {"PERFORMANCE_HINT": "LATENCY"}
    if precision != "auto":
        options["INFERENCE_PRECISION_HINT"] = {"float32": "f32", "bfloat16": "bf16"}[precision]
    # In a thread of its own, because on CPUs with AMX OpenVINO gives the thread that compiles a
    # signal stack too small for Python's handlers: Ctrl-C would then be a segmentation fault.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(openvino.Core().compile_model, model, "CPU", options).result()


def _model(outputs, inputs):
    import openvino

    return openvino.Model(outputs, inputs)


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


class KerasEngine:
    """Runs on the device of the Keras backend; needs the extra "train"."""

    name = "keras"

    def __init__(self, encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
                 precision: str = "auto") -> None:
        try:
            from adain import model
        except ModuleNotFoundError as error:
            raise OptionError(f"--engine keras needs {error.name}: "
                              "pip install -e '.[train]'") from None
        from adain.devices import describe_device

        policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
        self._layers = tuple(adain_layers)
        self._split = lambda vector: split_levels(vector, encoder, adain_layers)
        self._encoder = model.Encoder.from_weights(encoder, self._layers, dtype=policy)
        self._decoder = model.Decoder.from_weights(decoder, self._layers, dtype=policy)
        self.device = f"{describe_device()}, {policy.removeprefix('mixed_')}"

    def encode(self, image: np.ndarray, core: Core) -> Encoded:
        features = [np.asarray(level, np.float32)
                    for level in self._encoder.predict_on_batch(image[None])]
        means, variances = [], []
        for name, level in zip(self._layers, features):
            top, bottom, left, right = (place // scale(name) for place in core)
            part = level[0, top:bottom, left:right]
            means.append(part.mean(axis=(0, 1)))
            variances.append(part.var(axis=(0, 1)))
        return Encoded(features, np.concatenate(means), np.concatenate(variances))

    def decode(self, features: Features, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
        restyled = [level * factor + offset for level, factor, offset
                    in zip(features, self._split(scale), self._split(shift))]
        return np.asarray(self._decoder.predict_on_batch(restyled)[0], np.float32)
