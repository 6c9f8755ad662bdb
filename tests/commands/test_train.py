"""adain train in a process of its own: started, stopped, resumed, and its networks used."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import ROOT, write_folders
from test_cli import TRAIN, run, stylize

from adain.networks import checkpoint

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.xdist_group("train")


def command(folders, *arguments):
    return [ROOT / "train.py", "--content-path", folders / "content", "--style-path",
            folders / "style", "--checkpoint", folders / "run", *TRAIN, *arguments]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Folders of pictures, in run/ a training of vgg19 that got SIGTERM, and its finished process.

    It had the reason to expect a GPU, and wrote to tensorboard/.
    """
    root = tmp_path_factory.mktemp("stopped")
    write_folders(root)
    words = command(root, "--summary-iter", "1", "--log-path", root / "tensorboard")
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "0"}) as process:
        shown = ""
        for line in process.stdout:
            shown += line
            if line.startswith("step 1/"):
                process.send_signal(signal.SIGTERM)
                break
        out, err = process.communicate(timeout=100)
    return root, subprocess.CompletedProcess(words, process.returncode, shown + out, err)


def test_sigterm_exits_0_and_prints_the_command_to_resume(stopped):
    folders, done = stopped
    assert done.returncode == 0, done.stderr
    step = checkpoint.load(folders / "run").step
    assert f"SIGTERM: saving at step {step}" in done.stdout
    assert f"stopped at step {step}" in done.stdout
    assert re.search(rf"\n  python \S*train.py --content-path {folders}/content --style-path",
                     done.stdout)


def test_an_expected_gpu_that_is_not_used_is_warned_of_loudly(stopped):
    _, done = stopped
    if "on GPU" not in done.stdout:
        assert "WARNING: training on the CPU" in done.stderr and "!!!!" in done.stderr


def test_train_then_resume_then_stylize(stopped, tmp_path):
    folders = shutil.copytree(stopped[0], tmp_path / "copy")
    assert re.search(r"trains vgg19 on \w+ .*, keras on tensorflow: 2 photographs, 2 paintings",
                     stopped[1].stdout)
    assert any((folders / "tensorboard").glob("events.out.tfevents.*"))
    step = checkpoint.load(folders / "run").step
    done = run(*command(folders, "--max-iter", step + 1))
    assert done.returncode == 0, done.stderr
    assert "resumes" in done.stdout and f"at step {step}" in done.stdout
    assert checkpoint.load(folders / "run").step == step + 1
    done = stylize(folders, "--checkpoint", folders / "run")
    assert done.returncode == 0 and "4 pictures" in done.stdout and "vgg19" in done.stdout
