"""Do the pieces of a large work on a Ray cluster, by Ray Data (https://docs.ray.io, 2.60).

The pieces are listed by one task of Ray, and made by others, each of which may run on any machine.
A piece whose process or machine dies is made again; so making one twice must do no harm. On GPUs
actors make the pieces, since Ray ends the process of every other task that had one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
from collections.abc import Callable, Iterator
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
_MAKERS: dict[str, Any] = {}  # of this process: what makes pieces, with its networks


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

    def do(self, pieces: Callable[[], Iterator[Piece]],
           make: Callable[[Piece], Result]) -> Iterator[Result]:
        """Yield make(piece) of all pieces, in their order, however they are spread.

        Args:
            pieces: lists them, on any machine, always the same.
            make: is sent to every process that makes pieces.

        Raises:
            OptionError: the cluster does not answer, or has not what a piece takes.
            AdaINError: the first that make() raised.
        """
        with self.connected():
            import ray

            resources = ray.cluster_resources()
            for name, wanted in (("CPU", self.cpus), ("GPU", self.gpus)):
                if resources.get(name, 0) < wanted:
                    raise OptionError(f"`ray_{name.lower()}s={wanted:g}`: the cluster has "
                                      f"{resources.get(name, 0):g} {name}s.")
            for row in self._dataset(pieces, make, resources).iter_rows():
                result, error = row["made"]
                if error is not None:
                    raise error
                yield result

    def _dataset(self, pieces: Callable[[], Iterator[Piece]], make: Callable[[Piece], Result],
                 resources: dict[str, float]) -> Any:
        import ray

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        context.target_max_block_size = 1  # bytes: each piece is a block, which is made alone
        packed = ray.cloudpickle.dumps(make)
        options: dict[str, Any] = {
            "batch_size": 1, "batch_format": "pandas", "num_cpus": self.cpus}
        maker = _Maker(packed, hashlib.sha256(packed).hexdigest(), self.cpus,
                       self.gpus)
        listed = ray.data.read_datasource(
            _source(pieces), num_cpus=0, override_num_blocks=1)
        if not self.gpus:
            return listed.map_batches(maker, **options)
        most = int(min(resources["GPU"] // self.gpus, resources["CPU"] // self.cpus))
        return listed.map_batches(
            _Actor, fn_constructor_args=(maker,), num_gpus=self.gpus,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most), **options)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connect to the cluster, or start one, unless this process has done so."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
            import ray.data
        except ModuleNotFoundError as error:
            raise OptionError(f"`ray` needs {error.name}: pip install -e '.[ray]'") from None
        logging.getLogger("ray").setLevel(logging.ERROR)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
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


def _source(pieces: Callable[[], Iterator[Any]]) -> Any:
    """Return the ray.data.Datasource of pieces, which lists them as they are needed."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    def read() -> Iterator[Any]:
        import pandas

        try:
            for piece in pieces():
                yield pandas.DataFrame({"piece": [_Cell(piece)]})
        except AdaINError as error:
            yield pandas.DataFrame({"piece": [_Cell(error)]})

    class Source(Datasource):
        def get_read_tasks(self, *_: Any, **__: Any) -> list[Any]:
            return [ReadTask(read, BlockMetadata(num_rows=None, size_bytes=None, input_files=None,
                                                 exec_stats=None))]

        def estimate_inmemory_data_size(self) -> None:
            return None

    return Source()


@dataclass(frozen=True, slots=True)
class _Cell:
    """One value of a table, whatever it is: a list would become several."""

    value: Any


@dataclass(frozen=True)
class _Maker:
    """Makes pieces; what it makes them with is unpacked once in each process.

    packed: the function that makes them; key: its digest.
    """

    packed: bytes
    key: str
    cpus: int
    gpus: float

    def __call__(self, table: Any) -> Any:
        import pandas

        return pandas.DataFrame({"made": [self._make(cell.value) for cell in table["piece"]]})

    def _make(self, piece: Any) -> tuple[Any, AdaINError | None]:
        if isinstance(piece, AdaINError):  # of listing the pieces
            return None, piece
        try:
            if self.key not in _MAKERS:
                from ray import cloudpickle

                if 0 < self.gpus < 1:  # frameworks would take all memory of the GPU
                    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
                    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{self.gpus:.2f}")
                import cv2

                cv2.setNumThreads(self.cpus)
                _MAKERS.clear()
                _MAKERS[self.key] = cloudpickle.loads(self.packed)
            return _MAKERS[self.key](piece), None
        except AdaINError as error:
            return None, error


class _Actor:
    """A process that makes pieces on a GPU."""

    def __init__(self, maker: _Maker) -> None:
        self._maker = maker

    def __call__(self, table: Any) -> Any:
        return self._maker(table)
