"""measure() and transfer(): the networks behind one small interface, NumPy in and NumPy out.

OpenVINO runs them on a CPU (starts in a fraction of a second, three to eight times faster than
TensorFlow here); Keras runs them on whatever it finds, a GPU above all. The OpenVINO graphs are
built straight from the weight arrays, so there is no export step and a checkpoint works at once.

Statistics are measured, and AdaIN is applied, inside the graphs: features never leave them.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np

from adain.architecture import (
    DECODER_OUTPUT,
    conv,
    decoder_plan,
    depths_of,
    encoder_plan,
    relu,
    scale,
)
from adain.errors import OptionError
from adain.stats import EPSILON, ChannelStats, affine, interpolate
from adain.weights import Weights

ENGINES = ("openvino", "keras")
PRECISIONS = ("auto", "float32", "bfloat16")
# OpenVINO works on the arrays themselves instead of copies of them.
SHARED = {"share_inputs": True, "share_outputs": True}


class Core(NamedTuple):
    """The part of a tile that statistics are taken of, in pixels, multiples of 8."""

    top: int
    bottom: int
    left: int
    right: int


class Engine(Protocol):
    """The two networks on some device.

    Pictures are float32 (rows, columns, 3) in [0, 1], rows and columns multiples of 8; statistics
    float32 (channels,), those of all AdaIN layers in a row.
    """

    name: str
    device: str

    def measure(self, image: np.ndarray, core: Core) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the features over the core."""

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        """Return the picture with its features moved alpha of the way to the style's statistics.

        content: statistics to remove instead of the picture's own, where it is a tile of a larger
        picture; own: the share of its own in what is removed, where it is one of a sequence.
        The result is about [0, 1], not clipped, and valid until the next call. The statistics that
        were removed come second.
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


class OpenVINOEngine:
    """Runs on the CPU. Precision "auto" is bfloat16 where the CPU computes it, else float32."""

    name = "openvino"

    def __init__(self, encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
                 precision: str = "auto") -> None:
        self._statistics = compile_graph(statistics_graph(encoder, adain_layers), precision)
        self._transfer = compile_graph(transfer_graph(encoder, decoder, adain_layers), precision)
        used = self._transfer.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.device = "CPU, " + {"bf16": "bfloat16", "f32": "float32"}.get(used, used)

    def measure(self, image: np.ndarray, core: Core) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = self._statistics([image[None], np.array(core)], **SHARED).values()
        return mean.copy(), variance.copy()

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        if content is None:
            content, own = style, 1.0  # any numbers will do: they get no share
        inputs = [image[None], *style, np.float32(alpha), *content, np.float32(own)]
        picture, mean, std = self._transfer(inputs, **SHARED).values()
        return picture[0], ChannelStats(mean.copy(), std.copy())


def activations_graph(weights: Weights, names: Sequence[str]):
    """Return an openvino.Model: float32 pictures (1, rows, columns, 3) -> the named activations.

    names: relu names in the order wanted; each comes out as (1, rows, columns, channels).
    """
    image, found = _encoder(weights, names)
    return _model([_transpose(found[name], (0, 2, 3, 1)) for name in names], [image])


def statistics_graph(weights: Weights, names: Sequence[str]):
    """Return an openvino.Model: a picture and its core -> mean and variance of the activations.

    The channels of all the named activations stand in a row.
    """
    from openvino import opset13 as op

    image, found = _encoder(weights, names)
    core = op.parameter([4], np.int64, name="core")
    starts, ends = (op.gather(core, np.array(places), np.array(0))
                    for places in ([0, 2], [1, 3]))
    moments = []
    for name in names:
        size = np.array(scale(name))
        moments.append(_moments(op.slice(found[name], op.divide(starts, size),
                                         op.divide(ends, size), np.array([1, 1]),
                                         np.array([2, 3]))))
    return _model([*map(_row, zip(*moments))], [image, core])


def transfer_graph(encoder: Weights, decoder: Weights, adain_layers: Sequence[str]):
    """Return an openvino.Model: from the arguments of Engine.transfer() to its results."""
    from openvino import opset13 as op

    def blend(first, second, share):  # stats.interpolate needs 1 - share, a number minus a tensor
        return op.add(first, op.multiply(share, op.subtract(second, first)))

    def split(vector):
        widths = np.array([encoder[conv(name)][1].size for name in adain_layers])
        parts = op.variadic_split(vector, np.array(0), widths)
        return [op.reshape(parts.output(index), np.array([1, -1, 1, 1]), False)
                for index in range(widths.size)]

    image, found = _encoder(encoder, adain_layers)
    vectors = [op.parameter([sum(encoder[conv(name)][1].size for name in adain_layers)], np.float32)
               for _ in range(4)]
    alpha, own = op.parameter([], np.float32), op.parameter([], np.float32)
    restyled, removed = {}, []
    for name, style_mean, style_std, mean, std in zip(adain_layers, *map(split, vectors)):
        own_mean, own_variance = _moments(found[name])
        own_std = op.sqrt(op.add(own_variance, np.float32(EPSILON)))
        content = ChannelStats(blend(mean, own_mean, own), blend(std, own_std, own))
        factor, offset = affine(content, ChannelStats(blend(content.mean, style_mean, alpha),
                                                      blend(content.std, style_std, alpha)))
        restyled[name] = op.add(op.multiply(found[name], factor), offset)
        removed.append(content)
    return _model([_decoder(decoder, restyled), *map(_row, zip(*removed))],
                  [image, *vectors[:2], alpha, *vectors[2:], own])


def _moments(features):
    """Return mean and variance over rows and columns, (1, channels, 1, 1)."""
    from openvino import opset13 as op

    axes = np.array([2, 3])
    mean = op.reduce_mean(features, axes, keep_dims=True)
    squares = op.power(op.subtract(features, mean), np.float32(2))
    return mean, op.reduce_mean(squares, axes, keep_dims=True)


def _row(vectors):
    """Return vectors of shape (1, channels, 1, 1) one after the other, (all channels,)."""
    from openvino import opset13 as op

    return op.reshape(op.concat(list(vectors), 1), np.array([-1]), False)


def _encoder(weights: Weights, names: Sequence[str]):
    """Return the input and {name: activation (1, channels, rows, columns)}."""
    from openvino import opset13 as op

    image = op.parameter([1, -1, -1, 3], np.float32, name="image")
    x = _transpose(image, (0, 3, 1, 2))
    found = {}
    for step in encoder_plan(depths_of(weights)):
        if len(found) == len(set(names)):
            break
        if step == "pool":
            x = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor").output(0)
            continue
        x = op.relu(_reflect_conv(x, *weights[step]))
        if relu(step) in names:
            found[relu(step)] = x
    return image, found


def _decoder(weights: Weights, restyled: dict):
    """Return the decoder's picture (1, rows, columns, 3) from {name: restyled activation}."""
    from openvino import opset13 as op

    x = None
    for step in decoder_plan(depths_of(weights)):
        if step == "upsample":
            x = op.interpolate(x, np.array([2, 2], np.float32), "nearest", "scales",
                               axes=np.array([2, 3]), coordinate_transformation_mode="asymmetric",
                               nearest_mode="floor")
            continue
        if relu(step) in restyled:
            x = restyled[relu(step)] if x is None else op.add(x, restyled[relu(step)])
        x = _reflect_conv(x, *weights[step])
        if step != DECODER_OUTPUT:
            x = op.relu(x)
    return _transpose(x, (0, 2, 3, 1))


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
        self._cuts = np.cumsum([encoder[conv(name)][1].size for name in adain_layers])[:-1]
        self._encoder = model.Encoder.from_weights(encoder, self._layers, dtype=policy)
        self._decoder = model.Decoder.from_weights(decoder, self._layers, dtype=policy)
        self.device = f"{describe_device()}, {policy.removeprefix('mixed_')}"

    def measure(self, image: np.ndarray, core: Core) -> tuple[np.ndarray, np.ndarray]:
        return self._moments(self._encode(image), core)

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        features = self._encode(image)
        mean, variance = self._moments(features, Core(0, image.shape[0], 0, image.shape[1]))
        found = ChannelStats(mean, np.sqrt(variance + np.float32(EPSILON)))
        content = found if content is None else interpolate(content, found, own)
        factor, offset = affine(content, interpolate(content, style, alpha))
        restyled = [level * part + shift for level, part, shift in
                    zip(features, np.split(factor, self._cuts), np.split(offset, self._cuts))]
        return np.asarray(self._decoder.predict_on_batch(restyled)[0], np.float32), content

    def _encode(self, image: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(level, np.float32)
                for level in self._encoder.predict_on_batch(image[None])]

    def _moments(self, features: list[np.ndarray], core: Core) -> tuple[np.ndarray, np.ndarray]:
        means, variances = [], []
        for name, level in zip(self._layers, features):
            top, bottom, left, right = (place // scale(name) for place in core)
            part = level[0, top:bottom, left:right]
            means.append(part.mean(axis=(0, 1)))
            variances.append(part.var(axis=(0, 1)))
        return np.concatenate(means), np.concatenate(variances)
