"""measure() and transfer(): the networks behind one small interface, NumPy in and NumPy out.

OpenVINO runs them on a CPU (starts in a fraction of a second, three to eight times faster than
TensorFlow here); Keras runs them on whatever it finds, a GPU above all. Statistics are measured,
and AdaIN is applied, behind this interface: features never leave it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import Protocol

import numpy as np

from adain import memory
from adain.errors import OptionError
from adain.networks.architecture import conv, depths_of, radius, scale
from adain.networks.openvino import cache as network_cache
from adain.networks.openvino import cpu, graphs
from adain.networks.openvino.compiled import CompiledGraph, compile_options
from adain.networks.stats import EPSILON, ChannelStats, affine, interpolate
from adain.networks.weights import Ranges, Weights

ENGINES = ("openvino", "keras")
PRECISIONS = ("auto", "float32", "bfloat16", "int8")


class Engine(Protocol):
    """The two networks on some device.

    Pictures are float32 (rows, columns, 3) in [0, 1], rows and columns multiples of 8; statistics
    float32 (channels,), those of all AdaIN layers in a row. Pictures that are returned belong to
    the engine: use or copy them before its next call. Several threads share an engine through
    `session`.
    """

    name: str
    device: str
    radius: int  # how far the encoder sees, in pixels, and the decoder again
    channels: int  # of all AdaIN layers

    def session(self) -> AbstractContextManager:
        """Return a context in which no other session computes, so that results stay valid.

        >>> with engine.session():
        ...     picture, _ = engine.transfer(image, style, alpha)
        ...     result = to_integers(picture)
        """

    def measure(self, image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weighted mean and variance of the features.

        weights: float32 (rows, columns), how much each pixel counts, 0 or more and not all 0; a
        feature counts as much as its pixels on average.
        """

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        """Return the picture with its features moved alpha of the way to the style's statistics.

        content: statistics to remove instead of the picture's own, where it is a tile of a larger
        picture; own: the share of its own in what is removed, where it is one of a sequence.
        The result is about [0, 1], not clipped. The statistics that were removed come second.
        """

    def transfer_regions(self, image: np.ndarray, regions: np.ndarray, scales: np.ndarray,
                         shifts: np.ndarray) -> np.ndarray:
        """Return the picture, its features times scale plus shift, where each region has its own.

        regions: float32 (regions, rows, columns), how much of each pixel belongs to each, 1 in
        sum; scales, shifts: float32 (regions, channels). The result is as that of transfer().
        """

    def release_memory(self) -> None:
        """Let go of what is kept for the next call, other networks need it now."""


def create(name: str, encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
           precision: str = "auto", slope: float = 0.0, ranges: Ranges | None = None) -> Engine:
    """Return the engine of that name; OptionError lists the names there are.

    slope: the ReLUs' negative slope. ranges: what the precision "int8" needs, see `convolutions`.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"`precision` must be one of {', '.join(PRECISIONS)}; "
                          f"received {precision}.")
    if name not in ENGINES:
        raise OptionError(f"`engine` must be one of {', '.join(ENGINES)}; received {name}.")
    if precision == "int8":
        if name != "openvino":
            raise OptionError(f"`precision=int8` needs `engine=openvino`; received {name}.")
        if ranges is None:
            raise OptionError("`precision=int8` is for the networks that ship, whose ranges are "
                              "known; use auto, float32 or bfloat16 with others.")
        if cpu.lacks_int8():
            raise OptionError("`precision=int8` needs a CPU with VNNI instructions, which this one "
                              "lacks: use auto.")
        return OpenVINOEngine(encoder, decoder, adain_layers, precision, slope, ranges)
    engine = OpenVINOEngine if name == "openvino" else KerasEngine
    return engine(encoder, decoder, adain_layers, precision, slope)


class OpenVINOEngine:
    """Runs on the CPU. Precision "auto" is bfloat16 where the CPU is faster with it."""

    name = "openvino"

    def __init__(self, encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
                 precision: str = "auto", slope: float = 0.0,
                 ranges: Ranges | None = None) -> None:
        options = compile_options(precision)

        def compiled(graph, *weights):
            settings = adain_layers, slope, ranges
            name = network_cache.name(graph.__name__, weights, *settings, options)
            return CompiledGraph(partial(graph, *weights, *settings), options, name)

        # Both at once, and while the caller goes on, to read the pictures.
        with_threads = ThreadPoolExecutor(2)
        self._statistics = with_threads.submit(compiled, graphs.statistics_graph, encoder)
        self._transfer = with_threads.submit(compiled, graphs.transfer_graph, encoder, decoder)
        with_threads.shutdown(wait=False)
        self._in_integers = ranges is not None
        self._make_regions = partial(compiled, graphs.regions_graph, encoder, decoder)
        self._memory_is_short, self._last = memory.reserved_counts(), None
        self.radius, self.channels = radius(depths_of(encoder)), _channels(encoder, adain_layers)
        self._lock = threading.Lock()

    def session(self) -> AbstractContextManager:
        return self._lock

    @cached_property
    def _regions(self) -> CompiledGraph:
        return self._make_regions()  # needed for masks only

    @cached_property
    def device(self) -> str:
        computes = "int8" if self._in_integers else self._transfer.result().precision
        return f"CPU, {computes}"

    def measure(self, image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = self._next(self._statistics.result())(image[None], weights[None])
        return mean.copy(), variance.copy()

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        network = self._next(self._transfer.result())
        # Whole pictures often have one size. Tiles of large ones do, too, but must save memory.
        call = network.repeat if content is None or own else network
        if content is None:  # zeros get no share, and leave the picture's own without rounding
            content, own = ChannelStats(*np.zeros((2, self.channels), np.float32)), 1.0
        picture, mean, std = call(image[None], *style, np.float32(alpha), *content, np.float32(own))
        return picture[0], ChannelStats(mean.copy(), std.copy())

    def transfer_regions(self, image: np.ndarray, regions: np.ndarray, scales: np.ndarray,
                         shifts: np.ndarray) -> np.ndarray:
        return self._next(self._regions)(image[None], regions, scales, shifts)[0][0]

    def release_memory(self) -> None:
        for network in (self._statistics.result(), self._transfer.result()):
            network.release_memory()

    def _next(self, network: CompiledGraph) -> CompiledGraph:
        """Return a network that is about to run; under limits none other keeps its activations."""
        if self._memory_is_short and self._last not in (None, network):
            self._last.release_memory()
        self._last = network
        return network


def _channels(encoder: Weights, adain_layers: Sequence[str]) -> int:
    return sum(encoder[conv(name)][1].size for name in adain_layers)


class KerasEngine:
    """Runs on the device of the Keras backend; needs the extra "train"."""

    name = "keras"

    def __init__(self, encoder: Weights, decoder: Weights, adain_layers: Sequence[str],
                 precision: str = "auto", slope: float = 0.0) -> None:
        try:
            from adain.networks.keras import model
        except ModuleNotFoundError as error:
            raise OptionError(f"`engine=keras` needs {error.name}: "
                              "pip install -e '.[train]'") from None
        from adain.networks.keras.devices import describe_device

        policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
        self._layers = tuple(adain_layers)
        self._cuts = np.cumsum([encoder[conv(name)][1].size for name in adain_layers])[:-1]
        self.radius, self.channels = radius(depths_of(encoder)), _channels(encoder, adain_layers)
        self._lock = threading.Lock()
        self._encoder = model.Encoder.from_weights(encoder, self._layers, slope, dtype=policy)
        self._decoder = model.Decoder.from_weights(decoder, self._layers, slope, dtype=policy)
        self.device = f"{describe_device()}, {policy.removeprefix('mixed_')}"

    def session(self) -> AbstractContextManager:
        return self._lock

    def measure(self, image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._moments(self._encode(image), weights)

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        features = self._encode(image)
        mean, variance = self._moments(features, np.ones(image.shape[:2], np.float32))
        found = ChannelStats(mean, np.sqrt(variance + np.float32(EPSILON)))
        content = found if content is None else interpolate(content, found, own)
        restyled = [level * factor + offset for level, factor, offset in zip(features, *map(
            self._split, affine(content, interpolate(content, style, alpha))))]
        return self._decode(restyled), content

    def transfer_regions(self, image: np.ndarray, regions: np.ndarray, scales: np.ndarray,
                         shifts: np.ndarray) -> np.ndarray:
        features = self._encode(image)
        for index, (name, factor, offset) in enumerate(zip(
                self._layers, self._split(scales), self._split(shifts))):
            shares = np.moveaxis(_shrink(regions, scale(name)), 0, -1)
            features[index] = features[index] * (shares @ factor) + shares @ offset
        return self._decode(features)

    def release_memory(self) -> None:
        pass  # TensorFlow and others keep what they have

    def _encode(self, image: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(level, np.float32)
                for level in self._encoder.predict_on_batch(image[None])]

    def _decode(self, features: list[np.ndarray]) -> np.ndarray:
        return np.asarray(self._decoder.predict_on_batch(features)[0], np.float32)

    def _moments(self, features: list[np.ndarray],
                 weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means, variances = [], []
        for name, level in zip(self._layers, features):
            shares = _shrink(weights, scale(name))[..., None]
            shares = shares / shares.sum()
            means.append((level[0] * shares).sum(axis=(0, 1)))
            variances.append(((level[0] - means[-1]) ** 2 * shares).sum(axis=(0, 1)))
        return np.concatenate(means), np.concatenate(variances)

    def _split(self, table: np.ndarray) -> list[np.ndarray]:
        return np.split(table, self._cuts, axis=-1)


def _shrink(maps: np.ndarray, size: int) -> np.ndarray:
    """Return maps (..., rows, columns) averaged over blocks of size x size pixels."""
    *rest, rows, columns = maps.shape
    return maps.reshape(*rest, rows // size, size, columns // size, size).mean(axis=(-3, -1))
