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
from adain.transfer import color
from adain.transfer import style_file as stylefile
from adain.transfer.stylizer import check_alpha

BITS = (8, 16)
Shape = tuple[int, int]  # rows and columns


@dataclass(frozen=True)
class Recipe:
    """How every result of a batch is made; all sizes in pixels.

    style_weights: mixes the styles. masks: gives each style a region. keep_colors: see
    adain.transfer.color. content_size: the content's shorter side; crop_size: its middle square.
    coarse_size, passes, refine: see Stylizer.stylize. concat: content and styles stand beside the
    result. bits: of the result's values, 8 or 16.
    """

    style_weights: tuple[float, ...] | None = None
    masks: tuple[Path, ...] | None = None
    keep_colors: str | None = None
    content_size: int | None = None
    crop_size: int | None = None
    coarse_size: int | None = None
    passes: int = 1
    refine: int = 0
    concat: bool = False
    bits: int = 8
    max_pixels: int = images.MAX_PIXELS

    def __post_init__(self) -> None:
        for name in ("content_size", "crop_size", "coarse_size", "passes", "max_pixels"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"`{name}` must be at least 1; received {value}.")
        if self.refine < 0:
            raise OptionError(f"`refine` must be at least 0; received {self.refine}.")
        color.check_color_mode(self.keep_colors)
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
        for option, values in (("style_weights", self.style_weights), ("masks", self.masks)):
            if values is not None and len(values) != count:
                raise OptionError(f"{count} style{'s need' if count > 1 else ' needs'} {count} "
                                  f"`{option}`; received {len(values)} "
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
