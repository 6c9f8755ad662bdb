"""How a picture came about: a folder of numbered pictures, and an animation of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from adain.errors import OptionError
from adain.files import images

ANIMATION = "evolution.gif"
LONGEST = 640  # pixels; an animation of prints would be hundreds of megabytes
FRAME_MS, LAST_FRAME_MS = 150, 2000


class Evolution:
    """Writes iteration_0000050.jpg ... into a folder, and evolution.gif at the end.

    A folder that already has such pictures is refused, unless the run that made them continues.
    """

    def __init__(self, folder: str | Path, every: int, resumes: bool = False) -> None:
        if every < 1:
            raise OptionError(f"`evolution_iter` must be at least 1; received {every}.")
        self.folder, self.every = Path(folder), every
        if self.frames() and not resumes:
            raise OptionError(f"{folder} already has the pictures of a run: name another folder, "
                              "or continue that run with `restore`.")

    def frames(self) -> list[Path]:
        """Return the pictures there are, in order."""
        return sorted(self.folder.glob("iteration_*.jpg"))

    def add(self, step: int, image: Callable[[], np.ndarray]) -> None:
        """Write the picture before iteration `step`, which `image` returns, if it is due."""
        if step % self.every == 0:
            self._write(step, image())

    def _write(self, step: int, image: np.ndarray) -> None:
        images.write(self.folder / f"iteration_{step:07d}.jpg", image)

    def finish(self, step: int, image: np.ndarray) -> None:
        """Write the last picture and the animation, as large as that or LONGEST."""
        self._write(step, image)
        factor = min(1.0, LONGEST / max(image.shape[:2]))
        size = [max(1, round(side * factor)) for side in image.shape[:2]]
        # The newest 300 at most: an animation longer than a minute is no longer looked at.
        frames = [Image.fromarray(images.resize(images.read(path), *size))
                  for path in self.frames()[-300:]]
        durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
        with images.atomic_file(self.folder / ANIMATION) as file:
            frames[0].save(file, "GIF", save_all=True, append_images=frames[1:],
                           duration=durations, loop=0)
