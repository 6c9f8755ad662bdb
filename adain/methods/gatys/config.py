"""Settings of the iterative method, and its levels from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adain.errors import OptionError
from adain.networks.architecture import CONTENT_LAYER, STRIDE, STYLE_LAYERS, VGG19_LAYERS, relu
from adain.networks.engine import ENGINES
from adain.networks.keras import TRAIN_PRECISIONS
from adain.options import check, option

STARTS = ("content", "noise")
LAYERS = tuple(map(relu, VGG19_LAYERS))
LEARNING_RATES = {"adam": 0.02, "lbfgs": 1.0}
# Number of iterations of a level divided by that of the level of half its size. With a quarter, all
# levels would take equally long.
FEWER = 1 / 3
SMALLEST_COARSE_SIZE = 16


@dataclass(frozen=True)
class GatysConfig:
    """Settings of optimise(): everything that a result depends on besides the pictures.

    Each field has its meaning and range in its option(). Most are options of
    `adain stylize --model gatys`, see docs/stylize.md.

    Raises:
        OptionError: a value is outside of its range.
    """

    content_layers: tuple[str, ...] = option(
        (CONTENT_LAYER,), f"VGG19 layers of the content loss, relu1_1 to relu4_1 (default "
        f"{CONTENT_LAYER})", choices=LAYERS, metavar="LAYER")
    style_layers: tuple[str, ...] = option(
        STYLE_LAYERS, f"VGG19 layers of the style loss (default {' '.join(STYLE_LAYERS)})",
        choices=LAYERS, metavar="LAYER")
    content_weight: float = option(1.0, "factor of the content loss", minimum=0, metavar="W")
    style_weight: float = option(1e-2, "factor of the style loss", minimum=0, metavar="W")
    tv_weight: float = option(10.0, "factor of the total variation, which smooths", minimum=0,
                              metavar="W")
    iterations: int = option(500, "number of iterations", minimum=1, metavar="N")
    optimizer: str = option("lbfgs", "lbfgs converges in fewer iterations than adam",
                            choices=tuple(LEARNING_RATES))
    learning_rate: float | None = option(
        None, "learning rate of pixels in [0, 1]; adam lowers it by a cosine to a tenth at the end "
        "of a level (default: 0.02 for adam, 1 for lbfgs)", above=0, metavar="RATE")
    start: str = option("content", "first picture, unless optimise() is given one", choices=STARTS)
    coarse_size: int = option(
        512, "longer side, about, of the first level; each further level has twice the size of the "
        "one before", minimum=SMALLEST_COARSE_SIZE, metavar="PIXELS")
    style_scale: float = option(
        1.0, "longer side of the style divided by that of the picture, at every level; styles are "
        "never enlarged", above=0, metavar="FACTOR")
    tile_size: int = option(768, "compute larger pictures in tiles of this size", metavar="PIXELS")
    engine: str = option("openvino", "openvino computes on the CPU, keras on a GPU",
                         choices=ENGINES)
    precision: str = option("auto", "precision of the networks", choices=TRAIN_PRECISIONS)
    vgg_path: str | None = option(None, "VGG19 from a Keras notop .h5 file or vgg_normalised.t7",
                                  metavar="FILE")
    seed: int = option(0, "seed of the noise", minimum=0, metavar="N")

    def __post_init__(self) -> None:
        check(self)
        if self.engine == "openvino" and self.precision == "mixed_float16":
            raise OptionError("`precision=mixed_float16` needs `engine=keras`, on a GPU; use auto.")
        if self.tile_size < STRIDE or self.tile_size % STRIDE:
            raise OptionError(f"`tile_size` must be a multiple of {STRIDE}; "
                              f"received {self.tile_size}.")


class Level(NamedTuple):
    """One size, rows x columns, and its iterations, start to stop - 1."""

    rows: int
    columns: int
    start: int
    stop: int


def levels(rows: int, columns: int, coarse_size: int, iterations: int) -> list[Level]:
    """Return the levels: each has twice the size of the one before, the last rows x columns.

    >>> [(level.columns, level.stop - level.start) for level in levels(1080, 1920, 512, 1000)]
    [(480, 692), (960, 231), (1920, 77)]
    """
    halvings = max(0, round(float(np.log2(max(rows, columns) / coarse_size))))
    halvings = min(halvings, iterations - 1)
    factors = [0.5**count for count in range(halvings, -1, -1)]
    shares = np.cumsum([FEWER**index for index in range(len(factors))])
    # Every level has at least one iteration.
    stops = [min(round(iterations * float(share / shares[-1])), iterations - count)
             for share, count in zip(shares, range(halvings, -1, -1))]
    return [Level(max(1, round(rows * factor)), max(1, round(columns * factor)), start, stop)
            for factor, start, stop in zip(factors, [0, *stops], stops)]
