"""Two runs never train in one folder, and no run that ended keeps another out."""

import multiprocessing
import os
import socket
import threading

import pytest

from adain.errors import OptionError
from adain.training.folder_lock import NAME, locked


def hold(folder, held):
    with locked(folder):
        held.send(os.getpid())
        threading.Event().wait()


@pytest.fixture
def owner(tmp_path):
    """A process that trains in tmp_path/run."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path / "run", there))
    process.start()
    assert here.recv() == process.pid
    yield process
    process.kill()
    process.join()


def test_a_second_run_is_refused_and_told_the_owner(tmp_path, owner):
    said = f"process {owner.pid} on {socket.gethostname()}"
    with pytest.raises(OptionError, match=f"a run trains in .*run already: {said}"), \
            locked(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / NAME).read_text() == said + "\n"


def test_a_killed_run_does_not_keep_others_out(tmp_path, owner):
    owner.kill()
    owner.join()
    assert (tmp_path / "run" / NAME).exists()
    with locked(tmp_path / "run"):
        assert str(os.getpid()) in (tmp_path / "run" / NAME).read_text()


def test_many_runs_that_start_at_once_take_turns(tmp_path):
    inside, refused, done = [], [], []

    def run():
        for _ in range(50):
            try:
                with locked(tmp_path):
                    inside.append(1)
                    assert len(inside) == 1
                    inside.pop()
                    done.append(1)
            except OptionError:
                refused.append(1)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) + len(refused) == 400 and done and not inside


def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path):
    with locked(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()
    with locked(tmp_path):
        (tmp_path / "model.npz").write_text("")
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


@pytest.mark.parametrize("place", ["file/run", "file"])
def test_a_folder_that_cannot_be_written_is_said(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="cannot be written"), locked(tmp_path / place):
        pass
