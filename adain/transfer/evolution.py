"""Record the intermediate pictures of an optimization, and an animation of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from adain.errors import OptionError
from adain.files import images

ANIMATION = "evolution.gif"
LONGEST = 640  # longer side in pixels; an animation of a print would have hundreds of megabytes
FRAME_MS, LAST_FRAME_MS = 150, 2000


class Evolution:
    """Writes iteration_0000050.jpg ... to a folder, and evolution.gif at the end.

    Args:
        folder: where the pictures are written.
        every: number of iterations from one picture to the next.
        resumes: whether the run continues one that has written pictures to the folder.

    Raises:
        OptionError: `every` is below 1, or the folder has pictures of another run.
    """

    def __init__(self, folder: str | Path, every: int, resumes: bool = False) -> None:
        if every < 1:
            raise OptionError(f"`evolution_iter` must be at least 1; received {every}.")
        self.folder, self.every = Path(folder), every
        if self.frames() and not resumes:
            raise OptionError(f"{folder} already has the pictures of a run: name another folder, "
                              "or continue that run with `restore`.")

    def frames(self) -> list[Path]:
        """Return the pictures in the folder, in order."""
        return sorted(self.folder.glob("iteration_*.jpg"))

    def add(self, step: int, image: Callable[[], np.ndarray]) -> None:
        """If a picture is due, write that of iteration `step`, which image() returns as uint8."""
        if step % self.every == 0:
            self._write(step, image())

    def _write(self, step: int, image: np.ndarray) -> None:
        images.write(self.folder / f"iteration_{step:07d}.jpg", image)

    def finish(self, step: int, image: np.ndarray) -> None:
        """Write the last picture, uint8, and the animation, which is at most LONGEST pixels wide
        and high.
        """
        self._write(step, image)
        factor = min(1.0, LONGEST / max(image.shape[:2]))
        size = [max(1, round(side * factor)) for side in image.shape[:2]]
        # At most the last 300 pictures: nobody watches an animation of more than a minute.
        frames = [Image.fromarray(images.resize(images.read(path), *size))
                  for path in self.frames()[-300:]]
        durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
        with images.atomic_file(self.folder / ANIMATION) as file:
            frames[0].save(file, "GIF", save_all=True, append_images=frames[1:],
                           duration=durations, loop=0)
