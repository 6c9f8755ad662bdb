"""Gallery: photographs and paintings that a run never trains on and is measured with.

A folder with the subfolders content/ and style/. Every content is stylized in every style.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adain.errors import ImageError, OptionError
from adain.files import find, images
from adain.files.contact_sheet import cell, sheet
from adain.training.picture_files import File, place, read_bytes, read_picture, size, stem

logger = logging.getLogger(__name__)

MOST_PAIRS = 100  # that are measured; more take longer
CELL = 128  # pixels of a picture on the contact sheet
THUMBNAIL = 16
ALIKE = 6.0  # mean difference, of 255, below which two thumbnails show the same picture


@dataclass(frozen=True)
class Gallery:
    """The pictures, each with its file: uint8 squares (n, size, size, 3)."""

    content_files: tuple[Path, ...]
    style_files: tuple[Path, ...]
    contents: np.ndarray
    styles: np.ndarray

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Numbers of content and style of every pair, in the order of the contact sheet."""
        return [(content, style) for content in range(len(self.contents))
                for style in range(len(self.styles))]

    def sheet(self, stylized: np.ndarray) -> np.ndarray:
        """Return a row for each content and a column for each style, which stand at the top."""
        rows: list[list[np.ndarray | None]] = [[None, *self.styles]]
        columns = len(self.styles)
        for number, content in enumerate(self.contents):
            rows.append([content, *stylized[number * columns:(number + 1) * columns]])
        return sheet(rows, CELL)


def read(folder: str | Path, side: int) -> Gallery:
    """Return the middle squares of a gallery's pictures, resized to `side` pixels.

    Where they make more than MOST_PAIRS pairs, evenly chosen ones of them, which is logged. Logged
    and left out is, too, what cannot be read.

    Raises:
        OptionError: `folder` lacks content/ or style/.
        ImageError: one of them has no picture that can be read.
    """
    folder = Path(folder)
    for part in ("content", "style"):
        if not (folder / part).is_dir():
            raise OptionError(f"`gallery={folder}` must be a folder with photographs in "
                              f"{folder / 'content'} and paintings in {folder / 'style'}; there is "
                              f"no folder {folder / part}.")
    contents, styles = (find.list_below(folder / part).files for part in ("content", "style"))
    if len(contents) * len(styles) > MOST_PAIRS:
        most_styles = max(MOST_PAIRS // len(contents), round(MOST_PAIRS**0.5))
        shown_styles = _spread(styles, most_styles)
        shown_contents = _spread(contents, MOST_PAIRS // len(shown_styles))
        logger.info("gallery: measures %d of %d contents in %d of %d styles", len(shown_contents),
                    len(contents), len(shown_styles), len(styles))
        contents, styles = shown_contents, shown_styles
    read_contents, read_styles = _squares(contents, side), _squares(styles, side)
    return Gallery(tuple(read_contents), tuple(read_styles), np.stack(list(read_contents.values())),
                   np.stack(list(read_styles.values())))


def _spread(files: list[Path], count: int) -> list[Path]:
    """Return at most `count` files, evenly chosen."""
    if len(files) <= count:
        return files
    return [files[index * len(files) // count] for index in range(count)]


def _squares(files: Sequence[Path], side: int) -> dict[Path, np.ndarray]:
    pictures: dict[Path, np.ndarray] = {}
    for file in files:
        try:
            pictures[file] = cell(images.read(file, shorter_side=side), side)
        except ImageError as error:
            logger.warning("gallery: skipped %s", error)
    if not pictures:
        raise ImageError(f"none of the {len(files)} pictures in {files[0].parent} can be read.")
    return pictures


def overlap(gallery: Gallery, contents: Iterable[File], styles: Iterable[File]) -> list[str]:
    """Return "gallery picture (training picture)" for each that the run trains on, too.

    Equal files are found whatever their names are; copies of another size or format where the name
    is the same up to its ending.
    """
    return [f"{ours} ({place(theirs)})"
            for own, others in ((gallery.content_files, contents), (gallery.style_files, styles))
            for ours, theirs in _same(own, others)]


def _same(gallery: Sequence[Path], others: Iterable[File]) -> list[tuple[Path, File]]:
    by_size: dict[int | None, list[Path]] = defaultdict(list)
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for file in gallery:
        by_size[size(file)].append(file)
        by_stem[file.stem].append(file)
    same: dict[Path, File] = {}
    for other in others:
        if candidates := by_size.get(size(other)):
            digest = _digest(other)
            for file in candidates:
                if _digest(file) == digest:
                    same.setdefault(file, other)
        for file in by_stem.get(stem(other), ()):
            if file not in same and _look_alike(file, other):
                same[file] = other
    return list(same.items())


def _digest(file: File) -> bytes:
    try:
        return hashlib.sha256(read_bytes(file)).digest()
    except ImageError:  # which the training names when it comes to the file
        return b""


def _look_alike(left: Path, right: File) -> bool:
    try:
        small = [images.resize(read_picture(file, THUMBNAIL), THUMBNAIL,
                               THUMBNAIL).astype(np.float32) for file in (left, right)]
    except ImageError:
        return False
    return float(np.abs(small[0] - small[1]).mean()) < ALIKE
