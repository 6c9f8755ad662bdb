"""COCO annotations: which pictures there are, where their objects are, and the same of the results.

A file is read piece by piece, so that memory does not grow with it: the annotations of COCO's
training pictures have 450 MB, and four times as much as Python objects. What does not change is
copied byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from adain.errors import OptionError
from adain.files.storage import Entry, write_file
from adain.files.storage.entry import LeftOut
from adain.jobs.dataset.styles import Styles
from adain.jobs.dataset.tasks import Drawn, Namer, Shard, hash64
from adain.jobs.dataset.worker import Target, Task

_CHUNK = 1 << 20  # bytes
_LONGEST = 1 << 28  # bytes of a single piece
_LISTS = ("images", "annotations")  # read one by one
_SPACE = " \t\r\n"


class _Piece(NamedTuple):
    """A part of the file: an item of a list, or what stands between items.

    key: "images" or "annotations" for an item of these, else "". text: as in the file, a character
    for each byte. place: where it begins.
    """

    key: str
    text: str
    place: int


class Coco:
    """Annotations and the folder of their pictures.

    Raises OptionError while reading for a file that is no COCO annotations.
    """

    def __init__(self, path: str | Path, folder: str) -> None:
        self.path, self._folder = Path(path), folder
        if not self.path.is_file():
            raise OptionError(f"{path} does not exist, or is no file.")

    def __len__(self) -> int:
        return sum(1 for _ in self._images())

    def tasks(self, drawn: Drawn, namer: Namer, shard: Shard = Shard(),  # noqa: B008
              with_objects: bool = False) -> Iterator[Task]:
        """Yield the tasks of the pictures that the annotations list."""
        for image in self._images():
            task = self._task(image, drawn, namer)
            if task.targets and shard.takes(task.entry.name):
                yield (Task(task.entry, task.targets, objects=self.objects(image["id"]))
                       if with_objects else task)

    def _task(self, image: dict[str, Any], drawn: Drawn, namer: Namer) -> Task:
        entry = Entry(self._folder, image["file_name"])
        return Task(entry, namer.targets(entry, drawn(entry.name)))

    def _images(self) -> Iterator[dict[str, Any]]:
        for piece in self._pieces():
            if piece.key == "images":
                yield self._checked(piece)

    def _checked(self, piece: _Piece) -> dict[str, Any]:
        image = self._object(piece)
        name = image.get("file_name")
        if not isinstance(name, str) or LeftOut(None).member(name) != name:
            raise OptionError(f"{self.path} has a picture without a usable file_name: {name!r}.")
        if not isinstance(image.get("id"), int | str):
            raise OptionError(f"{self.path} has a picture without an id: {name}.")
        return image

    def _object(self, piece: _Piece) -> dict[str, Any]:
        found = json.loads(piece.text.encode("latin-1"))
        if not isinstance(found, dict):
            raise OptionError(f"{self.path} is no COCO annotations: in {piece.key} there is "
                              f"{piece.text[:40]}.")
        return found

    def objects(self, image_id: int | str) -> tuple[Any, ...]:
        """Return the segmentations of a picture's annotations."""
        rows, key = self._places, np.uint64(hash64(str(image_id)))
        start, end = (int(np.searchsorted(rows[:, 0], key, side)) for side in ("left", "right"))
        found = []
        with open(self.path, "rb") as file:
            for _, place, size in rows[start:end].tolist():
                file.seek(place)
                annotation = json.loads(file.read(size))
                if annotation.get("image_id") == image_id and annotation.get("segmentation"):
                    found.append(annotation["segmentation"])
        return tuple(found)

    @cached_property
    def _places(self) -> np.ndarray:
        """Where each annotation is, sorted by its picture: 24 bytes for each."""
        rows = [np.empty((0, 3), np.uint64)]
        some: list[tuple[int, int, int]] = []
        for piece in self._pieces():
            if piece.key == "annotations":
                some.append((hash64(str(self._object(piece).get("image_id"))), piece.place,
                             len(piece.text)))
            if len(some) == 10_000:
                rows, some = [*rows, np.array(some, np.uint64)], []
        found = np.concatenate([*rows, np.array(some, np.uint64).reshape(-1, 3)])
        ordered: np.ndarray = found[np.argsort(found[:, 0], kind="stable")]
        return ordered

    def write(self, out_path: str, drawn: Drawn, new_namer: Callable[[], Namer], styles: Styles,
              has: Callable[[Target], bool]) -> int:
        """Write the annotations of the results that are there; return how many pictures have none.

        Each record of a picture gets the name of the result and what it was made of. Where there
        are several results of a picture, its record and its annotations are there for each, with
        ids of their own: ID * N + K, or "ID__K" for ids that are text.
        """
        lacking: dict[int | str, list[int]] = {}  # the results that are there, if not all are
        count, namer = 1, new_namer()
        for image in self._images():
            targets = self._task(image, drawn, namer).targets
            there = [index for index, target in enumerate(targets) if has(target)]
            count = max(count, len(targets))
            if len(there) < len(targets):
                lacking[image["id"]] = there
        with write_file(out_path) as file:
            first, namer = "", new_namer()
            for piece in self._pieces():
                if not piece.key:
                    file.write(piece.text.encode("latin-1"))
                    first = ""
                    continue
                for text in (self._records(piece, drawn, namer, styles, count, lacking)
                             if piece.key == "images" else
                             self._annotations(piece, count, lacking)):
                    file.write((first + text).encode("latin-1"))
                    first = ", "
        return sum(not there for there in lacking.values())

    def _records(self, piece: _Piece, drawn: Drawn, namer: Namer, styles: Styles, count: int,
                 lacking: dict[int | str, list[int]]) -> Iterator[str]:
        image = self._checked(piece)
        targets = self._task(image, drawn, namer).targets
        for index in lacking.get(image["id"], range(len(targets))):
            draw = targets[index].draw
            style = {"styles": [styles.name(one) for one in draw.styles],
                     "weights": list(draw.weights), "alpha": draw.alpha}
            yield json.dumps(image | {"id": _new_id(image["id"], index, count), "style": style,
                                      "file_name": targets[index].name})

    def _annotations(self, piece: _Piece, count: int,
                     lacking: dict[int | str, list[int]]) -> Iterator[str]:
        if count == 1 and not lacking:
            yield piece.text
            return
        found = self._object(piece)
        image = found.get("image_id", 0)
        for index in lacking.get(image, range(count)):
            yield piece.text if count == 1 else json.dumps(
                found | {"id": _new_id(found.get("id", 0), index, count),
                         "image_id": _new_id(image, index, count)})

    def _pieces(self) -> Iterator[_Piece]:
        try:
            with open(self.path, "rb") as file:
                yield from _Reader(file).pieces()
        except (ValueError, RecursionError) as error:
            raise OptionError(f"{self.path} is no COCO annotations: {error}.") from None


def _new_id(one: Any, index: int, count: int) -> int | str:
    if count == 1 and isinstance(one, int | str):
        return one
    return one * count + index if isinstance(one, int) else f"{one}__{index}"


class _Reader:
    """Splits a JSON object into the items of its lists of images and annotations, and the rest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._decoder = file, json.JSONDecoder()
        self._text, self._at, self._before = "", 0, 0  # what is read, the next, bytes before
        self._kept = 0  # where what was not yielded begins

    def pieces(self) -> Iterator[_Piece]:
        """Yield all of the file, in order; between the items of a list nothing is yielded."""
        if self._next() != "{":
            raise ValueError("it is no JSON object")
        self._at += 1
        if self._next() == "}":
            raise ValueError("it is empty")
        seen = set()
        while True:
            key = self._value()
            if not isinstance(key, str) or self._next() != ":":
                raise ValueError("a name is missing")
            self._at += 1
            if key in _LISTS and self._next() == "[":
                seen.add(key)
                self._at += 1
                yield self._rest()
                yield from self._items(key)
                self._kept = self._at - 1  # the closing bracket
            else:
                self._next()
                self._value()
            char = self._next()
            self._at += 1
            if char == "}":
                break
            if char != ",":
                raise ValueError("a comma is missing")
            self._next()
        yield self._rest()
        if "images" not in seen:
            raise ValueError("it has no images")

    def _items(self, key: str) -> Iterator[_Piece]:
        char = self._next()
        while char != "]":
            start = self._at
            self._kept = start
            self._value()
            start = self._kept  # the buffer may have moved
            yield _Piece(key, self._text[start:self._at], self._before + start)
            char = self._next()
            if char == ",":
                self._at += 1
                char = self._next()
                if char == "]":
                    raise ValueError("a list ends with a comma")
            elif char != "]":
                raise ValueError("a comma is missing")
        self._at += 1

    def _rest(self) -> _Piece:
        """Return what was not yielded yet."""
        piece = _Piece("", self._text[self._kept:self._at], self._before + self._kept)
        self._kept = self._at
        return piece

    def _next(self) -> str:
        """Go to the next character that is no space, and return it."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            self._more()

    def _value(self) -> Any:
        """Return the value that begins here, and go behind it."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                if end < len(self._text):  # else a number may go on
                    self._at = end
                    return value
            except ValueError:  # it goes on, or it is none, which shows at the end of the file
                pass
            self._more()

    def _more(self) -> None:
        """Read on; what was yielded is dropped."""
        data = self._file.read(max(_CHUNK, len(self._text) - self._kept))
        if not data:
            raise ValueError("it ends early")
        if len(self._text) - self._kept > _LONGEST:
            raise ValueError(f"a part of it has more than {_LONGEST} bytes")
        self._text = self._text[self._kept:] + data.decode("latin-1")
        self._before += self._kept
        self._at -= self._kept
        self._kept = 0
