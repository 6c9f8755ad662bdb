"""DatasetConfig: the settings of a stylized data set."""

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
    """Settings that the results of a data set depend on.

    Each field is an option of `adain dataset`, whose help states its meaning and range; see
    docs/data-sets.md. `alpha` is a pair: the lowest and the highest strength, from 0 to 1; each
    result draws its strength uniformly between them.

    Raises:
        OptionError: a value is outside of its range or choices.
    """

    styles_per_picture: int = option(
        1, "make N results of each picture, in different styles: NAME__0, NAME__1 ...",
        minimum=1, metavar="N")
    alpha: tuple[float, float] = option(
        (1.0, 1.0), "strength of the style, 0 to 1; with LOW:HIGH each result gets a random "
        "strength between the two", minimum=0, maximum=1, metavar="A")
    mix: int = option(1, "mix M random styles in each result, with random weights", minimum=1,
                      metavar="M")
    region: str | None = option(
        None, "stylize only the objects of the annotations (foreground), or only the rest of the "
        "picture (background); other pixels do not change", choices=REGIONS)
    content_size: int | None = option(
        None, "resize contents to this shorter side (default: keep their size)", minimum=1,
        metavar="PIXELS")
    seed: int = option(0, "seed of all random numbers", metavar="N")
    names: str = option(
        "content", "content: results keep the contents' names; style: NAME__STYLE", choices=NAMES)
    format: str | None = option(
        None, "file format of results (default: that of the content, or jpg if that format cannot "
        "be written)",
        choices=tuple(ending for ending in ("jpg", "png", "webp", "tif", "avif")
                      if f".{ending}" in images.WRITE_SUFFIXES))
    max_pixels: int = option(images.MAX_PIXELS, "refuse pictures with more pixels", minimum=1,
                             metavar="N")

    def __post_init__(self) -> None:
        check(self)
        if len(self.alpha) != 2 or self.alpha[0] > self.alpha[1]:
            raise OptionError("`alpha` must be one number, or two as LOW:HIGH, the lower one first;"
                              f" received {':'.join(map(str, self.alpha))}.")

    def settings(self) -> dict[str, Any]:
        """Return all fields that change results, for the first line of a manifest."""
        fields = asdict(self)
        del fields["max_pixels"]
        return fields | {"alpha": list(self.alpha)}
