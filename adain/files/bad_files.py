"""The list of picture files that could not be used, each named once with the reason."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from adain.errors import AdaINError
from adain.files.atomic import append


class BadFiles:
    """Reports each bad file once and appends it to a text file: name, tab, reason.

    What the text file already names, from an earlier run, is not named again. path None: report
    only. Safe to use from several threads.
    """

    def __init__(self, path: str | Path | None = None,
                 report: Callable[[str], None] = print) -> None:
        self.path = Path(path) if path is not None else None
        self._report, self._lock = report, threading.Lock()
        self._named: set[str] = set()
        self._failure: AdaINError | None = None
        if self.path is not None and self.path.is_file():
            text = self.path.read_text(encoding="utf-8", errors="replace")
            self._named.update(line.partition("\t")[0] for line in text.split("\n") if line)

    @property
    def count(self) -> int:
        """How many files are named, by earlier runs too."""
        return len(self._named)

    def add(self, file: Path, error: Exception) -> None:
        """Name a file and what is wrong with it."""
        name, line = printable(file), printable(error)
        with self._lock:
            if name in self._named:
                return
            self._named.add(name)
            self._report(f"skipped {line}")
            if self.path is None:
                return
            try:
                append(self.path, f"{name}\t{line.removeprefix(name).strip()}\n".encode())
            except AdaINError as failure:  # a list is not worth ending a night's training for
                self._report(str(failure))
                self._failure = failure

    def check(self) -> None:
        """Raise AdaINError, at the end of a run, where the text file lacks some."""
        if self._failure is not None:
            raise self._failure


def printable(value: object) -> str:
    """Return a value as one line that can be printed, whatever bytes a file's name has."""
    text = " ".join(str(value).split("\n")).replace("\t", " ").replace("\r", " ")
    return text.encode("utf-8", "backslashreplace").decode()
