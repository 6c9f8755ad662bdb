"""history.jsonl: what a run measured, one JSON object a line, for reports and plots.

Lines of training have "step", "seconds" (of training, over resumes), "losses", "learning_rate",
"images_per_second" and "waited"; lines of validation have "step" and "validation".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adain import images
from adain.errors import AdaINError, ImageError

NAME = "history.jsonl"


class History:
    """Appends lines to a run's history; those after `step`, of a run that is now repeated, go."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / NAME
        kept = [line for line in read(folder) if line["step"] <= step]
        try:
            with images.atomic(self._path) as beside:
                beside.write_text("".join(json.dumps(line) + "\n" for line in kept))
        except ImageError as error:
            raise AdaINError(str(error)) from None

    def append(self, step: int, **values: Any) -> None:
        try:
            with self._path.open("a") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
        except OSError as error:
            raise AdaINError(f"{self._path} cannot be written: {error.strerror}.") from None


def read(folder: Path) -> list[dict[str, Any]]:
    """Return a run's history, oldest line first; a last line that was cut off is left out."""
    path = folder / NAME
    lines = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("step"), int):
            lines.append(found)
    return lines
