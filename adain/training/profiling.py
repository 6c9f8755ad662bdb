"""Profile: traces some steps of a run, for TensorBoard's profile page."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras

from adain.errors import OptionError
from adain.training.recorder import scalars

logger = logging.getLogger(__name__)

BACKENDS = ("tensorflow", "jax")


class Profile(keras.callbacks.Callback):
    """Traces the steps first .. last of a run into `log_path`.

    first_step: how many steps the run has taken before.
    """

    def __init__(self, first: int, last: int, log_path: Path, first_step: int) -> None:
        super().__init__()
        backend = keras.backend.backend()
        if backend not in BACKENDS:
            raise OptionError(f"`profile` needs Keras on {' or '.join(BACKENDS)}; KERAS_BACKEND is "
                              f"{backend}.")
        self._first, self._last, self._log_path = max(first, first_step + 1), last, log_path
        self._step, self._traces = first_step, False
        self._losses: Any = None
        self._marker: Any = None  # of the step that is traced

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._step += 1
        if self._step == self._first <= self._last:
            self._wait()  # for the steps before, which would be traced, too
            _start(self._log_path)
            self._traces = True
        if self._traces:
            self._marker = _mark(self._step)
            self._marker.__enter__()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._losses = logs
        self._end_of_step()
        if self._traces and self._step == self._last:
            self._end()

    def on_train_end(self, logs: Any = None) -> None:
        if self._traces:
            self._end()

    def _end_of_step(self) -> None:
        if self._marker is not None:
            self._marker.__exit__(None, None, None)
            self._marker = None

    def _end(self) -> None:
        self._end_of_step()
        self._wait()
        _stop()
        self._traces = False
        logger.info("traced the steps %d to %d: pip install tensorboard-plugin-profile, then "
                    "tensorboard --logdir %s", self._first, self._step, self._log_path)

    def _wait(self) -> None:
        """Wait until the device has computed the last step's losses."""
        if self._losses is not None:
            scalars(self._losses)


def _start(log_path: Path) -> None:
    if keras.backend.backend() == "jax":
        import jax

        jax.profiler.start_trace(str(log_path))
    else:
        import tensorflow as tf

        tf.profiler.experimental.start(str(log_path))


def _mark(step: int) -> Any:
    """Return a context whose time the profile page takes as that of a step."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.profiler.StepTraceAnnotation("train", step_num=step)
    import tensorflow as tf

    return tf.profiler.experimental.Trace("train", step_num=step, _r=1)


def _stop() -> None:
    if keras.backend.backend() == "jax":
        import jax

        jax.profiler.stop_trace()  # type: ignore[no-untyped-call]
    else:
        import tensorflow as tf

        tf.profiler.experimental.stop()
