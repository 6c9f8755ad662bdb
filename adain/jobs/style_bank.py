"""Make a bank of styles: encode many paintings once, see adain.networks.style_bank.

Encoded styles are appended to a file beside the bank, BANK.part, from which the next run continues
if this one is stopped. An existing bank is updated: only paintings that it lacks are read.
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

_MOST_DECODED = 8  # paintings decoded at once, as they have tens of megapixels
_NUMBER = struct.Struct("<I")


class BankSummary(NamedTuple):
    """The outcome of make_bank().

    styles: number of styles in the bank.
    encoded: number of those that were not in the bank before.
    bad: an error for each picture that could not be used.
    """

    styles: int
    encoded: int
    bad: list[ImageError]


def make_bank(listing: Pictures, path: str | Path, stylizer: Stylizer,
              progress: Callable[[list[Entry]], Iterable[Entry]] = iter,
              report: Callable[[ImageError], None] = lambda error: None,
              stop: StopRequest | None = None, tune: int = 0) -> BankSummary:
    """Write the bank of all pictures in a listing.

    A style has the name of its picture: its path below the folder that is listed.

    Args:
        listing: the pictures; of several with the same name, the first one is used.
        path: the .npz file to write, or to update.
        stylizer: encodes the pictures.
        progress: called with the pictures that will be encoded; yields them, like tqdm.
        report: called with the error of each picture that cannot be used.
        stop: asks the run to end between two pictures; what is encoded is kept for the next run.
        tune: number of iterations that tune each style, see Stylizer.encode_style().

    Returns:
        The numbers of styles, and the errors of pictures that are not in the bank.

    Raises:
        ImageError: there are no pictures, or none can be used.
        WeightsError: the bank cannot be written, or `path` is another kind of file.
        Stopped: `stop` asked for it.
    """
    paintings: dict[str, Entry] = {}
    for entry in listing:
        paintings.setdefault(entry.name, entry)
    names = sorted(paintings, key=os.fsencode)
    part = Path(f"{path}.part")
    bank = _existing(path, stylizer, tune)
    in_bank = {} if bank is None else {name: row for row, name in enumerate(bank.names())}
    encoded = _Part(part, stylizer, tune)
    todo = [paintings[name] for name in names
            if name not in in_bank and name not in encoded.offsets]
    bad: list[ImageError] = []
    cores = min(usable_cores(), _MOST_DECODED)
    with ThreadPoolExecutor(cores) as pool:
        work = ahead(progress(todo), lambda entry: _read(entry, stylizer), pool, 2 * cores)
        for entry, picture in checked(work, stop):
            try:
                with picture_errors(Path(entry.place)):
                    encoded.add(entry.name, stylizer.encode_style(picture.result(), tune=tune,
                                                                  stop=stop))
            except ImageError as error:
                bad.append(error)
                report(error)
    usable = [name for name in names if name in in_bank or name in encoded.offsets]
    if not usable:
        raise ImageError(f"none of the {len(names)} paintings can be read.")
    if bank is None or usable != list(bank.names()):
        with tempfile.TemporaryFile(dir=Path(path).parent) as file:
            table: np.ndarray = np.memmap(file, np.float32, "w+",
                                          shape=(2, len(usable), stylizer.channels))
            for row, name in enumerate(usable):
                table[0, row], table[1, row] = (
                    encoded.style(name) if name in encoded.offsets
                    else bank.style(in_bank[name]) if bank else (0, 0))
            write_bank(path, usable, table[0], table[1], stylizer.fingerprint, stylizer.style_size,
                       tune)
    part.unlink(missing_ok=True)
    return BankSummary(len(usable), len(encoded.offsets), bad)


def _existing(path: str | Path, stylizer: Stylizer, tune: int) -> StyleBank | None:
    """Return the bank at `path`, or None if there is no file.

    Raises:
        WeightsError: the file is not a bank, or was made with another encoder, size or tuning.
    """
    if not Path(path).exists():
        return None
    if not is_bank(path):
        raise WeightsError(f"{path} exists and is not a bank of styles: name another file.")
    bank = StyleBank(path, stylizer.fingerprint)
    for name, before, now in (("style_size", bank.style_size, stylizer.style_size or 0),
                              ("tune", bank.tune, tune)):
        if before != now:
            raise WeightsError(f"{path} was made with `{name}={before}`; received {now}: name "
                               "another file.")
    return bank


def _read(entry: Entry, stylizer: Stylizer) -> np.ndarray:
    picture = open_bytes(read(entry), entry.place)
    return stylizer.shrink_style(images.fill_transparent(picture.rgb, picture.opacity))


class _Part:
    """BANK.part: a line of settings, then a record for each style encoded so far.

    A record has the length of the name (4 bytes), the name, means and deviations (float32), and
    their CRC-32. The first incomplete or damaged record, and all after it, are dropped.

    Attributes:
        offsets: by name, the number of bytes before a style's means.
    """

    def __init__(self, path: Path, stylizer: Stylizer, tune: int) -> None:
        self._path, self._channels = path, stylizer.channels
        self.offsets: dict[str, int] = {}
        settings = json.dumps({"encoder": stylizer.fingerprint, "channels": stylizer.channels,
                               "style_size": stylizer.style_size,
                               "tune": tune}).encode() + b"\n"
        self._size = len(settings)
        if path.is_file() and path.stat().st_size:
            with open(path, "rb") as file:
                fits = file.readline(1000) == settings
                for name, offset, end in self._records() if fits else ():
                    self.offsets[name], self._size = offset, end
            os.truncate(path, self._size if fits else 0)
        if not self.offsets:
            path.unlink(missing_ok=True)
            append(path, settings, WeightsError)

    def _records(self) -> Iterator[tuple[str, int, int]]:
        """Yield the name of each valid record, the offset of its means, and its end, in bytes."""
        with open(self._path, "rb") as file:
            file.readline()
            while len(length := file.read(_NUMBER.size)) == _NUMBER.size:
                name = file.read(min(_NUMBER.unpack(length)[0], 1 << 16))
                offset = file.tell()
                numbers, check = file.read(8 * self._channels), file.read(_NUMBER.size)
                if check != _NUMBER.pack(zlib.crc32(name + numbers)):
                    return
                yield os.fsdecode(name), offset, file.tell()

    def add(self, name: str, style: ChannelStats) -> None:
        """Append a style; raise WeightsError if it cannot be written, as on a full disk."""
        raw = os.fsencode(name)
        numbers = style.mean.tobytes() + style.std.tobytes()
        start = _NUMBER.pack(len(raw)) + raw
        append(self._path, start + numbers + _NUMBER.pack(zlib.crc32(raw + numbers)), WeightsError)
        self.offsets[name] = self._size + len(start)
        self._size += len(start) + len(numbers) + _NUMBER.size

    def style(self, name: str) -> ChannelStats:
        """Return a style that was added."""
        with open(self._path, "rb") as file:
            file.seek(self.offsets[name])
            return ChannelStats(*np.fromfile(file, np.float32, 2 * self._channels).reshape(2, -1))
