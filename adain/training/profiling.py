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

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._step += 1
        if self._step == self._first <= self._last:
            self._wait()  # for the steps before, which would be traced, too
            _start(self._log_path)
            self._traces = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._losses = logs
        if self._traces and self._step == self._last:
            self._end()

    def on_train_end(self, logs: Any = None) -> None:
        if self._traces:
            self._end()

    def _end(self) -> None:
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


def _stop() -> None:
    if keras.backend.backend() == "jax":
        import jax

        jax.profiler.stop_trace()  # type: ignore[no-untyped-call]
    else:
        import tensorflow as tf

        tf.profiler.experimental.stop()
