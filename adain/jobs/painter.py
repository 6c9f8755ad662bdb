"""Painter: reads contents and makes results, by any method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adain.errors import ImageError
from adain.files import images
from adain.files.images import Picture
from adain.files.sources import open_source
from adain.jobs.memory_budget import Claim, Size, content_size
from adain.jobs.order import stored_shape
from adain.jobs.pipeline import Job
from adain.jobs.results import Results
from adain.methods.method import Method
from adain.methods.recipe import Recipe, Shape, Style
from adain.transfer import style_file as stylefile
from adain.transfer.tiling import padded_length


class Painter:
    """Reads contents and makes results by a recipe: the steps that all methods share.

    Args:
        method: paints the pictures.
        recipe: size and composition of results.
        results: formats of results, which limit their size.
    """

    def __init__(self, method: Method, recipe: Recipe, results: Results) -> None:
        self.method, self._recipe, self._results = method, recipe, results

    def read(self, path: Path, claim: Claim = lambda size: None) -> Picture:
        """Return a content, resized and cropped by the recipe, with transparent pixels filled.

        Args:
            path: the file, or find.STREAM for standard input.
            claim: called before decoding, with the memory of the content and its results; may
                wait until it is free.

        Raises:
            ImageError: the content cannot be read or is too large.
        """
        recipe = self._recipe

        def check_size(rows: int, columns: int) -> None:
            self._check_enlarged(rows, columns)
            shape = recipe.content_shape(rows, columns)
            self.method.check_size((rows, columns), shape)
            claim(self._size(rows * columns, math.prod(shape)))

        def resized(layer: np.ndarray) -> np.ndarray:
            if recipe.content_size is not None:
                layer = images.resize_shorter_side(layer, recipe.content_size)
            return layer if recipe.crop_size is None else middle_square(layer, recipe.crop_size)

        picture = open_source(path, recipe.max_pixels, check_size, self.method.stop)
        rgb = resized(images.fill_transparent(picture.rgb, picture.opacity))
        opacity = None if picture.opacity is None else resized(picture.opacity)
        rows, columns = rgb.shape[:2]
        self._results.check_fits(rows, columns, opacity is not None)
        return picture._replace(rgb=rgb, opacity=opacity)

    def shape(self, path: Path) -> Shape | None:
        """Return rows and columns of a content in the networks, padded; None if unknown."""
        stored = stored_shape(path)
        if stored is None:
            return None
        rows, columns = self._recipe.content_shape(*stored)
        return padded_length(rows), padded_length(columns)

    def _size(self, stored: int, pixels: int) -> Size:
        """Return the memory of a content and its results.

        stored: number of pixels in the file; pixels: number after resizing and cropping.
        """
        size = content_size(stored, pixels,
                            self._recipe.bits // 8 * (3 if self._recipe.concat else 1))
        return size._replace(held=size.held + self.method.pixel_bytes * pixels)

    def _check_enlarged(self, rows: int, columns: int) -> None:
        (shorter, longer), size = sorted((rows, columns)), self._recipe.content_size
        if size and size > shorter and size * size * longer // shorter > self._recipe.max_pixels:
            raise ImageError(f"`content_size={size}` would enlarge {shorter} x {longer} pixels to "
                             f"{size} x {size * longer // shorter}; the limit is "
                             f"{self._recipe.max_pixels} pixels, which `max_pixels` raises.")

    def paint(self, content: Picture, job: Job) -> Picture:
        """Return the content in the style of a job; with `concat`, a row of pictures."""
        style = job.style
        if not self._recipe.concat:
            return content._replace(rgb=self.method.paint(content.rgb, style, job.out_path))
        row = [content.rgb, *map(self.method.picture, style.paths)]
        sizes = self._sizes_in_row([*row, content.rgb])
        row.append(self.method.paint(content.rgb, style, job.out_path))
        return Picture(np.concatenate([images.resize(picture, *size)
                                       for picture, size in zip(row, sizes)], axis=1))

    def _sizes_in_row(self, pictures: Sequence[np.ndarray]) -> list[Shape]:
        """Return the sizes of pictures side by side, all as high as the last one.

        Raises:
            ImageError: the row would be too large.
        """
        rows = pictures[-1].shape[0]
        sizes = [(rows, max(1, round(picture.shape[1] * rows / picture.shape[0])))
                 for picture in pictures]
        columns = sum(width for _, width in sizes)
        if rows * columns > self._recipe.max_pixels:
            raise ImageError(f"`concat` makes a row of {columns} x {rows} pixels; the limit is "
                             f"{self._recipe.max_pixels}, which `max_pixels` raises.")
        self._results.check_fits(rows, columns)
        return sizes

    def picture(self, style: Style) -> np.ndarray | None:
        """Return the picture of a style, uint8 RGB; None for a mixture or an encoded style."""
        if len(style.paths) != 1 or style.paths[0].suffix == stylefile.SUFFIX:
            return None
        return self.method.picture(style.paths[0])


def middle_square(image: np.ndarray, size: int) -> np.ndarray:
    """Return the central square of size x size pixels; ImageError if the picture is smaller."""
    if min(image.shape[:2]) < size:
        rows, columns = image.shape[:2]
        raise ImageError(f"`crop_size={size}` is larger than the picture, {columns} x {rows}; "
                         "`content_size` enlarges it.")
    top, left = ((length - size) // 2 for length in image.shape[:2])
    return image[top:top + size, left:left + size]
