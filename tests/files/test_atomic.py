"""Files that are whole or not there, and what a killed process leaves beside them."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from adain.errors import AdaINError, ImageError, WeightsError
from adain.files import atomic
from adain.files.storage import FolderWriter

WRITE_AND_WAIT = """
import sys
from adain.files.atomic import atomic_file
with atomic_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    sys.stdin.read()
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def a_new_process(monkeypatch):
    monkeypatch.setattr(atomic, "_cleaned", set())


def writing(path):
    """Return a process that is in the middle of writing a file."""
    process = subprocess.Popen([sys.executable, "-c", WRITE_AND_WAIT, path], cwd=ROOT,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def write(path, content=b"whole"):
    with atomic.atomic_file(path) as file:
        file.write(content)


@pytest.mark.skipif(os.name != "posix", reason="processes are not asked for elsewhere")
def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(tmp_path):
    with writing(tmp_path / "killed.jpg") as killed, writing(tmp_path / "alive.jpg") as alive:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(names(tmp_path)) == 2
        write(tmp_path / "new.jpg")
        assert len(names(tmp_path)) == 2
        alive.communicate(b"")
        killed.communicate()
    assert names(tmp_path) == ["alive.jpg", "new.jpg"]
    assert (tmp_path / "alive.jpg").read_bytes() == b"half"


@pytest.mark.skipif(os.name != "posix", reason="processes are not asked for elsewhere")
def test_what_a_process_left_that_was_killed_during_a_run_is_removed_at_its_end(tmp_path):
    folder = FolderWriter(tmp_path)
    folder.write("cats/a.jpg", b"whole")  # removes only what is there already
    with writing(tmp_path / "cats" / "killed.jpg") as killed:
        killed.kill()
        killed.communicate()
    folder.write("cats/b.jpg", b"whole")
    assert len(names(tmp_path / "cats")) == 3
    folder.remove_abandoned(["cats", "dogs"])
    assert names(tmp_path / "cats") == ["a.jpg", "b.jpg"]


def test_partial_files_of_other_machines_are_removed_after_a_week(tmp_path):
    for name, days in (("old", 8), ("new", 6)):
        path = tmp_path / f".{name}.0123abcd.1.1.partial.jpg"
        path.touch()
        os.utime(path, (time.time() - days * 24 * 3600,) * 2)
    write(tmp_path / "x.jpg")
    assert names(tmp_path) == [".new.0123abcd.1.1.partial.jpg", "x.jpg"]


def test_nothing_else_is_removed(tmp_path):
    kept = [".a.partial", ".b.1.2.partial.jpg", ".c.0123abcd.1.1.partially.jpg",
            "d.0123abcd.1.1.partial.jpg", ".step_0000001.partial"]
    for name in kept:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    write(tmp_path / "x.jpg")
    assert names(tmp_path) == sorted([*kept, "x.jpg"])


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    write(tmp_path / "x", b"old")
    with pytest.raises(RuntimeError), atomic.atomic_file(tmp_path / "x") as file:
        file.write(b"new")
        raise RuntimeError
    assert names(tmp_path) == ["x"] and (tmp_path / "x").read_bytes() == b"old"


def test_the_error_is_of_the_caller_s_kind_and_names_the_file(tmp_path):
    (tmp_path / "file").touch()
    for error in (ImageError, WeightsError):
        with pytest.raises(error, match="file.x cannot be written: "), atomic.atomic_file(
                tmp_path / "file" / "x", error):
            pass
    with pytest.raises(AdaINError, match="file.x cannot be written: "):
        atomic.append(tmp_path / "file" / "x", b"line\n")


def test_no_library_gets_the_file_s_descriptor(tmp_path):
    """Pillow would write to it by itself, and take no notice of a full disk."""
    with atomic.atomic_file(tmp_path / "x") as file, pytest.raises(io.UnsupportedOperation):
        file.fileno()
