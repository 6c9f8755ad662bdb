"""The camera's code path, fed with a file, and the window."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from conftest import ROOT, picture

from adain.errors import OptionError
from adain.video import webcam


class FakeWindow:
    """Takes the pictures, and is closed by its user after some."""

    def __init__(self, patience):
        self.patience, self.pictures, self.closed = patience, [], False

    def show(self, image):
        self.pictures.append(image)
        return len(self.pictures) < self.patience

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    pytest.importorskip("av", reason='needs pip install -e ".[video]"')
    import videos

    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    scene = np.zeros((48, 64, 3), np.uint8)
    scene[:, :32], scene[:, 32:] = (200, 90, 80), (80, 90, 200)  # red, blue
    videos.write(path, [scene] * 6)
    return path


def watch(stylizer, clip, style, patience, **options):
    window = FakeWindow(patience)
    summary = webcam.stylize_webcam(stylizer, cv2.VideoCapture(str(clip)), style,
                                    open_window=lambda: window, **options)
    return summary, window


def test_a_file_goes_the_way_of_a_camera(stylizer, clip):
    style = stylizer.encode_style(picture(64, 64, 9))
    summary, window = watch(stylizer, clip, style, 1000, alpha=0.0)
    assert summary.frames == len(window.pictures) == 6 and summary.seconds > 0 and window.closed
    image = window.pictures[0]
    assert image.shape == (48, 64, 3) and image.dtype == np.uint8
    left, right = image[16:32, 8:24].mean(axis=(0, 1)), image[16:32, 40:56].mean(axis=(0, 1))
    assert left[0] > left[2] + 60 and right[2] > right[0] + 60  # not BGR


def test_closing_the_window_ends_it(stylizer, clip):
    summary, window = watch(stylizer, clip, stylizer.encode_style(picture(64, 64, 9)), 2)
    assert summary.frames == len(window.pictures) == 2 and window.closed


def test_a_camera_that_is_not_there_is_said_before_a_window_is(stylizer, capfd):
    with pytest.raises(OptionError, match="camera 99 cannot be opened"):
        webcam.stylize_webcam(stylizer, 99, stylizer.encode_style(picture()),
                              open_window=lambda: pytest.fail("a window"))
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="always has a screen")
def test_without_a_screen_one_line_says_so():
    pytest.importorskip("tkinter")
    code = "from adain.commands import run; from adain.video.webcam import TkWindow; run(TkWindow)"
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("OptionError: no window can be opened: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_window_shows_and_is_closed_by_a_key():
    tkinter = pytest.importorskip("tkinter")
    try:
        window = webcam.TkWindow()
    except OptionError:
        pytest.skip("no screen")
    try:
        assert window.show(picture(48, 64)) and window.show(picture(48, 64, 1))
        assert (window._photo.width(), window._photo.height()) == (64, 48)
        window._root.focus_force()
        window._root.event_generate("<Escape>")
        assert not window.show(picture(48, 64))
    finally:
        window.close()
    assert tkinter.TkVersion >= 8.6
