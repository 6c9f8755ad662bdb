"""Observers: see what a run records, while it does; TensorBoard and the trackers are some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Observer:
    """Sees what a run records. Override what is wanted; what a method raises ends the run.

    >>> class Printer(Observer):
    ...     def scalars(self, step, values):
    ...         print(step, values.get("gallery/style"))
    >>> train(config, "photographs", "paintings", "run", gallery="gallery", callbacks=[Printer()])
    """

    def settings(self, step: int, values: dict[str, Any]) -> None:
        """See the settings of a run that begins, or goes on, at a step."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """See numbers by their names in TensorBoard, e.g. "loss/content" or "gallery/ssim"."""

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """See a picture, uint8 RGB (rows, columns, 3): "content_style_stylized" or "gallery"."""

    def saved(self, step: int, path: Path) -> None:
        """See that a checkpoint is complete."""

    def close(self) -> None:
        """See that the run has ended, or was stopped."""


class Observers(Observer):
    """Several of them, as one."""

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
