"""Several pictures at once, each computed by a single thread.

Threads that share one picture wait for each other after every layer: two cores take 1.15 times as
long in bfloat16 and 1.5 times in int8 as when each has a picture (compact, 256 px, AMD EPYC). A
batch in one tensor would have the same waits. The results are those of one picture at a time, to
the bit, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

from adain.networks.openvino.compiled import CompiledGraph

Result = TypeVar("Result")
# For each picture at once; as in adain/networks/openvino/compiled.py. 200 take 110 MB more after 61
# shapes of pictures, in no less time.
_KEPT_OPERATIONS = "100"


def stream_options(threads: int) -> dict[str, str]:
    """Return OpenVINO's settings for computing this many pictures at once."""
    return {"NUM_STREAMS": str(threads), "INFERENCE_NUM_THREADS": str(threads),
            "ENABLE_CPU_PINNING": "NO", "CPU_RUNTIME_CACHE_CAPACITY": _KEPT_OPERATIONS}


class Streams:
    """A network that computes as many pictures at once as it has threads.

    make, options, name: as of CompiledGraph, with stream_options(threads).
    """

    def __init__(self, make: Callable[[], Any], options: dict[str, str], name: str | None,
                 threads: int) -> None:
        network = CompiledGraph(make, options, name)
        self._networks = [network.twin() for _ in range(threads)]
        self._idle: SimpleQueue[CompiledGraph] = SimpleQueue()
        for twin in self._networks:
            self._idle.put(twin)
        self._threads = ThreadPoolExecutor(threads)

    def map(self, compute: Callable[..., Result], *items: Sequence[Any]) -> list[Result]:
        """Return compute(network, *of each item); what it returns may be no part of an output."""
        def one(*item: Any) -> Result:
            network = self._idle.get()
            try:
                return compute(network, *item)
            finally:
                self._idle.put(network)

        futures = [self._threads.submit(one, *item) for item in zip(*items, strict=True)]
        try:
            return [future.result() for future in futures]
        finally:  # where one failed, or Ctrl-C came: nothing computes any more
            for future in futures:
                if not future.cancel():
                    future.exception()

    def release_memory(self) -> None:
        """Let go of the memory of activations, until the next call."""
        for network in self._networks:
            network.release_memory()
