"""StyleBank: the encoded styles of many paintings in one file, of which only those used are read.

An uncompressed .npz file:

    means, stds   float32 (paintings, channels)
    names         uint8: the paintings' names in UTF-8, one after the other, sorted
    ends          int64 (paintings,): where each name ends
    encoder       text: the fingerprint of the encoder
    style_size    int64: the shorter side that paintings were shrunk to; 0: they were not
    tune          int64: the iterations that tuned each style; absent: 0

79 000 paintings take 250 MB with compact. The file is memory-mapped: only the parts that
are used are read, and all processes share them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from adain.errors import StyleError, WeightsError
from adain.files.arrays import TEXT, array_names, map_arrays, read_arrays
from adain.files.atomic import atomic_file
from adain.networks.stats import ChannelStats

KIND = "a bank of styles"
_ARRAYS = {"means", "stds", "names", "ends", "encoder", "style_size"}
_MOST_BYTES = 1 << 40


def is_bank(path: str | Path) -> bool:
    """Return whether a file is a bank, by the names of its arrays."""
    return array_names(path, _MOST_BYTES) >= _ARRAYS


class StyleBank:
    """The encoded styles of many paintings, in the order of their names.

    Args:
        path: a file written by `adain styles`.
        encoder: fingerprint of the network in use, Stylizer.fingerprint; None: any.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.

    Can be pickled: the copy opens the file again.
    """

    def __init__(self, path: str | Path, encoder: str | None = None) -> None:
        self.path = path
        numbers = {"style_size", "tune"} & array_names(path, _MOST_BYTES) | {"style_size"}
        small = read_arrays(path, KIND, {"encoder": TEXT, **dict.fromkeys(numbers, ())},
                            limit=_MOST_BYTES)
        self.encoder, self.style_size = str(small["encoder"]), int(small["style_size"])
        self.tune = int(small.get("tune", 0))
        if encoder is not None and self.encoder != encoder:
            raise WeightsError(f"{path} was made by another network: its encoder is "
                               f"{self.encoder[:32]!r}, expected {encoder}. Run adain styles with "
                               "the same `model`.")
        arrays = map_arrays(path, KIND, ("means", "stds", "names", "ends"))
        self._means, self._stds = arrays["means"], arrays["stds"]
        self._names, self._ends = arrays["names"], arrays["ends"]
        shape = self._means.shape
        if not (len(shape) == 2 and shape[0] and self._stds.shape == shape
                and self._ends.shape == shape[:1] and self._names.ndim == 1
                and self._means.dtype == self._stds.dtype == np.float32
                and self._names.dtype == np.uint8 and self._ends.dtype == np.int64):
            raise WeightsError(f"{path} is not {KIND}: its arrays do not fit each other.")
        self.channels = shape[1]

    def __reduce__(self) -> tuple[type[StyleBank], tuple[str | Path, str]]:
        return StyleBank, (self.path, self.encoder)

    def __len__(self) -> int:
        return int(self._means.shape[0])

    def name(self, index: int) -> str:
        """Return the name of a painting: its path below the folder, with "/"."""
        start, end = int(self._ends[index - 1]) if index else 0, int(self._ends[index])
        if not 0 <= start <= end <= self._names.size:
            raise WeightsError(f"{self.path} is not {KIND}: its names are damaged.")
        return os.fsdecode(self._names[start:end].tobytes())

    def style(self, index: int) -> ChannelStats:
        """Return an encoded style; raise StyleError if its numbers are invalid."""
        mean, std = np.array(self._means[index]), np.array(self._stds[index])
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and std.min() >= 0):
            raise StyleError(Path(self.path), f"{self.path} is damaged: the style of "
                             f"{self.name(index)} has invalid numbers.")
        return ChannelStats(mean, std)

    def names(self) -> Iterator[str]:
        """Yield all names, in order."""
        return map(self.name, range(len(self)))

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest of the names, the encoder and the tuning."""
        tuned = f" tuned {self.tune}" if self.tune else ""
        return names_digest(self.names(), self.encoder + tuned)


def names_digest(names: Iterable[str], encoder: str) -> str:
    """Return a digest of styles' names and the encoder's fingerprint."""
    digest = hashlib.sha256(encoder.encode())
    for name in names:
        digest.update(os.fsencode(name) + b"\0")
    return digest.hexdigest()[:16]


def write_bank(path: str | Path, names: Iterable[str], means: np.ndarray, stds: np.ndarray,
               encoder: str, style_size: int | None, tune: int = 0) -> None:
    """Write a bank; means and stds may be maps of files, which are not read at once.

    Args:
        names: sorted, one for each row.
        style_size: pixels; None: paintings were not shrunk.
        tune: iterations that tuned each style.
    """
    blob, ends = bytearray(), []
    for name in names:
        blob += os.fsencode(name)
        ends.append(len(blob))
    with atomic_file(path, WeightsError) as file:
        np.savez(file, means=means, stds=stds, names=np.frombuffer(bytes(blob), np.uint8),
                 ends=np.array(ends, np.int64), encoder=np.array(encoder),
                 style_size=np.array(style_size or 0, np.int64), tune=np.array(tune, np.int64))
