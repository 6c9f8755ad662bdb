"""Phases continue from each other, are resumed as a whole, and never from what is not there."""

import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, logged

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
yaml = pytest.importorskip("yaml")
import toy
from test_any_style import arrays

from adain.commands import train as command
from adain.errors import OptionError
from adain.networks import checkpoint
from adain.progress import StopRequest
from adain.training import phases
from adain.training.config import TrainConfig
from adain.training.phases import PhaseRun

CONFIG = TrainConfig(max_iter=2, save_iter=1, summary_iter=1, batch_size=1)
# The number goes to 1, 2; then, with the average of 2, 5 and 9 in halves, to 3.5, 6.25.
RUNS = [PhaseRun("first", CONFIG, {"batches": [[1.0], [2.0]]}),
        PhaseRun("second", dataclasses.replace(CONFIG, ema=0.5), {"batches": [[5.0], [9.0]]}),
        PhaseRun("mean", CONFIG, {}, {"first": 0.25, "second": 0.75})]


def number(folder, step):
    [value] = arrays(folder / checkpoint.name(step) / "model.npz").values()
    return float(value)


def test_phases_begin_with_the_networks_of_the_one_before(tmp_path):
    started = []

    def train(config, folder, continue_from=None, **options):
        started.append(continue_from)
        toy.train_phase(config, folder, continue_from=continue_from, **options)

    found = phases.run(train, RUNS, tmp_path)
    assert started == [None, tmp_path / "first"] and found == tmp_path / "mean"
    assert number(tmp_path / "second", 2) == 0.5 * 5 + 0.5 * 9
    assert number(found, 0) == 0.25 * 2 + 0.75 * 7
    assert toy.history(tmp_path / "second")[0][0] == (2 - 5) ** 2
    phases.run(train, RUNS, tmp_path)
    assert len(started) == 2  # nothing is trained twice


def test_a_stopped_phase_goes_on_and_the_later_ones_wait(tmp_path):
    stop = StopRequest()
    stop.ask("SIGTERM")
    assert phases.run(toy.train_phase, RUNS, tmp_path, stop) == tmp_path / "first"
    assert not (tmp_path / "second").exists()
    with logged() as lines:
        phases.run(toy.train_phase, RUNS, tmp_path)
    assert "phase 2 of 3, second: " in "\n".join(lines)
    with logged() as lines:
        phases.run(toy.train_phase, RUNS, tmp_path)
    assert lines == [f"phase {number} of 3, {name}: finished"
                     for number, name in enumerate(("first", "second", "mean"), 1)]


def test_a_phase_without_a_checkpoint_to_continue_is_refused(tmp_path):
    phases.run(toy.train_phase, RUNS, tmp_path)
    shutil.rmtree(tmp_path / "first" / checkpoint.name(2))
    with pytest.raises(OptionError, match="phase first is not finished in .*, but second, which"):
        phases.run(toy.train_phase, RUNS, tmp_path)
    shutil.rmtree(tmp_path / "first")
    with pytest.raises(OptionError, match="phase first has no checkpoint in .*, but second, which"):
        phases.run(toy.train_phase, RUNS, tmp_path)


def test_a_finished_phase_of_another_recipe_is_refused(tmp_path):
    phases.run(toy.train_phase, RUNS, tmp_path)
    other = [dataclasses.replace(RUNS[0], config=dataclasses.replace(CONFIG, seed=3)), *RUNS[1:]]
    with pytest.raises(OptionError, match=r"trained with `seed=0` \(now 3\)"):
        phases.run(toy.train_phase, other, tmp_path)
    other = [*RUNS[:2], dataclasses.replace(RUNS[2], average={"first": 0.5, "second": 0.5})]
    with pytest.raises(OptionError, match="is not the average of this recipe"):
        phases.run(toy.train_phase, other, tmp_path)


RECIPE = """
version: 1
model: compact
checkpoint: {folder}/run
content_path: {folder}/content
style_path: {folder}/style
image_size: 16
crop_size: 16
batch_size: 2
precision: float32
max_iter: 1
phases:
- name: first
- name: second
  learning_rate: 2e-4
"""


def test_the_command_trains_the_phases_of_a_recipe_with_flags_over_it(folders, capsys):
    recipe = folders / "recipe.yaml"
    recipe.write_text(RECIPE.format(folder=folders))
    command.main(["--config", str(recipe), "--batch-size", "1", "--log-path", f"{folders}/logs"])
    args = yaml.safe_load((folders / "run" / "second" / "args.yaml").read_text())
    assert (args["batch_size"], args["learning_rate"], args["crop_size"]) == (1, 2e-4, 16)
    assert args["continue_from"] == str(folders / "run" / "first")
    check_tensorboard(folders / "logs" / "second")
    capsys.readouterr()
    command.main(["--conf", str(recipe), "--batch-size", "1"])
    assert capsys.readouterr().out.count(": finished") == 2
    # What is written beside a run is a recipe that repeats it.
    command.main(["--config", str(folders / "run" / "second" / "args.yaml")])
    assert "already at step 1 of 1" in capsys.readouterr().out


def check_tensorboard(logs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    events = EventAccumulator(str(logs))
    events.Reload()
    text = events.Tensors("settings")[0].tensor_proto.string_val[0].decode()
    assert "| learning_rate | 0.0002 |" in text
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    start = metadata.parse_session_start_info_plugin_data(content)
    assert start.hparams["learning_rate"].number_value == 2e-4
    assert start.hparams["model"].string_value == "compact"


def test_what_a_recipe_lacks_or_gets_wrong_is_told(folders):
    recipe = folders / "recipe.yaml"
    recipe.write_text("version: 1\n")
    with pytest.raises(OptionError, match="`content_path` is missing"):
        command.main(["--config", str(recipe)])
    recipe.write_text(RECIPE.format(folder=folders) + "  batch_size: 0\n")
    with pytest.raises(OptionError, match="phase second: `batch_size` must be at least 1"):
        command.main(["--config", str(recipe)])
    recipe.write_text("version: 1\nmethod: gatys\n")
    with pytest.raises(OptionError, match="method must be one of adain, johnson; received gatys"):
        command.main(["--config", str(recipe)])


@pytest.mark.slow
def test_phases_killed_at_random_moments_give_the_weights_of_one_go(folders):
    """Ten moments in each: some steps, and a part of one, after the phase was begun again."""
    recipe = folders / "recipe.yaml"
    recipe.write_text(RECIPE.format(folder=folders).replace("max_iter: 1", """max_iter: 30
save_iter: 2
summary_iter: 1
optimizer: muon
ema: 0.9
accumulate: 2"""))
    train = [sys.executable, "-u", "-m", "adain", "train", "--config", recipe]
    subprocess.run([*train, "--checkpoint", folders / "whole"], cwd=ROOT, check=True)
    generator, kills = random.Random(0), {"first": 0, "second": 0}
    killed = [*train, "--checkpoint", folders / "killed"]
    for name in kills:
        while kills[name] < 10:
            process = subprocess.Popen(killed, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            left, phase = generator.randrange(5), ""
            for line in process.stdout:
                if line.startswith("phase") and "finished" not in line:
                    phase = line.split(":")[0].split()[-1]
                left -= phase == name and line.startswith(("phase", "trains", "step"))
                if left < 0:
                    break
            assert phase == name
            try:
                process.wait(generator.uniform(0, 0.3))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                kills[name] += 1
            process.communicate()
    subprocess.run(killed, cwd=ROOT, check=True)
    for name in kills:
        for file in ("model.npz", "optimizer.npz"):
            whole, found = (arrays(folders / run / name / checkpoint.name(30) / file)
                            for run in ("whole", "killed"))
            assert whole.keys() == found.keys()
            for key in whole:
                np.testing.assert_array_equal(found[key], whole[key], err_msg=f"{name} {key}")
