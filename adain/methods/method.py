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

# Options of `adain stylize` about reading and writing, which every method understands.
COMMON_OPTIONS = frozenset({
    "content_path", "content_size", "crop_size", "max_pixels", "out_path", "format", "overwrite",
    "json", "seed", "precision"})


class Method:
    """Repaints pictures by one recipe: base class of all methods.

    kind: completes the sentence "MODEL is ...". options: see understood(). beside: endings of the
    files that it may write beside a result. room: bytes that contents and results may take
    together; None for no limit. pixel_bytes: memory for each pixel of a content, beside content and
    result. progress: is given the tiles or iterations of each picture and yields them.
    stop: ends reading and painting early when it is asked to, see Stylizer.stylize().
    runs: how results that take many iterations are continued and shown.
    train_defaults: where its training departs from the defaults of TrainConfig.
    """

    kind: ClassVar[str]
    options: ClassVar[frozenset[str]]
    beside: ClassVar[tuple[str, ...]] = ()
    train_defaults: ClassVar[Mapping[str, Any]] = {}
    room: int | None = None
    pixel_bytes: int = 0
    progress: Progress = iter
    stop: StopRequest | None = None
    runs: Runs = Runs()

    @classmethod
    def from_options(cls, options: Mapping[str, Any], recipe: Recipe) -> Self:
        """Load what the method needs, as the options say."""
        raise NotImplementedError

    @staticmethod
    def trainer() -> Callable[..., Path]:
        """Return the function that trains networks for it, see adain.training.run.train()."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return a description of the network, the engine and the device for messages."""
        raise NotImplementedError

    def paint(self, content: np.ndarray, style: Style, path: Path) -> np.ndarray:
        """Return the content in the style, as the recipe says: RGB of the same size.

        content: uint8 (rows, columns, 3). path: the result's; a long run keeps its state beside it.
        """
        raise NotImplementedError

    @classmethod
    def understood(cls, recipe: Recipe) -> frozenset[str]:
        """Return the options of `adain stylize` that the method supports; others are refused."""
        return COMMON_OPTIONS | cls.options

    @classmethod
    def learned_style(cls, options: Mapping[str, Any]) -> Style | None:
        """Return the style of a network that learned only one; None for other methods."""
        return None

    def check_results(self, paths: Sequence[Path]) -> None:
        """Raise OptionError where the options do not fit the results that are to be made."""
        self.runs.check_results(paths)

    def is_unfinished(self, path: Path) -> bool:
        """Return whether an existing result comes from a stopped run that should continue."""
        return self.runs.is_unfinished(path)

    def check_size(self, stored: Shape, shape: Shape) -> None:
        """Raise ImageError for a content that is too large.

        stored: its rows and columns in the file; shape: those when it is resized and cropped.
        """

    def prepare(self, style: Style) -> None:
        """Prepare a style before it is needed; called in a separate thread."""

    def save_style(self, path: str, style: Style) -> None:
        """Write a style as a file; needed by methods that understand `save_style`."""
        raise NotImplementedError

    def picture(self, path: Path) -> np.ndarray:
        """Return a style's picture as uint8 RGB; needed by methods that understand `concat`."""
        raise NotImplementedError
