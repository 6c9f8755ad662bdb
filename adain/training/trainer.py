"""train(): builds the training model, feeds it and records what it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from adain.errors import OptionError
from adain.networks import checkpoint
from adain.networks.architecture import PRESETS, STYLE_LAYERS, preset
from adain.networks.checkpoint import Checkpoint, Shipped
from adain.networks.keras.devices import choose_precision
from adain.networks.keras.model import Decoder, Encoder, set_weights
from adain.networks.weights import load_encoder
from adain.progress import StopRequest
from adain.training import distribution, inversion
from adain.training.config import TrainConfig
from adain.training.events import EventWriter
from adain.training.folder_lock import locked
from adain.training.model import TrainingModel
from adain.training.muon import Muon
from adain.training.recorder import Batches, Recorder, Watch, say_end, say_start
from adain.training.resume import check_changes


def learning_rate(config: TrainConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return learning_rate / (1 + lr_decay * step), or a half cosine down to 1 %."""
    if config.lr_schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(config.learning_rate, config.max_iter,
                                                      alpha=0.01)
    return keras.optimizers.schedules.InverseTimeDecay(config.learning_rate, 1, config.lr_decay)


def optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    """Return the optimizer of a run."""
    rate, clip = learning_rate(config), config.clip_norm
    if config.optimizer == "muon":
        return Muon(rate, adam_beta_2=config.beta_2, global_clipnorm=clip, weight_decay=None,
                    adam_weight_decay=None)
    return keras.optimizers.Adam(rate, beta_2=config.beta_2, global_clipnorm=clip)


def build(config: TrainConfig, resumed: Checkpoint | None = None,
          start: Checkpoint | Shipped | None = None) -> TrainingModel:
    """Return a compiled model: with fresh weights, those of `start`, or those and the step of a
    checkpoint."""
    keras.utils.set_random_seed(config.seed)
    policy = choose_precision(config.precision)
    plan = preset(config.model)
    vgg = Encoder.from_weights(load_encoder("vgg19", config.vgg_path), STYLE_LAYERS, dtype=policy)
    network = plan.widths, plan.depths, plan.adain_layers, plan.negative_slope
    encoder = Encoder(*network, dtype=policy) if plan.trains_encoder else vgg
    decoder = Decoder(*network, dtype=policy)
    model = TrainingModel(config, vgg, encoder, decoder)
    model.compile(optimizer(config), jit_compile=config.jit_compile)
    model.optimizer.build(model.trainable_variables)
    if resumed is not None:
        _set_networks(model, resumed, "Use another `checkpoint` folder.")
        _restore_optimizer(model, resumed)
    elif start is not None:
        _set_networks(model, start, "Continue from another.")
    return model


def _set_networks(model: TrainingModel, found: Checkpoint | Shipped, way_out: str) -> None:
    if found.model != model.config.model:
        raise OptionError(f"{found.path} holds the model {found.model}, this run trains "
                          f"{model.config.model}. {way_out}")
    set_weights(model.transfer.decoder, found.decoder())
    if model.transfer.encoder is not model.vgg:
        set_weights(model.transfer.encoder, found.encoder())


def _restore_optimizer(model: TrainingModel, resumed: Checkpoint) -> None:
    stored, variables = resumed.optimizer(), model.optimizer.variables
    if [array.shape for array in stored] != [tuple(variable.shape) for variable in variables]:
        raise OptionError(f"{resumed.path} was written with another optimizer or `precision`; "
                          "use the same options, or another `checkpoint` folder.")
    for variable, array in zip(variables, stored):
        variable.assign(array)


def resume_point(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint in the folder, or None where a run starts afresh."""
    if not folder.is_dir() or not checkpoint.list_all(folder):
        return None
    return checkpoint.load(folder, resume=True)


def first_pictures(batches: Batches, batch_size: int, crop_size: int) -> np.ndarray:
    """Return the contents and styles of a run's first steps: as many as inversion needs."""
    steps = -(-inversion.PIXELS // (2 * batch_size * crop_size**2))
    found = (batch[0] if isinstance(batch, tuple) else batch for batch in batches(0, steps))
    pairs = [batch["pairs"] if isinstance(batch, dict) else batch for batch in found]
    return np.concatenate([ops.convert_to_numpy(each) for each in pairs]
                          ).reshape(-1, crop_size, crop_size, 3)


def starting_point(name: str | Path) -> Checkpoint | Shipped:
    """Return the networks of a preset's shipped weights, or else those of a checkpoint."""
    return Shipped(name) if name in PRESETS else checkpoint.load(name)


def _interrupt(signal_name: str) -> None:
    raise KeyboardInterrupt


def train(config: TrainConfig, batches: Batches, watch: Watch | np.ndarray, folder: str | Path,
          log_path: str | Path | None = None, report: Callable[[str], None] = print,
          strategy: Any = None, continue_from: str | Path | None = None,
          allow_changes: bool = False) -> TrainingModel:
    """Train up to config.max_iter, from the newest checkpoint in `folder` if it has one.

    batches(first_step, last_step): what fit() takes and yields the batches of those steps, uint8
    (batch, 2, rows, columns, 3); see data.dataset. watch: what to record, or just a few such pairs
    as previews. SIGINT, SIGTERM and SIGHUP save a checkpoint and end the run early. strategy: what
    distribution.choose gave; all workers must see the same `folder`, and the first one writes.
    continue_from: a folder or checkpoint whose networks a new run begins with, at step 0, or the
    name of a preset, for those that ship. allow_changes: resume even where options or pictures are
    others than the checkpoint's. OptionError while another run trains in the folder.
    """
    folder = Path(folder)
    watch = watch if isinstance(watch, Watch) else Watch(watch)
    distribution.check_batch(strategy, config.batch_size)
    with locked(folder) if distribution.is_first() else nullcontext():
        return _train(config, batches, watch, folder, log_path, report, strategy, continue_from,
                      allow_changes)


def _train(config: TrainConfig, batches: Batches, watch: Watch, folder: Path,
           log_path: str | Path | None, report: Callable[[str], None], strategy: Any,
           continue_from: str | Path | None, allow_changes: bool) -> TrainingModel:
    """Train in a folder that nobody else trains in; see train()."""
    resumed = resume_point(folder)
    if resumed and resumed.model == config.model:
        check_changes(resumed, config, watch.data, allow_changes, report)
    inverts = config.initialization == "inversion" and not resumed
    if inverts and distribution.worker_count() > 1:
        raise OptionError("`initialization=inversion` works on one machine: take its first step "
                          "there, then `continue_from` it on all.")
    start = starting_point(continue_from) if continue_from and not resumed else None
    with distribution.scope(strategy):
        model = build(config, resumed, start)
    if inverts:
        networks = (model.vgg, model.transfer.decoder,
                    first_pictures(batches, config.batch_size, config.crop_size), config.seed)
        if start:
            report(f"gives {inversion.revive(*networks)} dead channels of the decoder new kernels")
        else:
            report("computes the decoder's first weights")
            inversion.invert(*networks)
    if strategy is not None:
        model.replicas, model.workers = strategy.num_replicas_in_sync, distribution.worker_count()
    first_step = say_start(folder, resumed, config.max_iter, report)
    if first_step >= config.max_iter:
        return model
    events = None
    if distribution.is_first():
        checkpoint.set_aside(folder, first_step)
        events = EventWriter(log_path or folder / "logs", first_step)
    end = partial(say_end, max_iter=config.max_iter, command=watch.command, report=report,
                  use=f"python stylize.py --checkpoint {folder} --content-path ... "
                      "--style-path ...")
    try:  # what is computed before the first step may take minutes
        with StopRequest(_interrupt), distribution.clear_errors(folder):
            fed = distribution.distributed(strategy, batches, first_step, config.max_iter)
    except KeyboardInterrupt:
        end(first_step)
        return model
    recorder = Recorder(config, folder, events, watch, batches, first_step,
                        resumed.config.get("seconds", 0.0) if resumed else 0.0, report)
    with StopRequest(recorder.end_soon), distribution.clear_errors(folder):
        model.fit(fed, epochs=1, verbose=0, shuffle=False,
                  steps_per_epoch=config.max_iter - first_step, callbacks=[recorder])
    end(recorder.step)
    best = checkpoint.best(folder)
    if best:
        report(f"lowest validation loss: {best}")
    return model
