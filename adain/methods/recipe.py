"""Recipe: the settings with which results are made from contents and styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adain.errors import OptionError
from adain.files import images
from adain.networks.stats import ChannelStats, merge
from adain.options import check, option
from adain.transfer import color
from adain.transfer import style_file as stylefile
from adain.transfer.stylizer import check_alpha

Shape = tuple[int, int]  # rows and columns


@dataclass(frozen=True)
class Recipe:
    """The settings for all results of a batch.

    Each field is an option of `adain stylize`, whose help states its meaning and range; see
    docs/stylize.md.

    Raises:
        OptionError: a value is out of range, or fields exclude each other.
    """

    style_weights: tuple[float, ...] | None = option(
        None, "mix the styles with these weights, one per style, into a single result", metavar="W")
    masks: tuple[Path, ...] | None = option(
        None, "one picture per style: white where the style applies, grey for a blend with the "
        "content, which stays where all masks are black", metavar="PATH")
    keep_colors: str | None = option(
        None, "keep the content's colours: coral (the default without a value) and histogram "
        "recolour the style first, luminance takes only lightness from the result",
        choices=color.COLOR_MODES, const="coral")
    content_size: int | None = option(
        None, "resize contents to this shorter side (default: keep their size)", minimum=1,
        metavar="PIXELS")
    crop_size: int | None = option(
        None, "then crop contents to the square of this size in their middle", minimum=1,
        metavar="PIXELS")
    coarse_size: int | None = option(
        None, "for prints and long strokes: stylize at about this shorter side, enlarge the "
        "result, and stylize it again; strokes keep their size relative to the picture", minimum=1,
        metavar="PIXELS")
    passes: int = option(1, "stylize the result again, N times in total", minimum=1, metavar="N")
    refine: int = option(
        0, "then optimize the pixels of the result for N iterations: 5 bring it closer to the "
        "style, 15 also to the content, 40 more so", minimum=0, metavar="N")
    tune: int = option(
        0, "first optimize each style's statistics for N iterations (30 without a value): results "
        "come nearer to the style; takes seconds for each style, with `keep_colors` for each "
        "content, and nothing for each picture or frame",
        minimum=0, metavar="N", const=30)
    concat: bool = option(False, "put content and styles beside each result, in one picture")
    bits: int = option(8, "bits per value; 16 for png and tif", choices=(8, 16))
    max_pixels: int = option(
        images.MAX_PIXELS, "refuse pictures with more pixels", minimum=1, metavar="N")

    def __post_init__(self) -> None:
        check(self)
        if self.style_weights is not None and self.masks is not None:
            raise OptionError("`style_weights` mixes styles everywhere, `masks` gives each style a "
                              "region: use one of the two (grey masks mix, too).")
        if self.concat and self.bits == 16:
            raise OptionError("`concat` makes 8-bit pictures: leave out `bits=16`.")

    @property
    def dtype(self) -> type:
        """The type of a result's values."""
        return np.uint16 if self.bits == 16 else np.uint8

    def content_shape(self, rows: int, columns: int) -> Shape:
        """Return rows and columns of a content of this size after it is resized and cropped."""
        if self.content_size is not None:
            rows, columns = images.shape_of_shorter_side(rows, columns, self.content_size)
        if self.crop_size is not None:
            rows = columns = min(rows, columns, self.crop_size)
        return rows, columns

    @property
    def needs_pictures(self) -> bool:
        """Whether results need the pictures of styles; encoded styles are then not enough."""
        return self.keep_colors is not None or self.concat

    @property
    def one_result(self) -> bool:
        """Whether all styles go into one result."""
        return self.style_weights is not None or self.masks is not None

    def check_styles(self, paths: Sequence[Path]) -> None:
        """Raise OptionError for styles that the recipe cannot use, or a wrong number of styles."""
        for path in paths:
            if self.needs_pictures and path.suffix == stylefile.SUFFIX:
                raise OptionError(f"{path} is an encoded style, but `keep_colors` and `concat` "
                                  "need the picture of a style.")
        count = len(paths)
        for name, values in (("style_weights", self.style_weights), ("masks", self.masks)):
            if values is not None and len(values) != count:
                raise OptionError(f"{count} style{'s need' if count > 1 else ' needs'} {count} "
                                  f"`{name}`; received {len(values)} "
                                  f"({' '.join(map(str, values))}).")
        if self.style_weights is not None:
            merge([ChannelStats(0.0, 0.0)] * count, self.style_weights)  # raises for invalid ones


class Style(NamedTuple):
    """The style of a result: its name, its files (several for mixtures and masks), its strength."""

    name: str
    paths: tuple[Path, ...]
    alpha: float = 1.0


def styles_of(paths: Sequence[Path], names: Sequence[str], alphas: Sequence[float],
              recipe: Recipe) -> list[Style]:
    """Return the styles to paint with: each file, or all files together, in each strength.

    Args:
        paths: the files of the styles.
        names: one for each file.
        alphas: strengths, from 0 to 1.
        recipe: recipe.one_result tells whether all files make one style.

    Raises:
        OptionError: a strength is out of range, or the recipe cannot use the styles.
    """
    for alpha in alphas:
        check_alpha(alpha)
    recipe.check_styles(paths)
    groups = [("+".join(names), tuple(paths))] if recipe.one_result else [
        (name, (path,)) for path, name in zip(paths, names)]
    texts = {alpha: f"{alpha:g}" for alpha in alphas}
    if len(set(texts.values())) < len(texts):  # they differ after six digits
        texts = {alpha: repr(alpha) for alpha in alphas}
    return [Style(name if len(texts) == 1 else f"{name}__alpha{text}", group, alpha)
            for name, group in groups for alpha, text in texts.items()]
