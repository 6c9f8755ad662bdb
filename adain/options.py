"""Options: fields of a dataclass that carry their help, their range and their choices.

    @dataclass(frozen=True)
    class Config:
        passes: int = option(1, "stylize the result again, N times in total", minimum=1)

        def __post_init__(self) -> None:
            check(self)

The commands' parsers and the tables in docs/ are made of the same fields.
"""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

from adain.errors import OptionError


def option(default: Any, help: str, *, minimum: float | None = None, maximum: float | None = None,
           above: float | None = None, below: float | None = None,
           choices: tuple[Any, ...] = (), metavar: str | None = None,
           const: Any = None) -> Any:
    """Return a dataclass field that is an option of a command, too.

    Args:
        default: The field's default. None where None is allowed: it passes every check.
        help: One phrase for --help and the docs. The default is added where it is not mentioned.
        minimum, maximum: The range, ends included.
        above, below: The range, ends excluded.
        choices: All values there are; for a tuple, what its items are taken from.
        metavar: What the value is called in --help, e.g. PIXELS.
        const: The value of the flag alone, where its value may be left out.
    """
    limits = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    return field(default=default, metadata={"help": help, **limits, "choices": choices,
                                            "metavar": metavar, "const": const})


def check(config: Any) -> None:
    """Raise OptionError for the first field whose value is outside of its range or choices."""
    for one in fields(config):
        value = getattr(config, one.name)
        if not one.metadata or (value is None and one.default is None):
            continue
        values = value if isinstance(value, tuple) else (value,)
        choices = one.metadata["choices"]
        if choices and not (values and all(item in choices for item in values)):
            kind = "one or more" if isinstance(value, tuple) else "one"
            raise OptionError(f"`{one.name}` must be {kind} of {', '.join(map(str, choices))}; "
                              f"received {' '.join(map(str, values)) or 'none'}.")
        if not all(_is_within(item, one.metadata) for item in values):
            raise OptionError(f"`{one.name}` must be {range_text(one.metadata)}; received "
                              f"{' '.join(map(str, values))}.")


def _is_within(value: Any, limits: Any) -> bool:
    """Return whether a value is within an option's limits, which NaN never is."""
    return ((limits["minimum"] is None or value >= limits["minimum"])
            and (limits["maximum"] is None or value <= limits["maximum"])
            and (limits["above"] is None or value > limits["above"])
            and (limits["below"] is None or value < limits["below"]))


def range_text(limits: Any) -> str:
    """Return an option's limits in words: from 0 to below 1."""
    low = f"at least {limits['minimum']}" if limits["above"] is None else f"above {limits['above']}"
    if limits["maximum"] is None and limits["below"] is None:
        return low
    high = f"below {limits['below']}" if limits["maximum"] is None else str(limits["maximum"])
    return f"{low.replace('at least', 'from')} to {high}"
