"""Paintings and photographs that the page offers: files of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adain.files import find
from adain.web.limits import NotFoundError
from adain.web.store import Source

ROOT = Path(__file__).resolve().parents[2]  # of a checkout, which has styles/ and inputs/


class Gallery:
    """Files that requests name by their stem: "mosaic" for styles/mosaic.jpg.

    Args:
        paths: pictures, and folders of them.
        what: they are, for messages.
    """

    def __init__(self, paths: Sequence[str | Path], what: str, max_pixels: int) -> None:
        self._what, self._sources = what, dict[str, Source]()
        for path, _ in find.contents(paths)[0]:
            # A file's name may be no text: JSON could not hold it.
            stem, name = (part.encode(errors="replace").decode() for part in (path.stem, path.name))
            id, count = stem, 2
            while id in self._sources:
                id, count = f"{stem}-{count}", count + 1
            self._sources[id] = Source(id, name, path, max_pixels)

    def __contains__(self, id: str) -> bool:
        return id in self._sources

    def get(self, id: str) -> Source:
        """Return a picture; NotFoundError if there is none of that name."""
        if id not in self._sources:
            names = ", ".join(list(self._sources)[:20]) or "none"
            raise NotFoundError(f"there is no {self._what} {id[:80]!r}; there are: {names}.")
        return self._sources[id]

    def listing(self) -> list[dict[str, str]]:
        """Return id and title of each picture."""
        return [{"id": id, "title": title(id)} for id in self._sources]


def title(id: str) -> str:
    """Return a picture's name as people write it: "Flow field" for flow_field."""
    return id.replace("_", " ").replace("-", " ").capitalize()


def shipped(folder: str) -> list[Path]:
    """Return a folder of sample pictures, if the package lies in a checkout, which has it."""
    return [path for path in (ROOT / folder,) if path.is_dir()]
