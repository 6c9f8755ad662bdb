"""AdaIN as a subclass of Method: a network for any style, see transfer.Stylizer."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from adain.files import images
from adain.files.sources import open_source
from adain.methods.method import Method
from adain.methods.recipe import Recipe, Shape, Style
from adain.methods.runs import Runs
from adain.methods.style_reader import LEAST_STYLE_BYTES, STYLE_BYTES, StyleReader
from adain.networks.stats import ChannelStats, merge
from adain.transfer import color, run_state
from adain.transfer.stylizer import Stylizer

logger = logging.getLogger(__name__)


class AdaIN(Method):
    """Repaints pictures with a Stylizer; every style is read when it is first needed."""

    kind = "is a network for any style"
    options = frozenset({
        "style_path", "alpha", "style_weights", "masks", "keep_colors", "style_size", "coarse_size",
        "passes", "refine", "tune", "smoothing", "random", "save_style", "bits", "concat", "sheet",
        "model", "checkpoint", "vgg_path", "decoder_path", "engine", "tile_size", "max_memory"})

    beside = (run_state.SUFFIX,)

    def __init__(self, stylizer: Stylizer, recipe: Recipe,
                 runs: Runs | None = None) -> None:
        self.stylizer, self._recipe = stylizer, recipe
        self.runs = runs or Runs()
        self._masks = recipe.masks and [self._open(path).rgb for path in recipe.masks]
        free = stylizer.picture_memory
        for_styles = STYLE_BYTES if free is None else min(
            STYLE_BYTES, max(LEAST_STYLE_BYTES, free // 8))
        self._styles = StyleReader(stylizer, self._read_style, for_styles, recipe.refine > 0,
                                   recipe.tune)
        self.memory_limit = None if free is None else max(0, free - 2 * for_styles)
        self._resized: set[Path] = set()  # masks whose resizing was logged

    @classmethod
    def from_options(cls, options: Mapping[str, Any], recipe: Recipe) -> Self:
        names = ("model", "checkpoint", "vgg_path", "decoder_path", "engine", "precision",
                 "tile_size", "max_memory")
        stylizer = Stylizer(**{name: options[name] for name in names},
                            style_size=options["style_size"] or None)
        return cls(stylizer, recipe, Runs.from_options(options))

    @classmethod
    def understood(cls, recipe: Recipe) -> frozenset[str]:
        return super().understood(recipe) | Runs.understood(recipe)

    @staticmethod
    def trainer() -> Callable[..., Path]:
        from adain.training.run import train

        return train

    def describe(self) -> str:
        engine = self.stylizer.engine
        return f"{self.stylizer.model}, {engine.name} on {engine.device}"

    def check_size(self, stored: Shape, shape: Shape) -> None:
        self._check_memory(*max(stored, shape, key=math.prod))

    def _check_memory(self, rows: int, columns: int) -> None:
        self.stylizer.tile_size_for(np.broadcast_to(np.uint8(0), (rows, columns, 3)))

    def _open(self, path: Path) -> images.Picture:
        return open_source(path, self._recipe.max_pixels, self._check_memory, self.stop)

    def _read_style(self, path: Path) -> np.ndarray:
        picture = self._open(path)
        return images.fill_transparent(picture.rgb, picture.opacity)

    def prepare(self, style: Style) -> None:
        self._styles.stop = self.stop
        for path in style.paths:
            if self._recipe.needs_pictures:
                self._styles.picture(path)
            if self._recipe.keep_colors is None:
                self._styles.encoded(path)

    def encoded(self, style: Style, content: np.ndarray | None = None) -> list[ChannelStats]:
        """Return the encoded styles of all files; one mixture if the recipe has weights.

        content: uint8 RGB (rows, columns, 3), needed if the recipe keeps its colours.
        """
        styles = [self._encoded_file(path, content) for path in style.paths]
        weights = self._recipe.style_weights
        return styles if weights is None else [merge(styles, weights)]

    def save_style(self, path: str, style: Style) -> None:
        """Write a style to a file, see Stylizer.save_style()."""
        self.stylizer.save_style(path, self.encoded(style)[0])

    def _encoded_file(self, path: Path, content: np.ndarray | None) -> ChannelStats:
        if self._recipe.keep_colors is None:
            return self._styles.encoded(path)
        return self.stylizer.encode_style(self._styles.picture(path), content,
                                          self._recipe.keep_colors, self._recipe.refine > 0,
                                          self._recipe.tune, self.stop)

    def paint(self, content: np.ndarray, style: Style, path: Path) -> np.ndarray:
        recipe = self._recipe
        self._warn_resized(content)
        encoded = self.encoded(style, content)
        result = self.stylizer.stylize(
            content, encoded if self._masks else encoded[0], style.alpha, masks=self._masks,
            passes=recipe.passes, coarse_size=recipe.coarse_size, refine=recipe.refine,
            dtype=recipe.dtype, progress=self.progress, stop=self.stop,
            run=self.runs.run(path) if recipe.refine else None)
        return color.restore_colors(result, content, recipe.keep_colors)

    def _warn_resized(self, content: np.ndarray) -> None:
        """Log once for each mask that it is resized to a content."""
        for path, mask in zip(self._recipe.masks or (), self._masks or ()):
            if mask.shape != content.shape and path not in self._resized:
                (rows, columns), (high, wide) = mask.shape[:2], content.shape[:2]
                logger.warning("mask %s is resized from %d x %d to the content's %d x %d", path,
                               columns, rows, wide, high)
                self._resized.add(path)

    def picture(self, path: Path) -> np.ndarray:
        return self._styles.picture(path)
