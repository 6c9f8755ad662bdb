"""Worker: turns the bytes of a content into the bytes of its results, in any process."""

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
from adain.jobs.pipeline import picture_errors
from adain.networks.stats import ChannelStats
from adain.transfer.stylizer import Stylizer


@dataclass(frozen=True, slots=True)
class Target:
    """One result to make: its file name, and its styles and strength."""

    name: str
    draw: Draw


@dataclass(frozen=True, slots=True)
class Task:
    """A content and the results to make of it; can be pickled.

    entry: where the content is stored.
    beside: files that accompany the content in its tar file, such as labels.
    objects: segmentations of the content's annotations if only a region is stylized, else None.
    """

    entry: Entry
    targets: tuple[Target, ...]
    beside: tuple[Entry, ...] = ()
    objects: tuple[Any, ...] | None = None


class Content(NamedTuple):
    """A decoded content.

    mask: the region to stylize, uint8 (rows, columns), 255 inside; None: the whole picture.
    """

    picture: Picture
    mask: np.ndarray | None = None


class Result(NamedTuple):
    """A finished result: the bytes of its file, or the error that prevented it."""

    target: Target
    data: bytes | None
    error: AdaINError | None = None


class Worker:
    """Makes results; can be pickled: the copy loads the networks and the styles again.

    >>> for result in worker.make(task, read(task.entry)):
    ...     result.target.name, result.data or result.error
    """

    def __init__(self, config: DatasetConfig, stylizer: Stylizer, styles: Styles) -> None:
        self.config, self.stylizer, self.styles = config, stylizer, styles

    def make(self, task: Task, data: bytes) -> list[Result]:
        """Return the results of a task, in the order of its targets.

        Args:
            data: the bytes of the content's file.
        """
        try:
            with picture_errors(Path(task.entry.place)):
                content = self.load(task, data)
        except AdaINError as error:
            return [Result(target, None, error) for target in task.targets]
        return [self.make_result(task, target, content) for target in task.targets]

    def make_result(self, task: Task, target: Target, content: Content) -> Result:
        """Return one result of a loaded content."""
        try:
            with picture_errors(Path(task.entry.place)):
                style = mixed(self.styles, target.draw)
                [rgb] = self.paint([(content, style, target.draw.alpha)])
        except AdaINError as error:
            return Result(target, None, error)
        return self.encode(task, target, content, rgb)

    def load(self, task: Task, data: bytes,
             claim: Callable[[int], None] = lambda pixels: None) -> Content:
        """Decode a content; resize it, and fill its transparent pixels.

        Args:
            data: the bytes of the content's file.
            claim: called with the number of pixels before they are decoded; may wait for memory.

        Raises:
            ImageError: the content cannot be read or used.
        """
        config, name = self.config, task.entry.place

        def check_size(rows: int, columns: int) -> None:
            shorter, longer = sorted((rows, columns))
            size = config.content_size
            if size and size > shorter and size * size * longer // shorter > config.max_pixels:
                raise ImageError(f"{name}: `content_size={size}` would enlarge {columns} x {rows} "
                                 f"to more than `max_pixels={config.max_pixels}` pixels.")
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
        """Return the stylized pictures, uint8 RGB (rows, columns, 3).

        A picture does not depend on the others, nor on the number of threads.

        Args:
            work: a content, a style and a strength for each picture.
        """
        painted: dict[int, np.ndarray] = {}
        whole = []
        for index, (content, style, alpha) in enumerate(work):
            rgb = content.picture.rgb
            if content.mask is None:
                whole.append(index)
            else:
                painted[index] = self.stylizer.stylize(
                    rgb, [style], alpha, masks=[content.mask]) if content.mask.any() else rgb
        contents, styles, alphas = zip(*(work[index] for index in whole)) if whole else ((),) * 3
        painted |= zip(whole, self.stylizer.stylize_batch(
            [content.picture.rgb for content in contents], styles, alphas))
        return [painted[index] for index in range(len(work))]

    def encode(self, task: Task, target: Target, content: Content, rgb: np.ndarray) -> Result:
        """Encode a stylized picture as the file of its target; return it, or the error.

        Args:
            rgb: the stylized picture, uint8 (rows, columns, 3).
        """
        stream, picture = io.BytesIO(), content.picture
        try:
            with picture_errors(Path(task.entry.place)):
                images.write(stream, rgb, opacity=picture.opacity, exif=picture.exif,
                             format=PurePosixPath(target.name).suffix[1:])
        except AdaINError as error:
            return Result(target, None, error)
        return Result(target, stream.getvalue())

    def bytes_of(self, content: Content) -> int:
        """Return an estimate of the bytes that a content and its results take in memory."""
        pixels = math.prod(content.picture.rgb.shape[:2])
        return pixels * (4 + 6 * self.config.styles_per_picture)
