"""The base class of all methods, and the options that all of them support."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from adain.methods.recipe import Recipe, Shape, Style
from adain.methods.runs import Runs
from adain.progress import StopRequest
from adain.transfer.tiling import Progress

# Options of `adain stylize` about reading and writing, which every method supports.
COMMON_OPTIONS = frozenset({
    "content_path", "content_size", "crop_size", "max_pixels", "out_path", "format", "overwrite",
    "json", "seed", "precision"})


class Method:
    """Repaints pictures by one recipe: base class of all methods.

    Attributes:
        kind: completes the sentence "MODEL is ...".
        options: see understood().
        beside: suffixes of the files that the method may write beside a result.
        train_defaults: defaults of its training that differ from those of TrainConfig.
        memory_limit: bytes that all contents and results in memory may take; None for no limit.
        pixel_bytes: bytes that painting takes per pixel of a content, besides content and result.
        progress: called with the tiles or iterations of each picture; yields them, like tqdm.
        stop: asks reading and painting to end early, see Stylizer.stylize().
        runs: how long runs (refinement, gatys) are continued and shown.
    """

    kind: ClassVar[str]
    options: ClassVar[frozenset[str]]
    beside: ClassVar[tuple[str, ...]] = ()
    train_defaults: ClassVar[Mapping[str, Any]] = {}
    memory_limit: int | None = None
    pixel_bytes: int = 0
    progress: Progress = iter
    stop: StopRequest | None = None
    runs: Runs = Runs()

    @classmethod
    def from_options(cls, options: Mapping[str, Any], recipe: Recipe) -> Self:
        """Return the method for the parsed options of `adain stylize`, with its networks loaded."""
        raise NotImplementedError

    @staticmethod
    def trainer() -> Callable[..., Path]:
        """Return the function that trains networks for this method, see training.run.train()."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return the names of the network, the engine and the device, for messages."""
        raise NotImplementedError

    def paint(self, content: np.ndarray, style: Style, path: Path) -> np.ndarray:
        """Return the content in the style, made by the recipe.

        Args:
            content: uint8 RGB (rows, columns, 3), resized and cropped.
            style: one of the styles that styles_of() returned.
            path: path of the result; a run of many iterations keeps its state beside it.

        Returns:
            RGB (rows, columns, 3) of recipe.dtype.
        """
        raise NotImplementedError

    @classmethod
    def understood(cls, recipe: Recipe) -> frozenset[str]:
        """Return the options of `adain stylize` that the method supports; others are errors."""
        return COMMON_OPTIONS | cls.options

    @classmethod
    def learned_style(cls, options: Mapping[str, Any]) -> Style | None:
        """Return the style of a network for one style; None for methods that take any style."""
        return None

    def check_results(self, paths: Sequence[Path]) -> None:
        """Raise OptionError if the options cannot be used for results at these paths."""
        self.runs.check_results(paths)

    def is_unfinished(self, path: Path) -> bool:
        """Return whether an existing result comes from a stopped run that should continue."""
        return self.runs.is_unfinished(path)

    def check_size(self, stored: Shape, shape: Shape) -> None:
        """Raise ImageError if a content is too large.

        Args:
            stored: rows and columns of the content in its file.
            shape: rows and columns of the content after it is resized and cropped.
        """

    def prepare(self, style: Style) -> None:
        """Load a style before paint() needs it; called in a separate thread."""

    def save_style(self, path: str, style: Style) -> None:
        """Write a style to a file; for methods that support the option `save_style`."""
        raise NotImplementedError

    def picture(self, path: Path) -> np.ndarray:
        """Return a style's picture, uint8 RGB; for methods that support the option `concat`."""
        raise NotImplementedError
