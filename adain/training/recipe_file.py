"""Recipes: YAML files with the settings of a training run, or of several phases of it.

    version: 1
    model: compact
    batch_size: 16
    phases:
    - name: first
      max_iter: 20000
    - name: second
      max_iter: 5000
      learning_rate: 3e-4

Keys are the fields of TrainConfig and the arguments of adain.train(); `checkpoint` is its folder.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from adain.errors import OptionError
from adain.files.arrays import TEXT_LIMIT
from adain.training.config import TrainConfig
from adain.training.run import train

VERSION = 1
# What a recipe cannot set: it is of one call of train(), or has another name.
_NOT_SETTINGS = ("config", "folder", "allow_changes", "command", "stop", "callbacks")
_OF_RECIPE = {"version": "int", "method": "str", "checkpoint": "str"}
_OF_PHASE = ("name", "average")
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Phase:
    """One run of a recipe.

    name: "" in a recipe without phases. settings: of the whole recipe and of this phase. average:
    earlier phases, whose weights are averaged with these shares instead of training.
    """

    name: str
    settings: Mapping[str, Any]
    average: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RecipeFile:
    """A recipe as its file has it. method: of training, where the recipe names one."""

    path: Path
    method: str | None
    phases: tuple[Phase, ...]


def settings() -> dict[str, str]:
    """Return the annotated type of every setting of a phase."""
    arguments = inspect.signature(train).parameters.values()
    return {**{one.name: one.annotation for one in arguments if one.name not in _NOT_SETTINGS},
            **{one.name: str(one.type) for one in fields(TrainConfig)}}


def read(path: str | Path) -> RecipeFile:
    """Return the recipe in a file; OptionError where it is not understood."""
    path = Path(path)
    given = _load(path)
    if not isinstance(given, dict):
        raise OptionError(f"{path} is no recipe: expected keys and values, such as `version: 1`.")
    if given.get("version") != VERSION or isinstance(given["version"], bool):
        raise OptionError(f"{path} needs the key version: {VERSION}, which this program reads; "
                          f"received {given.get('version', 'none')}.")
    phases = given.pop("phases", None)
    shared = _checked(given, {**_OF_RECIPE, **settings()}, str(path), also=("phases",))
    method = shared.pop("method", None)
    del shared["version"]
    if phases is None:
        return RecipeFile(path, method, (Phase("", shared),))
    if not isinstance(phases, list) or not phases:
        raise OptionError(f"{path}: phases must be a list, each with a name.")
    known: list[Phase] = []
    for number, phase in enumerate(phases, 1):
        known.append(_phase(phase, shared, known, f"{path}, phase {number}"))
    return RecipeFile(path, method, tuple(known))


def _phase(given: Any, shared: dict[str, Any], before: list[Phase], where: str) -> Phase:
    """Return a phase, whose settings come before those that all phases share."""
    if not isinstance(given, dict):
        raise OptionError(f"{where} must have keys and values, such as `name: first`.")
    options = {key: given.pop(key) for key in _OF_PHASE if key in given}
    name = options.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(f"{where} needs a name of letters, digits, - and _, which its folder "
                          f"gets; received {name}.")
    names = [phase.name for phase in before]
    if name in names:
        raise OptionError(f"{where}: the name {name} is taken by another phase.")
    ours = _checked(given, settings(), f"{where} ({name})", also=_OF_PHASE)
    if before:
        if "continue_from" in ours:
            raise OptionError(f"{where} ({name}) continues from the phase before it: leave out "
                              "continue_from.")
        shared = {key: value for key, value in shared.items() if key != "continue_from"}
    if "average" not in options:
        return Phase(name, {**shared, **ours})
    if ours:
        raise OptionError(f"{where} ({name}) averages weights, for which {min(ours)} has no "
                          "meaning: leave it out.")
    return Phase(name, shared, _shares(options["average"], names, f"{where} ({name})"))


def _shares(given: Any, names: list[str], where: str) -> dict[str, float]:
    if not isinstance(given, dict) or len(given) < 2:
        raise OptionError(f"{where}: average must have the share of two earlier phases or more.")
    for name in given:
        if name not in names:
            raise OptionError(f"{where}: {name} is no earlier phase{_nearest(name, names)}.")
    shares = {name: _typed(share, "float", f"{where}: average of {name}")
              for name, share in given.items()}
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise OptionError(f"{where}: the shares of an average must add up to 1; received "
                          f"{', '.join(map(str, shares.values()))}.")
    return shares


def _checked(given: dict[Any, Any], kinds: dict[str, str], where: str,
             also: Iterable[str]) -> dict[str, Any]:
    """Return values of the right types; OptionError for an unknown key or another type."""
    for key in given:
        if key not in kinds:
            raise OptionError(f"{where}: there is no key {key}{_nearest(key, [*kinds, *also])}.")
    return {key: _typed(value, kinds[key], f"{where}: {key}") for key, value in given.items()}


def _nearest(key: Any, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(key), known, 1, 0.4)
    return f"; the nearest is {close[0]}" if close else ""


def _typed(value: Any, kind: str, where: str) -> Any:
    """Return a value as its setting takes it; kind: an annotation, such as "float | None"."""
    if value is None and "None" in kind:
        return None
    if kind.startswith("tuple"):
        item = kind.removeprefix("tuple[").split(",")[0]
        if not isinstance(value, list):
            raise OptionError(f"{where} must be a list; received {value!r}.")
        return tuple(_typed(each, item, where) for each in value)
    kind = kind.split(" ")[0]
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    types = {"int": int, "float": float, "bool": bool, "str": str}
    if not isinstance(value, types[kind]) or (kind == "int" and isinstance(value, bool)):
        raise OptionError(f"{where} must be {_KINDS[kind]}; received {value!r}.")
    return value


def _load(path: Path) -> Any:
    """Return what a YAML file has, by the safe loader."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise OptionError("recipes need PyYAML: pip install -e '.[train]'") from None

    class Loader(yaml.SafeLoader):
        """Reads 1e-4 as a number, on and off as texts, as YAML 1.2 has it; refuses a key twice."""

        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers
                    if tag.rpartition(":")[2] not in ("bool", "float")]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False
                              ) -> dict[Hashable, Any]:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"the key {key.value} is there twice",
                                               problem_mark=key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), "tf")
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
        "-+.0123456789")
    try:
        with path.open("rb") as file:
            return yaml.load(file.read(TEXT_LIMIT), Loader)  # noqa: S506 (a safe one)
    except OSError as error:
        raise OptionError(f"recipe {path} cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise OptionError(f"recipe {path} is no YAML: {getattr(error, 'problem', error)}"
                          + (f", line {mark.line + 1}." if mark else ".")) from None
