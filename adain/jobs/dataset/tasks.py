"""List the tasks of a data set lazily; name their results; divide them among several jobs."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath

from adain.errors import OptionError
from adain.files.formats import READ_SUFFIXES
from adain.files.images import WRITE_SUFFIXES
from adain.files.storage import Entry
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.draws import Draw
from adain.jobs.dataset.worker import Target, Task

DrawsOf = Callable[[str], tuple[Draw, ...]]  # content name -> a Draw for each of its results


@dataclass(frozen=True)
class Shard:
    """The part of a data set that one of several jobs makes.

    Args:
        index: number of the part, from 0 to count - 1.
        count: number of parts.

    Raises:
        OptionError: index or count is out of range.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.index < self.count:
            raise OptionError(f"`shard` must be I/N with I from 0 to N - 1; received {self.index}/"
                              f"{self.count}.")

    def takes(self, name: str) -> bool:
        """Return whether the results of a content, given by its name, belong to this part."""
        return self.count == 1 or hash64(name) % self.count == self.index

    @property
    def suffix(self) -> str:
        """Text for the names of files that every job writes: "-00003-of-00064", or "" for one job.
        """
        return "" if self.count == 1 else f"-{self.index:05d}-of-{self.count:05d}"


def hash64(text: str) -> int:
    """Return a hash of a text, 0 to 2**64 - 1; the same on all machines."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(text), digest_size=8).digest(), "little")


class HashSet:
    """A set of texts that stores 64-bit hashes: 11 to 22 bytes per text.

    Two different texts are taken for equal with a probability of 5e-20.
    """

    def __init__(self) -> None:
        self._slots, self._count = array("Q", bytes(8 * 1024)), 0

    def __contains__(self, text: str) -> bool:
        key = hash64(text) or 1
        return self._slots[self._slot(key)] == key

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> bool:
        """Add a text; return whether it was not in the set."""
        key = hash64(text) or 1
        slot = self._slot(key)
        if self._slots[slot] == key:
            return False
        self._slots[slot] = key
        self._count += 1
        if 4 * self._count > 3 * len(self._slots):
            before, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
            for key in filter(None, before):
                self._slots[self._slot(key)] = key
        return True

    def _slot(self, key: int) -> int:
        """Return the slot that a key has or would get."""
        slots, last = self._slots, len(self._slots) - 1
        slot = key & last
        while slots[slot] and slots[slot] != key:
            slot = (slot + 1) & last
        return slot


class Namer:
    """Names the results of contents, uniquely within one folder or tar file.

    Args:
        config: format and kind of names.
        style_name: returns the name of a style by its index.
    """

    def __init__(self, config: DatasetConfig, style_name: Callable[[int], str]) -> None:
        self._config, self._style_name = config, style_name
        self._taken = HashSet()

    def targets(self, entry: Entry, draws: tuple[Draw, ...]) -> tuple[Target, ...]:
        """Return the results of a content: NAME.jpg; several are NAME__0.jpg, NAME__1.jpg ..."""
        config, path = self._config, PurePosixPath(entry.name)
        suffix = path.suffix if path.suffix.lower() in WRITE_SUFFIXES else ".jpg"
        if config.format is not None and _kind(suffix) != _kind(f".{config.format}"):
            suffix = f".{config.format}"
        stem = entry.name[:len(entry.name) - len(path.suffix)]
        if not self._taken.add(stem + suffix):  # as for a.png beside a.jpg, both written as jpg
            stem = f"{stem}_{path.suffix[1:]}"
            if not self._taken.add(stem + suffix):
                stem += f"_{hash64(entry.place):016x}"
        return tuple(Target(f"{stem}{self._ending(index, draw)}{suffix}", draw)
                     for index, draw in enumerate(draws))

    def _ending(self, index: int, draw: Draw) -> str:
        if self._config.names == "style":
            styles = "+".join(PurePosixPath(self._style_name(style)).stem for style in draw.styles)
            return f"__{styles}" + (f"__{index}" if self._config.styles_per_picture > 1 else "")
        return f"__{index}" if self._config.styles_per_picture > 1 else ""


def _kind(suffix: str) -> str:
    return {".jpeg": ".jpg", ".tiff": ".tif"}.get(suffix.lower(), suffix.lower())


def samples(entries: Iterable[Entry]) -> Iterator[tuple[list[Entry], list[Entry]]]:
    """Group the files of a tar file into samples, as WebDataset does.

    Consecutive files whose names are equal up to the first dot are one sample: 000.jpg is its
    picture; 000.cls, 000.json and 000.mask.png accompany it.

    Yields:
        The pictures and the accompanying files of each sample.
    """
    for _, group in groupby(entries, key=lambda entry: split_key(entry.name)[0]):
        pictures: list[Entry] = []
        beside: list[Entry] = []
        for entry in group:
            is_picture = f".{split_key(entry.name)[1]}".lower() in READ_SUFFIXES
            (pictures if is_picture else beside).append(entry)
        yield pictures, beside


def split_key(name: str) -> tuple[str, str]:
    """Split a path at the first dot of its file name: a/000.mask.png -> a/000, mask.png."""
    folder, slash, file = name.rpartition("/")
    key, _, ending = file.partition(".")
    return folder + slash + key, ending


def tasks_of(entries: Iterable[Entry], draws_of: DrawsOf, namer: Namer,
             shard: Shard = Shard()) -> Iterator[Task]:  # noqa: B008
    """Yield the tasks of pictures in a folder that belong to a shard."""
    for entry in entries:
        draws = draws_of(entry.name)
        targets = namer.targets(entry, draws) if draws else ()
        if targets and shard.takes(entry.name):
            yield Task(entry, targets)


def sample_tasks(entries: Iterable[Entry], draws_of: DrawsOf,
                 namer: Namer) -> Iterator[Task | Entry]:
    """Yield the tasks of a tar file, and the files in it that accompany no picture."""
    for pictures, beside in samples(entries):
        if not pictures:
            yield from beside
        for entry in pictures:
            draws = draws_of(entry.name)
            if draws:
                yield Task(entry, namer.targets(entry, draws), tuple(beside))
            beside = []
