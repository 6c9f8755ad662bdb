"""Build the flags of a command from the fields of a dataclass, see adain.options."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from adain.commands import flag, with_flags
from adain.networks.engine import ENGINES, PRECISIONS

_TYPES = {"int": int, "float": float, "str": str, "Path": Path}


def add(group: argparse._ActionsContainer, config: type, *names: str, **settings: Any) -> None:
    """Add the options of these fields to a parser or a group of it.

    Args:
        group: a parser, or a group of it.
        config: the dataclass; its module must have `from __future__ import annotations`, so that
            the types of fields are texts: "int | None", "tuple[float, ...]".
        names: names of the fields.
        settings: arguments of add_argument() that replace those made from the field.
    """
    fields: dict[str, dataclasses.Field[Any]] = {
        field.name: field for field in dataclasses.fields(config)}
    for name in names:
        field, default = fields[name], getattr(config, name)
        about, kind = field.metadata, field.type.removeprefix("tuple[")
        keywords: dict[str, Any] = {"dest": name, "default": default,
                                    "help": with_flags(about["help"])}
        if kind == "bool":
            keywords["action"] = "store_true"
        else:
            keywords["type"] = _TYPES[kind.replace(",", " ").split()[0]]
            keywords["metavar"] = about["metavar"]
            if about["choices"] and kind == field.type:
                keywords["choices"] = about["choices"]
            if about["const"] is not None:
                keywords |= {"nargs": "?", "const": about["const"]}
            if kind != field.type:  # a tuple
                keywords |= {"nargs": "+", "default": default and list(default)}
            if "default" not in keywords["help"] and default is not None:
                keywords["help"] += " (default %(default)s)"
        group.add_argument(flag(name), **{**keywords, **settings})


def add_engine(group: argparse._ActionsContainer) -> None:
    """Add --engine and --precision, the arguments of Stylizer."""
    group.add_argument("--engine", choices=ENGINES, default=ENGINES[0],
                       help="openvino runs on the CPU, keras on the device of its backend, e.g. a "
                            "GPU (default %(default)s)")
    group.add_argument("--precision", choices=PRECISIONS, default="auto",
                       help="auto: bfloat16 if the device is faster with it, else float32; "
                            "float32: results depend least on the machine; int8: two to three "
                            "times as fast as float32 with nearly the same pictures, for shipped "
                            "networks on CPUs with VNNI (default %(default)s)")


def add_max_memory(group: argparse._ActionsContainer) -> None:
    """Add --max-memory, the argument of Stylizer."""
    group.add_argument("--max-memory", type=int, metavar="MB",
                       help="limit the memory of the process to about this much, by smaller tiles")
