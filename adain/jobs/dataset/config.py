"""DatasetConfig: what a data set's results get."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from adain.errors import OptionError
from adain.files import images
from adain.options import check, option

NAMES = ("content", "style")
REGIONS = ("foreground", "background")


@dataclass(frozen=True)
class DatasetConfig:
    """How the results of a data set are made; its fields are options of adain dataset.

    alpha: lowest and highest strength; each result's is uniform between them.
    """

    styles_per_picture: int = option(
        1, "make N results of each picture, in different styles: NAME__0, NAME__1 ...",
        minimum=1, metavar="N")
    alpha: tuple[float, float] = option(
        (1.0, 1.0), "strength of the style; LOW:HIGH draws each result's uniformly", minimum=0,
        maximum=1, metavar="A")
    mix: int = option(1, "mix M random styles in each result, with random weights", minimum=1,
                      metavar="M")
    region: str | None = option(
        None, "stylize only the objects of the annotations, or only what is behind them; the rest "
        "stays as it is", choices=REGIONS)
    content_size: int | None = option(
        None, "resize contents to this shorter side (default: keep their size)", minimum=1,
        metavar="PIXELS")
    seed: int = option(0, "seed of all random numbers", metavar="N")
    names: str = option(
        "content", "content: results keep the contents' names; style: NAME__STYLE", choices=NAMES)
    format: str | None = option(
        None, "file format of results (default: the content's, jpg where it cannot be written)",
        choices=tuple(ending for ending in ("jpg", "png", "webp", "tif", "avif")
                      if f".{ending}" in images.WRITE_SUFFIXES))
    max_pixels: int = option(images.MAX_PIXELS, "refuse pictures with more pixels", minimum=1,
                             metavar="N")

    def __post_init__(self) -> None:
        check(self)
        if len(self.alpha) != 2 or self.alpha[0] > self.alpha[1]:
            raise OptionError("`alpha` is one number, or the lowest and the highest as LOW:HIGH; "
                              f"received {':'.join(map(str, self.alpha))}.")

    def settings(self) -> dict[str, Any]:
        """Return what results depend on, for the first line of a manifest."""
        found = asdict(self)
        del found["max_pixels"]
        return found | {"alpha": list(self.alpha)}
