"""An encoded style as a file of a few kilobytes: encode a painting once, use it for ever."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from adain.atomic import atomic_file
from adain.errors import WeightsError
from adain.stats import ChannelStats
from adain.weights import Weights

SUFFIX = ".npz"
MAX_BYTES = 1_000_000  # a style has 4 kB, networks have megabytes


def fingerprint(encoder: Weights) -> str:
    """Return a short text that tells encoders apart: styles of one mean nothing to another."""
    import hashlib  # not needed for most commands, which should start fast

    digest = hashlib.sha256()
    for layer in sorted(encoder):
        for array in encoder[layer]:
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]


def save(path: str | Path, style: ChannelStats, encoder: str) -> None:
    """Write a style; encoder: the fingerprint of the network that it was encoded with."""
    with atomic_file(path, WeightsError) as file:
        np.savez(file, mean=style.mean, std=style.std, encoder=np.array(encoder))


def is_style(path: str | Path) -> bool:
    """Tell by its size and the names in it whether an .npz file is a style, not a network."""
    try:
        if os.path.getsize(path) > MAX_BYTES:
            return False
        with zipfile.ZipFile(path) as file:
            return {"mean.npy", "std.npy", "encoder.npy"} <= set(file.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False


def load(path: str | Path, encoder: str) -> ChannelStats:
    """Return the style in a file; WeightsError if another network encoded it."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            style = ChannelStats(arrays["mean"], arrays["std"])
            found = str(arrays["encoder"])
    except FileNotFoundError:
        raise WeightsError(f"{path} does not exist.") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not an encoded style: {error}.") from None
    if found != encoder:
        raise WeightsError(f"{path} was encoded by another network ({found}, this one is "
                           f"{encoder}): encode the painting again with this --model.")
    return style
