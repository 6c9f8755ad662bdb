"""Starting Keras and its backend for a training run."""

from __future__ import annotations

import logging
from typing import Any

from adain.errors import OptionError
from adain.networks.keras import devices
from adain.training import distribution
from adain.training.config import TrainConfig

logger = logging.getLogger(__name__)


def start(device: str = "auto") -> Any | None:
    """Start Keras, and warn where it does not find the device that was hoped for.

    Args:
        device: one of devices.DEVICES.

    Returns:
        What distribution.choose() does.

    Raises:
        OptionError: training is not installed, or device is "gpu" and there is none.
    """
    if device not in devices.DEVICES:
        raise OptionError(f"`device` must be one of {', '.join(devices.DEVICES)}; "
                          f"received {device}.")
    if device == "cpu":
        devices.hide_gpus()
    try:
        with devices.hidden_native_stderr():
            import tensorboard  # noqa: F401
            import yaml  # noqa: F401

            strategy = distribution.choose()
            devices.gpus()
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow", "tensorboard", "jax", "yaml"):
            raise
        extra = "jax" if error.name == "jax" else "train"
        raise OptionError(f"training needs {error.name}: pip install -e '.[{extra}]'") from None
    warning = devices.warning(device)
    if warning:
        logger.warning("\n%s\n%s\n%s\n", "!" * 79, warning, "!" * 79)
    return strategy


def describe(config: TrainConfig) -> str:
    """Return what a run computes with: device, precision and backend."""
    import keras

    return (f"{devices.describe_device()}, {devices.choose_precision(config.precision)}, "
            f"keras on {keras.backend.backend()}")
