"""Who sees what a run records: observers, Keras' callbacks, trackers, the profiler."""

import dataclasses
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, logged

from adain import Observer
from adain.errors import OptionError
from adain.training import trackers

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
import keras
from test_recorder import FAST

from adain.training.run import train


class Seen(Observer):
    def __init__(self):
        self.events = []

    def settings(self, step, values):
        assert values["max_iter"] == 2

    def scalars(self, step, values):
        self.events.append((step, sorted(values)[0]))

    def image(self, step, name, image):
        assert image.dtype == np.uint8
        self.events.append((step, name))

    def saved(self, step, path):
        assert (path / "config.json").is_file()
        self.events.append((step, path.name))

    def close(self):
        self.events.append("closed")


class Steps(keras.callbacks.Callback):
    seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1


def test_observers_and_callbacks_see_the_run_and_its_profile_is_written(folders):
    observer, callback = Seen(), Steps()
    with logged() as lines:
        train(dataclasses.replace(FAST, max_iter=2, save_iter=2, summary_iter=2),
              folders / "content", folders / "style", folders / "run", profile=(2, 2),
              callbacks=[observer, callback])
    assert observer.events == [(1, "content_style_stylized"),
                               (2, "images_per_second"), (2, "content_style_stylized"),
                               (2, "step_0000002"), "closed"]
    assert callback.seen == 2
    (trace,) = (folders / "run" / "logs").glob("plugins/profile/*/*.xplane.pb")
    assert b"step_num" in trace.read_bytes()  # marks the steps, for the times of the profile page
    assert any(line.startswith("traced the steps 2 to 2: ") for line in lines)


JAX = """
import sys
import time
sys.path[:0] = ["tests", "tests/training"]
from adain import TrainConfig, train
train(TrainConfig(model="compact", batch_size=1, image_size=16, crop_size=16, max_iter=2),
      sys.argv[1] + "/content", sys.argv[1] + "/style", sys.argv[1] + "/run", profile=(2, 2))
"""


@pytest.mark.slow
def test_jax_writes_a_profile_too(folders):
    pytest.importorskip("jax")
    subprocess.run([sys.executable, "-c", JAX, folders], cwd=ROOT, check=True,
                   env={**os.environ, "KERAS_BACKEND": "jax"})
    (trace,) = (folders / "run" / "logs").glob("plugins/profile/*/*.xplane.pb")
    assert b"step_num" in trace.read_bytes()


@pytest.mark.parametrize("options, message", [
    ({"callbacks": [print]}, "`callbacks` must be"), ({"profile": (3, 9)}, "steps 1 to .*; rec"),
    ({"tracker": "excel"}, "one of mlflow, wandb; received excel")])
def test_what_cannot_watch_is_refused(folders, options, message):
    with pytest.raises(OptionError, match=message):
        train(FAST, folders / "content", folders / "style", folders / "run", **options)


@pytest.mark.parametrize("name", trackers.TRACKERS)
def test_a_tracker_that_is_not_installed_names_its_extra(monkeypatch, name):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=rf"pip install -e '\.\[{name}\]'"):
        trackers.check(name)


def record(tracker, step):
    tracker.scalars(step, {"loss/total": 10.0 / step, "gallery/ssim": 0.5, "loss/style": 3.0,
                           "loss/style/relu1_1": 2.0})
    tracker.image(step, "gallery", np.zeros((4, 6, 3), np.uint8))
    tracker.close()


def test_mlflow_keeps_settings_numbers_and_pictures_over_a_resume(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for step in (1, 2):  # two processes' parts of one run
        tracker = trackers.start("mlflow", tmp_path / "run")
        tracker.settings(step - 1, {"seed": 7, "max_iter": step})
        record(tracker, step)
    client = mlflow.MlflowClient((tmp_path / "run" / "mlruns").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("adain").experiment_id])
    assert run.info.status == "FINISHED" and run.info.run_name == "run"
    assert run.data.params == {"seed": "7", "max_iter": "1"}
    history = client.get_metric_history(run.info.run_id, "loss/total")
    assert [(one.step, one.value) for one in history] == [(1, 10.0), (2, 5.0)]
    assert len(client.get_metric_history(run.info.run_id, "loss/style_relu1_1")) == 2
    assert len(list((tmp_path / "run" / "mlruns").rglob("images/gallery*.png"))) == 2


def test_wandb_writes_offline_into_the_run_s_folder(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for step in (1, 2):
        started = int(time.time())
        tracker = trackers.start("wandb", tmp_path / "run")
        tracker.settings(step - 1, {"seed": 7})
        record(tracker, step)
        while int(time.time()) == started:  # its folders are named after seconds
            pass
    first, second = sorted((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert first.name.rpartition("-")[2] == second.name.rpartition("-")[2]  # one run's two parts
    for part in (first, second):
        (log,) = part.glob("*.wandb")
        assert b"gallery/ssim" in log.read_bytes()
        assert list(part.rglob("gallery_*.png"))


def test_a_tracker_that_fails_is_said_once_and_left_alone():
    class Full(Observer):
        def scalars(self, step, values):
            raise OSError("no space left")

    tracker = trackers.Lossy("mlflow", Full())
    with logged() as lines:
        record(tracker, 1)
        record(tracker, 2)
    assert lines == ["WARNING: the tracker mlflow failed; the run goes on without it: OSError: no "
                     "space left"]
