"""Settings of the iterative method, and its sizes from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adain.errors import OptionError
from adain.methods.gatys.optimizers import OPTIMIZERS
from adain.networks.architecture import CONTENT_LAYER, STRIDE, STYLE_LAYERS, VGG19_LAYERS, relu
from adain.networks.keras.devices import TRAIN_PRECISIONS

STARTS = ("content", "noise")
LAYERS = tuple(map(relu, VGG19_LAYERS))
LEARNING_RATES = {"adam": 0.02, "lbfgs": 1.0}
# Iterations of a level, compared with those of the level half its size. A quarter would make all
# levels take equally long.
FEWER = 1 / 3


@dataclass(frozen=True)
class GatysConfig:
    """Everything but the pictures that a result depends on.

    coarse_size: pictures whose longer side is about twice this, four times ... start at a half, a
        quarter ... of their size. style_scale: the style's longer side as a part of the picture's,
        at every level; it is never enlarged. learning_rate: of pixels in [0, 1]; None: 0.02 for
        Adam (falls by a cosine to a tenth at the end of a level), 1 for L-BFGS.
    """

    content_layers: tuple[str, ...] = (CONTENT_LAYER,)
    style_layers: tuple[str, ...] = STYLE_LAYERS
    content_weight: float = 1.0
    style_weight: float = 1e-2
    tv_weight: float = 10.0
    iterations: int = 500
    optimizer: str = "lbfgs"
    learning_rate: float | None = None
    start: str = "content"  # or "noise"; a picture given to optimise() comes before it
    coarse_size: int = 512
    style_scale: float = 1.0
    tile_size: int = 768
    precision: str = "auto"
    vgg_path: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, minimum in (("content_weight", 0), ("style_weight", 0), ("tv_weight", 0),
                              ("iterations", 1), ("coarse_size", 16), ("seed", 0)):
            if not getattr(self, name) >= minimum:
                raise OptionError(f"`{name}` must be at least {minimum}; "
                                  f"received {getattr(self, name)}.")
        for name in ("learning_rate", "style_scale"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise OptionError(f"`{name}` must be above 0; received {value}.")
        for name, choices in (("optimizer", tuple(OPTIMIZERS)), ("start", STARTS),
                              ("precision", TRAIN_PRECISIONS)):
            if getattr(self, name) not in choices:
                raise OptionError(f"`{name}` must be one of {', '.join(choices)}; "
                                  f"received {getattr(self, name)}.")
        for name in ("content_layers", "style_layers"):
            unknown = [layer for layer in getattr(self, name) if layer not in LAYERS]
            if unknown or not getattr(self, name):
                raise OptionError(f"`{name}` must be some of {' '.join(LAYERS)}; "
                                  f"received {' '.join(getattr(self, name)) or 'none'}.")
        if self.tile_size < STRIDE or self.tile_size % STRIDE:
            raise OptionError(f"`tile_size` must be a multiple of {STRIDE}; "
                              f"received {self.tile_size}.")


class Level(NamedTuple):
    """One size of coarse-to-fine: iterations start .. stop - 1 at rows x columns."""

    rows: int
    columns: int
    start: int
    stop: int


def levels(rows: int, columns: int, coarse_size: int, iterations: int) -> list[Level]:
    """Return the sizes, each twice the one before, the last rows x columns, and their iterations.

    >>> [(level.columns, level.stop - level.start) for level in levels(1080, 1920, 512, 1000)]
    [(480, 692), (960, 231), (1920, 77)]
    """
    halvings = max(0, round(float(np.log2(max(rows, columns) / coarse_size))))
    halvings = min(halvings, iterations - 1)
    factors = [0.5**count for count in range(halvings, -1, -1)]
    shares = np.cumsum([FEWER**index for index in range(len(factors))])
    # Every level has one iteration at least.
    stops = [min(round(iterations * float(share / shares[-1])), iterations - count)
             for share, count in zip(shares, range(halvings, -1, -1))]
    return [Level(max(1, round(rows * factor)), max(1, round(columns * factor)), start, stop)
            for factor, start, stop in zip(factors, [0, *stops], stops)]
