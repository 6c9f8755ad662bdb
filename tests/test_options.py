"""Options: one field is the source of the flag, its help, its check and its line in docs/."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from adain.commands.options import add
from adain.errors import OptionError
from adain.options import check, option


@dataclass(frozen=True)
class Config:
    passes: int = option(1, "stylize again, N times in total", minimum=1, metavar="N")
    share: float = option(0.0, "share of all crops", minimum=0, below=1)
    rate: float | None = option(None, "rate; see `passes`", above=0)
    mode: str = option("fast", "how", choices=("fast", "slow"), const="slow")
    layers: tuple[str, ...] = option(("a",), "layers to compare", choices=("a", "b"))
    masks: tuple[Path, ...] | None = option(None, "a picture for each style")
    whole: bool = option(False, "take all")
    internal: int = 3

    def __post_init__(self) -> None:
        check(self)


@pytest.mark.parametrize("name, value, message", [
    ("passes", 0, "`passes` must be at least 1; received 0."),
    ("share", 1, "`share` must be from 0 to below 1; received 1."),
    ("share", math.nan, "`share` must be from 0 to below 1; received nan."),
    ("rate", 0, "`rate` must be above 0; received 0."),
    ("mode", "quick", "`mode` must be one of fast, slow; received quick."),
    ("layers", ("a", "c"), "`layers` must be one or more of a, b; received a c."),
    ("layers", (), "`layers` must be one or more of a, b; received none.")])
def test_a_value_outside_of_its_range_or_choices_is_refused(name, value, message):
    with pytest.raises(OptionError) as found:
        Config(**{name: value})
    assert str(found.value) == message


def test_flags_have_the_types_defaults_and_help_of_their_fields():
    parser = argparse.ArgumentParser()
    names = [field.name for field in fields(Config) if field.metadata]
    add(parser, Config, *names)
    found = vars(parser.parse_args([]))
    assert Config(**found | {"layers": tuple(found["layers"])}) == Config()
    found = parser.parse_args(["--passes", "2", "--rate", "0.5", "--mode", "--layers", "a", "b",
                               "--mask", "x.png", "--whole"])
    assert (found.passes, found.rate, found.mode, found.layers, found.masks, found.whole) == (
        2, 0.5, "slow", ["a", "b"], [Path("x.png")], True)
    text = parser.format_help()
    assert "in total (default 1)" in text and "{fast,slow}" in text and "see --passes" in text
