"""Unique names of results, whatever the names of the inputs.

Names that differ only in case or Unicode composition count as equal, because macOS and Windows
store them as one file. A name depends on all inputs of a run, but not on their order, so that the
next run finds the results of this one.
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

LONGEST_NAME = 255  # bytes, the limit of common file systems
FOLDERS_IN_NAME = 3  # maximum number of folders that are put before a name to make it unique
HASH_DIGITS = (8, 16, 32, 64)  # tried one after the other until names are unique


def folded(name: str) -> str:
    """Return a form of a name that is equal for all names that a file system may treat as equal."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def is_file_name(path: str | Path) -> bool:
    """Return whether a path for results is a file rather than a folder, by its suffix.

    A suffix of 2 to 4 letters and digits, at least two of them letters, makes it a file; `out_0.5`
    and `out.v1` are folders. STREAM is a file. An existing folder, or a path that ends with "/", is
    a folder.
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
    """Return a unique name without suffix for each file; equal paths get equal names.

    The name is that of the file. If several files share it, the first of these that makes names
    unique is added: the suffix, the folders, both, a hash of the path.

    >>> unique_names([Path("a/x.jpg"), Path("a/x.png"), Path("y.jpg")])
    ['x_jpg', 'x_png', 'y']
    """
    files = {os.path.abspath(path): path for path in paths}
    names = {file: _stem(path) for file, path in files.items()}
    # Files whose names are chosen together; groups whose new names collide are merged.
    groups: dict[str, tuple[str, ...]] = {file: (file,) for file in files}
    while True:
        by_name = defaultdict(list)
        for file, name in names.items():
            by_name[folded(name)].append(file)
        collisions = [same for same in by_name.values() if len(same) > 1]
        if not collisions:
            return [names[os.path.abspath(path)] for path in paths]
        for same in collisions:
            group = tuple(sorted({other for file in same for other in groups[file]}))
            groups.update(dict.fromkeys(group, group))
        for group in {groups[same[0]] for same in collisions}:
            names.update(zip(group, _distinct_names([Path(file) for file in group])))


def _distinct_names(files: Sequence[Path]) -> list[str]:
    """Return the first list of names from _candidates() without duplicates."""
    return next(names for names in _candidates(files)
                if len(set(map(folded, names))) == len(files))


def _candidates(files: Sequence[Path]) -> Iterator[list[str]]:
    """Yield lists of names for the files, from short to long ones."""
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
    """Return the path of each result: OUT_PATH/FOLDER/CONTENT__STYLE.suffix, made unique.

    Args:
        results: for each result the path of its content, the subfolder of the content path that
            the content is in, and the name of the style.
        out_path: a folder; or, if is_file_name(), the path of the single result.
        suffix: the suffix of results in a folder, without the dot.
        endings: other suffixes that a result, or a file beside it, may get, with the dot:
            transparent results become PNG files, for example.

    Raises:
        OptionError: out_path is a file, but there are several results.
    """
    if is_file_name(out_path):
        if len(results) != 1:
            raise OptionError(f"`out_path={out_path}` is one file, but there are {len(results)} "
                              "results: name a folder.")
        return [Path(out_path)]
    names = _content_names({content: folder for content, folder, _ in results})
    paths = {content: os.path.abspath(content) for content in names}
    return unique_places(
        Path(out_path), [(folder, f"{names[content]}__{style}", f".{suffix}")
                         for content, folder, style in results],
        [f"{paths[content]} {style}" for content, _, style in results], endings)


def unique_places(root: Path, wanted: Sequence[tuple[Path, str, str]], keys: Sequence[str],
                  endings: Sequence[str] = ()) -> list[Path]:
    """Return unique paths below a folder.

    A hash is appended to a name that is not unique, that equals the name of a subfolder, or that
    is too long; the latter is also shortened.

    Args:
        root: the folder.
        wanted: for each file its subfolder, its name, and its suffix with the dot.
        keys: for each file a unique text, from which the hash is made.
        endings: other suffixes with which the names must be unique, too.
    """
    parents = {parent: folded(f"{parent.as_posix()}/").removeprefix("./")
               for parent in {parent for parent, _, _ in wanted}}
    folders = {folded(above.as_posix()) for parent in parents
               for above in (parent, *parent.parents)}
    all_endings = {ending: {ending.lower(), *endings}
                   for ending in {ending for _, _, ending in wanted}}
    longest = {ending: LONGEST_NAME - max(map(len, others))
               for ending, others in all_endings.items()}
    names = [name for _, name, _ in wanted]

    def file_names(index: int) -> list[str]:
        """Return every path, folded, that file number `index` may get."""
        parent, _, ending = wanted[index]
        start = parents[parent] + folded(names[index])
        return [start + other for other in all_endings[ending]]

    used = list(map(file_names, range(len(wanted))))
    for digits in HASH_DIGITS:
        counts = Counter(path for each in used for path in each)
        unfit = [index for index, name in enumerate(names)
                 if len(os.fsencode(name)) > longest[wanted[index][2]]
                 or any(counts[path] > 1 or path in folders for path in used[index])]
        for index in unfit:
            _, name, ending = wanted[index]
            names[index] = (f"{_shorten(name, longest[ending] - len('_') - digits)}_"
                            f"{_hash(keys[index], digits)}")
            used[index] = file_names(index)
        if not unfit:
            break
    places = {parent: os.path.join(root, parent) for parent in parents}
    return [Path(places[parent], f"{name}{ending}")
            for (parent, _, ending), name in zip(wanted, names)]


def _content_names(folders: dict[Path, Path]) -> dict[Path, str]:
    """Return a name for each content, unique within its folder."""
    together = defaultdict(list)
    for content, folder in folders.items():
        together[folded(folder.as_posix())].append(content)
    return {content: name for contents in together.values()
            for content, name in zip(contents, unique_names(contents))}


def _stem(path: Path) -> str:
    return "stdin" if str(path) == STREAM else path.stem


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:digits]


def _shorten(text: str, length: int) -> str:
    """Shorten a text to `length` bytes by removing its middle."""
    data, half = os.fsencode(text), length // 2
    if len(data) <= length:
        return text
    return "".join(part.decode("utf-8", "ignore") for part in (data[:half], data[-half:]))
