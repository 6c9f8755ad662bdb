"""Which device Keras computes on, in plain words, and a warning when that is not what was hoped."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adain.errors import OptionError
from adain.networks.keras import TRAIN_PRECISIONS
from adain.networks.openvino import cpu

DEVICES = ("auto", "cpu", "gpu")


@contextmanager
def hidden_native_stderr() -> Iterator[None]:
    """Hide what C++ code prints on stderr, unless an error is raised.

    TensorFlow's start prints a page of notices there that none of its settings turns off; they
    would bury the lines that say where the networks run.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(kept, hidden.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def start_quietly() -> None:
    """Import Keras and start its backend, without the notices that they print on stderr."""
    with hidden_native_stderr():
        gpus()


def gpus() -> list[str]:
    """Return the names of the GPUs that the Keras backend can use."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return [tf.config.experimental.get_device_details(device).get("device_name", device.name)
                for device in tf.config.list_physical_devices("GPU")]
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    import torch

    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def describe_device() -> str:
    """Return, for example, "CPU (2 cores)" or "GPU NVIDIA L4"."""
    names = gpus()
    if names:
        return "GPU " + ", ".join(names)
    return f"CPU ({cpu.usable_cores()} cores)"


def hide_gpus() -> None:
    """Make frameworks that are not yet imported see no GPU."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["JAX_PLATFORMS"] = "cpu"


def warning(wanted: str) -> str | None:
    """Return a warning that no GPU is used, or None where none is needed; wanted: one of DEVICES.

    Raises OptionError when a GPU was demanded and there is none.
    """
    if wanted == "cpu" or gpus():
        return None
    if platform.system() == "Windows":
        reason = ("TensorFlow has no GPU support on native Windows. Run the same command in WSL2 "
                  "(wsl --install, then pip install -e '.[train]' 'tensorflow[and-cuda]').")
    elif wanted == "gpu" or gpu_expected():
        reason = ("this machine seems to have an NVIDIA GPU, but the framework cannot use it. "
                  if gpu_expected() else "no GPU was found. ")
        reason += "Try: pip install 'tensorflow[and-cuda]', and see what nvidia-smi says."
    else:
        return None
    if wanted == "gpu":
        raise OptionError(f"`device=gpu`: {reason}")
    return f"WARNING: training on the CPU, 20 to 50 times slower than on a GPU: {reason}"


def gpu_expected() -> bool:
    """Return whether this machine has signs of an NVIDIA GPU that the user would want used."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return visible not in ("", "-1")
    return bool(shutil.which("nvidia-smi")) or Path("/proc/driver/nvidia/version").exists()


def choose_precision(wanted: str) -> str:
    """Return the Keras dtype policy; "auto" is mixed_bfloat16 where that is faster."""
    if wanted not in TRAIN_PRECISIONS:
        raise OptionError(f"`precision` must be one of {', '.join(TRAIN_PRECISIONS)}; "
                          f"received {wanted}.")
    if wanted == "mixed_float16" and not gpus():
        raise OptionError("`precision=mixed_float16` needs a GPU: a CPU takes minutes for a step "
                          "with it. Use auto.")
    if wanted != "auto":
        return wanted
    return "mixed_bfloat16" if computes_bfloat16() else "float32"


def computes_bfloat16() -> bool:
    """Return whether the device is fast with bfloat16."""
    if gpus():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # Tensor cores with bfloat16 came with compute capability 8.0.
            return all(
                tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0))
                >= (8, 0) for device in tf.config.list_physical_devices("GPU"))
        return True
    return cpu.bfloat16() == cpu.FAST
