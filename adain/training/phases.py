"""Trainings of several phases, each of which continues from the networks of the one before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from adain.errors import OptionError, WeightsError
from adain.files.arrays import read_arrays
from adain.networks import checkpoint
from adain.networks.checkpoint import Checkpoint
from adain.progress import StopRequest, stop_on_signals
from adain.training.config import TrainConfig
from adain.training.resume import check_changes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhaseRun:
    """A phase as it is run: by train(config, folder=..., **arguments), or as an average.

    average: the shares of earlier phases, by their names.
    """

    name: str
    config: TrainConfig
    arguments: Mapping[str, Any] = field(default_factory=dict)
    average: Mapping[str, float] = field(default_factory=dict)


def run(train: Callable[..., Path], phases: Sequence[PhaseRun], folder: str | Path,
        stop: StopRequest | None = None) -> Path:
    """Train the phases one after the other, each in a folder of its name in `folder`.

    Run again, finished phases are skipped, and the one that was stopped goes on.

    Returns:
        What the last phase that was run has written.

    Raises:
        OptionError: a phase has no checkpoint, or is not finished, but a later one has begun; or
            what train() raises.
    """
    folder = Path(folder)
    _check_order(phases, folder)
    previous: Path | None = None
    with stop_on_signals(stop) as stop:
        for number, phase in enumerate(phases, 1):
            place = folder / phase.name
            title = f"phase {number} of {len(phases)}, {phase.name}"
            if _is_finished(phase, place):
                logger.info("%s: finished", title)
                previous = place
                continue
            logger.info("%s: %s", title, place)
            if phase.average:
                _write_average(phase.average, folder, place)
            else:
                start = {} if previous is None else {"continue_from": previous}
                train(phase.config, folder=place, stop=stop, **{**phase.arguments, **start})
            if not _is_finished(phase, place):
                return place  # was asked to stop
            previous = place
    return folder / phases[-1].name


def _check_order(phases: Sequence[PhaseRun], folder: Path) -> None:
    """Raise OptionError where a phase has begun, but not with the result of the one before it."""
    for phase, following in zip(phases, phases[1:]):
        place, later = folder / phase.name, folder / following.name
        if not checkpoint.list_all(later) or _is_finished(phase, place):
            continue
        state = "is not finished" if checkpoint.list_all(place) else "has no checkpoint"
        raise OptionError(f"phase {phase.name} {state} in {place}, but {following.name}, which "
                          f"continues from it, has one: put back {place}, or remove {later} to "
                          "repeat it.")


def _is_finished(phase: PhaseRun, place: Path) -> bool:
    """Return whether a phase has all its steps; OptionError if another recipe made them."""
    if not checkpoint.list_all(place):
        return False
    saved = checkpoint.load(place, None)
    if phase.average:
        if saved.config.get("average") != dict(phase.average):
            raise OptionError(f"{place} is not the average of this recipe: remove it, and "
                              "the phases after it, to repeat them.")
        return True
    check_changes(saved, phase.config, {}, bool(phase.arguments.get("allow_changes")))
    return saved.step >= phase.config.max_iter


def _write_average(shares: Mapping[str, float], folder: Path, place: Path) -> None:
    """Write a checkpoint with the averaged weights of other phases, see Wortsman et al. 2022."""
    checkpoints = {name: checkpoint.load(folder / name, None) for name in shares}
    last = list(checkpoints.values())[-1]
    arrays = {name: _arrays(each) for name, each in checkpoints.items()}
    shapes = [{key: array.shape for key, array in each.items()} for each in arrays.values()]
    if any(each != shapes[0] for each in shapes):
        raise WeightsError(f"the networks of {', '.join(shares)} have other sizes and cannot be "
                           "averaged.")
    mean = {key: np.sum([np.float32(share) * arrays[name][key] for name, share in shares.items()],
                        axis=0) for key in shapes[0]}
    config = {**last.config, "step": 0, "average": dict(shares), "validation": None}
    checkpoint.write(place, config, mean, [np.zeros(1, np.float32)], 1)


def _arrays(saved: Checkpoint) -> dict[str, np.ndarray]:
    return read_arrays(saved.path / "model.npz", "a readable weights file")
