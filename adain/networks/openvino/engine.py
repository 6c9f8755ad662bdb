"""OpenVINOEngine: the networks on a CPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from adain import memory
from adain.errors import OptionError
from adain.files.pixels import to_float, to_integers
from adain.networks.networks import Networks
from adain.networks.openvino import cache as network_cache
from adain.networks.openvino import cpu, graphs
from adain.networks.openvino.compiled import CompiledGraph, compile_options
from adain.networks.openvino.streams import Streams, stream_options
from adain.networks.stats import ChannelStats

if TYPE_CHECKING:
    import openvino
Network = TypeVar("Network", CompiledGraph, Streams)


class OpenVINOEngine:
    """An `Engine` on the CPU. Precision "auto" is bfloat16 where the CPU is faster with it.

    threads: how many compute; None for one on each core.
    """

    name = "openvino"

    def __init__(self, networks: Networks, precision: str = "auto",
                 threads: int | None = None) -> None:
        self._in_integers = precision == "int8"
        if self._in_integers:
            _check_int8(networks)
        else:
            networks = replace(networks, ranges=None)
        options = compile_options(precision, threads)

        def compiled(graph: Callable[[Networks], openvino.Model],
                     networks: Networks) -> CompiledGraph:
            name = network_cache.name(graph.__name__, networks, options)
            return CompiledGraph(partial(graph, networks), options, name)

        def streams() -> Streams:
            count = threads or cpu.usable_cores()
            settings = options | stream_options(count)
            name = network_cache.name("streams", networks, settings)
            return Streams(partial(graphs.transfer_graph, networks), settings, name, count)

        # Both at once, and while the caller goes on, to read the pictures.
        with_threads = ThreadPoolExecutor(2)
        self._statistics = with_threads.submit(compiled, graphs.statistics_graph,
                                               replace(networks, decoder={}))
        self._transfer = with_threads.submit(compiled, graphs.transfer_graph, networks)
        with_threads.shutdown(wait=False)
        self._make_regions = partial(compiled, graphs.regions_graph, networks)
        self._make_streams = streams
        self._memory_is_short = memory.reserved_counts()
        self._last: CompiledGraph | Streams | None = None
        self._used: set[CompiledGraph | Streams] = set()
        self.radius, self.channels = networks.radius, networks.channels
        self._lock = threading.Lock()

    def session(self) -> AbstractContextManager[object]:
        return self._lock

    @cached_property
    def _regions(self) -> CompiledGraph:
        return self._make_regions()  # needed for masks only

    @cached_property
    def _streams(self) -> Streams:
        return self._make_streams()  # needed for batches only

    @cached_property
    def device(self) -> str:
        computes = "int8" if self._in_integers else self._transfer.result().precision
        return f"CPU, {computes}"

    def measure(self, image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = self._next(self._statistics.result())(image[None], weights[None])
        return mean.copy(), variance.copy()

    def transfer(self, image: np.ndarray, style: ChannelStats, alpha: float,
                 content: ChannelStats | None = None,
                 own_weight: float = 0.0) -> tuple[np.ndarray, ChannelStats]:
        network = self._next(self._transfer.result())
        # Whole pictures often have one size. Tiles of large ones do, too, but must save memory.
        call = network.repeat if content is None or own_weight else network
        if content is None:
            content, own_weight = self._no_statistics, 1.0
        picture, mean, std = call(image[None], *style, np.float32(alpha), *content,
                                  np.float32(own_weight))
        return picture[0], ChannelStats(mean.copy(), std.copy())

    def transfer_batch(self, images: Sequence[np.ndarray], styles: Sequence[ChannelStats],
                       alphas: Sequence[float]) -> list[np.ndarray]:
        def transfer(network: CompiledGraph, image: np.ndarray, style: ChannelStats,
                     alpha: float) -> np.ndarray:
            inputs = (*style, np.float32(alpha), *self._no_statistics, np.float32(1))
            return to_integers(network(to_float(image)[None], *inputs)[0][0])

        return self._next(self._streams).map(transfer, images, styles, alphas)

    @cached_property
    def _no_statistics(self) -> ChannelStats:
        """Statistics that get no share, and leave a picture's own without rounding."""
        return ChannelStats(*np.zeros((2, self.channels), np.float32))

    def transfer_regions(self, image: np.ndarray, regions: np.ndarray, scales: np.ndarray,
                         shifts: np.ndarray) -> np.ndarray:
        [pictures] = self._next(self._regions)(image[None], regions, scales, shifts)
        picture: np.ndarray = pictures[0]
        return picture

    def release_memory(self) -> None:
        for network in (self._statistics.result(), self._transfer.result(),
                        self.__dict__.get("_streams")):
            if network is not None:
                network.release_memory()

    def _next(self, network: Network) -> Network:
        """Return a network that is about to run.

        The one before it lets go of its activations: under limits always, else when this one runs
        for the first time, for many commands encode one style and need that no more.
        """
        before, first = self._last, network not in self._used
        if before is not None and before is not network and (first or self._memory_is_short):
            before.release_memory()
        self._last = network
        self._used.add(network)
        return network


def _check_int8(networks: Networks) -> None:
    """Raise OptionError where these networks, or this CPU, cannot compute in 8 bits."""
    if networks.ranges is None:
        raise OptionError("`precision=int8` is for the networks that ship, whose ranges are "
                          "known; use auto, float32 or bfloat16 with others.")
    if cpu.lacks_int8():
        raise OptionError("`precision=int8` needs a CPU with VNNI instructions, which this one "
                          "lacks: use auto.")
