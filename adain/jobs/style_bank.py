"""Make a bank: encode each of many paintings once, see adain.networks.style_bank.

What is encoded is appended to a file beside the bank, BANK.part, so that a run that was stopped
goes on where it was. A bank that exists is brought up to date: only paintings that it lacks are
read.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adain.errors import ImageError, WeightsError
from adain.files import images
from adain.files.atomic import append
from adain.files.reader import open_bytes
from adain.files.storage import Entry, Pictures, read
from adain.jobs.pipeline import ahead, picture_errors
from adain.networks.openvino.cpu import usable_cores
from adain.networks.stats import ChannelStats
from adain.networks.style_bank import StyleBank, is_bank, write_bank
from adain.progress import StopRequest, checked
from adain.transfer.stylizer import Stylizer

_MOST_DECODED = 8  # at once: paintings have tens of megapixels
_NUMBER = struct.Struct("<I")


class Made(NamedTuple):
    """What make_bank() did: numbers of styles in the bank and of those encoded now, and errors."""

    styles: int
    encoded: int
    bad: list[ImageError]


def make_bank(listing: Pictures, path: str | Path, stylizer: Stylizer,
              progress: Callable[[list[Entry]], Iterable[Entry]] = iter,
              report: Callable[[ImageError], None] = lambda error: None,
              stop: StopRequest | None = None) -> Made:
    """Write the bank of all pictures of a listing; their names are those below its folders.

    Args:
        listing: of equal names the first one counts.
        progress: is given the pictures that are to be encoded, and yields them.
        report: called with each picture that cannot be used; the others make the bank.
        stop: ends the work between two pictures; what is done is kept for the next run.

    Raises:
        ImageError: there is no picture, or none can be used.
        WeightsError: the bank cannot be written, or `path` is another kind of file.
    """
    paintings: dict[str, Entry] = {}
    for entry in listing:
        paintings.setdefault(entry.name, entry)
    names = sorted(paintings, key=os.fsencode)
    part = Path(f"{path}.part")
    bank = _existing(path, stylizer)
    kept = {} if bank is None else {name: row for row, name in enumerate(bank.names())}
    encoded = _Part(part, stylizer)
    todo = [paintings[name] for name in names if name not in kept and name not in encoded.places]
    bad: list[ImageError] = []
    cores = min(usable_cores(), _MOST_DECODED)
    with ThreadPoolExecutor(cores) as pool:
        work = ahead(progress(todo), lambda entry: _read(entry, stylizer), pool, 2 * cores)
        for entry, picture in checked(work, stop):
            try:
                with picture_errors(Path(entry.place)):
                    encoded.add(entry.name, stylizer.encode_style(picture.result()))
            except ImageError as error:
                bad.append(error)
                report(error)
    known = [name for name in names if name in kept or name in encoded.places]
    if not known:
        raise ImageError(f"none of the {len(names)} paintings can be read.")
    if bank is None or known != list(bank.names()):
        with tempfile.TemporaryFile(dir=Path(path).parent) as file:
            rows: np.ndarray = np.memmap(file, np.float32, "w+",
                                         shape=(2, len(known), stylizer.channels))
            for row, name in enumerate(known):
                rows[0, row], rows[1, row] = (encoded.style(name) if name in encoded.places
                                              else bank.style(kept[name]) if bank else (0, 0))
            write_bank(path, known, rows[0], rows[1], stylizer.fingerprint, stylizer.style_size)
    part.unlink(missing_ok=True)
    return Made(len(known), len(encoded.places), bad)


def _existing(path: str | Path, stylizer: Stylizer) -> StyleBank | None:
    """Return the bank that is there, if it was made as this one shall be."""
    if not Path(path).exists():
        return None
    if not is_bank(path):
        raise WeightsError(f"{path} exists and is no bank of styles: name another file.")
    bank = StyleBank(path, stylizer.fingerprint)
    if bank.style_size != (stylizer.style_size or 0):
        raise WeightsError(f"{path} was made with `style_size={bank.style_size}`; received "
                           f"{stylizer.style_size or 0}: name another file.")
    return bank


def _read(entry: Entry, stylizer: Stylizer) -> np.ndarray:
    picture = open_bytes(read(entry), entry.place)
    return stylizer.shrink_style(images.fill_transparent(picture.rgb, picture.opacity))


class _Part:
    """Styles that are encoded already: a line of settings, then a record for each.

    A record: the length of the name and the name, means and deviations, and a checksum. A record
    that is cut, and what follows it, is dropped.

    places: where each style's numbers begin.
    """

    def __init__(self, path: Path, stylizer: Stylizer) -> None:
        self._path, self._channels = path, stylizer.channels
        self.places: dict[str, int] = {}
        settings = json.dumps({"encoder": stylizer.fingerprint, "channels": stylizer.channels,
                               "style_size": stylizer.style_size}).encode() + b"\n"
        self._size = len(settings)
        if path.is_file() and path.stat().st_size:
            with open(path, "rb") as file:
                fits = file.readline(1000) == settings
                for name, place, end in self._records() if fits else ():
                    self.places[name], self._size = place, end
            os.truncate(path, self._size if fits else 0)
        if not self.places:
            path.unlink(missing_ok=True)
            append(path, settings, WeightsError)

    def _records(self) -> Iterator[tuple[str, int, int]]:
        """Yield the name of each whole record, where its numbers begin, and where it ends."""
        with open(self._path, "rb") as file:
            file.readline()
            while len(length := file.read(_NUMBER.size)) == _NUMBER.size:
                name = file.read(min(_NUMBER.unpack(length)[0], 1 << 16))
                place = file.tell()
                numbers, check = file.read(8 * self._channels), file.read(_NUMBER.size)
                if check != _NUMBER.pack(zlib.crc32(name + numbers)):
                    return
                yield os.fsdecode(name), place, file.tell()

    def add(self, name: str, style: ChannelStats) -> None:
        """Append a style; raise WeightsError if that fails, as on a full disk."""
        raw = os.fsencode(name)
        numbers = style.mean.tobytes() + style.std.tobytes()
        start = _NUMBER.pack(len(raw)) + raw
        append(self._path, start + numbers + _NUMBER.pack(zlib.crc32(raw + numbers)), WeightsError)
        self.places[name] = self._size + len(start)
        self._size += len(start) + len(numbers) + _NUMBER.size

    def style(self, name: str) -> ChannelStats:
        """Return a style that was added."""
        with open(self._path, "rb") as file:
            file.seek(self.places[name])
            return ChannelStats(*np.fromfile(file, np.float32, 2 * self._channels).reshape(2, -1))
