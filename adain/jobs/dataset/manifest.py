"""manifest.jsonl: content, styles and strength of each result, one line of JSON for each.

The first line has the settings: {"adain": VERSION, "settings": {...}}. Every other line is

    {"content": NAME, "result": NAME, "styles": [NAME, ...], "weights": [...], "alpha": A,
     "seed": S, "status": "done" or "failed", "error": TEXT}

and is written when that result is finished. If several lines name one result, the last one counts.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from adain import __version__
from adain.errors import AdaINError, OptionError
from adain.files.atomic import append
from adain.files.storage import Entry, FolderWriter, read
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.draws import Draw
from adain.jobs.dataset.styles import Styles
from adain.jobs.dataset.tasks import HashSet, hash64
from adain.jobs.dataset.worker import Target, Task

DONE, FAILED = "done", "failed"
_LONGEST = 1_000_000  # characters of a line
_PART_LINES = 1000  # behind a URL, where nothing can be appended, a manifest is written in parts


def header(settings: dict[str, Any]) -> str:
    """Return the first line of a manifest."""
    return json.dumps({"adain": __version__, "settings": settings}) + "\n"


class LineFormatter:
    """Returns the manifest line of a result."""

    def __init__(self, config: DatasetConfig, styles: Styles) -> None:
        self._seed, self._styles = config.seed, styles

    def __call__(self, task: Task, target: Target, error: AdaINError | None = None) -> str:
        draw = target.draw
        record: dict[str, Any] = {
            "content": task.entry.name, "result": target.name,
            "styles": [self._styles.name(index) for index in draw.styles],
            "weights": list(draw.weights), "alpha": draw.alpha, "seed": self._seed,
            "status": DONE if error is None else FAILED}
        if error is not None:
            record["error"] = str(error)
        return json.dumps(record) + "\n"


def check_settings(stored: dict[str, Any], settings: dict[str, Any], path: str) -> None:
    """Raise OptionError if the results at `path` were made with other settings."""
    for name, value in settings.items():
        if stored.get(name, value) != value:
            raise OptionError(f"{path} was made with `{name}={_text(stored[name])}`; received "
                              f"{_text(value)}. Write to another folder, or use `overwrite`.")


def _text(value: Any) -> str:
    return ":".join(map(str, value)) if isinstance(value, list) else str(value)


def parse(line: bytes) -> dict[str, Any] | None:
    """Return the record in a line of a manifest; None if the line is truncated or damaged."""
    try:
        record = json.loads(line) if len(line) < _LONGEST else None
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def read_lines(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the offset in bytes and the record of each line, the settings included."""
    while True:
        offset = file.tell()
        line = file.readline(_LONGEST)
        if not line:
            return
        record = parse(line)
        if record is not None:
            yield offset, record


class Manifest:
    """The manifest of a folder of results, to which lines are added.

    A local manifest is one file, to which each line is appended at once; behind a URL it is
    written in parts of several lines.

    Args:
        folder: the folder of the results.
        name: name of the file: manifest.jsonl, or that of a shard.
        settings: the settings of this run, for the first line.
        overwrite: start a new manifest instead of adding to the existing one.

    Attributes:
        known: names of the results whose line has the status "done".

    Raises:
        OptionError: the results in the folder were made with other settings.
    """

    def __init__(self, folder: FolderWriter, name: str, settings: dict[str, Any],
                 overwrite: bool = False) -> None:
        self._folder, self._name, self._header = folder, name, header(settings)
        self.known = HashSet()
        self._waiting: list[str] = []
        self._part = 0
        self._path = Path(folder.place(name)) if not folder.is_remote else None
        if self._path is None:
            while folder.has(self._part_name()) and not overwrite:
                self._read(io.BytesIO(read(Entry(folder.root, self._part_name()))), settings)
                self._part += 1
            return
        if overwrite:
            self._path.unlink(missing_ok=True)
        if self._path.is_file() and self._path.stat().st_size:
            with open(self._path, "r+b") as file:
                self._read(file, settings)
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # truncated, as by kill -9
                    file.write(b"\n")
        else:
            append(self._path, self._header.encode())

    def _read(self, file: BinaryIO, settings: dict[str, Any]) -> None:
        for _, line in read_lines(file):
            if "settings" in line:
                check_settings(line["settings"], settings, self._folder.root)
            elif line.get("status") == DONE:
                self.known.add(str(line.get("result")))

    def _part_name(self) -> str:
        stem, ending = os.path.splitext(self._name)
        return f"{stem}.{self._part:06d}{ending}"

    def add(self, line: str) -> None:
        """Append a line; raise AdaINError if that fails, as on a full disk."""
        if self._path is not None:
            append(self._path, line.encode())
            return
        self._waiting.append(line)
        if len(self._waiting) >= _PART_LINES:
            self.close()

    def close(self) -> None:
        """Write the lines that wait for the next part."""
        if self._waiting:
            text = self._header + "".join(self._waiting)
            self._folder.write(self._part_name(), text.encode())
            self._waiting, self._part = [], self._part + 1


def settings_of(path: Path) -> dict[str, Any]:
    """Return the settings in a manifest.

    Args:
        path: a manifest, or a folder whose *.jsonl files are the parts of one.

    Raises:
        OptionError: it is not a manifest.
    """
    for file in _files(path)[:1]:
        with open(file, "rb") as lines:
            settings = (parse(lines.readline(_LONGEST)) or {}).get("settings")
        if isinstance(settings, dict):
            return settings
    raise OptionError(f"{path} is not a manifest: its first line has no settings.")


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise OptionError(f"{path} does not exist.")
    return sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]


def draws_from(path: Path, styles: Styles) -> Callable[[str], tuple[Draw, ...]]:
    """Return a function from a content's name to its draws in a manifest.

    Args:
        path: see settings_of().
        styles: the styles that the manifest names.

    Raises:
        OptionError: by the function: `styles` lacks one that the manifest names.
    """
    index = _Index(_files(path))
    rows = {name: row for row, name in enumerate(styles.names())}

    def draws_of(content: str) -> tuple[Draw, ...]:
        draws = {}
        for line in index.lines(content):
            missing = [name for name in line["styles"] if name not in rows]
            if missing:
                raise OptionError(f"{path} names the style {missing[0]}, which `style_path` does "
                                  "not have.")
            draws[line["result"]] = Draw(tuple(rows[name] for name in line["styles"]),
                                         tuple(line["weights"]), line["alpha"])
        return tuple(draws[name] for name in sorted(draws, key=lambda name: (len(name), name)))

    return draws_of


class _Index:
    """Finds the lines of a content by its name; takes 24 bytes of memory per line."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        rows: list[tuple[int, int, int]] = []  # hash of the content, number of the file, offset
        blocks: list[np.ndarray] = []
        for number, path in enumerate(files):
            with open(path, "rb") as file:
                for offset, line in read_lines(file):
                    if _is_complete(line):
                        rows.append((hash64(line["content"]), number, offset))
                    if len(rows) == 10_000:
                        blocks.append(np.array(rows, np.uint64))
                        rows = []
        blocks.append(np.array(rows, np.uint64).reshape(-1, 3))
        unsorted = np.concatenate(blocks)
        self._rows = unsorted[np.argsort(unsorted[:, 0], kind="stable")]

    def lines(self, content: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of a content."""
        key = np.uint64(hash64(content))
        start, end = (int(np.searchsorted(self._rows[:, 0], key, side))
                      for side in ("left", "right"))
        for _, number, offset in self._rows[start:end].tolist():
            with open(self._files[number], "rb") as file:
                file.seek(offset)
                line = parse(file.readline(_LONGEST))
            if line is not None and line["content"] == content:
                yield line


def _is_complete(line: dict[str, Any]) -> bool:
    """Return whether a line has all valid values that are needed to make its result again."""
    return (all(isinstance(line.get(name), str) for name in ("content", "result"))
            and isinstance(line.get("styles"), list) and isinstance(line.get("weights"), list)
            and len(line["styles"]) == len(line["weights"]) > 0
            and all(isinstance(name, str) for name in line["styles"])
            and all(isinstance(one, int | float) and 0 <= one < 1e9
                    for one in (*line["weights"], line.get("alpha")))
            and line["alpha"] <= 1 and sum(line["weights"]) > 0)
