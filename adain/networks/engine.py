"""measure() and transfer(): the networks behind one small interface, NumPy in and NumPy out.

OpenVINO runs them on a CPU (starts in a fraction of a second, three to eight times faster than
TensorFlow here); Keras runs them on whatever it finds, a GPU above all. Statistics are measured,
and AdaIN is applied, behind this interface: features never leave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np

from adain.errors import OptionError
from adain.networks.networks import Networks
from adain.networks.stats import ChannelStats

ENGINES = ("openvino", "keras")
PRECISIONS = ("auto", "float32", "bfloat16", "int8")


class StatisticsEngine(Protocol):
    """Measures channel statistics of pictures: what `tiling.measure` needs of an engine."""

    @property
    def radius(self) -> int:
        """How far the encoder sees, in pixels."""

    def session(self) -> AbstractContextManager[object]:
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


class Engine(StatisticsEngine, Protocol):
    """The two networks on some device.

    Pictures are float32 (rows, columns, 3) in [0, 1], rows and columns multiples of 8; statistics
    float32 (channels,), those of all AdaIN layers in a row. Pictures that are returned belong to
    the engine: use or copy them before its next call. Several threads share an engine through
    `session`.
    """

    @property
    def name(self) -> str:
        """One of ENGINES."""

    @property
    def device(self) -> str:
        """What it computes on, and in which precision, for people to read."""

    @property
    def channels(self) -> int:
        """The number of channels of all AdaIN layers together."""

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own_weight: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        """Return the picture with its features moved alpha of the way to the style's statistics.

        content: statistics to remove instead of those of this picture, which may be a tile of a
        larger one. own_weight: weight of this picture's statistics against `content`'s, 0 to 1.
        The result is about [0, 1], not clipped. The statistics that were removed come second.
        """

    def transfer_batch(self, images: Sequence[np.ndarray], styles: Sequence[ChannelStats],
                       alphas: Sequence[float]) -> list[np.ndarray]:
        """Return pictures, each stylized on its own as by transfer(), of uint8.

        images: uint8, otherwise as above; pictures of one size are computed together, and all of
        them take memory at once. styles, alphas: one for each. Results belong to the caller.
        """

    def transfer_regions(self, image: np.ndarray, regions: np.ndarray, scales: np.ndarray,
                         shifts: np.ndarray) -> np.ndarray:
        """Return the picture, its features times scale plus shift, where each region has its own.

        regions: float32 (regions, rows, columns), how much of each pixel belongs to each, 1 in
        sum; scales, shifts: float32 (regions, channels). The result is as that of transfer().
        """

    def release_memory(self) -> None:
        """Free what is kept for the next call: other networks need the memory now."""


def create(name: str, networks: Networks, precision: str = "auto",
           threads: int | None = None) -> Engine:
    """Return the engine of that name; OptionError lists the names there are.

    threads: of the CPU, for openvino; None for all cores.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"`precision` must be one of {', '.join(PRECISIONS)}; "
                          f"received {precision}.")
    if name not in ENGINES:
        raise OptionError(f"`engine` must be one of {', '.join(ENGINES)}; received {name}.")
    if name == "openvino":
        from adain.networks.openvino.engine import OpenVINOEngine

        return OpenVINOEngine(networks, precision, threads)
    if precision == "int8":
        raise OptionError(f"`precision=int8` needs `engine=openvino`; received {name}.")
    try:
        from adain.networks.keras.devices import start_quietly

        start_quietly()
        from adain.networks.keras.engine import KerasEngine
    except ModuleNotFoundError as error:
        raise OptionError(f"`engine=keras` needs {error.name}: pip install -e '.[train]'"
                          ) from None
    return KerasEngine(networks, precision)
