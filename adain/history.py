"""history.jsonl: what a run measured, one JSON object a line, for reports and plots.

Lines of training have "step", "seconds" (of training, over resumes), "losses", "learning_rate",
"images_per_second" and "waited"; lines of validation have "step" and "validation".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adain.atomic import append, atomic_file
from adain.errors import AdaINError

NAME = "history.jsonl"


class History:
    """Appends lines to a run's history; those after `step`, of a run that is now repeated, go."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / NAME
        kept = [line for line in read(folder) if line["step"] <= step]
        with atomic_file(self._path, AdaINError) as file:
            file.write(b"".join(map(_encode, kept)))

    def append(self, step: int, **values: Any) -> None:
        append(self._path, _encode({"step": step, **values}))


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


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
