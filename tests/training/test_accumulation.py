"""A step of N small batches is the step of one large batch; averages are those of the steps."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
import toy
from test_any_style import arrays
from test_distribution import cluster
from test_recorder import FAST, train

from adain.errors import OptionError
from adain.networks import checkpoint
from adain.training import accumulation

BATCHES = [0.0, 2.0, 4.0, 10.0], [8.0, 8.0, 8.0, 16.0], [1.0, 2.0, 3.0, 6.0]


def numbers(folder, step):
    """Return what a checkpoint has as the toy's number, and as the optimizer's average of it."""
    path = folder / checkpoint.name(step)
    [number] = arrays(path / "model.npz").values()
    return float(number), [float(array) for array in arrays(path / "optimizer.npz").values()]


def check_toy_by_hand(folder):
    # The number goes to the mean of its batch, 4, then 10. Losses are those before a step:
    # (0 + 4 + 16 + 100) / 4, (16 + 16 + 16 + 144) / 4.
    assert toy.history(folder) == [(30, 30, 0), (48, 48, 1)]
    # The average goes to 4, then 3/4 4 + 1/4 10. It is in model.npz, and the number in its place.
    assert [(number, 4.0 in state, 10.0 in state) for number, state in (
        numbers(folder, 1), numbers(folder, 2))] == [(4.0, True, False), (5.5, False, True)]


def test_steps_in_parts_and_averages_are_those_computed_by_hand(tmp_path):
    toy.train(tmp_path, BATCHES[:2], batch_size=2, accumulate=2, ema=0.75)
    check_toy_by_hand(tmp_path)


JAX = """
import runpy, sys
sys.modules["tensorflow"] = None
runpy.run_path("tests/training/toy.py", run_name="__main__")

from adain import TrainConfig
from adain.training import any_style, data
folder = sys.argv[1]
source = data.PairSource(f"{folder}/content", f"{folder}/style", 0, 16, 16)
[(batch,)] = data.dataset(source, 2, 0, 1)
assert (batch[1] == source.pair(1)).all()
any_style.build(TrainConfig(model="compact", crop_size=16))
import adain.methods.johnson.model
"""


@pytest.mark.parametrize("devices", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_on_jax_without_tensorflow_too_and_there_on_several_devices(folders, devices):
    """With real networks test_loader and test_distribution do so, which are slow tests."""
    pytest.importorskip("jax")
    subprocess.run([sys.executable, "-c", JAX, folders, "2", "0.75", "0,2,4,10", "8,8,8,16"],
                   cwd=ROOT, check=True, env={
                       **os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT),
                       "JAX_PLATFORMS": "cpu",
                       "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"})
    check_toy_by_hand(folders)


@pytest.mark.slow
def test_on_two_workers_of_tensorflow_too(tmp_path):
    processes = [subprocess.Popen(
        [sys.executable, "tests/training/toy.py", tmp_path, "2", "0.75", "0,2,4,10", "8,8,8,16"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CONFIG": json.dumps(each)})
        for each in cluster()]
    assert [process.wait() for process in processes] == [0, 0]
    check_toy_by_hand(tmp_path)


@pytest.mark.slow
def test_on_two_replicas_of_tensorflow_too(tmp_path):
    code = (
        "import sys; sys.path[:0] = ['tests', 'tests/training']\n"
        "import tensorflow as tf\n"
        "tf.config.set_logical_device_configuration(tf.config.list_physical_devices('CPU')[0],\n"
        "    [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "import toy, test_accumulation\n"
        "strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])\n"
        "for count in (1, 2):\n"
        "    toy.train(sys.argv[1], test_accumulation.BATCHES[:count], strategy, batch_size=2,\n"
        "              accumulate=2, ema=0.75)\n")
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=True,
                   env={**os.environ, "PYTHONPATH": str(ROOT)})
    check_toy_by_hand(tmp_path)


def test_a_run_with_averages_and_parts_resumes_exactly(tmp_path):
    for name, ends in (("whole", [3]), ("parts", [1, 2, 3])):
        for end in ends:
            toy.train(tmp_path / name, BATCHES[:end], batch_size=2, accumulate=2, ema=0.75)
    assert numbers(tmp_path / "whole", 3) == numbers(tmp_path / "parts", 3)
    assert numbers(tmp_path / "whole", 3)[0] == 0.75 * 5.5 + 0.25 * 3


def test_without_averages_a_checkpoint_has_the_weights_themselves(tmp_path):
    toy.train(tmp_path, BATCHES[:2])
    assert numbers(tmp_path, 2)[0] == 10.0


@pytest.mark.slow
def test_parts_of_a_batch_train_real_networks_as_the_whole(folders):
    options = {"max_iter": 2, "learning_rate": 1e-4, "optimizer": "muon", "clip_norm": 1.0,
               "identity_share": 0.5}
    train(folders, "whole", batch_size=4, **options)
    train(folders, "parts", batch_size=2, accumulate=2, **options)
    whole, parts = (checkpoint.load(folders / name) for name in ("whole", "parts"))
    for name, value in whole.config["losses"].items():
        assert parts.config["losses"][name] == pytest.approx(value, rel=1e-4), name
    for layer, (kernel, _) in whole.decoder().items():
        # Adam divides by a gradient's size, so where that is tiny single weights may differ.
        assert np.abs(kernel - parts.decoder()[layer][0]).mean() < 1e-6, layer


def test_accumulation_needs_a_backend_that_has_it(monkeypatch):
    monkeypatch.setattr(accumulation, "BACKENDS", ("another",))
    accumulation.check(1)
    with pytest.raises(OptionError, match="`accumulate=2` needs Keras on another"):
        accumulation.check(2)
    assert dataclasses.replace(FAST, accumulate=3).effective_batch_size == 3 * FAST.batch_size
