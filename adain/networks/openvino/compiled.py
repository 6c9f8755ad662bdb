"""OpenVINO networks, compiled for the CPU: NumPy in and NumPy out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from adain import memory
from adain.errors import NetworkMemoryError
from adain.networks.openvino import cache as network_cache
from adain.networks.openvino import cpu

if TYPE_CHECKING:
    import openvino

# A value that no network computes: marks outputs before a call, to detect those not computed.
_MARK = np.float32(-3e38)
# After this many calls in a row with inputs of the same shapes, repeat() compiles a network for
# exactly these shapes, which takes about 0.1 s and saves 1.5 ms a call.
REPEATED = 32
# Operations that OpenVINO keeps compiled for shapes that it has seen: its own 5000 take 0.75 GB
# after 700 sizes of pictures, and are no faster. Tiles of one picture have up to nine shapes.
_KEPT_OPERATIONS = "200"
# In OpenVINO's errors when memory is short: "bad_alloc", "can't alloc", "Failed to allocate ...";
# and when there is none for the stack of a new thread, the second by Python.
_SHORT = ("alloc", "Resource temporarily unavailable", "can't start new thread")
_first_run, _has_run = threading.Lock(), False
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


def _alone_at_first(run: Callable[[], list[np.ndarray]]) -> list[np.ndarray]:
    """Return run(); the first call of the process is alone.

    In their first call OpenVINO's bindings fill static tables, which takes Python's lock: two
    threads that do so at once can wait for each other for ever.
    """
    global _has_run
    if _has_run:
        return run()
    with _first_run:
        outputs = run()
    _has_run = True
    return outputs


class CompiledGraph:
    """A network that is called with its inputs in order and returns the list of its outputs.

    make: returns its openvino.Model; name: under which `network_cache` keeps it compiled, None if
    it does not; at_once: compile it now, not when it is first called.

    Inputs are not copied; outputs are valid until the next call. Out of memory is a MemoryError:
    OpenVINO raises an error then, but with a single core it only leaves the outputs as they were,
    so each is marked before the next call. A network that ran out of memory may compute nonsense
    from then on, and compiling another one in the memory that is left may hang or crash; so every
    later call raises MemoryError.
    """

    def __init__(self, make: Callable[[], openvino.Model], options: dict[str, str],
                 name: str | None = None, at_once: bool = True) -> None:
        self._make, self._options, self._name = make, options, name
        self._infer: Callable[..., dict[object, np.ndarray]] | None = None  # a twin's own
        self._outputs: list[np.ndarray] = []
        self._damaged: str | None = None  # by which error
        self._shapes: list[tuple[int, ...]] = []  # of the inputs of repeat()
        self._calls = 0  # of it, with these shapes
        self._fixed: CompiledGraph | None = None  # for these shapes only
        if at_once:
            self._compiled  # noqa: B018

    @cached_property
    def _compiled(self) -> openvino.CompiledModel:
        with self._memory_errors():
            return self._compile()

    def _compile(self) -> openvino.CompiledModel:
        # In a thread of its own, because on CPUs with AMX OpenVINO gives the thread that compiles
        # a signal stack too small for Python's handlers: Ctrl-C would be a segmentation fault.
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(self._read_or_compile).result()

    def _read_or_compile(self) -> openvino.CompiledModel:
        from adain.networks.openvino.runtime import openvino

        core, kept = openvino.Core(), self._name and network_cache.read(self._name)
        if kept:
            with suppress(RuntimeError):  # OpenVINO cannot read it: compile it again
                return core.import_model(kept, "CPU", self._options)
        compiled = core.compile_model(self._model, "CPU", self._options)
        if self._name:
            with suppress(RuntimeError), BytesIO() as stream:
                compiled.export_model(stream)
                network_cache.write(self._name, stream.getvalue())
        return compiled

    @cached_property
    def _model(self) -> openvino.Model:
        return self._make()

    @cached_property
    def precision(self) -> str:
        """What it computes in, "float32" or "bfloat16"."""
        used: str = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        return {"bf16": "bfloat16", "f32": "float32"}.get(used, used)

    def __call__(self, *inputs: np.ndarray | np.float32) -> list[np.ndarray]:
        for output in self._outputs:
            output.flat[0] = _MARK
        with self._memory_errors():
            if self._damaged:
                raise MemoryError(self._damaged)
            outputs = _alone_at_first(lambda: self._run(inputs))
            if any(not output.size or output.flat[0] == _MARK for output in outputs):
                raise MemoryError("OpenVINO gave no result")
        self._outputs = outputs
        return outputs

    def _run(self, inputs: Sequence[np.ndarray | np.float32]) -> list[np.ndarray]:
        infer = self._infer or self._compiled
        return list(infer(list(inputs), share_inputs=True, share_outputs=True).values())

    def twin(self) -> CompiledGraph:
        """Return the same network with outputs of its own, for another thread to call."""
        twin = CompiledGraph(self._make, self._options, self._name, at_once=False)
        twin._compiled = self._compiled
        twin._infer = self._compiled.create_infer_request().infer
        return twin

    def release_memory(self) -> None:
        """Release the memory of activations until the next call."""
        self._outputs = []  # which are part of it
        self._compiled.release_memory()

    def repeat(self, *inputs: np.ndarray | np.float32) -> list[np.ndarray]:
        """As a call, but for inputs whose shapes are likely to stay, such as a video's frames.

        From the REPEATED'th in a row on, they are computed without the overhead of shapes that may
        change; in int8 results may then differ by a step of its rounding.
        """
        shapes = [np.shape(each) for each in inputs]
        if shapes != self._shapes:
            self._shapes, self._calls, self._fixed = shapes, 0, None
        self._calls += 1
        if self._calls == REPEATED and not memory.reserved_counts():  # to compile needs more
            self._fix()
        return (self._fixed or self)(*inputs)

    @contextmanager
    def _memory_errors(self) -> Iterator[None]:
        """Make NetworkMemoryErrors of all errors when memory is short, and remember the first."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not any(text in str(error) for text in _SHORT):
                raise
            self._damaged = str(error) or "no memory"
            raise NetworkMemoryError(self._damaged) from None

    def _fix(self) -> None:
        self.release_memory()  # one network at a time has it
        model = self._model.clone()
        model.reshape(dict(enumerate(self._shapes)))
        self._fixed = CompiledGraph(lambda: model, self._options, at_once=False)


class Turns:
    """Lets one network at a time keep memory for activations."""

    def __init__(self) -> None:
        self._last: CompiledGraph | None = None

    def next(self, network: CompiledGraph) -> CompiledGraph:
        """Return a network that is about to run, after the one before has let go of its memory."""
        if self._last is not network:
            self.release_memory()
            self._last = network
        return network

    def release_memory(self) -> None:
        """Release the memory of activations until the next call."""
        if self._last is not None:
            self._last.release_memory()
            self._last = None


def compile_graph(model: openvino.Model, precision: str = "auto") -> CompiledGraph:
    """Compile an openvino.Model for the CPU; "auto" is bfloat16 where that is faster."""
    return CompiledGraph(lambda: model, compile_options(precision))


def compile_options(precision: str, threads: int | None = None) -> dict[str, str]:
    """Return OpenVINO's settings for one of engine.PRECISIONS.

    int8: what of a graph is not in 8 bits is computed in float32. threads: None for all cores.
    """
    options = {"PERFORMANCE_HINT": "LATENCY", "CPU_RUNTIME_CACHE_CAPACITY": _KEPT_OPERATIONS}
    if threads is not None:
        # OpenVINO would bind them to the first cores: those of several processes to the same ones.
        options |= {"INFERENCE_NUM_THREADS": str(threads), "ENABLE_CPU_PINNING": "NO"}
    if precision == "auto" and cpu.bfloat16() == cpu.SLOW:
        precision = "float32"  # OpenVINO's own choice is bfloat16 wherever it can be computed
    if precision != "auto":
        options["INFERENCE_PRECISION_HINT"] = _HINTS[precision]
    return options
