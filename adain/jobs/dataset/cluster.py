"""Apply a function to many items on a Ray cluster (https://docs.ray.io, 2.60).

Each call is a Ray task, which may run on any machine. A call whose process or machine dies is
repeated, so calling the function twice with the same item must do no harm.
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

Item = TypeVar("Item")
Result = TypeVar("Result")
_TIMEOUT = 5.0  # seconds; a server that runs answers in a fraction of one
# A gRPC server answers the HTTP/2 preface and an empty SETTINGS frame with a SETTINGS frame.
_HTTP2_SETTINGS = b"\x04"
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _HTTP2_SETTINGS + b"\0" * 5
_AHEAD = 8  # results per running task that may wait for an earlier one
_ATTEMPTS = 10  # for an item whose process dies
# The unpickled function of this process, with its networks, by digest and GPUs.
_FUNCTIONS: dict[tuple[str, ...], Any] = {}


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster to work on.

    Args:
        address: HOST:PORT of a running cluster; "auto" for the one that this machine belongs to;
            "" to start one on the cores of this machine, which ends with the work.
        cpus: cores of each worker.
        gpus: GPUs of each worker; with a fraction several workers share one.

    Raises:
        OptionError: cpus is below 1, or gpus below 0.
    """

    address: str = ""
    cpus: int = 1
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.cpus < 1:
            raise OptionError(f"`ray_cpus` must be at least 1; received {self.cpus}.")
        if self.gpus < 0:
            raise OptionError(f"`ray_gpus` must be 0 or more; received {self.gpus:g}.")

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield function(item) for each item, in the order of the items.

        Args:
            function: pickled once and sent to every worker process.
            items: read only as fast as the cluster needs them.

        Raises:
            OptionError: the cluster does not answer, or has fewer CPUs or GPUs than a worker needs.
            AdaINError: the first one that `items` or `function` raised; or an item ended every
                process that tried it.
        """
        with self.connected():
            import ray

            self._check_resources()
            pickled = ray.cloudpickle.dumps(function)
            sent = ray.put(_Function(pickled, hashlib.sha256(pickled).hexdigest(), self.cpus,
                                     self.gpus))
            # Without max_calls=0 a process that used a GPU would end after one call.
            task = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_calls=0,
                              max_retries=_ATTEMPTS - 1)(_call)
            for finished in self._in_order(task.remote(sent, item) for item in items):
                try:
                    result, error = ray.get(finished)
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError,
                        ray.exceptions.OutOfMemoryError) as died:
                    raise AdaINError(f"a part of the work ended {_ATTEMPTS} processes: "
                                     f"{str(died).splitlines()[0]}") from None
                if error is not None:
                    raise error
                yield result

    def _in_order(self, started: Iterator[Any]) -> Iterator[Any]:
        """Yield finished tasks in order; keep enough tasks started that the cluster is busy."""
        import ray

        order: deque[Any] = deque()
        running: set[Any] = set()
        more = True
        while True:
            most = 2 * self._capacity()  # so that the next task already waits on its machine
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

    def _capacity(self) -> int:
        """Return how many tasks the machines that are connected now can run at once."""
        import ray

        resources = ray.cluster_resources()
        counts = [resources.get(name, 0) // wanted
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
        """Connect to the cluster, or start one, unless this process is connected already."""
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
        with socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT) as connection:
            connection.sendall(_HTTP2)
            if connection.recv(9)[3:4] != _HTTP2_SETTINGS:
                raise OSError("the server there is not Ray")
    except (OSError, OverflowError) as error:
        raise OptionError(f"`ray={address}` does not answer ({error}). \"ray status\" on a "
                          "machine of the cluster shows whether it runs.") from None


@dataclass(frozen=True)
class _Function:
    """A pickled function, which each process unpickles once.

    Args:
        pickled: the function.
        digest: of `pickled`.
        cpus, gpus: see Cluster.
    """

    pickled: bytes
    digest: str
    cpus: int
    gpus: float

    def __call__(self, item: Any) -> Any:
        key = (self.digest, *self._devices())
        if key not in _FUNCTIONS:
            if _FUNCTIONS and self.gpus:
                # A framework stays on its first GPU: Ray repeats the call in another process.
                os._exit(1)
            from ray import cloudpickle

            if 0 < self.gpus < 1:  # by default a framework takes all memory of the GPU
                os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
                os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{self.gpus:.2f}")
            import cv2

            cv2.setNumThreads(self.cpus)
            _FUNCTIONS.clear()
            _FUNCTIONS[key] = cloudpickle.loads(self.pickled)
        return _FUNCTIONS[key](item)

    def _devices(self) -> list[str]:
        """Return the ids of the GPUs that Ray assigned to this task."""
        import ray

        return ray.get_runtime_context().get_accelerator_ids()["GPU"] if self.gpus else []


def _call(function: _Function, item: Any) -> tuple[Any, AdaINError | None]:
    """Return the result and no error, or None and the error that a user can cause."""
    try:
        return function(item), None
    except AdaINError as error:
        return None, error
