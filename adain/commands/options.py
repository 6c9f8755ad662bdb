"""Build the flags of a command from the fields of a dataclass, see adain.options."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from adain.commands import flag, with_flags

_TYPES = {"int": int, "float": float, "str": str, "Path": Path}


def add(group: argparse._ActionsContainer, config: type, *names: str, **settings: Any) -> None:
    """Add the options of these fields to a parser or a group of it.

    Args:
        config: The dataclass; its module has `from __future__ import annotations`, so that the
            types of fields are texts: "int | None", "tuple[float, ...]".
        settings: Arguments of add_argument() that replace those made of the field.
    """
    fields: dict[str, dataclasses.Field[Any]] = {
        field.name: field for field in dataclasses.fields(config)}
    for name in names:
        field, default = fields[name], getattr(config, name)
        about, kind = field.metadata, field.type.removeprefix("tuple[")
        found: dict[str, Any] = {"dest": name, "default": default,
                                 "help": with_flags(about["help"])}
        if kind == "bool":
            found["action"] = "store_true"
        else:
            found["type"] = _TYPES[kind.replace(",", " ").split()[0]]
            found["metavar"] = about["metavar"]
            if about["choices"] and kind == field.type:
                found["choices"] = about["choices"]
            if about["const"] is not None:
                found |= {"nargs": "?", "const": about["const"]}
            if kind != field.type:  # a tuple
                found |= {"nargs": "+", "default": default and list(default)}
            if "default" not in found["help"] and default is not None:
                found["help"] += " (default %(default)s)"
        group.add_argument(flag(name), **{**found, **settings})
