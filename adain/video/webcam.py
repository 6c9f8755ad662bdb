"""Stylize the pictures of a camera and show them in a window.

OpenCV reads the camera. The window uses tkinter and Pillow, because opencv-python-headless has no
windows. OpenCV gets no file names, because it would follow lists of other files.
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
    from PIL.ImageTk import PhotoImage


class Window(Protocol):
    """A window that shows pictures."""

    def show(self, image: np.ndarray) -> bool:
        """Show uint8 RGB (rows, columns, 3); return False when the user has closed the window."""

    def close(self) -> None:
        """Close the window."""


class Summary(NamedTuple):
    """The outcome of stylize_webcam()."""

    frames: int
    seconds: float


def stylize_webcam(stylizer: Stylizer, camera: int | VideoCapture, style: ChannelStats,
                   alpha: float = 1.0, smoothing: float = SMOOTHING,
                   open_window: Callable[[], Window] | None = None) -> Summary:
    """Show stylized pictures of a camera until the window is closed, or Esc or q is pressed.

    Args:
        stylizer: the networks.
        camera: number of the camera, 0 for the first; or an open cv2.VideoCapture, which is
            released at the end.
        style: returned by stylizer.encode_style().
        alpha, smoothing: see SteadyStylizer.
        open_window: returns the window; None: TkWindow.

    Returns:
        The number of frames and the elapsed time in seconds.

    Raises:
        OptionError: there is no such camera, or no screen.
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


def _show(capture: VideoCapture, steady: SteadyStylizer, window: Window) -> Summary:
    started, frames = time.perf_counter(), 0
    # Read the next picture while this one is computed.
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
    """Open a camera with OpenCV; raise OptionError if that fails."""
    import cv2

    # Turn off warnings of OpenCV: errors are reported below. Versions 4 and 5 differ here.
    set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    before = set_log_level(0)
    try:
        capture = cv2.VideoCapture(number)
    finally:
        set_log_level(before)
    if not capture.isOpened():
        raise OptionError(f"camera {number} cannot be opened: is it plugged in, free, and allowed "
                          "for this program? The first camera is 0.")
    # If the driver supports it: a longer queue would delay the pictures.
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
        self._open = True
        self._photo: PhotoImage | None = None
        for key in ("<Escape>", "q"):
            self._root.bind(key, self._quit)
        self._root.protocol("WM_DELETE_WINDOW", self._quit)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()

    def _quit(self, _event: object = None) -> None:
        self._open = False

    def show(self, image: np.ndarray) -> bool:
        """Show uint8 RGB (rows, columns, 3); return False once the user has closed the window."""
        from PIL import Image, ImageTk

        picture = Image.fromarray(image)
        if self._photo is None or (self._photo.width(), self._photo.height()) != picture.size:
            self._photo = ImageTk.PhotoImage(picture)
            self._label.configure(image=str(self._photo))
        else:
            self._photo.paste(picture)
        self._root.update()
        return self._open

    def close(self) -> None:
        """Destroy the window."""
        self._root.destroy()
