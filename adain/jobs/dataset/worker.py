"""Worker: makes the results of one content, from bytes to bytes, in any process."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from adain.errors import AdaINError, ImageError
from adain.files import images
from adain.files.images import Picture
from adain.files.reader import open_bytes
from adain.files.storage import Entry
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.draws import Draw
from adain.jobs.dataset.masks import region_mask
from adain.jobs.dataset.styles import Styles, mixed
from adain.jobs.pipeline import one_picture
from adain.networks.stats import ChannelStats
from adain.transfer.stylizer import Stylizer


@dataclass(frozen=True, slots=True)
class Target:
    """One result to make: its name, and what it gets."""

    name: str
    draw: Draw


@dataclass(frozen=True, slots=True)
class Task:
    """A content and the results to make of it; can be pickled.

    beside: files that accompany the content in its tar file, such as labels.
    objects: the segmentations of its annotations, where only a region is stylized; else None.
    """

    entry: Entry
    targets: tuple[Target, ...]
    beside: tuple[Entry, ...] = ()
    objects: tuple[Any, ...] | None = None


class Content(NamedTuple):
    """A content that is read: the picture, and the region to stylize, uint8 (rows, columns)."""

    picture: Picture
    mask: np.ndarray | None = None


class Made(NamedTuple):
    """A result: the bytes of its file, or the error for which there is none."""

    target: Target
    data: bytes | None
    error: AdaINError | None = None


class Worker:
    """Makes results; can be pickled: the copy loads networks and styles again.

    >>> for made in worker.make(task, read(task.entry)):
    ...     made.target.name, made.data or made.error
    """

    def __init__(self, config: DatasetConfig, stylizer: Stylizer, styles: Styles) -> None:
        self.config, self.stylizer, self.styles = config, stylizer, styles

    def make(self, task: Task, data: bytes) -> list[Made]:
        """Return the results of one content, in the order of its targets."""
        try:
            with one_picture(Path(task.entry.place)):
                content = self.load(task, data)
        except AdaINError as error:
            return [Made(target, None, error) for target in task.targets]
        return [self.one(task, target, content) for target in task.targets]

    def one(self, task: Task, target: Target, content: Content) -> Made:
        """Return one result of a content."""
        try:
            with one_picture(Path(task.entry.place)):
                style = mixed(self.styles, target.draw)
                [rgb] = self.paint([(content, style, target.draw.alpha)])
        except AdaINError as error:
            return Made(target, None, error)
        return self.encode(task, target, content, rgb)

    def load(self, task: Task, data: bytes,
             claim: Callable[[int], None] = lambda pixels: None) -> Content:
        """Return a content, resized, with transparent pixels filled.

        Args:
            claim: called with the number of pixels before they are decoded.

        Raises:
            ImageError: it cannot be read or used.
        """
        config, name = self.config, task.entry.place

        def check_size(rows: int, columns: int) -> None:
            shorter, longer = sorted((rows, columns))
            size = config.content_size
            if size and size > shorter and size * size * longer // shorter > config.max_pixels:
                raise ImageError(f"{name}: `content_size={size}` makes more than "
                                 f"{config.max_pixels} pixels of {columns} x {rows}.")
            claim(rows * columns)

        picture = open_bytes(data, name, config.max_pixels, config.content_size, check_size)
        rgb, opacity = images.fill_transparent(picture.rgb, picture.opacity), picture.opacity
        mask = None
        if task.objects is not None:
            mask = region_mask(task.objects, data, rgb.shape[:2], config.region == "background")
        if config.content_size is not None:
            size = config.content_size
            rgb = images.resize_shorter_side(rgb, size)
            opacity, mask = (layer if layer is None else images.resize_shorter_side(layer, size)
                             for layer in (opacity, mask))
        return Content(picture._replace(rgb=rgb, opacity=opacity), mask)

    def paint(self, work: Sequence[tuple[Content, ChannelStats, float]]) -> list[np.ndarray]:
        """Return stylized pictures, uint8 (rows, columns, 3), of contents, styles and strengths.

        Each is what it would be alone, whatever the others and the number of threads.
        """
        found: dict[int, np.ndarray] = {}
        whole = []
        for index, (content, style, alpha) in enumerate(work):
            rgb = content.picture.rgb
            if content.mask is None:
                whole.append(index)
            else:
                found[index] = self.stylizer.stylize(
                    rgb, [style], alpha, masks=[content.mask]) if content.mask.any() else rgb
        contents, styles, alphas = zip(*(work[index] for index in whole)) if whole else ((),) * 3
        found |= zip(whole, self.stylizer.stylize_batch(
            [content.picture.rgb for content in contents], styles, alphas))
        return [found[index] for index in range(len(work))]

    def encode(self, task: Task, target: Target, content: Content, rgb: np.ndarray) -> Made:
        """Return a result as the bytes of its file, or as the error of its format."""
        stream, picture = io.BytesIO(), content.picture
        try:
            with one_picture(Path(task.entry.place)):
                images.write(stream, rgb, opacity=picture.opacity, exif=picture.exif,
                             format=PurePosixPath(target.name).suffix[1:])
        except AdaINError as error:
            return Made(target, None, error)
        return Made(target, stream.getvalue())

    def bytes_of(self, content: Content) -> int:
        """Return about how many bytes a content and its results take in memory."""
        pixels = math.prod(content.picture.rgb.shape[:2])
        return pixels * (4 + 6 * self.config.styles_per_picture)
