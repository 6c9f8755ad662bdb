"""Do the pieces of a large work on a Ray cluster (https://docs.ray.io, 2.60).

Each piece is a task of Ray, which may run on any machine. A piece whose process or machine dies is
made again; so making one twice must do no harm.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from adain.errors import AdaINError, OptionError
from adain.networks.openvino.cpu import usable_cores

Piece = TypeVar("Piece")
Result = TypeVar("Result")
_SECONDS = 5.0  # an address that answers does so in a fraction of one
# A gRPC server answers the beginning of HTTP/2, here with empty settings, by a frame of settings.
_HTTP2_SETTINGS = b"\x04"
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _HTTP2_SETTINGS + b"\0" * 5
_AHEAD = 8  # pieces for each one in work whose results may wait for an earlier piece
_ATTEMPTS = 10  # at a piece whose process dies
_MAKERS: dict[tuple[str, ...], Any] = {}  # of this process: what makes pieces, with its networks


@dataclass(frozen=True)
class Cluster:
    """Where the work is done.

    address: HOST:PORT of a cluster, "auto" for the one that runs on this machine; "": a cluster of
    this machine's cores, for this work alone. cpus, gpus: what each piece in work takes; a fraction
    of a GPU lets several share one.
    """

    address: str = ""
    cpus: int = 1
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.cpus < 1:
            raise OptionError(f"`ray_cpus` must be at least 1; received {self.cpus}.")
        if self.gpus < 0:
            raise OptionError(f"`ray_gpus` must be 0 or more; received {self.gpus:g}.")

    def do(self, pieces: Iterable[Piece],
           make: Callable[[Piece], Result]) -> Iterator[Result]:
        """Yield make(piece) of all pieces, in their order, however they are spread.

        Args:
            pieces: listed as they are needed.
            make: is sent to every process that makes pieces.

        Raises:
            OptionError: the cluster does not answer, or has not what a piece takes.
            AdaINError: the first that listing or making them raised; or a piece ended all
                processes that tried to make it.
        """
        with self.connected():
            import ray

            self._check_resources()
            packed = ray.cloudpickle.dumps(make)
            maker = ray.put(_Maker(packed, hashlib.sha256(packed).hexdigest(), self.cpus,
                                   self.gpus))
            # Without max_calls=0 a process that had a GPU would end after one piece.
            task = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_calls=0,
                              max_retries=_ATTEMPTS - 1)(_made)
            for found in self._in_order(task.remote(maker, piece) for piece in pieces):
                try:
                    result, error = ray.get(found)
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError,
                        ray.exceptions.OutOfMemoryError) as died:
                    raise AdaINError(f"a piece of the work ended {_ATTEMPTS} processes: "
                                     f"{str(died).splitlines()[0]}") from None
                if error is not None:
                    raise error
                yield result

    def _in_order(self, started: Iterator[Any]) -> Iterator[Any]:
        """Yield tasks that are done, in their order; start as many as keep the cluster busy."""
        import ray

        order: deque[Any] = deque()
        running: set[Any] = set()
        more = True
        while True:
            most = 2 * self._at_once()  # a machine that is done with a piece has the next one
            while more and len(running) < most and len(order) < _AHEAD * most:
                task = next(started, None)
                more = task is not None
                if more:
                    order.append(task)
                    running.add(task)
            if not order:
                return
            if running:
                running -= set(ray.wait(list(running), num_returns=1)[0])
            while order and order[0] not in running:
                yield order.popleft()

    def _at_once(self) -> int:
        """Return how many pieces the cluster, as it is now, can have in work."""
        import ray

        there = ray.cluster_resources()
        counts = [there.get(name, 0) // wanted
                  for name, wanted in (("CPU", self.cpus), ("GPU", self.gpus)) if wanted]
        return max(1, int(min(counts)))

    def _check_resources(self) -> None:
        import ray

        resources = ray.cluster_resources()
        for name, wanted in (("CPU", self.cpus), ("GPU", self.gpus)):
            if resources.get(name, 0) < wanted:
                raise OptionError(f"`ray_{name.lower()}s={wanted:g}`: the cluster has "
                                  f"{resources.get(name, 0):g} {name}s.")

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connect to the cluster, or start one, unless this process has done so."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ModuleNotFoundError as error:
            raise OptionError(f"`ray` needs {error.name}: pip install -e '.[ray]'") from None
        logging.getLogger("ray").setLevel(logging.ERROR)
        if self.address:
            _check_answers(self.address)
        if ray.is_initialized():
            yield
            return
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if not self.address:
            ray.init("local", num_cpus=usable_cores(), include_dashboard=False, **settings)
        else:
            try:
                ray.init(self.address, **settings)
            except (ConnectionError, RuntimeError) as error:
                raise OptionError(f"`ray={self.address}`: {str(error).splitlines()[0]}") from None
        try:
            yield
        finally:
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise OptionError where no gRPC server answers at HOST:PORT: Ray would wait for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not (host and port.isdecimal()):
        raise OptionError(f"`ray` is HOST:PORT or auto; received {address}.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _SECONDS) as connection:
            connection.sendall(_HTTP2)
            if connection.recv(9)[3:4] != _HTTP2_SETTINGS:
                raise OSError("what listens there is something else")
    except (OSError, OverflowError) as error:
        raise OptionError(f"`ray={address}` does not answer ({error}). \"ray status\" on a "
                          "machine of the cluster says whether it runs.") from None


@dataclass(frozen=True)
class _Maker:
    """Makes pieces; what it makes them with is unpacked once in each process.

    packed: the function that makes them; key: its digest.
    """

    packed: bytes
    key: str
    cpus: int
    gpus: float

    def __call__(self, piece: Any) -> Any:
        key = (self.key, *self._devices())
        if key not in _MAKERS:
            if _MAKERS and self.gpus:
                os._exit(1)  # frameworks stay on the GPU they began with: another process does it
            from ray import cloudpickle

            if 0 < self.gpus < 1:  # frameworks would take all memory of the GPU
                os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
                os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{self.gpus:.2f}")
            import cv2

            cv2.setNumThreads(self.cpus)
            _MAKERS.clear()
            _MAKERS[key] = cloudpickle.loads(self.packed)
        return _MAKERS[key](piece)

    def _devices(self) -> list[str]:
        """Return the GPUs that Ray gave this piece."""
        import ray

        return ray.get_runtime_context().get_accelerator_ids()["GPU"] if self.gpus else []


def _made(maker: _Maker, piece: Any) -> tuple[Any, AdaINError | None]:
    try:
        return maker(piece), None
    except AdaINError as error:
        return None, error
