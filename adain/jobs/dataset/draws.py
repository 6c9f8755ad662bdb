"""Draw the styles and the strength of each result: a pure function of seed and content name."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

from adain.errors import OptionError
from adain.jobs.dataset.config import DatasetConfig

_DIGITS = 4  # of alphas and weights, so that a manifest is short and still repeats them exactly


@dataclass(frozen=True, slots=True)
class Draw:
    """The styles and the strength of one result.

    Args:
        styles: indices of styles, see styles.Styles.
        weights: one for each style; they sum to about 1.
        alpha: strength, from 0 to 1.
    """

    styles: tuple[int, ...]
    weights: tuple[float, ...]
    alpha: float


def check_count(config: DatasetConfig, styles: int) -> None:
    """Raise OptionError if there are fewer styles than one result mixes."""
    if styles < config.mix:
        raise OptionError(f"`mix={config.mix}` needs at least {config.mix} styles; "
                          f"received {styles}.")


def draw(config: DatasetConfig, content: str, styles: int) -> tuple[Draw, ...]:
    """Return a Draw for each result of a content.

    Args:
        content: name of the content: its path below the folder, or in the archive.
        styles: number of styles to draw from. No style is drawn twice for one content unless all
            of them are used up.
    """
    numbers = _uniform(f"{config.seed} ".encode() + os.fsencode(content))
    low, high = config.alpha
    draws: list[Draw] = []
    taken: set[int] = set()
    for _ in range(config.styles_per_picture):
        if len(taken) + config.mix > styles:
            taken = set()
        chosen: list[int] = []
        while len(chosen) < config.mix:
            index = int(next(numbers) * styles)
            if index not in taken:
                taken.add(index)
                chosen.append(index)
        # Normalized exponential variates are uniform on the simplex of weights that sum to 1.
        parts = [-math.log(1 - next(numbers)) for _ in chosen] if config.mix > 1 else [1.0]
        weights = tuple(round(part / sum(parts), _DIGITS) for part in parts)
        alpha = round(low + (high - low) * next(numbers), _DIGITS)
        draws.append(Draw(tuple(chosen), weights, alpha))
    return tuple(draws)


def _uniform(key: bytes) -> Iterator[float]:
    """Yield numbers in [0, 1) that are the same in every Python version and on every machine."""
    counter = 0
    while True:
        digest = hashlib.sha256(b"%d " % counter + key).digest()
        for place in range(0, 32, 8):
            yield (int.from_bytes(digest[place:place + 8], "big") >> 11) / 2**53
        counter += 1
