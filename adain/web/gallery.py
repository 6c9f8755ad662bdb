"""The paintings and photographs that the page offers: files of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adain.files import find
from adain.web.limits import NotFoundError
from adain.web.store import Source

ROOT = Path(__file__).resolve().parents[2]  # in a checkout it has styles/ and inputs/


class Gallery:
    """Picture files whose ids are their names without suffix: "mosaic" for styles/mosaic.jpg.

    Args:
        paths: pictures, and folders of pictures.
        kind: what a picture is, for messages: "style" or "sample".
        max_pixels: pictures with more pixels are refused.

    Raises:
        ImageError: a path does not exist, or there are no pictures.
    """

    def __init__(self, paths: Sequence[str | Path], kind: str, max_pixels: int) -> None:
        self._kind, self._sources = kind, dict[str, Source]()
        for path, _ in find.contents(paths)[0]:
            # A file name that is not valid Unicode could not be sent as JSON.
            stem, name = (part.encode(errors="replace").decode() for part in (path.stem, path.name))
            id, count = stem, 2
            while id in self._sources:
                id, count = f"{stem}-{count}", count + 1
            self._sources[id] = Source(id, name, path, max_pixels)

    def __contains__(self, id: str) -> bool:
        return id in self._sources

    def get(self, id: str) -> Source:
        """Return a picture; raise NotFoundError if there is none with this id."""
        if id not in self._sources:
            names = ", ".join(list(self._sources)[:20]) or "none"
            raise NotFoundError(f"there is no {self._kind} {id[:80]!r}; there are: {names}.")
        return self._sources[id]

    def listing(self) -> list[dict[str, str]]:
        """Return id and title of each picture."""
        return [{"id": id, "title": title(id)} for id in self._sources]


def title(id: str) -> str:
    """Return the title of a picture by its id: "Flow field" for flow_field."""
    return id.replace("_", " ").replace("-", " ").capitalize()


def shipped(folder: str) -> list[Path]:
    """Return the folder "styles" or "inputs" of the repository; nothing in an installed package.
    """
    return [path for path in (ROOT / folder,) if path.is_dir()]
