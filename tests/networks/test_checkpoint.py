"""Checkpoints survive whatever ends the process or fills the disk."""

import json
import os
import random
import resource
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, logged, random_decoder

from adain.errors import WeightsError
from adain.networks import checkpoint
from adain.networks.architecture import PRESETS

PLAN = PRESETS["compact"]


def save(folder, step, keep=3, validation=None, optimizer=None):
    config = {"step": step, "options": {"model": "compact", "vgg_path": None},
              "validation": validation and {"loss": validation}}
    optimizer = [np.full(50_000, step)] if optimizer is None else optimizer
    return checkpoint.save(folder, config, None, random_decoder(*PLAN[:2]), optimizer, keep)


def steps(folder):
    return [checkpoint.load(path).step for path in checkpoint.list_all(folder)]


def test_the_newest_and_the_best_are_kept(tmp_path):
    for step, loss in ((1, 5.0), (2, 1.0), (3, 3.0), (4, 2.0), (5, 2.5)):
        save(tmp_path, step, keep=2, validation=loss)
    assert steps(tmp_path) == [2, 4, 5]
    assert checkpoint.best(tmp_path).name == "step_0000002"
    save(tmp_path, 6, keep=2, validation=0.5)
    assert steps(tmp_path) == [5, 6]


def test_without_validation_there_is_no_best(tmp_path):
    save(tmp_path, 1), save(tmp_path, 2)
    assert checkpoint.best(tmp_path) is None and steps(tmp_path) == [1, 2]


def test_what_a_killed_run_left_is_removed(tmp_path):
    for rest in (".step_0000001.partial", ".step_0000000.removed.partial"):
        (tmp_path / rest).mkdir()
        (tmp_path / rest / "model.npz").write_bytes(b"half")
    save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step_0000002"]


def spoil(path, size=100):
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize("file", ["model.npz", "config.json", "optimizer.npz"])
def test_where_the_newest_is_damaged_the_newest_whole_one_is_used_and_logged(tmp_path, file):
    for step in (1, 2, 3):
        save(tmp_path, step)
    spoil(tmp_path / "step_0000003" / file)
    with logged() as lines:
        assert checkpoint.load(tmp_path, resume=True).step == 2
    assert len(lines) == 1 and f"step_0000003/{file} is not" in lines[0]
    assert "step_0000002, the newest whole" in lines[0]
    assert checkpoint.load(tmp_path).step == (3 if file == "optimizer.npz" else 2)
    with pytest.raises(WeightsError, match=f"{file} is not .*`checkpoint={tmp_path}` takes the"):
        checkpoint.load(tmp_path / "step_0000003", resume=True)


def test_where_all_are_damaged_the_newest_is_named(tmp_path):
    for step in (1, 2):
        spoil(save(tmp_path, step) / "model.npz")
    with pytest.raises(WeightsError, match="step_0000002/model.npz is not"):
        checkpoint.load(tmp_path)


def test_damaged_checkpoints_do_not_count_among_those_that_are_kept(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step)
    checkpoint.set_aside(tmp_path, 1)
    save(tmp_path, 2, keep=1)
    assert steps(tmp_path) == [2]
    assert (tmp_path / "damaged_step_0000003" / "model.npz").exists()


def limited_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))


FULL = """
import sys
sys.path[:0] = ["tests", "tests/networks"]
from pathlib import Path
import numpy as np
from adain.errors import WeightsError
from test_checkpoint import save
try:
    save(Path(sys.argv[1]), 2, optimizer=[np.zeros(1_000_000)])
except WeightsError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX")
def test_a_disk_that_takes_no_more_is_said_and_the_old_checkpoint_stays(tmp_path):
    save(tmp_path, 1)
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], cwd=ROOT, text=True,
                          capture_output=True, preexec_fn=limited_file_size)
    assert "step_0000002 cannot be written: File too large. step_0000001 is kept" in done.stdout, \
        done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["step_0000001"]
    checkpoint.load(tmp_path).decoder()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_no_space_left_is_said(tmp_path, monkeypatch):
    """One file of the checkpoint is written to a device that is always full."""
    savez = np.savez

    def save_to_full_device(path, **arrays):
        if path.name != "optimizer.npz":
            return savez(path, **arrays)
        with open("/dev/full", "wb") as device:
            savez(device, **arrays)

    save(tmp_path, 1)
    monkeypatch.setattr(np, "savez", save_to_full_device)
    with pytest.raises(WeightsError, match="No space left on device. step_0000001 is kept"):
        save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step_0000001"]


ENDLESS = """
import itertools
import sys
sys.path[:0] = ["tests", "tests/networks"]
from pathlib import Path
from adain.networks import checkpoint
from test_checkpoint import save, steps
folder = Path(sys.argv[1])
for step in itertools.count((steps(folder) or [0])[-1] + 1):
    save(folder, step, keep=2)
    print(step, flush=True)
"""


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_any_moment_the_newest_checkpoint_is_whole(tmp_path, kills):
    """The process does nothing but save, so that most kills fall into a save; at least one has to,
    and where luck does not give one, there are more kills."""
    moments = random.Random(0)
    interrupted = done = 0
    while done < kills or not interrupted and done < 50:
        done += 1
        process = subprocess.Popen([sys.executable, "-c", ENDLESS, tmp_path], cwd=ROOT, text=True,
                                   stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.2))
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        interrupted += any(tmp_path.glob(".*.partial"))
        found = checkpoint.load(tmp_path)
        # Nothing that was reported as saved is lost.
        assert not rest or found.step >= int(rest[-1])
        assert (found.optimizer()[0] == found.step).all() and len(found.decoder()) == 7
        for path in checkpoint.list_all(tmp_path):
            whole = checkpoint.load(path)
            whole.decoder(), whole.optimizer()
            json.loads((path / "config.json").read_text())
    assert interrupted
