"""The styles of a data set: those of a bank, or of pictures that are encoded when first needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from adain.files import images
from adain.files.reader import open_bytes
from adain.files.storage import Entry, Pictures, read
from adain.jobs.dataset.draws import Draw
from adain.methods.style_reader import StyleReader
from adain.networks.stats import ChannelStats, merge
from adain.networks.style_bank import StyleBank, is_bank, names_digest
from adain.transfer.stylizer import Stylizer

_CACHE_BYTES = 64_000_000  # of encoded styles: about 20 000 with compact


class Styles(Protocol):
    """Encoded styles, sorted by name and numbered from 0; can be pickled."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return the name of a style: the path of its picture below the folder it is in."""

    def style(self, index: int) -> ChannelStats:
        """Return an encoded style; raise StyleError if its picture cannot be used."""

    def names(self) -> Iterator[str]:
        """Yield all names, in order."""

    @property
    def digest(self) -> str:
        """Hexadecimal digest of the names and the encoder."""


def open_styles(paths: Sequence[str], stylizer: Stylizer) -> Styles:
    """Return the styles of a bank, or of all pictures at these paths.

    Args:
        paths: the path of one bank; or pictures, folders, archives and URLs, see Pictures. Of
            pictures with the same name the first one is used.
        stylizer: encodes the pictures.

    Raises:
        WeightsError: the bank is damaged, or was made with another model.
        ImageError: there are no pictures.
    """
    if len(paths) == 1 and is_bank(paths[0]):
        return StyleBank(paths[0], stylizer.fingerprint)
    paintings: dict[str, Entry] = {}
    for entry in Pictures(paths):
        paintings.setdefault(entry.name, entry)
    return PictureStyles([paintings[name] for name in sorted(paintings, key=os.fsencode)],
                         stylizer)


class PictureStyles:
    """Styles of pictures, each encoded when it is first needed; see Styles.

    Args:
        entries: the pictures, sorted by name.
        stylizer: encodes them.
    """

    def __init__(self, entries: Sequence[Entry], stylizer: Stylizer) -> None:
        self._entries, self._stylizer = entries, stylizer
        self._by_path: dict[Path, Entry] = {}
        self._reader = StyleReader(stylizer, self._read, _CACHE_BYTES)

    def __reduce__(self) -> tuple[type[PictureStyles], tuple[Sequence[Entry], Stylizer]]:
        return PictureStyles, (self._entries, self._stylizer)

    def __len__(self) -> int:
        return len(self._entries)

    def name(self, index: int) -> str:
        return self._entries[index].name

    def style(self, index: int) -> ChannelStats:
        entry = self._entries[index]
        path = Path(entry.place)
        self._by_path[path] = entry
        return self._reader.encoded(path)

    def _read(self, path: Path) -> np.ndarray:
        picture = open_bytes(read(self._by_path[path]), path)
        return images.fill_transparent(picture.rgb, picture.opacity)

    def names(self) -> Iterator[str]:
        return (entry.name for entry in self._entries)

    @cached_property
    def digest(self) -> str:
        return names_digest(self.names(), self._stylizer.fingerprint)


def mixed(styles: Styles, draw: Draw) -> ChannelStats:
    """Return the style of a draw: the weighted mixture of its styles."""
    encoded = [styles.style(index) for index in draw.styles]
    return encoded[0] if len(encoded) == 1 else merge(encoded, draw.weights)
