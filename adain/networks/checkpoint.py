"""Checkpoints: folders step_0000100/ with model.npz, optimizer.npz and config.json.

They are plain arrays and text: loading one runs no code and needs no framework. A checkpoint is
written beside its name, flushed to the disk and renamed, so every folder of that name is complete,
whenever the process or the machine stops.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adain.errors import WeightsError
from adain.files.arrays import (
    TEXT_LIMIT,
    check_regular,
    is_number,
    parse_json,
    read_arrays,
    write_arrays,
)
from adain.networks import weights
from adain.networks.architecture import PRESETS, preset
from adain.networks.networks import Networks, Weights

logger = logging.getLogger(__name__)

FORMAT = 1
FILES = ("model.npz", "optimizer.npz", "config.json")


@dataclass(frozen=True)
class Checkpoint:
    """One complete checkpoint folder."""

    path: Path
    config: dict[str, Any]

    @property
    def step(self) -> int:
        step: int = self.config["step"]
        return step

    @property
    def model(self) -> str:
        model: str = self.config["options"]["model"]
        return model

    @property
    def method(self) -> str:
        method: str = self.config.get("method", "adain")
        return method

    @property
    def vgg_path(self) -> str | None:
        """The VGG19 that it was trained with, where that is not the shipped one."""
        vgg_path: str | None = self.config["options"].get("vgg_path")
        return vgg_path

    def networks(self, vgg_path: str | Path | None = None) -> Networks:
        """Return its networks; vgg_path: the VGG19 to encode with, instead of the shipped one."""
        encoder = weights.load_encoder(self.model, vgg_path) if vgg_path else self.encoder()
        return weights.assemble(self.model, encoder, self.decoder())

    def encoder(self) -> Weights:
        """Return the encoder: the trained one, or the VGG19 that this decoder was trained with."""
        if preset(self.model).trains_encoder:
            encoder = weights.read_npz(self.path / "model.npz", "encoder")
            weights.check(encoder, "encoder", self.model, self.path)
            return encoder
        if self.vgg_path is not None:  # a checkpoint of a stranger's must not choose what is read
            raise WeightsError(f"{self.path} was trained with the VGG19 in {self.vgg_path!r}, "
                               "which is not read only because a checkpoint says so: name it with "
                               "`vgg_path`.")
        return weights.load_encoder(self.model)

    def decoder(self) -> Weights:
        decoder = weights.read_npz(self.path / "model.npz", "decoder")
        weights.check(decoder, "decoder", self.model, self.path)
        return decoder

    def optimizer(self) -> list[np.ndarray]:
        """Return the optimizer's variables in its own order."""
        path = self.path / "optimizer.npz"
        arrays = read_arrays(path, "a readable optimizer")
        if sorted(arrays) != [f"{index:04d}" for index in range(len(arrays))]:
            raise WeightsError(f"{path} is not a readable optimizer: its arrays are not numbered.")
        return [arrays[name] for name in sorted(arrays)]

    def check_whole(self, resume: bool) -> None:
        """Raise WeightsError unless its arrays can be read; resume: also those of the optimizer."""
        read_arrays(self.path / "model.npz", "a readable weights file")
        if resume:
            self.optimizer()


@dataclass(frozen=True)
class Shipped:
    """The networks of a preset that come with the package, to begin a run with."""

    model: str

    @property
    def path(self) -> str:
        return f"the shipped {self.model}"

    def encoder(self) -> Weights:
        return weights.load_encoder(self.model)

    def decoder(self) -> Weights:
        return weights.load_decoder(self.model)


def name(step: int) -> str:
    return f"step_{step:07d}"


def save(folder: Path, config: dict[str, Any], encoder: Weights | None,
         decoder: Weights, optimizer: list[np.ndarray], keep: int) -> Path:
    """Write a checkpoint into `folder`, keep the newest `keep` and the best; return its path.

    config needs "step" and "options"; encoder is None where it is frozen. A disk that is full is a
    WeightsError, and the older checkpoints stay.
    """
    return write(folder, config, to_arrays(encoder, decoder), optimizer, keep)


def to_arrays(encoder: Weights | None, decoder: Weights) -> dict[str, np.ndarray]:
    """Return what model.npz has of networks for any style; encoder: None where it is frozen."""
    arrays = weights.to_arrays(decoder, "decoder")
    return arrays if encoder is None else arrays | weights.to_arrays(encoder, "encoder")


def write(folder: Path, config: dict[str, Any], arrays: dict[str, np.ndarray],
          optimizer: list[np.ndarray], keep: int) -> Path:
    """Write a checkpoint whose model.npz has these arrays; see `save`."""
    path = folder / name(config["step"])
    beside = folder / f".{path.name}.partial"
    _clean(folder)
    try:
        beside.mkdir(parents=True)
        write_arrays(beside / "model.npz", arrays)
        write_arrays(beside / "optimizer.npz",
                     {f"{index:04d}": array for index, array in enumerate(optimizer)})
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
    """Return the checkpoint with the lowest loss on the gallery, or None if none has one.

    Where no checkpoint was measured with a gallery: the one with the lowest validation loss.
    """
    for measured in ("gallery", "validation"):
        losses: dict[Path, float] = {}
        for path in list_all(folder):
            with suppress(WeightsError):
                saved = _read_config(path)
                if saved.config.get(measured):
                    losses[path] = saved.config[measured]["loss"]
        if losses:
            return min(losses, key=losses.__getitem__)
    return None


def list_all(folder: Path) -> list[Path]:
    """Return the complete checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("step_*") if (path / "config.json").is_file())


def load(path: str | Path, method: str | None = "adain", resume: bool = False) -> Checkpoint:
    """Return the checkpoint at `path`, or the newest one in that folder whose files are whole.

    method: the one that it must be of; None: any. resume: its optimizer must be whole, too. What
    is passed over is logged as a warning.
    """
    saved = _newest_whole(Path(path), resume)
    if method is not None and saved.method != method:
        raise WeightsError(f"{saved.path} is a checkpoint of the method {saved.method}; expected "
                           f"{method}.")
    if method == "adain" and saved.model not in PRESETS:
        raise WeightsError(f"{saved.path} is of an unknown model, {saved.model!r}.")
    return saved


def method_of(path: Path) -> str | None:
    """Return the method of the newest readable checkpoint at `path`; None: there is none."""
    for step in _candidates(path):
        with suppress(WeightsError):
            return _read_config(step).method
    return None


def refuse_file(path: Path) -> None:
    """Raise WeightsError if a path names a file inside of a checkpoint instead of its folder."""
    if path.name in FILES and path.is_file() and (path.parent / "config.json").is_file():
        raise WeightsError(f"{path} is a file of a checkpoint: name its folder, {path.parent}.")


def set_aside(folder: Path, step: int) -> None:
    """Rename the checkpoints after `step`, which a run that resumes there found damaged.

    Otherwise they would count among the newest, which are kept.
    """
    for path in list_all(folder):
        if path.name > name(step):
            aside = path.with_name(f"damaged_{path.name}")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)


def _candidates(path: Path) -> list[Path]:
    """Return the checkpoint that a path names, or all in that folder, newest first."""
    refuse_file(path)
    if path.is_file():
        raise WeightsError(f"{path} is a file; a checkpoint is a folder that train.py writes.")
    if not path.is_dir():
        raise WeightsError(f"checkpoint folder {path} does not exist.")
    return [path] if (path / "config.json").exists() else list_all(path)[::-1]


def _newest_whole(path: Path, resume: bool) -> Checkpoint:
    candidates = _candidates(path)
    damage: WeightsError | None = None
    for step in candidates:
        try:
            saved = _read_config(step)
            saved.check_whole(resume)
        except WeightsError as error:
            damage = damage or error
            continue
        if damage:
            logger.warning("%s %s, the newest whole checkpoint, is used instead.", damage,
                           saved.path)
        return saved
    if damage is None:
        raise WeightsError(f"{path} has no checkpoint: no folder like {name(100)} with a "
                           "config.json, as train.py writes them.")
    if candidates == [path] and len(list_all(path.parent)) > 1:
        raise WeightsError(f"{damage} There are others: `checkpoint={path.parent}` takes the "
                           "newest whole one.")
    raise damage


def _read_config(path: Path) -> Checkpoint:
    """Return the checkpoint in a folder of its own; only config.json is read, and checked."""
    file = path / "config.json"
    try:
        check_regular(file)
        with file.open("rb") as opened:
            config = parse_json(opened.read(TEXT_LIMIT + 1))
        if config.get("format") != FORMAT:
            raise ValueError("it is of another format")
        _check_config(config)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} is not readable: {error}.") from None
    return Checkpoint(path, config)


def _check_config(config: dict[str, Any]) -> None:
    """Raise ValueError unless the entries that are used are there, and of their types."""
    options = config.get("options")
    if not isinstance(options, dict) or not isinstance(options.get("model"), str):
        raise ValueError("it has no options with a model")
    if not isinstance(options.get("vgg_path"), str | None):
        raise ValueError("vgg_path is no text")
    if not isinstance(config.get("step"), int) or not is_number(config["step"], 0):
        raise ValueError("step is no number")
    if not is_number(config.get("seconds", 0), 0):
        raise ValueError("seconds is no number")
    for entry in ("validation", "gallery"):
        measured = config.get(entry)
        if measured is not None and not (
                isinstance(measured, dict) and is_number(measured.get("loss"))):
            raise ValueError(f"{entry} has no loss")
    for entry, kind in (("method", str), ("device", str), ("command", str | None),
                        ("versions", dict), ("data", dict)):
        if entry in config and not isinstance(config[entry], kind):
            raise ValueError(f"{entry} is no {getattr(kind, '__name__', 'text')}")
