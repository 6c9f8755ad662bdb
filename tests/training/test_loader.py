import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from adain.training import loader


def test_batches_come_in_order_whatever_the_threads_do():
    slow = threading.Event()

    def read(index):
        if index == 6:
            slow.wait(0.2)  # the others overtake it
        return np.full(2, index)

    found = list(loader.in_threads(read, 2, range(6, 12)))
    assert [batch.tolist() for batch in found] == [[[6, 6], [7, 7]], [[8, 8], [9, 9]],
                                                      [[10, 10], [11, 11]]]


def test_dicts_are_stacked_by_name():
    batch, = loader.in_threads(lambda index: {"a": np.int8(index), "b": np.zeros(3)}, 4, range(4))
    assert batch["a"].tolist() == [0, 1, 2, 3] and batch["b"].shape == (4, 3)


def test_no_more_is_read_than_a_few_batches_ahead():
    asked = []
    batches = loader.in_threads(lambda index: asked.append(index) or np.zeros(1), 2, range(2000))
    next(batches)
    batches.close()
    assert len(asked) <= 2 * (1 + loader.AHEAD)


def test_what_a_reader_raises_ends_the_batches():
    def read(index):
        raise OSError(f"no {index}")

    with pytest.raises(OSError, match="no 0"):
        next(loader.in_threads(read, 2, range(4)))


@pytest.mark.slow  # test_accumulation trains on JAX without TensorFlow, too, in a fifth of the time
def test_the_command_trains_without_tensorflow(folders):
    """Where JAX is installed, TensorFlow need not be."""
    pytest.importorskip("jax")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", "import sys; sys.modules['tensorflow'] = None; "
               "from adain.commands.train import main; main()",
               "--content-path", "content", "--style-path", "style", "--checkpoint", "run",
               "--model", "compact", "--batch-size", "2", "--image-size", "16", "--crop-size",
               "16", "--summary-iter", "1", "--picture-cache", "0.1", "--precision", "float32",
               "--max-iter", "2"]
    # The last: what JAX compiles need not be fast.
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(root),
                   "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    done = subprocess.run(command, cwd=folders, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "keras on jax" in done.stdout and "done: " in done.stdout
