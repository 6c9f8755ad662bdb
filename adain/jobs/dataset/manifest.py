"""manifest.jsonl: what each result was made of, one line of JSON each, written as work is done.

The first line has the settings: {"adain": VERSION, "settings": {...}}. Each other line is

    {"content": NAME, "result": NAME, "styles": [NAME, ...], "weights": [...], "alpha": A,
     "seed": S, "status": "done" or "failed", "error": TEXT}

Of several lines about one result the last one counts.
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
_PART = 1000  # lines of each part of a manifest behind a URL


def header(settings: dict[str, Any]) -> str:
    """Return the first line of a manifest."""
    return json.dumps({"adain": __version__, "settings": settings}) + "\n"


class Lines:
    """Makes the lines of results."""

    def __init__(self, config: DatasetConfig, styles: Styles) -> None:
        self._seed, self._styles = config.seed, styles

    def __call__(self, task: Task, target: Target, error: AdaINError | None = None) -> str:
        draw = target.draw
        found: dict[str, Any] = {
            "content": task.entry.name, "result": target.name,
            "styles": [self._styles.name(index) for index in draw.styles],
            "weights": list(draw.weights), "alpha": draw.alpha, "seed": self._seed,
            "status": DONE if error is None else FAILED}
        if error is not None:
            found["error"] = str(error)
        return json.dumps(found) + "\n"


def check_settings(found: dict[str, Any], settings: dict[str, Any], where: str) -> None:
    """Raise OptionError where results that are there were made with other settings."""
    for name, value in settings.items():
        if found.get(name, value) != value:
            raise OptionError(f"{where} was made with `{name}={_text(found[name])}`; received "
                              f"{_text(value)}. Write to another folder, or `overwrite`.")


def _text(value: Any) -> str:
    return ":".join(map(str, value)) if isinstance(value, list) else str(value)


def parse(line: bytes) -> dict[str, Any] | None:
    """Return a line of a manifest; None for one that is cut or damaged."""
    try:
        found = json.loads(line) if len(line) < _LONGEST else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_lines(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the place and the content of each line, the settings included."""
    while True:
        place = file.tell()
        line = file.readline(_LONGEST)
        if not line:
            return
        found = parse(line)
        if found is not None:
            yield place, found


class Manifest:
    """The manifest of results in a folder: lines are appended; behind a URL, in parts.

    Args:
        name: of the file, manifest.jsonl or that of a shard.
        overwrite: begin anew.

    Raises OptionError where the results in the folder were made with other settings.

    known: the results that have a line which says that they are done.
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
                if file.read(1) != b"\n":  # cut by kill -9
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
        if len(self._waiting) >= _PART:
            self.close()

    def close(self) -> None:
        """Write what waits for the next part."""
        if self._waiting:
            text = self._header + "".join(self._waiting)
            self._folder.write(self._part_name(), text.encode())
            self._waiting, self._part = [], self._part + 1


def settings_of(path: Path) -> dict[str, Any]:
    """Return the settings in a manifest; raise OptionError if it is none.

    path: a manifest, or a folder in which all files *.jsonl are one.
    """
    for file in _files(path)[:1]:
        with open(file, "rb") as lines:
            found = (parse(lines.readline(_LONGEST)) or {}).get("settings")
        if isinstance(found, dict):
            return found
    raise OptionError(f"{path} is no manifest: its first line has no settings.")


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise OptionError(f"{path} does not exist.")
    return sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]


def drawn_from(path: Path, styles: Styles) -> Callable[[str], tuple[Draw, ...]]:
    """Return what gives the draws of each content in a manifest, see settings_of().

    Raises OptionError where it names styles that are not there.
    """
    index = _Index(_files(path))
    rows = {name: row for row, name in enumerate(styles.names())}

    def drawn(content: str) -> tuple[Draw, ...]:
        found = {}
        for line in index.lines(content):
            missing = [name for name in line["styles"] if name not in rows]
            if missing:
                raise OptionError(f"{path} needs the style {missing[0]}, which is not there.")
            found[line["result"]] = Draw(tuple(rows[name] for name in line["styles"]),
                                         tuple(line["weights"]), line["alpha"])
        return tuple(found[name] for name in sorted(found, key=lambda name: (len(name), name)))

    return drawn


class _Index:
    """Finds the lines of a content: 24 bytes for each line."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        rows: list[tuple[int, int, int]] = []
        chunks: list[np.ndarray] = []
        for number, path in enumerate(files):
            with open(path, "rb") as file:
                for place, line in read_lines(file):
                    if _is_whole(line):
                        rows.append((hash64(line["content"]), number, place))
                    if len(rows) == 10_000:
                        chunks.append(np.array(rows, np.uint64))
                        rows = []
        chunks.append(np.array(rows, np.uint64).reshape(-1, 3))
        found = np.concatenate(chunks)
        self._rows = found[np.argsort(found[:, 0], kind="stable")]

    def lines(self, content: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of a content."""
        key = np.uint64(hash64(content))
        start, end = (int(np.searchsorted(self._rows[:, 0], key, side))
                      for side in ("left", "right"))
        for _, number, place in self._rows[start:end].tolist():
            with open(self._files[number], "rb") as file:
                file.seek(place)
                line = parse(file.readline(_LONGEST))
            if line is not None and line["content"] == content:
                yield line


def _is_whole(line: dict[str, Any]) -> bool:
    """Return whether a line has what is needed to make its result again."""
    return (all(isinstance(line.get(name), str) for name in ("content", "result"))
            and isinstance(line.get("styles"), list) and isinstance(line.get("weights"), list)
            and len(line["styles"]) == len(line["weights"]) > 0
            and all(isinstance(name, str) for name in line["styles"])
            and all(isinstance(one, int | float) and 0 <= one < 1e9
                    for one in (*line["weights"], line.get("alpha")))
            and line["alpha"] <= 1 and sum(line["weights"]) > 0)
