"""Store and load the state from which a stopped optimization of pixels continues: plain arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adain.errors import OptionError, WeightsError
from adain.files import images
from adain.files.arrays import TEXT, array_names, parse_json, read_arrays

SUFFIX = ".state.npz"  # replaces the result's
SAVE_SECONDS = 300  # between two states, which have about 600 MB at 1920 x 1080
KIND = "a readable state"  # for error messages
_LARGEST = 20_000_000_000  # bytes; L-BFGS of gatys keeps 24 pictures of 12 bytes a pixel

Arrays = dict[str, np.ndarray]


def path_beside(result: Path) -> Path:
    """Return the path of the state that belongs to a result."""
    return result.with_suffix(SUFFIX)


def check_results(paths: Sequence[Path], restore: bool, evolution: str | None,
                  evolution_iter: int) -> None:
    """Raise OptionError if the options `restore` and `evolution` do not fit these results."""
    if evolution_iter < 1:
        raise OptionError(f"`evolution_iter` must be at least 1; received {evolution_iter}.")
    if len(paths) == 1 and restore and not path_beside(paths[0]).exists():
        raise OptionError(f"there is no state {path_beside(paths[0])} to continue from; leave out "
                          "`restore`.")
    if len(paths) != 1 and evolution:
        raise OptionError(f"`evolution` shows one result; there are {len(paths)}.")


def hash_of(picture: np.ndarray | None) -> str | None:
    """Return the SHA-256 of an array and its shape."""
    return None if picture is None else hashlib.sha256(
        repr(picture.shape).encode() + np.ascontiguousarray(picture).data).hexdigest()


def save(path: Path, fingerprint: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write a state.

    Args:
        fingerprint: settings, and hash_of() the pictures, which load() compares.
        arrays: the state itself.
    """
    with images.atomic_file(path) as file:
        np.savez(file, fingerprint=json.dumps(fingerprint), **arrays)


def load(path: Path, fingerprint: Mapping[str, Any]) -> Arrays:
    """Return the arrays of the state at `path`.

    Args:
        fingerprint: of this run, see save().

    Raises:
        OptionError: there is no state, or it is of a run with another fingerprint; the message
            lists the differences.
        WeightsError: the state is damaged.
    """
    if not path.exists():
        raise OptionError(f"there is no state {path} to continue from; leave out `restore`.")
    try:
        text = read_arrays(path, KIND, {"fingerprint": TEXT}, limit=_LARGEST)["fingerprint"]
        stored = parse_json(str(text))
    except ValueError as error:
        raise WeightsError(f"{path} is not {KIND}: {error}.") from None
    expected = json.loads(json.dumps(fingerprint))  # lists instead of tuples, as in the file
    different = [_difference(name, stored.get(name), value) for name, value in expected.items()
                 if stored.get(name) != value]
    if different:
        raise OptionError(f"{path} is of a run with {'; '.join(different)}. Use the same, or leave "
                          "out `restore` to start again.")
    names = array_names(path, _LARGEST) - {"fingerprint"}
    return read_arrays(path, KIND, dict.fromkeys(names), limit=_LARGEST)


def pop_prefixed(arrays: Arrays, prefix: str) -> Arrays:
    """Remove the arrays whose names start with a prefix; return them by their names without it."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in [*arrays]
            if name.startswith(prefix)}


def _difference(name: str, stored: Any, now: Any) -> str:
    if name in ("content", "style", "masks", "start picture"):
        return f"another {name}"
    return f"{name} {stored} (now {now})"
