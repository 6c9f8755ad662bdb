"""Names of results: every result of a run has a file of its own, whatever its inputs are called.

Names count as equal where they differ only in case or in Unicode composition, because macOS and
Windows keep one file for both. A name depends on all inputs of a run, never on their order, so that
the next run finds the results of this one.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from adain.errors import OptionError
from adain.files.find import STREAM
from adain.files.writer import WRITE_SUFFIXES

LONGEST_NAME = 255  # bytes; what common file systems allow
FOLDERS_IN_NAME = 3  # that may stand before a name to tell it from others
HASH_DIGITS = (8, 16, 32, 64)


def folded(name: str) -> str:
    """Return what is the same for all spellings of a name that a file system may take for one."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def is_file_name(path: str | Path) -> bool:
    """Tell whether a path for results names a file, by its ending, rather than a folder.

    `out_0.5` and `out.v1` are folders; an ending of 2 to 4 letters and digits, of which two are
    letters, is that of a file, known or not. So is STREAM. A folder that exists, or a "/" at the
    end, is a folder.
    """
    text = os.fspath(path)
    if text == STREAM:
        return True
    if text.endswith(("/", os.sep)) or os.path.isdir(text):
        return False
    ending = Path(text).suffix.lower()
    return ending in WRITE_SUFFIXES or bool(
        re.fullmatch(r"\.(?=.*[a-z].*[a-z])[a-z0-9]{2,4}", ending))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return a name without ending for each file; the same one only for the same file.

    Where names would be equal, all of them get what tells them apart: their endings, else the
    folders that they lie in, else both, else a hash of their path.
    """
    files = {os.path.abspath(path): path for path in paths}
    names = {file: _stem(path) for file, path in files.items()}
    groups = {file: (file,) for file in files}  # the files that get their names together
    while True:
        equal = defaultdict(list)
        for file, name in names.items():
            equal[folded(name)].append(file)
        meeting = [found for found in equal.values() if len(found) > 1]
        if not meeting:
            return [names[os.path.abspath(path)] for path in paths]
        for found in meeting:
            group = tuple(sorted({other for file in found for other in groups[file]}))
            groups.update(dict.fromkeys(group, group))
        for group in {groups[found[0]] for found in meeting}:
            names.update(zip(group, _tell_apart([Path(file) for file in group])))


def _tell_apart(files: Sequence[Path]) -> list[str]:
    """Return the first names of _candidates() that differ."""
    return next(names for names in _candidates(files)
                if len(set(map(folded, names))) == len(files))


def _candidates(files: Sequence[Path]) -> Iterator[list[str]]:
    endings = [file.name.replace(".", "_") for file in files]
    yield endings
    for depth in range(1, FOLDERS_IN_NAME + 1):
        folders = ["_".join(file.parts[1:-1][-depth:]) for file in files]
        yield [f"{folder}_{file.stem}" for folder, file in zip(folders, files)]
        yield [f"{folder}_{name}" for folder, name in zip(folders, endings)]
    for digits in HASH_DIGITS:
        yield [f"{file.stem}_{_hash(os.fspath(file), digits)}" for file in files]


def name_results(results: Sequence[tuple[Path, Path, str]], out_path: str | Path, suffix: str,
                 endings: Sequence[str] = (".png",)) -> list[Path]:
    """Return the file that each result is written to.

    results: content, its folder inside of the contents' folder, and the style's name; in out_path
    that becomes FOLDER/CONTENT__STYLE.suffix, see also unique_places(). An out_path that
    is_file_name() is the one result's own name. endings: others that a result, or a file beside it,
    may get: results that are transparent become PNG files.
    """
    if is_file_name(out_path):
        if len(results) != 1:
            raise OptionError(f"`out_path={out_path}` names one result, but there are "
                              f"{len(results)}: name a folder.")
        return [Path(out_path)]
    names = _content_names({content: folder for content, folder, _ in results})
    paths = {content: os.path.abspath(content) for content in names}
    return unique_places(
        Path(out_path), [(folder, f"{names[content]}__{style}", f".{suffix}")
                         for content, folder, style in results],
        [f"{paths[content]} {style}" for content, _, style in results], endings)


def unique_places(root: Path, wanted: Sequence[tuple[Path, str, str]], keys: Sequence[str],
                  endings: Sequence[str] = ()) -> list[Path]:
    """Return files below a folder, with a hash after the names of those that would be the same.

    So where a file would have the name of a folder, or one that is too long, which is cut.
    wanted: each file's folder inside of the root, its name, and its ending with the dot. keys:
    texts that tell the files apart, of which the hash is made. endings: others that must be free.
    """
    parents = {parent: folded(f"{parent.as_posix()}/").removeprefix("./")
               for parent in {parent for parent, _, _ in wanted}}
    folders = {folded(above.as_posix()) for parent in parents
               for above in (parent, *parent.parents)}
    taken_endings = {ending: {ending.lower(), *endings} for ending in {one[2] for one in wanted}}
    room = {ending: LONGEST_NAME - max(map(len, found)) for ending, found in taken_endings.items()}
    names = [name for _, name, _ in wanted]

    def spellings(index: int) -> list[str]:
        parent, _, ending = wanted[index]
        start = parents[parent] + folded(names[index])
        return [start + found for found in taken_endings[ending]]

    spelled = list(map(spellings, range(len(wanted))))
    for digits in HASH_DIGITS:
        taken = Counter(spelling for each in spelled for spelling in each)
        unfit = [index for index, name in enumerate(names)
                 if len(os.fsencode(name)) > room[wanted[index][2]]
                 or any(taken[spelling] > 1 or spelling in folders for spelling in spelled[index])]
        for index in unfit:
            _, name, ending = wanted[index]
            names[index] = (f"{_cut(name, room[ending] - len('_') - digits)}_"
                            f"{_hash(keys[index], digits)}")
            spelled[index] = spellings(index)
        if not unfit:
            break
    places = {parent: os.path.join(root, parent) for parent in parents}
    return [Path(places[parent], f"{name}{ending}")
            for (parent, _, ending), name in zip(wanted, names)]


def _content_names(folders: dict[Path, Path]) -> dict[Path, str]:
    """Return a name for each content, given its folder; names differ within a folder."""
    together = defaultdict(list)
    for content, folder in folders.items():
        together[folded(folder.as_posix())].append(content)
    return {content: name for contents in together.values()
            for content, name in zip(contents, unique_names(contents))}


def _stem(path: Path) -> str:
    return "stdin" if str(path) == STREAM else path.stem


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:digits]


def _cut(text: str, room: int) -> str:
    """Return a text in so many bytes, without its middle where it is longer."""
    data, half = os.fsencode(text), room // 2
    if len(data) <= room:
        return text
    return "".join(part.decode("utf-8", "ignore") for part in (data[:half], data[-half:]))
