"""An encoded style as a file of a few kilobytes: encode a painting once, use it for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adain.errors import WeightsError
from adain.files.arrays import TEXT, array_names, read_arrays
from adain.files.atomic import atomic_file
from adain.networks.networks import Weights
from adain.networks.stats import ChannelStats

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
    return {"mean", "std", "encoder"} <= array_names(path, MAX_BYTES)


def load(path: str | Path, encoder: str, channels: int, more: int = 0) -> ChannelStats:
    """Return the style in a file; WeightsError if it is not of the network that is used.

    encoder: that network's fingerprint; channels: how many means and deviations it has; more: how
    many may follow, of a style that was encoded for refined pictures.
    """
    kind = "an encoded style"
    found = str(read_arrays(path, kind, {"encoder": TEXT})["encoder"])
    if found != encoder:
        raise WeightsError(f"{path} was encoded by another network ({found[:32]!r}, this one is "
                           f"{encoder}): encode the painting again with this `model`.")
    if read_arrays(path, kind, {"mean": None})["mean"].shape == (channels + more,):
        channels += more
    arrays = read_arrays(path, kind, {"mean": (channels,), "std": (channels,)})
    if arrays["std"].min() < 0:
        raise WeightsError(f"{path} is not {kind}: std has negative values.")
    return ChannelStats(*(arrays[name].astype(np.float32) for name in ("mean", "std")))
