"""Painter: reads what a result needs, makes it by a recipe, writes it."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adain.errors import ImageError, OptionError
from adain.files import images
from adain.files.find import STREAM
from adain.files.images import Picture
from adain.jobs.results import Results
from adain.jobs.room import Claim, Size, content_size
from adain.methods.recipe import Recipe, Shape, Style
from adain.methods.style_reader import LEAST_STYLE_BYTES, STYLE_BYTES, StyleReader
from adain.networks.stats import ChannelStats, merge
from adain.progress import open_fifo, read_stream
from adain.transfer import color
from adain.transfer import style_file as stylefile
from adain.transfer.stylizer import STYLE_SIZE, Stylizer
from adain.transfer.tiling import Progress

if TYPE_CHECKING:
    from adain.methods.johnson.network import StyleNetwork


class Painter:
    """Makes pictures by a recipe; every style is read when it is first needed.

    results: whose formats limit the size of pictures. The attribute room: bytes that contents and
    results may take together; None for no limit.
    """

    def __init__(self, stylizer: Stylizer, recipe: Recipe, results: Results,
                 progress: Progress = iter) -> None:
        self.stylizer, self.recipe, self._results = stylizer, recipe, results
        self._progress = progress
        self._masks = recipe.masks and [self.open(path, self._check_memory).rgb
                                        for path in recipe.masks]
        room = stylizer.room_for_pictures if stylizer else None
        for_styles = STYLE_BYTES if room is None else min(
            STYLE_BYTES, max(LEAST_STYLE_BYTES, room // 8))
        self._styles = StyleReader(stylizer, self._read_style, for_styles, recipe.refine > 0)
        self.room = None if room is None else max(0, room - 2 * for_styles)
        self._told: set[Path] = set()  # of masks, that they are resized

    def open(self, path: Path, check_size: images.CheckSize) -> Picture:
        """Read a picture file, or standard input; check_size: see images.open_picture()."""
        source = path
        if str(path) == STREAM:
            source = io.BytesIO(read_stream(sys.stdin.buffer))
            source.name = "standard input"
        elif path.is_fifo():
            with open_fifo(path) as pipe:
                source = io.BytesIO(read_stream(pipe))
            source.name = str(path)
        return images.open_picture(source, self.recipe.max_pixels, check_size=check_size)

    def _read_style(self, path: Path) -> np.ndarray:
        picture = self.open(path, self._check_memory)
        return images.fill_transparent(picture.rgb, picture.opacity)

    def prepare(self, style: Style) -> None:
        """Read and encode a style that is not yet; in a thread of its own, before it is needed."""
        for path in style.paths:
            if self.recipe.needs_pictures:
                self._styles.picture(path)
            if self.recipe.keep_colors is None:
                self._styles.encoded(path)

    def encoded(self, style: Style, content: np.ndarray | None = None) -> list[ChannelStats]:
        """Return the statistics of a style's files, mixed into one by the recipe's weights.

        content: whose colours they take, where the recipe keeps colours.
        """
        found = [self._encoded_file(path, content) for path in style.paths]
        weights = self.recipe.style_weights
        return found if weights is None else [merge(found, weights)]

    def _encoded_file(self, path: Path, content: np.ndarray | None) -> ChannelStats:
        if self.recipe.keep_colors is None:
            return self._styles.encoded(path)
        return self.stylizer.encode_style(self._styles.picture(path), content,
                                          self.recipe.keep_colors, self.recipe.refine > 0)

    def read(self, path: Path, claim: Claim = lambda size: None) -> Picture:
        """Return a content as the recipe wants it: resized, cropped, filled where transparent.

        claim: is called with the memory that it and its results take before it is decoded.
        """
        def check_size(rows: int, columns: int) -> None:
            self._check_enlarged(rows, columns)
            shape = self.recipe.content_shape(rows, columns)
            self._check_content((rows, columns), shape)
            claim(self._size(rows * columns, math.prod(shape)))

        picture = self.open(path, check_size)
        layers = [images.fill_transparent(picture.rgb, picture.opacity), picture.opacity]
        if self.recipe.content_size is not None:
            layers = [layer if layer is None else
                      images.resize_shorter_side(layer, self.recipe.content_size)
                      for layer in layers]
        if self.recipe.crop_size is not None:
            layers = [layer if layer is None else middle_square(layer, self.recipe.crop_size)
                      for layer in layers]
        self._results.check_fits(*layers[0].shape[:2], layers[1] is not None)
        return picture._replace(rgb=layers[0], opacity=layers[1])

    def _check_memory(self, rows: int, columns: int) -> None:
        """Raise ImageError for the size of a picture that is too large for the memory."""
        if self.stylizer is not None:
            self.stylizer.tile_size_for(np.broadcast_to(np.uint8(0), (rows, columns, 3)))

    def _check_content(self, stored: Shape, shape: Shape) -> None:
        """Raise ImageError for a content that is too large; stored: its shape in the file."""
        self._check_memory(*max(stored, shape, key=math.prod))

    def _size(self, stored: int, pixels: int) -> Size:
        """Return the memory of a content and its results; stored: the pixels of its file."""
        return content_size(stored, pixels,
                            self.recipe.bits // 8 * (3 if self.recipe.concat else 1))

    def _check_enlarged(self, rows: int, columns: int) -> None:
        (shorter, longer), size = sorted((rows, columns)), self.recipe.content_size
        if size and size > shorter and size * size * longer // shorter > self.recipe.max_pixels:
            raise ImageError(f"`content_size={size}` makes {size} x {size * longer // shorter} "
                             f"pixels of {shorter} x {longer}, the limit is "
                             f"{self.recipe.max_pixels}; `max_pixels` raises it.")

    def paint(self, content: Picture, style: Style) -> Picture:
        """Return the content in the style."""
        recipe = self.recipe
        if recipe.concat:
            row = [content.rgb, *map(self._styles.picture, style.paths)]
            sizes = self._sizes_in_row([*row, content.rgb])
        self._tell_resized(content.rgb)
        encoded = self.encoded(style, content.rgb)
        result = self.stylizer.stylize(
            content.rgb, encoded if self._masks else encoded[0], style.alpha, masks=self._masks,
            passes=recipe.passes, coarse_size=recipe.coarse_size, refine=recipe.refine,
            dtype=recipe.dtype, progress=self._progress)
        result = color.restore_colors(result, content.rgb, recipe.keep_colors)
        if recipe.concat:
            return Picture(np.concatenate([images.resize(picture, *size) for picture, size
                                           in zip([*row, result], sizes)], axis=1))
        return content._replace(rgb=result)

    def _sizes_in_row(self, pictures: Sequence[np.ndarray]) -> list[Shape]:
        """Return the sizes that pictures get in a row as high as the last; ImageError if too large.
        """
        rows = pictures[-1].shape[0]
        sizes = [(rows, max(1, round(picture.shape[1] * rows / picture.shape[0])))
                 for picture in pictures]
        columns = sum(width for _, width in sizes)
        if rows * columns > self.recipe.max_pixels:
            raise ImageError(f"`concat` makes a row of {columns} x {rows} pixels, the limit is "
                             f"{self.recipe.max_pixels}; `max_pixels` raises it.")
        self._results.check_fits(rows, columns)
        return sizes

    def _tell_resized(self, content: np.ndarray) -> None:
        """Print once which masks are not of a content's size: they are stretched to it."""
        for path, mask in zip(self.recipe.masks or (), self._masks or ()):
            if mask.shape != content.shape and path not in self._told:
                (rows, columns), (high, wide) = mask.shape[:2], content.shape[:2]
                print(f"mask {path} is resized from {columns} x {rows} to the content's {wide} x "
                      f"{high}", file=sys.stderr)
                self._told.add(path)

    def picture(self, style: Style) -> np.ndarray | None:
        """Return the picture of a style, if it has one."""
        if len(style.paths) != 1 or style.paths[0].suffix == stylefile.SUFFIX:
            return None
        return self._styles.picture(style.paths[0])


class StylePainter(Painter):
    """Makes pictures with a network of one style; a recipe's styles mean nothing to it.

    painting: the picture of that style, which results that are refined need.
    """

    def __init__(self, network: StyleNetwork, recipe: Recipe, results: Results,
                 progress: Progress = iter, painting: Path | None = None) -> None:
        if recipe.keep_colors not in (None, "luminance"):
            raise OptionError(f"a network of one style can keep colours by luminance; "
                              f"received {recipe.keep_colors}.")
        super().__init__(None, recipe, results, progress)
        self.network = network
        self.room = network.max_memory and network.max_memory * 1_000_000
        if recipe.refine:
            from adain.transfer.refine import Refiner

            self._refiner = Refiner(network.precision, limit=self.room)
            picture = self._read_style(painting)
            if min(picture.shape[:2]) > STYLE_SIZE:
                picture = images.resize_shorter_side(picture, STYLE_SIZE)
            self._target = self._refiner.measure(picture)

    def _check_content(self, stored: Shape, shape: Shape) -> None:
        self.network.check_size(*shape)

    def _size(self, stored: int, pixels: int) -> Size:
        size = super()._size(stored, pixels)
        return size._replace(held=size.held + self.network.pixel_bytes * pixels)

    def paint(self, content: Picture, style: Style) -> Picture:
        refine, dtype = self.recipe.refine, self.recipe.dtype
        made = self.network.stylize(content.rgb, np.float32 if refine else dtype)
        if refine:
            self.network.release_memory()
            made = self._refiner.refine(made, content.rgb, self._target, style.alpha, refine, dtype,
                                        self._progress)
        return content._replace(rgb=color.restore_colors(made, content.rgb,
                                                         self.recipe.keep_colors))


def middle_square(image: np.ndarray, size: int) -> np.ndarray:
    """Return the middle square of a picture, `size` pixels a side; ImageError if it is smaller."""
    if min(image.shape[:2]) < size:
        rows, columns = image.shape[:2]
        raise ImageError(f"`crop_size={size}` is larger than the picture, {columns} x {rows}; "
                         "`content_size` enlarges it.")
    top, left = ((length - size) // 2 for length in image.shape[:2])
    return image[top:top + size, left:left + size]
