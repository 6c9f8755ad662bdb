"""Write and read encoded styles as files of a few kilobytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adain.errors import WeightsError
from adain.files.arrays import TEXT, array_names, read_arrays
from adain.files.atomic import atomic_file
from adain.networks.networks import Weights
from adain.networks.stats import ChannelStats

SUFFIX = ".npz"
MAX_BYTES = 1_000_000  # a style has about 4 kB, networks have megabytes


def fingerprint(encoder: Weights) -> str:
    """Return a short hash of an encoder; a style can be used only with the encoder that made it."""
    import hashlib  # not needed for most commands, which should start fast

    digest = hashlib.sha256()
    for layer in sorted(encoder):
        for array in encoder[layer]:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def save(path: str | Path, style: ChannelStats, encoder: str) -> None:
    """Write a style to a file; `encoder`: fingerprint of the encoder that made it."""
    with atomic_file(path, WeightsError) as file:
        np.savez(file, mean=style.mean, std=style.std, encoder=np.array(encoder))


def is_style(path: str | Path) -> bool:
    """Return whether an .npz file is a style rather than a network, by its size and array names."""
    return {"mean", "std", "encoder"} <= array_names(path, MAX_BYTES)


def load(path: str | Path, encoder: str, channels: int, more: int = 0) -> ChannelStats:
    """Read a style.

    Args:
        encoder: fingerprint of the encoder in use.
        channels: number of its channels.
        more: number of further channels in a style that was encoded for refinement.

    Raises:
        WeightsError: the file is damaged, or was written with another encoder.
    """
    kind = "an encoded style"
    stored = str(read_arrays(path, kind, {"encoder": TEXT})["encoder"])
    if stored != encoder:
        raise WeightsError(f"{path} was encoded by another network: its encoder is "
                           f"{stored[:32]!r}, expected {encoder}. Encode the painting again with "
                           "the same `model`.")
    if read_arrays(path, kind, {"mean": None})["mean"].shape == (channels + more,):
        channels += more
    arrays = read_arrays(path, kind, {"mean": (channels,), "std": (channels,)})
    if arrays["std"].min() < 0:
        raise WeightsError(f"{path} is not {kind}: std has negative values.")
    return ChannelStats(*(arrays[name].astype(np.float32) for name in ("mean", "std")))
