"""Recipe: how a result is made of its content and its styles."""

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
    """How every result of a batch is made; its fields are options of adain stylize."""

    style_weights: tuple[float, ...] | None = option(
        None, "mix the styles with these weights, one per style, into a single result", metavar="W")
    masks: tuple[Path, ...] | None = option(
        None, "one picture per style: white where the style applies, grey for a blend with the "
        "content, which stays where all are black", metavar="PATH")
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
        None, "for prints and long strokes: stylize at about this shorter side, enlarge, stylize "
        "again; strokes keep their size relative to the picture", minimum=1, metavar="PIXELS")
    passes: int = option(1, "stylize the result again, N times in total", minimum=1, metavar="N")
    refine: int = option(
        0, "then optimize the pixels of the result for N iterations: 5 bring it closer to the "
        "style, 15 also to the content, 40 more so", minimum=0, metavar="N")
    concat: bool = option(False, "put content and styles beside each result, in one picture")
    bits: int = option(8, "bits per value; 16 for png and tif", choices=(8, 16))
    max_pixels: int = option(
        images.MAX_PIXELS, "refuse pictures with more pixels", minimum=1, metavar="N")

    def __post_init__(self) -> None:
        check(self)
        if self.style_weights is not None and self.masks is not None:
            raise OptionError("`style_weights` mixes styles everywhere, `masks` gives each a "
                              "region of its own: use one of the two (grey masks mix, too).")
        if self.concat and self.bits == 16:
            raise OptionError("`concat` shows 8-bit pictures: leave out `bits=16`.")

    @property
    def dtype(self) -> type:
        """The type of the results' values."""
        return np.uint16 if self.bits == 16 else np.uint8

    def content_shape(self, rows: int, columns: int) -> Shape:
        """Return the rows and columns of a content of this size, resized and cropped."""
        if self.content_size is not None:
            rows, columns = images.shape_of_shorter_side(rows, columns, self.content_size)
        if self.crop_size is not None:
            rows = columns = min(rows, columns, self.crop_size)
        return rows, columns

    @property
    def needs_pictures(self) -> bool:
        """Whether results need the styles' pictures, not only what those are encoded as."""
        return self.keep_colors is not None or self.concat

    @property
    def one_result(self) -> bool:
        """Whether all styles go into one result."""
        return self.style_weights is not None or self.masks is not None

    def check_styles(self, paths: Sequence[Path]) -> None:
        """Raise OptionError for styles that cannot be used, or not as many as weights or masks."""
        for path in paths:
            if self.needs_pictures and path.suffix == stylefile.SUFFIX:
                raise OptionError(f"{path} is an encoded style, without the picture that "
                                  "`keep_colors` and `concat` need.")
        count = len(paths)
        for name, values in (("style_weights", self.style_weights), ("masks", self.masks)):
            if values is not None and len(values) != count:
                raise OptionError(f"{count} style{'s need' if count > 1 else ' needs'} {count} "
                                  f"`{name}`; received {len(values)} "
                                  f"({' '.join(map(str, values))}).")
        if self.style_weights is not None:
            merge([ChannelStats(0.0, 0.0)] * count, self.style_weights)  # refuses impossible ones


class Style(NamedTuple):
    """What a result is painted with: its name, the styles' files, and the strength."""

    name: str
    paths: tuple[Path, ...]
    alpha: float = 1.0


def styles_of(paths: Sequence[Path], names: Sequence[str], alphas: Sequence[float],
              recipe: Recipe) -> list[Style]:
    """Return what to paint with: every file, or all of them at once, in every strength."""
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
