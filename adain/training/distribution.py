"""Training on several GPUs, or several machines that TF_CONFIG names: tf.distribute.

On JAX, several devices of one machine: keras.distribution. A step is the same as on one device:
every device has an equal part of the batch. TensorFlow's replicas divide their losses, and their
gradients are added up; on JAX all devices compute one program.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from adain.errors import AdaINError, OptionError


def choose() -> Any | None:
    """Return a tf.distribute.Strategy, or on JAX a keras.distribution.DataParallel.

    None where there is one device on one machine. Call it before anything else uses TensorFlow:
    with TF_CONFIG it waits for the other workers.
    """
    import keras

    workers = worker_count()
    if keras.backend.backend() != "tensorflow":
        if workers > 1:
            raise OptionError("TF_CONFIG needs KERAS_BACKEND=tensorflow.")
        devices = keras.distribution.list_devices() if keras.backend.backend() == "jax" else []
        return keras.distribution.DataParallel(devices=devices) if len(devices) > 1 else None
    import tensorflow as tf

    if workers > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.MirroredStrategy() if len(tf.config.list_physical_devices("GPU")) > 1 \
        else None


def worker_count() -> int:
    """Return how many workers TF_CONFIG names; 1 without it."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 1
    try:
        config = json.loads(text)
        workers = len(config.get("cluster", {}).get("worker", []))
        if workers > 1 and not 0 <= int(config["task"]["index"]) < workers:
            raise ValueError("task index outside of the list of workers")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OptionError(
            f"TF_CONFIG is not understood ({error!r}); expected, for example, "
            '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}.') from None
    return max(workers, 1)


def is_first() -> bool:
    """Return whether this process writes checkpoints and logs."""
    return worker_count() == 1 or int(json.loads(os.environ["TF_CONFIG"])["task"]["index"]) == 0


def check_batch(strategy: Any, batch_size: int) -> None:
    """Raise OptionError unless every replica gets an equal part of a batch."""
    devices = device_count(strategy)
    if batch_size % devices:
        raise OptionError(f"`batch_size` must be a multiple of the {devices} devices that share "
                          f"it; received {batch_size}.")


def device_count(strategy: Any) -> int:
    """Return how many devices share a batch."""
    if strategy is None:
        return 1
    return int(strategy.num_model_replicas if _is_jax(strategy) else strategy.num_replicas_in_sync)


def replica_count(strategy: Any) -> int:
    """Return among how many replicas a loss is divided."""
    return 1 if strategy is None or _is_jax(strategy) else int(strategy.num_replicas_in_sync)


def _is_jax(strategy: Any) -> bool:
    import keras

    return isinstance(strategy, keras.distribution.DataParallel)


def scope(strategy: Any) -> Any:
    """Return the context in which a model's variables are made."""
    return nullcontext() if strategy is None else strategy.scope()


def active(strategy: Any) -> Any:
    """Return the context in which all else of a run happens."""
    return strategy.scope() if strategy is not None and _is_jax(strategy) else nullcontext()


def distributed(strategy: Any, batches: Any, first_step: int, last_step: int) -> Any:
    """Return what fit() is fed with: on each worker its part of the batches of these steps."""
    if strategy is None or _is_jax(strategy):
        return batches(first_step, last_step)
    return strategy.distribute_datasets_from_function(
        lambda context: batches(first_step, last_step, context))


@contextmanager
def clear_errors(folder: Any) -> Iterator[None]:
    """Turn what TensorFlow raises when another worker is gone into one line."""
    try:
        yield
    except Exception as error:
        if worker_count() == 1 or not _is_lost_worker(error):
            raise
        raise AdaINError(
            "another worker stopped or cannot be reached. The last checkpoint in "
            f"{folder} is whole: run the same command on every machine again to go on. "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]})") from None


def _is_lost_worker(error: Exception) -> bool:
    import tensorflow as tf

    kinds = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError,
             tf.errors.CancelledError, tf.errors.DeadlineExceededError)
    text = str(error)
    return isinstance(error, kinds) or (
        isinstance(error, (RuntimeError, tf.errors.OpError))
        and ("Collective" in text or "UNAVAILABLE" in text or "heartbeat" in text))
