"""history.jsonl: what a run measured, one JSON object a line, for reports and plots.

Lines of training have "step", "seconds" (of training, over resumes), "losses", "learning_rate",
"images_per_second" and "waited"; lines of validation have "step" and "validation", those of the
gallery "step" and "gallery".
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from adain.errors import AdaINError
from adain.files.arrays import is_number, parse_json
from adain.files.atomic import append, atomic_file

logger = logging.getLogger(__name__)

NAME = "history.jsonl"


class History:
    """Appends lines to a run's history; those after `step`, of a run that is now repeated, go."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / NAME
        kept = [line for line, record in _lines(self._path)
                if record is None or record["step"] <= step]
        with atomic_file(self._path, AdaINError) as file:
            file.write(b"".join(kept))

    def append(self, step: int, **values: Any) -> None:
        append(self._path, _encode({"step": step, **values}))


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def read(folder: Path) -> list[dict[str, Any]]:
    """Return a run's history, oldest line first; log the number of lines that cannot be read.

    A last line that was cut off is left out: its step is repeated.
    """
    lines = [record for _, record in _lines(folder / NAME)]
    bad = lines.count(None)
    if bad:
        logger.warning("%s: %d lines that cannot be read are left out", folder / NAME, bad)
    return [line for line in lines if line is not None]


def _lines(path: Path) -> list[tuple[bytes, dict[str, Any] | None]]:
    """Return each complete line with the record in it, None for a line that cannot be read."""
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise AdaINError(f"{path} cannot be read: {error.strerror}.") from None
    return [(line + b"\n", _parse(line)) for line in content.split(b"\n")[:-1]]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = parse_json(line)
    except ValueError:
        return None
    names = ("loss", "content", "style")
    numbers = [record.get("step")]
    for part, needed in (("losses", names), ("validation", names), ("gallery", (*names, "ssim"))):
        if part in record:
            if not isinstance(record[part], dict):
                return None
            numbers += [record[part].get(name) for name in needed]
    if "losses" in record:
        numbers += [record.get(name) for name in ("seconds", "images_per_second", "waited")]
    return record if all(is_number(value) for value in numbers) else None
