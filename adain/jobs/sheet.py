"""The contact sheet of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adain.errors import OptionError
from adain.files import images
from adain.files.contact_sheet import GAP, SIZE, cell, sheet
from adain.files.images import Picture
from adain.jobs.memory_budget import Claim
from adain.jobs.painter import Painter
from adain.jobs.pipeline import Job
from adain.methods.recipe import Style


def check_size(path: Path, jobs: Sequence[Job], max_pixels: int) -> None:
    """Check that the contact sheet of some jobs is not too large.

    Args:
        path: file of the sheet, whose suffix is its format.
        jobs: their contents are the rows, their styles the columns.
        max_pixels: maximum number of pixels.

    Raises:
        OptionError: the sheet exceeds the limit of its format, or max_pixels.
    """
    kind = images.writable_format(path)
    rows, columns = (count * (SIZE + GAP) - GAP for count in (
        1 + len({job.content for job in jobs}), 1 + len({job.style for job in jobs})))
    if max(rows, columns) > kind.longest_side or rows * columns > max_pixels:
        raise OptionError(f"a sheet of {columns} x {rows} pixels is too large for {path}: the "
                          f"limits are {kind.longest_side} pixels a side ({kind.name}) and "
                          f"{max_pixels} pixels in total (`max_pixels`). Make several sheets, or "
                          "name a .png file.")


class Cells:
    """Keeps small copies of contents, styles and results for a contact sheet.

    read, prepare and write are arguments of pipeline.run(); write() keeps results instead of
    writing them.

    Args:
        painter: reads the contents and the styles.
        size: longer side of a cell of the sheet, in pixels.
    """

    def __init__(self, painter: Painter, size: int = SIZE) -> None:
        self._painter, self._size = painter, size
        self._contents: dict[Path, np.ndarray] = {}
        self._styles: dict[Style, np.ndarray] = {}
        self.results: dict[Path, np.ndarray] = {}

    def read(self, path: Path, claim: Claim) -> Picture:
        picture = self._painter.read(path, claim)
        self._contents[path] = cell(picture.rgb, self._size)
        return picture

    def prepare(self, style: Style) -> None:
        self._painter.method.prepare(style)
        picture = None if style in self._styles else self._painter.picture(style)
        if picture is not None:
            self._styles[style] = cell(picture, self._size)

    def write(self, path: Path, picture: Picture) -> Path:
        self.results[path] = cell(picture.rgb, self._size)
        return path

    def sheet(self, jobs: Sequence[Job]) -> np.ndarray:
        """Return the sheet: a row for each content, a column for each style, styles at the top."""
        styles = list(dict.fromkeys(job.style for job in jobs))
        rows = [[None, *map(self._styles.get, styles)]] if self._styles else []
        for content in dict.fromkeys(job.content for job in jobs):
            if content in self._contents:
                made = {job.style: self.results.get(job.out_path)
                        for job in jobs if job.content == content}
                rows.append([self._contents[content], *(made.get(style) for style in styles)])
        return sheet(rows, self._size)
