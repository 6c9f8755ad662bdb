"""Observers: objects that get the records of a running training, such as TensorBoard's writer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Observer:
    """Base class of objects that get what a run records; all methods do nothing by default.

    An exception in a method ends the run.

    >>> class Printer(Observer):
    ...     def scalars(self, step, values):
    ...         print(step, values.get("gallery/style"))
    >>> train(config, "photographs", "paintings", "run", gallery="gallery", callbacks=[Printer()])
    """

    def settings(self, step: int, values: dict[str, Any]) -> None:
        """Called once at the start of a run.

        Args:
            step: the number of steps so far: 0, or that of the resumed checkpoint.
            values: all settings of the run by name.
        """

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Called with the numbers of a summary or of a measurement.

        Args:
            step: the step they belong to, from 1.
            values: by their names in TensorBoard, such as "loss/content" or "gallery/ssim".
        """

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Called with a picture.

        Args:
            step: the step it belongs to.
            name: "content_style_stylized" or "gallery".
            image: uint8 RGB (rows, columns, 3).
        """

    def saved(self, step: int, path: Path) -> None:
        """Called with the folder of a checkpoint after it was written."""

    def close(self) -> None:
        """Called at the end of the run, also if it was stopped."""


class Observers(Observer):
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def settings(self, step: int, values: dict[str, Any]) -> None:
        for each in self._observers:
            each.settings(step, values)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        for each in self._observers:
            each.scalars(step, values)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        for each in self._observers:
            each.image(step, name, image)

    def saved(self, step: int, path: Path) -> None:
        for each in self._observers:
            each.saved(step, path)

    def close(self) -> None:
        for each in self._observers:
            each.close()
