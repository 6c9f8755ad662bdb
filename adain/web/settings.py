"""Settings: how a picture is made, read from the fields of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from adain.methods.recipe import Recipe
from adain.options import check, option
from adain.web.limits import RequestError
from adain.web.store import PREVIEW_SIZE

FORMATS = {"jpg": "image/jpeg", "png": "image/png"}


def _as_recipe(name: str, **limits: Any) -> Any:
    """Return a copy of a field of Recipe, with other limits."""
    field = Recipe.__dataclass_fields__[name]
    about = {**field.metadata, **limits}
    return option(field.default, about.pop("help"), **about)


@dataclass(frozen=True)
class Settings:
    """How a picture is made; its fields are the fields of POST /api/stylize, see docs/web.md."""

    alpha: float = option(1.0, "strength of the style", minimum=0, maximum=1)
    style_weights: tuple[float, ...] | None = _as_recipe("style_weights")
    keep_colors: str | None = _as_recipe("keep_colors")
    content_size: int | None = _as_recipe("content_size", maximum=65500)
    coarse_size: int | None = _as_recipe("coarse_size", maximum=65500)
    passes: int = _as_recipe("passes", maximum=8)
    refine: int = _as_recipe("refine", maximum=500)
    format: str = option("jpg", "file format of the result", choices=tuple(FORMATS))
    preview: int | None = option(
        None, "answer quickly with a JPEG of this shorter side; ignores `refine` and "
        "`content_size`",
        minimum=16, maximum=PREVIEW_SIZE, metavar="PIXELS")

    def __post_init__(self) -> None:
        check(self)


NAMES = tuple(field.name for field in fields(Settings))


def from_fields(given: Mapping[str, Sequence[str]]) -> Settings:
    """Return the settings in the fields of a request.

    Args:
        given: by name of the field, the texts that were sent for it; an empty text is ignored.

    Raises:
        RequestError: a field is unknown, given twice, or not a number.
        OptionError: a value is outside of its range or choices.
    """
    values: dict[str, Any] = {}
    for name, texts in given.items():
        if name not in NAMES:
            raise RequestError(f"`{name[:80]}` is unknown; the fields are content, style, mask, "
                               f"{', '.join(NAMES)}.")
        if len(texts) > 1:
            raise RequestError(f"`{name}` is given {len(texts)} times: give it once.")
        if texts[0] != "":
            values[name] = _value(name, texts[0])
    return Settings(**values)


def _value(name: str, text: str) -> Any:
    """Return the value of a field in the type of Settings."""
    kind = Settings.__dataclass_fields__[name].type
    try:
        if kind.startswith("tuple"):
            return tuple(float(word) for word in text.replace(",", " ").split())
        if kind.startswith("str"):
            return text[:80]
        return float(text) if kind.startswith("float") else int(text)
    except ValueError:
        expected = ("numbers, such as 0.7 0.3" if kind.startswith("tuple") else
                    "a number" if kind.startswith("float") else "a whole number")
        raise RequestError(f"`{name}` must be {expected}; received {text[:80]!r}.") from None
