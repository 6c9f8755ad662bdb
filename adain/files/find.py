"""Which files a folder stands for: its pictures, in subfolders and behind links, too.

What is left out although a user may expect it (hidden files, videos, formats that are not read) is
counted in one line.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from adain.errors import ImageError, OptionError
from adain.files.bad_files import printable
from adain.files.formats import INSTALL
from adain.files.images import READ_SUFFIXES

STREAM = "-"  # as a path: standard input or output
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts",
                  ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")
# Pictures, as far as a user is concerned; those that are read (READ_SUFFIXES) are not left out.
PICTURE_SUFFIXES = (".avif", ".heic", ".heif", ".hif", ".jxl", ".jp2", ".psd", ".svg", ".dng",
                    ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".exr")
# Copies and thumbnails that macOS, Windows and network drives keep; compared without case.
SYSTEM_FOLDERS = ("__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information",
                  "lost+found")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # a single letter is a Windows drive


class Listing(NamedTuple):
    """The files found below a folder, sorted, and the folders there that could not be read."""

    files: list[Path]
    unreadable: list[Path]


def say(line: str) -> None:
    """Print a line on standard error, one line whatever files are called."""
    print(printable(line), file=sys.stderr, flush=True)


def is_address(path: str | Path) -> bool:
    """Tell whether a path is an address like https://..., which no file has."""
    return _ADDRESS.match(os.fspath(path)) is not None


def is_video(path: str | Path) -> bool:
    """Tell by its ending whether a file is taken for a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def pictures(path: str | Path) -> list[Path]:
    """Return the picture at a path, or those below a folder; see list_pictures()."""
    return list_pictures(path).files


def list_pictures(path: str | Path, suffixes: Sequence[str] = READ_SUFFIXES,
                  leave_out: Iterable[str | Path] = (),
                  report: Callable[[str], None] = say) -> Listing:
    """Return the picture at a path, or those below a folder; see list_below().

    A file that is named itself is taken whatever its ending; ImageError when there is none.
    """
    if _is_folder(path):
        return list_below(path, suffixes, leave_out, report)
    return Listing([Path(path)], [])


def contents(paths: Sequence[str | Path], leave_out: Iterable[str | Path] = (),
             report: Callable[[str], None] = say) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Return the pictures at paths, each once and with its folder below the path that it is from.

    Also returns the folders that could not be read. STREAM is taken as it is. Raises ImageError
    where a path has no pictures.
    """
    found: dict[str, tuple[Path, Path]] = {}
    unreadable = []
    for path in map(Path, paths):
        listing = (Listing([path], []) if str(path) == STREAM
                   else list_pictures(path, leave_out=leave_out, report=report))
        for file in listing.files:
            folder = Path() if file == path else file.parent.relative_to(path)
            found.setdefault(os.path.abspath(file), (file, folder))
        unreadable += listing.unreadable
    return list(found.values()), unreadable


def list_below(folder: str | Path, suffixes: Sequence[str] = READ_SUFFIXES,
               leave_out: Iterable[str | Path] = (),
               report: Callable[[str], None] = say) -> Listing:
    """Return the files below a folder that have these endings, given in lower case.

    Links are followed; each folder is read once, so that circles end. Left out are hidden files,
    hidden folders, those of the system, and `leave_out`: files and folders that the command writes.
    report: gets one line for all that was left out, and one for each folder that cannot be read.
    Raises ImageError where there is no file, OptionError where leave_out has the folder itself.
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
    """What is below a folder: files, folders that cannot be read, and what does not count."""

    def __init__(self, root: Path, suffixes: Sequence[str],
                 leave_out: Iterable[str | Path]) -> None:
        self.files: list[Path] = []
        self.unreadable: dict[Path, str] = {}
        self._suffixes = suffixes
        self._left: Counter[str] = Counter()  # by what it is, with {s} for the plural's s
        own = [Path(path) for path in leave_out if os.path.exists(path)]
        self._own, self._own_names = set(map(_identity, own)), {path.name for path in own}
        self._written: list[Path] = []
        self._read: set[tuple[int, int]] = set()
        # Folders behind links come last: a file's path has no link in it where it has such a path.
        self._waiting, self._linked = deque([root]), deque()
        if _identity(root) in self._own:
            raise OptionError(f"{root} is read and written to: the next run would take its results "
                              f"for pictures. Write to another folder, e.g. {root / 'output'}")
        while self._waiting or self._linked:
            folder = (self._waiting or self._linked).popleft()
            try:
                self._look_into(folder)
            except OSError as error:
                if folder == root:
                    raise ImageError(f"{root} cannot be read: {error.strerror}.") from None
                self.unreadable[folder] = error.strerror

    def _look_into(self, folder: Path) -> None:
        identity = _identity(folder)
        if identity in self._own:
            self._written.append(folder)
        elif identity in self._read:
            self._left["link{s} to folders that are read already"] += 1
        else:
            self._read.add(identity)
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    self._sort(entry)

    def _sort(self, entry: os.DirEntry) -> None:
        path, suffix = Path(entry.path), os.path.splitext(entry.name)[1].lower()
        hidden, counts = entry.name.startswith("."), suffix in self._suffixes
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # links in a circle, or to a place that may not be entered
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
        elif counts and entry.name in self._own_names and _identity(path) in self._own:
            self._written.append(path)
        elif counts:
            self.files.append(path)
        elif suffix in VIDEO_SUFFIXES:
            self._left["video{s}"] += 1
        elif suffix in PICTURE_SUFFIXES:
            why = f"needs {INSTALL[suffix]}" if suffix in INSTALL else "not a format that is read"
            self._left[f"{suffix} file{{s}} ({why})"] += 1

    def left_out(self) -> str:
        """Return what was left out, in words; nothing where it is nothing."""
        parts = [f"{count} {what.format(s='' if count == 1 else 's')}"
                 for what, count in self._left.items() if count]
        parts += [f"{path} (written by this command)" for path in self._written]
        return f"left out {', '.join(parts)}" if parts else ""


def _identity(path: str | Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _is_folder(path: str | Path) -> bool:
    """Tell whether a path is a folder; ImageError where there is nothing, or nothing to be seen."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(f"{path} does not exist"
                         + (": only files are read." if is_address(path) else ".")) from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from None
