"""Read COCO annotations (pictures and the segmentations of their objects), and write new ones.

A file is parsed incrementally, so that memory does not grow with it: the annotations of COCO's
training pictures have 450 MB, and four times as much as Python objects. Parts of the file that do
not change are copied byte for byte.
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
from adain.jobs.dataset.tasks import DrawsOf, Namer, Shard, hash64
from adain.jobs.dataset.worker import Target, Task

_CHUNK = 1 << 20  # bytes read at a time
_LONGEST = 1 << 28  # bytes of a single JSON value
_LISTS = ("images", "annotations")  # whose items are parsed one by one
_SPACE = " \t\r\n"


class _Piece(NamedTuple):
    """A piece of the file: one item of a list, or the text between such items.

    key: "images" or "annotations" for an item of that list, else "".
    text: the bytes of the file, decoded as Latin-1.
    offset: number of bytes before it.
    """

    key: str
    text: str
    offset: int


class Coco:
    """A file of COCO annotations and the folder of its pictures; len() is the number of pictures.

    Args:
        path: the .json file.
        folder: path or URL of the folder to which the file names in the annotations are relative.

    Raises:
        OptionError: the file does not exist; while reading, it is not a COCO annotation file.
    """

    def __init__(self, path: str | Path, folder: str) -> None:
        self.path, self._folder = Path(path), folder
        if not self.path.is_file():
            raise OptionError(f"{path} does not exist, or is not a file.")

    def __len__(self) -> int:
        return sum(1 for _ in self._images())

    def tasks(self, draws_of: DrawsOf, namer: Namer, shard: Shard = Shard(),  # noqa: B008
              with_objects: bool = False) -> Iterator[Task]:
        """Yield the tasks of the pictures that the annotations list.

        Args:
            draws_of: returns the draws of a content by its name.
            namer: names the results.
            shard: the part of the pictures to yield.
            with_objects: whether tasks get the segmentations of their objects.
        """
        for image in self._images():
            task = self._task(image, draws_of, namer)
            if task.targets and shard.takes(task.entry.name):
                yield (Task(task.entry, task.targets, objects=self.objects(image["id"]))
                       if with_objects else task)

    def _task(self, image: dict[str, Any], draws_of: DrawsOf, namer: Namer) -> Task:
        entry = Entry(self._folder, image["file_name"])
        return Task(entry, namer.targets(entry, draws_of(entry.name)))

    def _images(self) -> Iterator[dict[str, Any]]:
        for piece in self._pieces():
            if piece.key == "images":
                yield self._checked(piece)

    def _checked(self, piece: _Piece) -> dict[str, Any]:
        """Return a record of `images`; raise OptionError if its name or id cannot be used."""
        image = self._object(piece)
        name = image.get("file_name")
        if not isinstance(name, str) or LeftOut(None).member(name) != name:
            raise OptionError(f"{self.path} has a picture without a usable file_name: {name!r}.")
        if not isinstance(image.get("id"), int | str):
            raise OptionError(f"{self.path} has a picture without an id: {name}.")
        return image

    def _object(self, piece: _Piece) -> dict[str, Any]:
        record = json.loads(piece.text.encode("latin-1"))
        if not isinstance(record, dict):
            raise OptionError(f"{self.path} is not a COCO annotation file: {piece.key} must hold "
                              f"JSON objects; received {piece.text[:40]}.")
        return record

    def objects(self, image_id: int | str) -> tuple[Any, ...]:
        """Return the segmentations of a picture's annotations."""
        index, key = self._index, np.uint64(hash64(str(image_id)))
        start, end = (int(np.searchsorted(index[:, 0], key, side)) for side in ("left", "right"))
        segmentations = []
        with open(self.path, "rb") as file:
            for _, offset, size in index[start:end].tolist():
                file.seek(offset)
                annotation = json.loads(file.read(size))
                if annotation.get("image_id") == image_id and annotation.get("segmentation"):
                    segmentations.append(annotation["segmentation"])
        return tuple(segmentations)

    @cached_property
    def _index(self) -> np.ndarray:
        """Where annotations are: uint64 (annotations, 3), 24 bytes each, sorted by hash.

        A row has the hash of the picture's id, and the annotation's offset and size in bytes.
        """
        blocks = [np.empty((0, 3), np.uint64)]
        rows: list[tuple[int, int, int]] = []
        for piece in self._pieces():
            if piece.key == "annotations":
                rows.append((hash64(str(self._object(piece).get("image_id"))), piece.offset,
                             len(piece.text)))
            if len(rows) == 10_000:
                blocks, rows = [*blocks, np.array(rows, np.uint64)], []
        index = np.concatenate([*blocks, np.array(rows, np.uint64).reshape(-1, 3)])
        ordered: np.ndarray = index[np.argsort(index[:, 0], kind="stable")]
        return ordered

    def write(self, out_path: str, draws_of: DrawsOf, new_namer: Callable[[], Namer],
              styles: Styles, exists: Callable[[Target], bool]) -> int:
        """Write annotations of the existing results.

        Each record of a picture gets the file name of its result, and a `style`: the names and
        weights of its styles and its strength. If N > 1 results of each picture are made, its
        record and its annotations are repeated for each, with new ids: ID * N + K for result K,
        or "ID__K" if ids are text.

        Args:
            out_path: path or URL of the file to write.
            draws_of: returns the draws of a content by its name.
            new_namer: returns a Namer that has not named anything; the file is read twice.
            styles: the styles that the draws refer to.
            exists: whether the file of a result exists.

        Returns:
            The number of pictures without any result, whose records are left out.
        """
        incomplete: dict[int | str, list[int]] = {}  # picture id -> its existing results
        count, namer = 1, new_namer()
        for image in self._images():
            targets = self._task(image, draws_of, namer).targets
            existing = [index for index, target in enumerate(targets) if exists(target)]
            count = max(count, len(targets))
            if len(existing) < len(targets):
                incomplete[image["id"]] = existing
        with write_file(out_path) as file:
            separator, namer = "", new_namer()
            for piece in self._pieces():
                if not piece.key:
                    file.write(piece.text.encode("latin-1"))
                    separator = ""
                    continue
                for text in (self._records(piece, draws_of, namer, styles, count, incomplete)
                             if piece.key == "images" else
                             self._annotations(piece, count, incomplete)):
                    file.write((separator + text).encode("latin-1"))
                    separator = ", "
        return sum(not existing for existing in incomplete.values())

    def _records(self, piece: _Piece, draws_of: DrawsOf, namer: Namer, styles: Styles, count: int,
                 incomplete: dict[int | str, list[int]]) -> Iterator[str]:
        """Yield the new records of a picture, one for each existing result."""
        image = self._checked(piece)
        targets = self._task(image, draws_of, namer).targets
        for index in incomplete.get(image["id"], range(len(targets))):
            draw = targets[index].draw
            style = {"styles": [styles.name(one) for one in draw.styles],
                     "weights": list(draw.weights), "alpha": draw.alpha}
            yield json.dumps(image | {"id": _new_id(image["id"], index, count), "style": style,
                                      "file_name": targets[index].name})

    def _annotations(self, piece: _Piece, count: int,
                     incomplete: dict[int | str, list[int]]) -> Iterator[str]:
        """Yield the new copies of an annotation, one for each existing result of its picture."""
        if count == 1 and not incomplete:
            yield piece.text
            return
        annotation = self._object(piece)
        image = annotation.get("image_id", 0)
        for index in incomplete.get(image, range(count)):
            yield piece.text if count == 1 else json.dumps(
                annotation | {"id": _new_id(annotation.get("id", 0), index, count),
                              "image_id": _new_id(image, index, count)})

    def _pieces(self) -> Iterator[_Piece]:
        try:
            with open(self.path, "rb") as file:
                yield from _Reader(file).pieces()
        except (ValueError, RecursionError) as error:
            raise OptionError(f"{self.path} is not a COCO annotation file: {error}.") from None


def _new_id(old: Any, index: int, count: int) -> int | str:
    if count == 1 and isinstance(old, int | str):
        return old
    return old * count + index if isinstance(old, int) else f"{old}__{index}"


class _Reader:
    """Splits a JSON object into the items of its lists of images and annotations, and the rest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._decoder = file, json.JSONDecoder()
        self._text, self._at = "", 0  # a window of the file, and the position in it
        self._before = 0  # number of bytes before the window
        self._kept = 0  # position in the window from which nothing was yielded yet

    def pieces(self) -> Iterator[_Piece]:
        """Yield the whole file in order, without the commas between the items of a list."""
        if self._next() != "{":
            raise ValueError("it is not a JSON object")
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
        """Return the text up to the current position that was not yielded yet."""
        piece = _Piece("", self._text[self._kept:self._at], self._before + self._kept)
        self._kept = self._at
        return piece

    def _next(self) -> str:
        """Go to the next character that is not white space, and return it."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            self._more()

    def _value(self) -> Any:
        """Return the JSON value at the current position, and go to its end."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                if end < len(self._text):  # at the end of the window a number may be incomplete
                    self._at = end
                    return value
            except ValueError:  # incomplete, or invalid: then the end of the file is reached
                pass
            self._more()

    def _more(self) -> None:
        """Extend the window, and drop what was yielded from it."""
        data = self._file.read(max(_CHUNK, len(self._text) - self._kept))
        if not data:
            raise ValueError("it ends early, or a value in it is not valid JSON")
        if len(self._text) - self._kept > _LONGEST:
            raise ValueError(f"a value in it has more than {_LONGEST} bytes")
        self._text = self._text[self._kept:] + data.decode("latin-1")
        self._before += self._kept
        self._at -= self._kept
        self._kept = 0
