"""Entry: where one file is; and which files of a tree or an archive are pictures to use."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from adain.files.find import PICTURE_SUFFIXES, SYSTEM_FOLDERS, VIDEO_SUFFIXES
from adain.files.formats import INSTALL

IN_FOLDER = -1
STORED, DEFLATED = 0, 8  # methods of zip files


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one file is.

    source: the folder, or the tar or zip file; a path or a URL.
    name: of the file within its source, with "/" between folders; never leads out of it.
    offset: bytes before the file's data in a tar file, or before its header in a zip file;
        IN_FOLDER for a file of its own.
    size: stored bytes; -1 for a file of its own.
    method: STORED or DEFLATED in a zip file, else -1.
    unpacked, crc: bytes and CRC-32 after unpacking, in a zip file.
    """

    source: str
    name: str
    offset: int = IN_FOLDER
    size: int = -1
    method: int = -1
    unpacked: int = -1
    crc: int = 0

    @property
    def place(self) -> str:
        """Source and name, for messages; the path or URL of a file in a folder."""
        return join(self.source, self.name)


def join(folder: str, name: str) -> str:
    """Return the path or URL of a file in a folder."""
    return folder + name if folder.endswith("://") else f"{folder.rstrip('/')}/{name}"


class LeftOut:
    """Decides by their names which files are used, and counts those that a user may expect.

    suffixes: in lower case; None: every file is used that is not hidden.
    """

    def __init__(self, suffixes: Collection[str] | None) -> None:
        self._suffixes = suffixes
        self.counts: Counter[str] = Counter()  # by kind; {s}: plural s

    def folder(self, name: str) -> bool:
        """Return whether a folder of this name is searched."""
        if name.startswith("."):
            self.counts["hidden folder{s}"] += 1
        elif name.lower() in SYSTEM_FOLDERS:
            self.counts["system folder{s}"] += 1
        else:
            return True
        return False

    def file(self, name: str, special: bool = False) -> bool:
        """Return whether a file of this name is used; special: a broken link, device or pipe."""
        suffix = os.path.splitext(name)[1].lower()
        counts = self._suffixes is None or suffix in self._suffixes
        if name.startswith("."):
            self.counts["hidden file{s}"] += counts
        elif special:
            self.counts["broken link{s} or special file{s}"] += counts
        elif counts:
            return True
        elif suffix in VIDEO_SUFFIXES:
            self.counts["video{s}"] += 1
        elif suffix in PICTURE_SUFFIXES:
            why = f"needs {INSTALL[suffix]}" if suffix in INSTALL else "not a format that is read"
            self.counts[f"{suffix} file{{s}} ({why})"] += 1
        return False

    def member(self, name: str, special: bool = False) -> str | None:
        """Return the clean name of an archive's member if it is used, else None."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts or name.startswith("/") or ".." in parts or "\0" in name or "\\" in name:
            self.counts["name{s} that lead out of the archive"] += bool(parts)
            return None
        if any(part.startswith(".") or part.lower() in SYSTEM_FOLDERS for part in parts[:-1]):
            self.counts["file{s} in hidden or system folders"] += 1
            return None
        return "/".join(parts) if self.file(parts[-1], special) else None

    def text(self) -> str:
        """Return a description of what was left out; empty if nothing was."""
        parts = [f"{count} {what.format(s='' if count == 1 else 's')}"
                 for what, count in self.counts.items() if count]
        return f"left out {', '.join(parts)}" if parts else ""
