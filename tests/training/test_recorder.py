"""What a night's training has to survive and to tell: real runs, small, on the CPU."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, logged, picture, write_folders
from PIL import Image

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
import toy
from test_any_style import FAST, arrays

from adain.errors import AdaINError, OptionError
from adain.networks import checkpoint
from adain.progress import StopRequest
from adain.training import any_style, data, history, loop, recorder
from adain.training.config import TrainConfig
from adain.training.watch import Watch

pytestmark = pytest.mark.xdist_group("training")
TOY = TrainConfig(max_iter=4, save_iter=2, summary_iter=1, batch_size=1)


def train(folders, name="run", feed=None, **options):
    config = dataclasses.replace(FAST, **options)
    source = data.PairSource(folders / "content", folders / "style", config.seed, config.image_size,
                             config.crop_size, validation_split=config.validation_split)
    watch = Watch(source.pair(0)[None], source.validation_pairs(config.batch_size), source.arrived,
                  "the command")
    feed = feed or (lambda first, last: data.dataset(source, config.effective_batch_size, first,
                                                     last))
    with logged() as lines:
        loop.fit(any_style.AnyStyle(config), config, feed, watch, folders / name)
    return lines


KILLED = """
import logging, os, signal, sys
sys.path[:0] = ["tests", "tests/training"]
from pathlib import Path
from test_recorder import train
steps = int(sys.argv[2])

class Killer(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith(f"step {steps + 1}/"):  # one step after a checkpoint
            os.kill(os.getpid(), signal.SIGKILL)

logging.getLogger("adain").addHandler(Killer())
train(Path(sys.argv[1]), "halves", max_iter=2 * steps, save_iter=steps)
"""


@pytest.mark.parametrize("steps", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_kill_and_resume_gives_the_weights_of_one_go(folders, fast_run, steps):
    done = subprocess.run([sys.executable, "-c", KILLED, folders, str(steps)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert checkpoint.load(folders / "halves").step == steps
    options = {"max_iter": 2 * steps, "save_iter": steps}
    train(folders, "halves", **options)
    runs = {"halves": folders / "halves", "whole": fast_run / "run"}
    if steps != 2:
        train(folders, "whole", **options)
        runs["whole"] = folders / "whole"
    for file in ("model.npz", "optimizer.npz"):
        whole, halves = (arrays(checkpoint.load(runs[name]).path / file)
                         for name in ("whole", "halves"))
        for key in whole:
            np.testing.assert_array_equal(whole[key], halves[key], err_msg=key)
    lines = history.read(folders / "halves")
    assert [line["step"] for line in lines] == list(range(1, 2 * steps + 1))
    whole, halves = ([line["losses"]["loss"] for line in history.read(runs[name])]
                     for name in ("whole", "halves"))
    assert whole == halves


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudoterminal")
def test_training_is_saved_when_its_terminal_is_closed(folders):
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "train.py", "--content-path", folders / "content", "--style-path",
         folders / "style", "--checkpoint", folders / "run", "--model", "compact", "--batch-size",
         "1", "--image-size", "16", "--crop-size", "16", "--summary-iter", "1", "--precision",
         "float32"], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY))  # its controlling terminal
    os.close(theirs)
    shown = b""
    while b"step 1/" not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(timeout=100) == 0
    assert checkpoint.load(folders / "run").step > 0


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """Folders of pictures, in run/ a training with validation at each step, and what it logged."""
    root = tmp_path_factory.mktemp("validated")
    write_folders(root)
    return root, train(root, validation_split=0.5, save_iter=1, keep=1)


def test_validation_is_at_every_save_and_keeps_the_best(validated):
    folders, lines = validated
    measured = {line["step"]: line["validation"] for line in history.read(folders / "run")
                if "validation" in line}
    assert list(measured) == [1, 2, 3, 4]
    for losses in measured.values():
        assert losses["loss"] == pytest.approx(
            losses["content"] + FAST.style_weight * losses["style"])
    best = min(measured, key=lambda step: measured[step]["loss"])
    assert checkpoint.best(folders / "run").name == checkpoint.name(best)
    assert {path.name for path in checkpoint.list_all(folders / "run")} == {
        checkpoint.name(best), checkpoint.name(4)}
    assert checkpoint.load(folders / "run").config["validation"] == measured[4]
    assert checkpoint.name(best) in lines[-1]


def test_validation_does_not_change_the_training(validated):
    """Nor the losses that are logged: they share their running means."""
    folders, _ = validated
    source = data.PairSource(folders / "content", folders / "style", 0, 16, 16,
                             validation_split=0.5)
    train(folders, "without", feed=lambda first, last: data.dataset(source, 2, first, last))
    left, right = ([line["losses"] for line in history.read(folders / name) if "losses" in line]
                   for name in ("run", "without"))
    assert left == right and len(left) == FAST.max_iter


def test_validation_measures_style_transfer_while_training_reconstructs(folders):
    model = any_style.build(dataclasses.replace(FAST, reconstruction_iter=10))
    pairs = np.stack([[picture(16, 16, 0), picture(16, 16, 1)]])
    content, style = map(np.asarray, model.split(pairs, model.identity_mask(pairs, training=False)))
    assert (content != style).any()
    during = recorder.scalars(model.evaluate(pairs, verbose=0, return_dict=True))["style"]
    model.optimizer.iterations.assign(11)
    after = recorder.scalars(model.evaluate(pairs, verbose=0, return_dict=True))["style"]
    assert during == pytest.approx(after)


def test_held_out_pictures_are_never_trained_on(tmp_path):
    for index in range(20):
        Image.new("RGB", (16, 16), (index * 10, 0, 0)).save(tmp_path / f"{index}.png")
    source = data.PairSource(tmp_path, tmp_path, 0, 16, 16, validation_split=0.25)
    trained = {int(source.content.crop(index)[0, 0, 0]) for index in range(60)}
    pairs = source.validation_pairs(batch_size=2)
    held = {int(value) for value in pairs[:, 0, 0, 0, 0]}
    assert len(trained) == 15 and len(pairs) == 4 and not trained & held
    again = data.PairSource(tmp_path, tmp_path, 0, 16, 16, validation_split=0.25)
    np.testing.assert_array_equal(again.validation_pairs(2), pairs)
    other = data.PairSource(tmp_path, tmp_path, 1, 16, 16, validation_split=0.25)
    assert set(other.held_out.content.files) != set(source.held_out.content.files)


def test_one_picture_cannot_be_split(tmp_path, folders):
    (folders / "one").mkdir()
    Image.new("RGB", (16, 16)).save(folders / "one" / "a.png")
    with pytest.raises(OptionError, match="needs two pictures or more; there is only .*a.png"):
        data.PairSource(folders / "one", folders / "style", 0, 16, 16, validation_split=0.1)


def test_a_loss_that_is_not_a_number_keeps_its_batch_and_names_the_last_good(folders):
    source = data.PairSource(folders / "content", folders / "style", 0, 16, 16)

    def batches(first, last):
        for step in range(first, last):
            pairs = np.stack([source.pair(2 * step), source.pair(2 * step + 1)])
            pairs = pairs.astype(np.float32)
            if step == 2:
                pairs[1] = np.nan
            yield (pairs,)

    with pytest.raises(AdaINError, match=r"at step 3; the last good checkpoint is .*step_0000002; "
                                         r"its batch is in .*failed_step_0000003.npz"):
        train(folders, feed=batches)
    kept = arrays(folders / "run" / "failed_step_0000003.npz")["pairs"]
    np.testing.assert_array_equal(kept[0], source.pair(4))
    assert np.isnan(kept[1]).all()


def test_a_loss_that_is_looked_at_one_step_late_keeps_its_batch_too(tmp_path):
    batches = [[1.0], [2.0], [np.nan], [4.0]]
    config = dataclasses.replace(TOY, save_iter=2, summary_iter=100)
    with pytest.raises(AdaINError, match=r"at step 3; the last good checkpoint is .*step_0000002; "
                                         r"its batch is in .*failed_step_0000003.npz"):
        toy.train_phase(config, tmp_path, batches)
    [kept] = arrays(tmp_path / "failed_step_0000003.npz").values()
    assert np.isnan(kept).all()


def test_a_loss_that_is_not_a_number_before_the_first_checkpoint_ends_the_run(tmp_path):
    with pytest.raises(AdaINError, match="there is no checkpoint yet"):
        toy.train_phase(TOY, tmp_path, [[np.inf], [2.0], [3.0], [4.0]])
    assert not checkpoint.list_all(tmp_path)


def test_losses_are_not_fetched_before_the_next_step_is_under_way(tmp_path, monkeypatch):
    """Or a GPU would have nothing to do meanwhile."""
    fetched, scalars = [], recorder.scalars

    def count(logs):
        fetched.append(record.step)
        return scalars(logs)

    def keep(self, *arguments):
        nonlocal record
        record = self
        begin(self, *arguments)

    record, begin = None, recorder.Recorder.on_train_begin
    monkeypatch.setattr(recorder.Recorder, "on_train_begin", keep)
    monkeypatch.setattr(recorder, "scalars", count)
    toy.train_phase(dataclasses.replace(TOY, max_iter=6, save_iter=6, summary_iter=3), tmp_path,
                    [[float(step)] for step in range(6)])
    assert fetched == [2, 3, 3, 5, 6, 6]


def test_weights_that_are_not_numbers_are_never_saved_as_good(folders):
    """A finite loss can have a gradient that is not."""
    model = any_style.build(FAST)
    watch = Watch(np.stack([[picture(16, 16), picture(16, 16, 1)]]))
    record = recorder.Recorder(FAST, folders / "run", None, watch,
                               lambda first, last: [watch.previews], 0, 0.0, {},
                               StopRequest())
    record.set_model(model)
    kernel = model.transfer.decoder.convs["conv1_1"].kernel
    kernel.assign(kernel * np.nan)
    record.step = 1
    with pytest.raises(AdaINError, match="weights became infinite or NaN at step 1"):
        record.save()
    assert not checkpoint.list_all(folders / "run")


def test_the_share_of_time_waited_for_data_is_logged(folders):
    source = data.PairSource(folders / "content", folders / "style", 0, 16, 16)
    list(data.dataset(source, 1, 0, 1))
    assert source.arrived(0) <= time.monotonic() and source.arrived(0) is None  # is forgotten
    with logged() as lines:
        for name, arrivals in (("starved", lambda index: time.monotonic()),
                               ("compiled", lambda index: 0.0 if index else time.monotonic()),
                               ("fed", lambda index: 0.0)):
            toy.train_phase(dataclasses.replace(TOY, save_iter=4, summary_iter=2), folders / name,
                            [[1.0], [2.0], [3.0], [4.0]], arrivals=arrivals)
    shares = {name: [line["waited"] for line in history.read(folders / name) if "waited" in line]
              for name in ("starved", "compiled", "fed")}
    assert shares["fed"] == [0, 0] and min(shares["starved"]) > 0 and max(shares["starved"]) <= 1
    assert shares["compiled"] == [0, 0]  # what the first step takes is not the data's fault
    assert any(re.search(r"waited \d+% for data", line) for line in lines)

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folders / "fed" / "logs"))
    events.Reload()
    assert len(events.Scalars("share_of_time_waited_for_data")) == 2
