"""Checkpoints: folders step_0000100/ with model.npz, optimizer.npz and config.json.

They are plain arrays and text: loading one runs no code and needs no framework. A checkpoint is
written beside its name, flushed to the disk and renamed, so every folder of that name is complete,
whenever the process or the machine stops.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adain import weights
from adain.errors import WeightsError

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """One complete checkpoint folder."""

    path: Path
    config: dict[str, Any]

    @property
    def step(self) -> int:
        return self.config["step"]

    @property
    def model(self) -> str:
        return self.config["options"]["model"]

    def encoder(self) -> weights.Weights:
        """Return the encoder: the trained one, or the VGG19 that this decoder was trained with."""
        if weights.preset(self.model).trains_encoder:
            encoder = weights.read_npz(self.path / "model.npz", "encoder")
            weights.check(encoder, "encoder", self.model, self.path)
            return encoder
        return weights.load_encoder(self.model, self.config["options"]["vgg_path"])

    def decoder(self) -> weights.Weights:
        decoder = weights.read_npz(self.path / "model.npz", "decoder")
        weights.check(decoder, "decoder", self.model, self.path)
        return decoder

    def optimizer(self) -> list[np.ndarray]:
        """Return the optimizer's variables in its own order."""
        try:
            with np.load(self.path / "optimizer.npz", allow_pickle=False) as arrays:
                return [arrays[f"{index:04d}"] for index in range(len(arrays.files))]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise WeightsError(f"{self.path}/optimizer.npz is not readable: {error}.") from None


@dataclass(frozen=True)
class Shipped:
    """The networks of a preset that come with the package, to begin a run with."""

    model: str

    @property
    def path(self) -> str:
        return f"the shipped {self.model}"

    def encoder(self) -> weights.Weights:
        return weights.load_encoder(self.model)

    def decoder(self) -> weights.Weights:
        return weights.load_decoder(self.model)


def name(step: int) -> str:
    return f"step_{step:07d}"


def save(folder: Path, config: dict[str, Any], encoder: weights.Weights | None,
         decoder: weights.Weights, optimizer: list[np.ndarray], keep: int) -> Path:
    """Write a checkpoint into `folder`, keep the newest `keep` and the best; return its path.

    config needs "step" and "options"; encoder is None where it is frozen. A disk that is full is a
    WeightsError, and the older checkpoints stay.
    """
    arrays = weights.to_arrays(decoder, "decoder")
    if encoder is not None:
        arrays |= weights.to_arrays(encoder, "encoder")
    return write(folder, config, arrays, optimizer, keep)


def write(folder: Path, config: dict[str, Any], arrays: dict[str, np.ndarray],
          optimizer: list[np.ndarray], keep: int) -> Path:
    """Write a checkpoint whose model.npz has these arrays; see `save`."""
    path = folder / name(config["step"])
    beside = folder / f".{path.name}.partial"
    _clean(folder)
    try:
        beside.mkdir(parents=True)
        np.savez(beside / "model.npz", **arrays)
        np.savez(beside / "optimizer.npz",
                 **{f"{index:04d}": array for index, array in enumerate(optimizer)})
        (beside / "config.json").write_text(
            json.dumps({"format": FORMAT, **config}, indent=2) + "\n")
        for file in (*beside.iterdir(), beside):
            _flush(file)
        _remove(path)
        beside.rename(path)
        _flush(folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        kept = list_all(folder)
        raise WeightsError(f"checkpoint {path} cannot be written: {error.strerror or error}. "
                           + (f"{kept[-1].name} is kept." if kept else "There is none before it.")
                           ) from None
    stay = {*list_all(folder)[-keep:], best(folder)}
    for old in list_all(folder):
        if old not in stay:
            _remove(old)
    return path


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk; not all systems can do that for folders."""
    if os.name != "posix" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a checkpoint so that no part of it is ever seen under its name."""
    if path.is_dir():
        hidden = path.with_name(f".{path.name}.removed.partial")
        path.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


def _clean(folder: Path) -> None:
    """Remove what a run that was killed while it saved or removed has left."""
    for rest in folder.glob(".step_*.partial"):
        shutil.rmtree(rest, ignore_errors=True)


def best(folder: Path) -> Path | None:
    """Return the checkpoint with the lowest validation loss, or None if none has one."""
    losses = {}
    for path in list_all(folder):
        try:
            value = json.loads((path / "config.json").read_text())["validation"]["loss"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        losses[path] = value
    return min(losses, key=losses.get) if losses else None


def list_all(folder: Path) -> list[Path]:
    """Return the complete checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("step_*") if (path / "config.json").is_file())


def load(path: str | Path) -> Checkpoint:
    """Return the checkpoint at `path`, or the newest one in that folder."""
    found = _read(Path(path))
    if found.config.get("method", "adain") != "adain" or found.model not in weights.PRESETS:
        raise WeightsError(f"{found.path}/config.json is of another method or an unknown model.")
    return found


def load_method(path: str | Path, method: str) -> Checkpoint:
    """Return the checkpoint, or the newest one there, of a run with another method than AdaIN."""
    found = _read(Path(path))
    if found.config.get("method") != method:
        raise WeightsError(f"{found.path} is not a checkpoint of the method {method}.")
    return found


def _read(path: Path) -> Checkpoint:
    if not path.is_dir():
        raise WeightsError(f"checkpoint folder {path} does not exist.")
    if not (path / "config.json").is_file():
        found = list_all(path)
        if not found:
            raise WeightsError(f"{path} has no checkpoint: no folder like {name(100)} with a "
                               "config.json, as train.py writes them.")
        path = found[-1]
    try:
        config = json.loads((path / "config.json").read_text())
        known = config["format"] == FORMAT and isinstance(config["step"], int)
        known = known and isinstance(config["options"]["model"], str)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}/config.json is not readable: {error!r}.") from None
    if not known:
        raise WeightsError(f"{path}/config.json is of another format.")
    return Checkpoint(path, config)
