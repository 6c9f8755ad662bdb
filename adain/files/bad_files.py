"""The list of unusable picture files, each with the reason."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from adain.errors import AdaINError
from adain.files.atomic import append

logger = logging.getLogger(__name__)


class BadFiles:
    """Logs each bad file once and appends it to a text file: name, tab, reason.

    Files that the text file already lists, from an earlier run, are not logged again. With path
    None nothing is written. Can be used from several threads.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self._lock = threading.Lock()
        self._named: set[str] = set()
        self._failure: AdaINError | None = None
        if self.path is not None and self.path.is_file():
            text = self.path.read_text(encoding="utf-8", errors="replace")
            self._named.update(line.partition("\t")[0] for line in text.split("\n") if line)

    @property
    def count(self) -> int:
        """Number of files listed, including those of earlier runs."""
        return len(self._named)

    def add(self, file: str | Path, error: Exception) -> None:
        """Log a file and its error."""
        name, line = printable(file), printable(error)
        with self._lock:
            if name in self._named:
                return
            self._named.add(name)
            logger.info("skipped %s", line)
            if self.path is None:
                return
            try:
                append(self.path, f"{name}\t{line.removeprefix(name).strip()}\n".encode())
            except AdaINError as failure:  # raised by check(), so that a long run is not ended
                logger.info("%s", failure)
                self._failure = failure

    def check(self) -> None:
        """Raise AdaINError if some files could not be written to the list; call it after a run."""
        if self._failure is not None:
            raise self._failure


def printable(value: object) -> str:
    """Return a value as one printable line, also for file names that are not valid text."""
    text = " ".join(str(value).split("\n")).replace("\t", " ").replace("\r", " ")
    return text.encode("utf-8", "backslashreplace").decode()
