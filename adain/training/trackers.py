"""Trackers of trainings besides TensorBoard: MLflow and Weights & Biases.

Both write into the run's folder; nothing goes to the network unless their own variables ask for it:
MLFLOW_TRACKING_URI, and WANDB_MODE=online. A run that resumes goes on with the same tracked run,
whose steps after the checkpoint are then there twice.
"""

from __future__ import annotations

import json
import logging
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from adain.errors import AdaINError, OptionError
from adain.files.arrays import parse_json
from adain.files.atomic import atomic_file
from adain.training.observers import Observer

logger = logging.getLogger(__name__)

TRACKERS = ("mlflow", "wandb")
NAME = "tracker.json"  # in a run's folder: the tracked run that a resumed one goes on with
PROJECT = "adain"


def check(name: str | None) -> None:
    """Raise OptionError for a tracker that is unknown or not installed."""
    if name is None:
        return
    if name not in TRACKERS:
        raise OptionError(f"`tracker` must be one of {', '.join(TRACKERS)}; received {name}.")
    if find_spec(name) is None:
        raise OptionError(f"`tracker={name}` needs {name}: pip install -e '.[{name}]'")


def start(name: str, folder: Path) -> Observer:
    """Return the tracker of a run in `folder`, which goes on with the one it had before.

    Raises:
        AdaINError: the tracker cannot be reached, or its folder not be written.
    """
    _quiet()
    known = _known(folder, name)
    try:
        tracker = (MLflow if name == "mlflow" else WandB)(folder, known)
    except _failures(name) as error:
        raise AdaINError(f"the tracker {name} did not start: {_line(error)}") from None
    if tracker.run != known:
        with atomic_file(folder / NAME, AdaINError) as file:
            file.write(json.dumps({"tracker": name, "run": tracker.run}).encode() + b"\n")
    return Lossy(name, tracker)


class MLflow(Observer):
    """Logs to MLflow: to MLFLOW_TRACKING_URI, or files in `folder`/mlruns.

    run: the tracked run to go on with; None, or one that is gone: a new one.
    """

    def __init__(self, folder: Path, run: str | None) -> None:
        import mlflow

        folder.mkdir(parents=True, exist_ok=True)
        self._client = mlflow.MlflowClient(os.environ.get("MLFLOW_TRACKING_URI")
                                           or (folder / "mlruns").resolve().as_uri())
        if run is not None:
            try:
                self._client.update_run(run, status="RUNNING")
            except mlflow.exceptions.MlflowException:
                run = None
        if run is None:
            project = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
            known = self._client.get_experiment_by_name(project)
            experiment = known.experiment_id if known else self._client.create_experiment(project)
            run = self._client.create_run(experiment, run_name=folder.resolve().name).info.run_id
        self.run: str = run

    def settings(self, step: int, values: dict[str, Any]) -> None:
        from mlflow.entities import Param

        if step == 0:  # MLflow has no parameters that change
            self._client.log_batch(self.run, params=[Param(name, str(value))
                                                     for name, value in values.items()])

    def scalars(self, step: int, values: dict[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self.run, metrics=[Metric(_in_one_group(name), value, now, step)
                                                  for name, value in values.items()])

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._client.log_image(self.run, image, key=name, step=step, synchronous=True)

    def close(self) -> None:
        self._client.set_terminated(self.run)


def _in_one_group(name: str) -> str:
    """Return loss/style_relu1_1 for loss/style/relu1_1: in files, loss/style cannot be a folder."""
    group, slash, rest = name.partition("/")
    return group + slash + rest.replace("/", "_")


class WandB(Observer):
    """Logs to Weights & Biases: by WANDB_MODE, or offline, into `folder`/wandb."""

    def __init__(self, folder: Path, run: str | None) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=folder.resolve().name,
            dir=str(folder), mode=mode, id=run,
            resume="allow" if run and mode == "online" else None,
            settings=wandb.Settings(console="off", silent=True, save_code=False))
        self.run: str = self._run.id

    def settings(self, step: int, values: dict[str, Any]) -> None:
        self._run.config.update(values, allow_val_change=True)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._run.log(values, step=step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        import wandb

        self._run.log({name: wandb.Image(image)}, step=step)

    def close(self) -> None:
        self._run.finish()


class Lossy(Observer):
    """A tracker whose failure ends no run: it is logged, and the tracker is not used again."""

    def __init__(self, name: str, tracker: Observer) -> None:
        self._name, self._failures = name, _failures(name)
        self._tracker: Observer | None = tracker

    def settings(self, step: int, values: dict[str, Any]) -> None:
        self._try("settings", step, values)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._try("scalars", step, values)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._try("image", step, name, image)

    def close(self) -> None:
        self._try("close")

    def _try(self, method: str, *arguments: Any) -> None:
        if self._tracker is None:
            return
        try:
            getattr(self._tracker, method)(*arguments)
        except self._failures as error:
            logger.warning("WARNING: the tracker %s failed; the run goes on without it: %s",
                           self._name, _line(error))
            self._tracker = None


def _quiet() -> None:
    """Keep the trackers from sending anything to their makers, unless the user asked for it."""
    for name, value in (("MLFLOW_DISABLE_TELEMETRY", "true"), ("MLFLOW_ALLOW_FILE_STORE", "true"),
                        ("WANDB_ERROR_REPORTING", "false")):
        os.environ.setdefault(name, value)


def _failures(name: str) -> tuple[type[Exception], ...]:
    """Return what a tracker raises where its server, or its folder, cannot be used."""
    if name == "mlflow":
        from mlflow.exceptions import MlflowException

        return MlflowException, OSError
    import wandb

    return wandb.Error, OSError


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _known(folder: Path, name: str) -> str | None:
    """Return the tracked run of this tracker that a folder's run had before, or None."""
    try:
        about = parse_json((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return None
    run = about.get("run")
    return run if about.get("tracker") == name and isinstance(run, str) else None
