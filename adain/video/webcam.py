"""Stylise what a camera sees, in a window.

OpenCV reads the camera; the window is tkinter's and Pillow's, because opencv-python-headless, which
this project uses, has none. OpenCV is given no file names: it would follow lists of other files.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from adain.errors import OptionError
from adain.networks.stats import ChannelStats
from adain.transfer.stylizer import Stylizer
from adain.video.steady import SMOOTHING, SteadyStylizer

if TYPE_CHECKING:
    from cv2 import VideoCapture


class Window(Protocol):
    """Where the pictures are shown."""

    def show(self, image: np.ndarray) -> bool:
        """Show uint8 RGB (rows, columns, 3); return False when the user wants no more."""

    def close(self) -> None:
        """Take it away."""


class Summary(NamedTuple):
    """What stylize_webcam() did."""

    frames: int
    seconds: float


def stylize_webcam(stylizer: Stylizer, camera: int | VideoCapture, style: ChannelStats,
                   alpha: float = 1.0, smoothing: float = SMOOTHING,
                   open_window: Callable[[], Window] | None = None) -> Summary:
    """Show what the camera sees in the style, until its window is closed (Esc and q do that too).

    camera: its number, 0 for the first; or an open capture of OpenCV's, which is released at the
        end.
    style: what stylizer.encode_style() returned; alpha and smoothing: see SteadyStylizer.
    Raises OptionError without a camera or a screen.
    """
    steady = SteadyStylizer(stylizer, style, alpha, smoothing)
    capture = open_camera(camera) if isinstance(camera, int) else camera
    try:
        window = (open_window or TkWindow)()
        try:
            return _show(capture, steady, window)
        finally:
            window.close()
    finally:
        capture.release()


def _show(capture, steady: SteadyStylizer, window: Window) -> Summary:
    started, frames = time.perf_counter(), 0
    # The next picture is read while this one is computed.
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(capture.read)
        while True:
            there, image = reading.result()
            if not there:
                break
            reading = reader.submit(capture.read)
            image = np.ascontiguousarray(image[..., ::-1])  # OpenCV's order is BGR
            frames += 1
            if not window.show(steady.stylize(image, time.perf_counter())):
                break
    return Summary(frames, time.perf_counter() - started)


def open_camera(number: int) -> VideoCapture:
    """Return OpenCV's capture of a camera; OptionError if it cannot be opened."""
    import cv2

    # OpenCV's warnings are silenced: what is wrong is said below. 4 and 5 differ in the place.
    set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    before = set_log_level(0)
    try:
        capture = cv2.VideoCapture(number)
    finally:
        set_log_level(before)
    if not capture.isOpened():
        raise OptionError(f"camera {number} cannot be opened: is it plugged in, free, and allowed "
                          "for this program? The first camera is 0.")
    # Where the driver allows it: old pictures would wait in the queue and be shown late.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


class TkWindow:
    """A window of the size of the pictures, on any system that has tkinter."""

    def __init__(self, title: str = "adain (Esc or q: quit)") -> None:
        try:
            import tkinter
        except ModuleNotFoundError:
            raise OptionError("a window needs tkinter: install your system's python3-tk.") from None
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise OptionError(f"no window can be opened: {error}.") from None
        self._root.title(title)
        self._root.resizable(False, False)
        self._open, self._photo = True, None
        for key in ("<Escape>", "q"):
            self._root.bind(key, self._quit)
        self._root.protocol("WM_DELETE_WINDOW", self._quit)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()

    def _quit(self, _event=None) -> None:
        self._open = False

    def show(self, image: np.ndarray) -> bool:
        """Show uint8 RGB (rows, columns, 3); return False once the user wants no more."""
        from PIL import Image, ImageTk

        picture = Image.fromarray(image)
        if self._photo is None or (self._photo.width(), self._photo.height()) != picture.size:
            self._photo = ImageTk.PhotoImage(picture)
            self._label.configure(image=self._photo)
        else:
            self._photo.paste(picture)
        self._root.update()
        return self._open

    def close(self) -> None:
        """Take the window away."""
        self._root.destroy()
