"""`stylize.py --model gatys`, in this process: its options, what it leaves, what it restores."""

import dataclasses
import functools
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, picture
from PIL import Image
from test_gatys import stop_at_iteration

from adain.commands import stylize
from adain.errors import OptionError
from adain.files import images
from adain.methods.gatys import method
from adain.methods.gatys.config import GatysConfig
from adain.methods.gatys.method import optimise
from adain.progress import Stopped

CONTENT, STYLE = picture(32, 40), picture(48, 32, seed=5)  # those of test_gatys
CONFIG = GatysConfig(iterations=4, precision="float32")


@pytest.fixture
def place(tmp_path):
    images.write(tmp_path / "content" / "a.png", CONTENT)
    images.write(tmp_path / "style.png", STYLE)
    return tmp_path


def paint(place, *options, content="content/a.png", out_path="out.png"):
    return stylize.main(list(map(str, (
        "--model", "gatys", "--content-path", place / content, "--style-path", place / "style.png",
        "--out-path", place / out_path, "--iterations", 4, "--precision", "float32", *options))))


@functools.cache
def uninterrupted():
    """The picture of a run with CONFIG."""
    return optimise(CONTENT, STYLE, CONFIG)


def test_only_gatys_writes_on_stderr(place):
    """TensorFlow's start prints notices, which nobody needs who paints a picture."""
    done = subprocess.run(
        [sys.executable, "stylize.py", "--model", "gatys", "--iterations", "1", "--content-path",
         place / "content/a.png", "--style-path", place / "style.png", "--out-path",
         place / "out.png"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_coarse_size_is_a_shorter_side(place):
    wide = picture(32, 64)
    images.write(place / "content" / "wide.png", wide)
    assert paint(place, "--coarse-size", 16, content="content/wide.png") == 0
    np.testing.assert_array_equal(
        images.read(place / "out.png"),
        optimise(wide, STYLE, dataclasses.replace(CONFIG, coarse_size=32)))


def test_layers_and_the_contents_size_are_chosen(place):
    layers = {"content_layers": ("relu3_1", "relu2_1"), "style_layers": ("relu1_1",)}
    assert paint(place, "--content-layers", *layers["content_layers"], "--style-layers",
                 *layers["style_layers"], "--content-size", 20, "--crop-size", 16) == 0
    small = images.resize_shorter_side(CONTENT, 20)[2:18, 4:20]
    made = images.read(place / "out.png")
    assert made.shape == (16, 16, 3)
    np.testing.assert_array_equal(
        made, optimise(small, STYLE, dataclasses.replace(CONFIG, **layers)))


def test_a_stopped_run_is_restored_though_its_best_picture_is_there(place):
    stop_at_iteration(2, CONFIG, place / "out.state.npz")
    images.write(place / "out.png", CONTENT)  # as Ctrl-C leaves one
    with pytest.raises(OptionError, match="out.png exists; .overwrite. replaces"):
        paint(place)
    assert paint(place, "--restore") == 0
    np.testing.assert_array_equal(images.read(place / "out.png"), uninterrupted())
    with pytest.raises(OptionError, match="no state .* to continue from; leave out `restore`"):
        paint(place, "--restore")


def test_a_restored_batch_leaves_what_is_finished(place, capsys):
    images.write(place / "content" / "b.png", CONTENT)
    images.write(place / "out" / "a__style.png", STYLE)
    stop_at_iteration(2, CONFIG, place / "out" / "b__style.state.npz")
    images.write(place / "content" / "c.png", CONTENT)
    assert paint(place, "--restore", "--format", "png", content="content", out_path="out") == 0
    assert "2 pictures, 1 exist already" in capsys.readouterr().out
    np.testing.assert_array_equal(images.read(place / "out" / "a__style.png"), STYLE)
    for name in "bc":
        np.testing.assert_array_equal(images.read(place / "out" / f"{name}__style.png"),
                                      uninterrupted())


def test_a_stop_leaves_the_best_picture_and_ends_the_batch(place, monkeypatch):
    images.write(place / "content" / "b.png", CONTENT)
    made, iterate = [], method.iterate

    def stop_in_the_second(*arguments):
        made.append(arguments)
        if len(made) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return iterate(*arguments)

    monkeypatch.setattr(method, "iterate", stop_in_the_second)
    with pytest.raises(Stopped):
        paint(place, "--format", "png", content="content", out_path="out")
    assert sorted(path.name for path in (place / "out").iterdir()) == [
        "a__style.png", "a__style.state.npz"]
    monkeypatch.undo()
    assert paint(place, "--format", "png", "--restore", content="content", out_path="out") == 0
    np.testing.assert_array_equal(images.read(place / "out" / "a__style.png"), uninterrupted())


def test_transparency_is_kept_and_a_bad_file_is_skipped(place, capsys):
    opacity = np.zeros((32, 40), np.uint8)
    opacity[:, 8:] = 255
    Image.fromarray(np.dstack([CONTENT, opacity])).save(place / "content" / "b.png")
    (place / "content" / "a.png").write_bytes(b"nothing")
    assert paint(place, content="content", out_path="out") == 1
    assert "a.png" in capsys.readouterr().err
    with Image.open(place / "out" / "b__style.png") as made:
        np.testing.assert_array_equal(np.asarray(made)[..., 3], opacity)


def test_a_result_that_cannot_be_written_fails_alone(place, capsys):
    images.write(place / "content" / "b.png", CONTENT)
    (place / "out" / "a__style.png").mkdir(parents=True)
    assert paint(place, "--overwrite", "--format", "png", content="content", out_path="out") == 1
    assert "a__style.png cannot be written" in capsys.readouterr().err
    assert images.read(place / "out" / "b__style.png").shape == CONTENT.shape


@pytest.mark.parametrize("options, message", [
    (["--style-layers", "relu9_1"], "`style_layers` must be one or more of relu1_1, .*relu9_1"),
    (["--alpha", "0.5"],
     "--alpha is not supported, because --model gatys optimizes pixels: leave it out"),
    (["--mask", "m.png"], "--mask is not supported"),
    (["--tune"], "--tune is not supported"),
    (["--bits", "16"], "--bits is not supported"),
    (["--tile-size", "64"], "--tile-size is not supported")])
def test_options_that_mean_nothing_to_it_are_refused(place, options, message):
    with pytest.raises(OptionError, match=message):
        paint(place, *options)
    assert not (place / "out.png").exists()


def test_it_needs_neither_keras_nor_tensorflow(place, monkeypatch):
    for name in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not there
    assert paint(place, "--precision", "auto") == 0
    assert images.read(place / "out.png").shape == CONTENT.shape


def test_what_must_be_installed_is_named(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)  # as if it were not there
    with pytest.raises(OptionError, match=r"keras. needs keras: pip install -e '.\[train\]'"):
        paint(place, "--engine", "keras")


def test_its_options_mean_nothing_to_networks(place):
    with pytest.raises(OptionError, match="--iterations is not supported, .*compact is a"):
        stylize.main(["--model", "compact", "--content-path", str(place / "content"),
                      "--style-path", str(place / "style.png"), "--iterations", "9"])
