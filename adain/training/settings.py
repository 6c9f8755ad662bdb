"""The settings of a run, as a recipe that repeats it: args.yaml and TensorBoard."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from adain.errors import AdaINError
from adain.files.atomic import atomic_file
from adain.training.config import TrainConfig

NAME = "args.yaml"


def effective(method: str, config: TrainConfig, arguments: dict[str, Any],
              folder: Path) -> dict[str, Any]:
    """Return all settings of a run by the keys of a recipe. arguments: those of train()."""
    return {"version": 1, "method": method, "checkpoint": str(folder),
            **{name: str(value) if isinstance(value, Path) else value
               for name, value in arguments.items() if value is not None},
            **{name: list(value) if isinstance(value, tuple) else value
               for name, value in dataclasses.asdict(config).items()}}


def write(folder: Path, settings: dict[str, Any]) -> None:
    """Write args.yaml beside the checkpoints of a run."""
    import yaml

    with atomic_file(folder / NAME, AdaINError) as file:
        file.write(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode())


def as_table(settings: dict[str, Any]) -> str:
    """Return the settings as a table in Markdown."""
    rows = [f"| {name} | {'' if value is None else value} |" for name, value in settings.items()]
    return "\n".join(["| setting | value |", "| --- | --- |", *rows])


def as_hyperparameters(settings: dict[str, Any]) -> dict[str, str | float | bool]:
    """Return the settings as TensorBoard's tab of hyperparameters takes them."""
    return {name: value if isinstance(value, (bool, int, float, str)) else str(value)
            for name, value in settings.items() if value is not None}
