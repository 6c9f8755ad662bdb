"""Refinements that are stopped and continue, and the pictures of how they came about."""

import os
import signal

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain import OptionError, WeightsError
from adain.commands import stylize
from adain.files import images
from adain.progress import Stopped, StopRequest
from adain.transfer.objective import Objective
from adain.transfer.refine_run import RefineRun

CONTENT, STYLE = picture(50, 70), picture(64, 64, 9)
# 4 iterations at 32 pixels, then 2 at full size.
OPTIONS = {"refine": 4, "coarse_size": 32}


@pytest.fixture(scope="module")
def encoded(stylizer):
    return stylizer.encode_style(STYLE, refine=True)


@pytest.fixture(scope="module")
def whole(stylizer, encoded):
    return stylizer.stylize(CONTENT, encoded, **OPTIONS)


def stop_after(monkeypatch, count, stop):
    """Make `stop` be asked in that evaluation of the loss."""
    call, calls = Objective.__call__, []

    def counted(self, *arguments):
        calls.append(0)
        if len(calls) == count:
            stop.ask("test")
        return call(self, *arguments)

    monkeypatch.setattr(Objective, "__call__", counted)


@pytest.mark.parametrize("count", [1, 3, 5], ids=["coarse-first", "coarse-third", "full-size"])
def test_a_stopped_run_continues_as_if_there_had_been_no_stop(
        stylizer, encoded, whole, tmp_path, monkeypatch, count):
    path, stop = tmp_path / "a.state.npz", StopRequest()
    stop_after(monkeypatch, count, stop)
    stopped = stylizer.stylize(CONTENT, encoded, **OPTIONS, stop=stop, run=RefineRun(path))
    monkeypatch.undo()
    assert stopped.shape == CONTENT.shape and (stopped != whole).any() and path.exists()
    continued = stylizer.stylize(CONTENT, encoded, **OPTIONS, run=RefineRun(path, restore=True))
    np.testing.assert_array_equal(continued, whole)
    assert not path.exists()


def test_a_state_of_another_run_or_a_damaged_one_is_refused(stylizer, encoded, tmp_path,
                                                            monkeypatch):
    path, stop = tmp_path / "a.state.npz", StopRequest()
    stop_after(monkeypatch, 2, stop)
    stylizer.stylize(CONTENT, encoded, **OPTIONS, stop=stop, run=RefineRun(path))
    monkeypatch.undo()
    for content, options, message in (
            (CONTENT[::-1].copy(), {}, "another content"),
            (CONTENT, {"refine": 9}, r"refine 4 \(now 9\)"),
            (CONTENT, {"alpha": 0.5}, r"alpha 1.0 \(now 0.5\)")):
        with pytest.raises(OptionError, match=message):
            stylizer.stylize(content, encoded, **(OPTIONS | options), run=RefineRun(path, True))
    with np.load(path) as arrays:
        stored = dict(arrays)
    stored["descent/values_0"] = stored["descent/values_0"][:5]
    np.savez(path, **stored)
    with pytest.raises(WeightsError, match="its arrays do not belong together"):
        stylizer.stylize(CONTENT, encoded, **OPTIONS, run=RefineRun(path, True))
    with pytest.raises(OptionError, match="there is no state"):
        stylizer.stylize(CONTENT, encoded, **OPTIONS, run=RefineRun(tmp_path / "none.npz", True))


def test_evolution_is_pictures_of_all_sizes_and_an_animation(stylizer, encoded, whole, tmp_path):
    folder = tmp_path / "frames"
    made = stylizer.stylize(CONTENT, encoded, **OPTIONS, run=RefineRun(
        evolution=folder, evolution_iter=2))
    np.testing.assert_array_equal(made, whole)
    assert sorted(path.name for path in folder.iterdir()) == [
        "evolution.gif", *(f"iteration_000000{step}.jpg" for step in (0, 2, 4, 6))]
    assert [images.read(folder / f"iteration_000000{step}.jpg").shape[0] for step in (0, 4)] == [
        32, 50]
    with Image.open(folder / "evolution.gif") as animation:
        assert animation.n_frames == 4
    with pytest.raises(OptionError, match="already has the pictures of a run"):
        RefineRun(evolution=folder)


@pytest.fixture
def place(tmp_path):
    images.write(tmp_path / "content" / "a.png", CONTENT)
    images.write(tmp_path / "style.png", STYLE)
    return tmp_path


def paint(place, *options):
    return stylize.main(list(map(str, (
        "--content-path", place / "content", "--style-path", place / "style.png", "--out-path",
        place / "out.png", "--model", "compact", "--precision", "float32", "--refine", 4,
        "--coarse-size", 32, *options))))


def test_the_command_leaves_a_state_on_ctrl_c_and_restores_it(place, whole, monkeypatch):
    call, calls = Objective.__call__, []

    def interrupted(self, *arguments):
        calls.append(0)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return call(self, *arguments)

    monkeypatch.setattr(Objective, "__call__", interrupted)
    with pytest.raises(Stopped):
        paint(place)
    monkeypatch.undo()
    assert images.read(place / "out.png").shape == CONTENT.shape
    assert paint(place, "--restore", "--evolution", place / "frames") == 0
    np.testing.assert_array_equal(images.read(place / "out.png"), whole)
    assert sorted(path.name for path in place.iterdir()) == ["content", "frames", "out.png",
                                                             "style.png"]


@pytest.mark.parametrize("options, message", [
    (["--restore"], "there is no state .*out.state.npz to continue from"),
    (["--evolution", "frames", "--evolution-iter", 0], "`evolution_iter` must be at least 1"),
    (["--evolution", "frames", "--refine", 0], "--evolution is not supported")])
def test_options_that_make_no_sense_are_refused(place, options, message):
    with pytest.raises(OptionError, match=message):
        paint(place, *options)
    assert not (place / "out.png").exists()
