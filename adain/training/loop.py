"""The training loop of every method: resumes, feeds the model, records, and stops in order."""

from __future__ import annotations

import logging
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, Protocol

import keras

from adain.errors import OptionError
from adain.networks import checkpoint
from adain.networks.checkpoint import Checkpoint
from adain.progress import Stopped, StopRequest, stop_on_signals
from adain.training import accumulation, averages, distribution, settings, trackers
from adain.training.config import TrainConfig
from adain.training.events import EventWriter
from adain.training.folder_lock import locked
from adain.training.muon import Muon
from adain.training.observers import Observer, Observers
from adain.training.profiling import Profile
from adain.training.recorder import Recorder
from adain.training.resume import check_changes
from adain.training.watch import Batches, Watch

logger = logging.getLogger(__name__)


class Method(Protocol):
    """What a method brings to the loop. Its model is a training.model.RecordedModel.

    name: as config.json has it. usage: the options of stylize.py beside --checkpoint.
    """

    name: str
    usage: str

    def check_resumed(self, resumed: Checkpoint) -> None:
        """Raise OptionError if this run could not go on with a checkpoint of the method."""

    def build(self, resumed: Checkpoint | None) -> keras.Model:
        """Return a compiled model with the networks of `resumed`, or those that a run starts with.
        """

    def initialize(self, model: keras.Model, batches: Batches) -> None:
        """Compute what a new run begins with, from its first batches."""

    def about(self) -> dict[str, Any]:
        """Return further entries of config.json."""


def learning_rate(config: TrainConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return learning_rate / (1 + lr_decay * step), or a half cosine down to 1 %."""
    if config.lr_schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(config.learning_rate, config.max_iter,
                                                      alpha=0.01)
    return keras.optimizers.schedules.InverseTimeDecay(config.learning_rate, 1, config.lr_decay)


def optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    """Return the optimizer of a run."""
    rate = learning_rate(config)
    common = {"global_clipnorm": config.clip_norm, "use_ema": config.ema > 0,
              "ema_momentum": config.ema}
    if config.optimizer == "muon":
        return Muon(rate, adam_beta_2=config.beta_2, weight_decay=None, adam_weight_decay=None,
                    **common)
    return keras.optimizers.Adam(rate, beta_2=config.beta_2, **common)


def compile_model(model: keras.Model, config: TrainConfig) -> None:
    """Give a model its optimizer, at step 0."""
    accumulation.check(config.accumulate)
    model.compile(optimizer(config), jit_compile=config.jit_compile)
    model.optimizer.build(model.trainable_variables)


def _restore_optimizer(model: keras.Model, resumed: Checkpoint) -> None:
    stored, variables = resumed.optimizer(), model.optimizer.variables
    if [array.shape for array in stored] != [tuple(variable.shape) for variable in variables]:
        raise OptionError(f"{resumed.path} was written with another optimizer, `ema` or "
                          "`precision`; use the same options, or another `checkpoint` folder.")
    for variable, array in zip(variables, stored):
        variable.assign(array)
    averages.swap(model)


def fit(method: Method, config: TrainConfig, batches: Batches, watch: Watch, folder: str | Path,
        *, log_path: str | Path | None = None, strategy: Any = None,
        allow_changes: bool = False, stop: StopRequest | None = None) -> keras.Model:
    """Train up to config.max_iter, from the newest checkpoint in `folder` if it has one.

    Args:
        strategy: what distribution.choose() gave; all workers must see the same `folder`, and the
            first one writes.
        allow_changes: resume even where options or pictures are others than the checkpoint's.
        stop: saves a checkpoint and ends the run early; None: SIGINT, SIGTERM and SIGHUP do.

    Raises:
        OptionError: another run trains in the folder, or what is there is of another run.
        AdaINError: losses or weights are not finite, or there is no room for what is written.
    """
    folder = Path(folder)
    distribution.check_batch(strategy, config.batch_size)
    for each in watch.callbacks:
        if not isinstance(each, (Observer, keras.callbacks.Callback)):
            raise OptionError("`callbacks` must be adain.Observer or keras.callbacks.Callback "
                              f"objects; received {each!r}.")
    with (locked(folder) if distribution.is_first() else nullcontext(),
          stop_on_signals(stop) as stop, distribution.active(strategy)):
        return _fit(method, config, batches, watch, folder, Path(log_path or folder / "logs"),
                    strategy, allow_changes, stop)


def _fit(method: Method, config: TrainConfig, batches: Batches, watch: Watch, folder: Path,
         log_path: Path, strategy: Any, allow_changes: bool, stop: StopRequest) -> keras.Model:
    """Train in a folder that nobody else trains in; see fit()."""
    resumed = _resume_point(folder, method.name)
    if resumed:
        method.check_resumed(resumed)
        check_changes(resumed, config, watch.data, allow_changes)
    with distribution.scope(strategy):
        model = method.build(resumed)
        if resumed:
            _restore_optimizer(model, resumed)
    if not resumed:
        method.initialize(model, batches)
    if strategy is not None:
        model.replicas = distribution.replica_count(strategy)
        model.workers = distribution.worker_count()
    first_step = resumed.step if resumed else 0
    if first_step >= config.max_iter:
        logger.info("%s is already at step %d of %d: nothing to do.", folder, first_step,
                    config.max_iter)
        return model
    if resumed:
        logger.info("resumes %s at step %d", resumed.path, first_step)
    events = None
    if distribution.is_first():
        checkpoint.set_aside(folder, first_step)
        events = _observers(watch, folder, log_path, first_step)
        values = settings.effective(method.name, config, watch.arguments, folder)
        settings.write(folder, values)
        events.settings(first_step, values)
    with closing(events or Observers(())):
        try:  # what is computed before the first step may take minutes
            with distribution.clear_errors(folder):
                fed = distribution.distributed(strategy, batches, first_step, config.max_iter)
            stop.check()
        except Stopped:
            _log_stop(first_step, watch)
            return model
        recorder = Recorder(config, folder, events, watch, batches, first_step,
                            resumed.config.get("seconds", 0.0) if resumed else 0.0,
                            method.about(), stop)
        callbacks = [recorder, *(each for each in watch.callbacks
                                 if not isinstance(each, Observer))]
        if watch.profile and distribution.is_first():
            callbacks.append(Profile(*watch.profile, log_path, first_step))
        with distribution.clear_errors(folder):
            model.fit(fed, epochs=1, verbose=0, shuffle=False,
                      steps_per_epoch=config.max_iter - first_step, callbacks=callbacks)
    if recorder.step < config.max_iter:
        _log_stop(recorder.step, watch)
    else:
        logger.info("done: python stylize.py --checkpoint %s %s", folder, method.usage)
    best = checkpoint.best(folder)
    if best:
        logger.info("lowest loss on pictures that it was not trained on: %s", best)
    return model


def _observers(watch: Watch, folder: Path, log_path: Path, first_step: int) -> Observers:
    """Return what sees the run: TensorBoard's files, the tracker, the caller's observers."""
    observers: list[Observer] = [EventWriter(log_path, first_step)]
    if watch.tracker:
        observers.append(trackers.start(watch.tracker, folder))
    return Observers([*observers,
                      *(each for each in watch.callbacks if isinstance(each, Observer))])


def _resume_point(folder: Path, method: str) -> Checkpoint | None:
    """Return the newest checkpoint in the folder, or None where a run starts afresh."""
    if not folder.is_dir() or not checkpoint.list_all(folder):
        return None
    return checkpoint.load(folder, method, resume=True)


def _log_stop(step: int, watch: Watch) -> None:
    """Log how to resume a run that was stopped."""
    logger.info("stopped at step %d%s; run the same command to go on%s", step,
                ", saved" if step else "", f":\n  {watch.command}" if watch.command else ".")
