"""List the pictures of folders, zip and tar files lazily: memory does not grow with their number.

The files of a folder come sorted by name without suffix, then by suffix; files before subfolders.
"""

from __future__ import annotations

import heapq
import os
import re
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from typing import BinaryIO

from adain.errors import ImageError, OptionError
from adain.files.find import warn
from adain.files.formats import READ_SUFFIXES
from adain.files.storage.entry import Entry, LeftOut, join
from adain.files.storage.remote import file_system, is_url, local, url_errors
from adain.files.storage.zipped import members as zip_members

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST_SHARDS = 10_000_000
_CHUNK = 10_000  # names sorted at once
_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_BLOCK = 512  # bytes: of a tar file's headers and end


def expand(pattern: str | Path) -> Iterator[str]:
    """Yield the paths of a pattern: a-{00..12}.tar, {train,val}.zip; one without braces as it is.

    Raises OptionError for a range that is no range.
    """
    text = local(pattern)
    if is_url(text) or not os.path.exists(text):
        pieces = _BRACES.split(text)
        choices = [list(_choices(piece, text)) if index % 2 else [piece]
                   for index, piece in enumerate(pieces)]
        yield from map("".join, product(*choices))
    else:  # a file may have braces in its name
        yield text


def _choices(inside: str, pattern: str) -> Iterable[str]:
    match = _RANGE.fullmatch(inside)
    if match is None:
        return inside.split(",") if "," in inside else [f"{{{inside}}}"]
    first, last = int(match[1]), int(match[2])
    if not 0 <= last - first < _MOST_SHARDS:
        raise OptionError(f"{pattern}: {{{inside}}} must go from a number to one that is not "
                          "smaller.")
    width = len(match[1]) if match[1].startswith("0") or len(match[1]) == len(match[2]) else 0
    return (f"{number:0{width}d}" for number in range(first, last + 1))


def kind_of(source: str) -> str:
    """Return "tar", "zip", "file" or "folder"; raise ImageError for what is not there."""
    if not is_url(source):
        if os.path.isdir(source):
            return "folder"
        if not os.path.exists(source):
            raise ImageError(f"{source} does not exist.")
    name = source.partition("?")[0].lower()
    if name.endswith(_PACKED):
        raise ImageError(f"{source} is compressed, so that its pictures cannot be read one by one: "
                         "unpack it to a .tar file.")
    ending = os.path.splitext(name)[1]
    if ending in (".tar", ".zip"):
        return ending[1:]
    return "file" if ending in READ_SUFFIXES or not is_url(source) else "folder"


@dataclass(frozen=True)
class Reports:
    """The lines that another process reported while it listed pictures, and its problems."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Pictures:
    """The pictures at several paths, in the order of the paths.

    Args:
        paths: folders, pictures, zip and tar files, URLs of them, and patterns, see expand().
        suffixes: of the files to list, in lower case; None: all that are not hidden.
        leave_out: files and folders of this machine that the command writes, which are skipped.
        report: called with one line about what was skipped of each path, and about each problem.

    Attributes:
        sources: the paths, patterns expanded.
        problems: lines about folders that cannot be read and archives that are cut or damaged,
            as they are found; what of them is whole is listed.

    Raises:
        ImageError: there is no such file; while iterating, no pictures anywhere.
        OptionError: a URL that cannot be used, or a pattern that makes no sense.
    """

    def __init__(self, paths: str | Path | Iterable[str | Path],
                 suffixes: Collection[str] | None = READ_SUFFIXES,
                 leave_out: Iterable[str | Path] = (),
                 report: Callable[[str], None] = warn) -> None:
        given = [paths] if isinstance(paths, str | Path) else list(paths)
        self.sources = [source for path in given for source in expand(path)]
        self.problems: list[str] = []
        self._suffixes, self._report = suffixes, report
        self._leave_out = {os.path.abspath(local(path)) for path in leave_out}
        for source in self.sources:
            if kind_of(source) == "folder" and os.path.abspath(source) in self._leave_out:
                raise OptionError(f"{source} is read and written to: the next run would take its "
                                  "results for pictures. Write to another folder, e.g. "
                                  f"{join(source, 'output')}")

    def __iter__(self) -> Iterator[Entry]:
        has_pictures = False
        for source in self.sources:
            for entry in self.of(source):
                has_pictures = True
                yield entry
        if not has_pictures:
            more = f" and {len(self.sources) - 1} more" if self.sources[1:] else ""
            raise ImageError(f"{', '.join(self.sources[:1])}{more} has no pictures; looked for "
                             f"{' '.join(sorted(self._suffixes or ['any file']))}.")

    def collect_reports(self) -> Reports:
        """Collect all further reports in the returned object, instead of reporting them."""
        reports = Reports()
        self.problems, self._report = reports.problems, reports.lines.append
        return reports

    def add_reports(self, reports: Reports) -> None:
        """Report what another process has collected."""
        self.problems += reports.problems
        for line in reports.lines:
            self._report(line)

    def of(self, source: str) -> Iterator[Entry]:
        """Yield the pictures of one of the sources."""
        left = LeftOut(self._suffixes)
        kind = kind_of(source)
        if kind == "file":
            folder, slash, name = source.rpartition("/")
            yield Entry(folder or slash or ".", name)
            return
        if kind == "folder":
            yield from (_remote_folder if is_url(source) else self._folder)(source, left)
        else:
            yield from self._archive(source, kind, left)
        if left.text():
            self._report(f"{source}: {left.text()}")

    def _problem(self, line: str) -> None:
        self.problems.append(line)
        self._report(line)

    def _archive(self, source: str, kind: str, left: LeftOut) -> Iterator[Entry]:
        list_members = _tar_members if kind == "tar" else zip_members
        with url_errors(source), _open(source) as file:
            size = file.seek(0, os.SEEK_END) if file.seekable() else 0
            if is_url(source) and not _gives_parts(file, size):
                raise ImageError(f"{source} cannot be read: the server gives whole files only, no "
                                 f"ranges of bytes. Download {source} first.")
            file.seek(0)
            yield from list_members(source, file, size, left, self._problem)

    def _folder(self, root: str, left: LeftOut) -> Iterator[Entry]:
        """Walk through a folder; each folder is read once, so circular links end."""
        waiting, seen = [""], set()
        while waiting:
            inner = waiting.pop()
            here = join(root, inner) if inner else root
            try:
                status = os.stat(here)
                if (status.st_dev, status.st_ino) in seen:
                    left.counts["link{s} to folders that are read already"] += 1
                    continue
                seen.add((status.st_dev, status.st_ino))
                folders: list[str] = []
                names = _sorted(self._files(here, left, folders))
            except OSError as error:
                if not inner:
                    raise ImageError(f"{root} cannot be read: {error.strerror}.") from None
                self._problem(f"{here} cannot be read: {error.strerror or error}")
                continue
            prefix = f"{inner}/" if inner else ""
            for name in names:
                yield Entry(root, prefix + name)
            waiting += [prefix + name for name in sorted(folders, reverse=True)]

    def _files(self, here: str, left: LeftOut, folders: list[str]) -> Iterator[str]:
        """Yield the files of a folder that are used; add its subfolders to `folders`."""
        with os.scandir(here) as entries:
            for entry in entries:
                try:
                    is_folder, is_file = entry.is_dir(), entry.is_file()
                except OSError:  # a circular link, or one to a folder without permission
                    is_folder = is_file = False
                if self._leave_out and os.path.abspath(entry.path) in self._leave_out:
                    left.counts[f"{entry.path} (written by this command)"] += 1
                elif is_folder:
                    if left.folder(entry.name):
                        folders.append(entry.name)
                elif left.file(entry.name, special=not is_file):
                    yield entry.name


def _sorted(names: Iterable[str]) -> Iterator[str]:
    """Sort names in little more memory than their letters take; all are read before the first."""
    names, blobs = iter(names), []
    while chunk := list(islice(names, _CHUNK)):
        keys = [os.fsencode(stem) + b"\0" + os.fsencode(suffix)
                for stem, suffix in map(os.path.splitext, chunk)]
        blobs.append(b"/".join(sorted(keys)) + b"/")
    return (os.fsdecode(key.replace(b"\0", b"", 1)) for key in heapq.merge(*map(_split, blobs)))


def _split(blob: bytes) -> Iterator[bytes]:
    start = 0
    while (end := blob.find(b"/", start)) >= 0:
        yield blob[start:end]
        start = end + 1


def _remote_folder(url: str, left: LeftOut) -> Iterator[Entry]:
    system, root = file_system(url)
    with url_errors(url):
        if not system.exists(root):
            raise FileNotFoundError
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            prefix = f"{inner}/" if inner else ""
            entries = system.ls(join(root, inner) if inner else root, detail=True)
            system.invalidate_cache()  # else it keeps all folders
            names = [(one["name"].rstrip("/").rpartition("/")[2], one["type"]) for one in entries]
            del entries
            yield from (Entry(url, prefix + name) for name in _sorted(
                name for name, kind in names if kind == "file" and left.file(name)))
            waiting += sorted((prefix + name for name, kind in names
                               if kind == "directory" and left.folder(name)), reverse=True)


def _open(source: str) -> BinaryIO:
    if is_url(source):
        system, inner = file_system(source)
        opened: BinaryIO = system.open(inner, "rb")
        return opened
    return open(source, "rb")


def _gives_parts(file: BinaryIO, size: int) -> bool:
    """Return whether a server gives the end of a file without its beginning."""
    if not file.seekable():
        return False
    file.seek(max(0, size - 1))
    try:
        file.read(1)
    except ValueError:  # by fsspec's https, from servers such as Python's own
        return False
    return True


def _tar_members(source: str, file: BinaryIO, size: int, left: LeftOut,
                 problem: Callable[[str], None]) -> Iterator[Entry]:
    whole = 0
    try:
        with tarfile.TarFile(fileobj=file) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # else it keeps all
                special = not member.isreg() or member.issparse()
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError("its last file is cut")
                name = None if member.isdir() else left.member(member.name, special)
                whole += not member.isdir()
                if name is not None:
                    yield Entry(source, name, member.offset_data, member.size)
            if archive.offset + _BLOCK > size:
                raise tarfile.ReadError("the mark of its end is missing")
    except tarfile.TarError as error:
        problem(f"{source} is cut or damaged: {' '.join(str(error).split())}; its first {whole} "
                "files are whole.")
