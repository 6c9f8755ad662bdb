"""Find the pictures in a folder, in its subfolders and behind links.

Skipped files that a user may expect (hidden files, videos, unsupported formats) are counted and
reported in one line.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from adain.errors import ImageError, OptionError
from adain.files.bad_files import printable
from adain.files.formats import INSTALL
from adain.files.images import READ_SUFFIXES

logger = logging.getLogger(__name__)

STREAM = "-"  # as a path: standard input or output
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts",
                  ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")
# Files that users regard as pictures; those in READ_SUFFIXES are read, the others are reported.
PICTURE_SUFFIXES = (".avif", ".heic", ".heif", ".hif", ".jxl", ".jp2", ".psd", ".svg", ".dng",
                    ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".exr")
# Folders in which macOS, Windows and network drives keep copies and thumbnails; in lower case.
SYSTEM_FOLDERS = ("__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information",
                  "lost+found")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # a single letter is a Windows drive


class Listing(NamedTuple):
    """The files below a folder, sorted, and its subfolders that could not be read."""

    files: list[Path]
    unreadable: list[Path]


def warn(line: str) -> None:
    """Log one line as a warning; line breaks in file names are replaced."""
    logger.warning("%s", printable(line))


def is_address(path: str | Path) -> bool:
    """Return whether a path is a URL such as https://..."""
    return _ADDRESS.match(os.fspath(path)) is not None


def is_video(path: str | Path) -> bool:
    """Return whether a file's suffix is that of a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def pictures(path: str | Path) -> list[Path]:
    """Return the picture at a path, or those below a folder; see list_pictures()."""
    return list_pictures(path).files


def list_pictures(path: str | Path, suffixes: Sequence[str] = READ_SUFFIXES,
                  leave_out: Iterable[str | Path] = (),
                  report: Callable[[str], None] = warn) -> Listing:
    """Return the picture at a path, or those below a folder; see list_below().

    A path to a file is returned whatever its suffix. Raises ImageError if there are no pictures.
    """
    if _is_folder(path):
        return list_below(path, suffixes, leave_out, report)
    return Listing([Path(path)], [])


def contents(paths: Sequence[str | Path], leave_out: Iterable[str | Path] = (),
             report: Callable[[str], None] = warn) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Return the pictures at several paths, and the folders that could not be read.

    Each picture is returned once, with its subfolder relative to the path that it comes from.
    STREAM is returned unchanged. Raises ImageError for a path without pictures.
    """
    listed: dict[str, tuple[Path, Path]] = {}
    unreadable = []
    for path in map(Path, paths):
        listing = (Listing([path], []) if str(path) == STREAM
                   else list_pictures(path, leave_out=leave_out, report=report))
        for file in listing.files:
            folder = Path() if file == path else file.parent.relative_to(path)
            listed.setdefault(os.path.abspath(file), (file, folder))
        unreadable += listing.unreadable
    return list(listed.values()), unreadable


def list_below(folder: str | Path, suffixes: Sequence[str] = READ_SUFFIXES,
               leave_out: Iterable[str | Path] = (),
               report: Callable[[str], None] = warn) -> Listing:
    """Return the files below a folder that have these suffixes.

    Links are followed; each folder is read once, so circular links end. Hidden files, hidden
    folders and system folders are skipped.

    Args:
        suffixes: in lower case.
        leave_out: files and folders that the command writes, which are skipped, too.
        report: called with one line about everything skipped, and with one for each folder that
            cannot be read.

    Raises:
        ImageError: there is no such file.
        OptionError: leave_out contains the folder itself.
    """
    if not _is_folder(folder):
        raise ImageError(f"{folder} is not a folder of pictures.")
    search = _Search(Path(folder), suffixes, leave_out)
    for here, why in search.unreadable.items():
        report(f"{here} cannot be read: {why}")
    left_out = search.left_out()
    if not search.files:
        raise ImageError(f"{folder} has no pictures; looked for {' '.join(suffixes)}"
                         + (f"; {left_out}." if left_out else "."))
    if left_out:
        report(f"{folder}: {left_out}")
    return Listing(sorted(search.files), list(search.unreadable))


class _Search:
    """A walk through a folder: collects files, unreadable folders, and what is skipped."""

    def __init__(self, root: Path, suffixes: Sequence[str],
                 leave_out: Iterable[str | Path]) -> None:
        self.files: list[Path] = []
        self.unreadable: dict[Path, str] = {}
        self._suffixes = suffixes
        self._left: Counter[str] = Counter()  # skipped files by kind; {s}: plural s
        excluded = [Path(path) for path in leave_out if os.path.exists(path)]
        self._excluded = set(map(_identity, excluded))
        self._excluded_names = {path.name for path in excluded}
        self._written: list[Path] = []
        self._read: set[tuple[int, int]] = set()
        # Linked folders are read last, so that a file with several paths gets one without links.
        self._waiting = deque([root])
        self._linked: deque[Path] = deque()
        if _identity(root) in self._excluded:
            raise OptionError(f"{root} is read and written to: the next run would take its results "
                              f"for pictures. Write to another folder, e.g. {root / 'output'}")
        while self._waiting or self._linked:
            folder = (self._waiting or self._linked).popleft()
            try:
                self._look_into(folder)
            except OSError as error:
                if folder == root:
                    raise ImageError(f"{root} cannot be read: {error.strerror}.") from None
                self.unreadable[folder] = error.strerror or str(error)

    def _look_into(self, folder: Path) -> None:
        identity = _identity(folder)
        if identity in self._excluded:
            self._written.append(folder)
        elif identity in self._read:
            self._left["link{s} to folders that are read already"] += 1
        else:
            self._read.add(identity)
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    self._sort(entry)

    def _sort(self, entry: os.DirEntry[str]) -> None:
        path, suffix = Path(entry.path), os.path.splitext(entry.name)[1].lower()
        hidden, counts = entry.name.startswith("."), suffix in self._suffixes
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # a circular link, or one to a folder without permission
            is_folder = is_file = False
        if is_folder and hidden:
            self._left["hidden folder{s}"] += 1
        elif is_folder and entry.name.lower() in SYSTEM_FOLDERS:
            self._left["system folder{s}"] += 1
        elif is_folder:
            (self._linked if entry.is_symlink() else self._waiting).append(path)
        elif hidden:
            self._left["hidden file{s}"] += counts
        elif not is_file:
            self._left["broken link{s} or special file{s}"] += counts or entry.is_symlink()
        elif counts and entry.name in self._excluded_names and _identity(path) in self._excluded:
            self._written.append(path)
        elif counts:
            self.files.append(path)
        elif suffix in VIDEO_SUFFIXES:
            self._left["video{s}"] += 1
        elif suffix in PICTURE_SUFFIXES:
            why = f"needs {INSTALL[suffix]}" if suffix in INSTALL else "not a format that is read"
            self._left[f"{suffix} file{{s}} ({why})"] += 1

    def left_out(self) -> str:
        """Return a description of the skipped files; empty if there are none."""
        parts = [f"{count} {what.format(s='' if count == 1 else 's')}"
                 for what, count in self._left.items() if count]
        parts += [f"{path} (written by this command)" for path in self._written]
        return f"left out {', '.join(parts)}" if parts else ""


def _identity(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _is_folder(path: str | Path) -> bool:
    """Return whether a path is a folder; raise ImageError if it is missing or unreadable."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(f"{path} does not exist"
                         + (": only files are read." if is_address(path) else ".")) from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from None
