"""Training: the Keras model whose compute_loss is the paper, and train()."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from adain import checkpoint, distribution, inversion, losses
from adain.architecture import PRESETS, STYLE_LAYERS, preset
from adain.checkpoint import Checkpoint, Shipped
from adain.config import TrainConfig
from adain.devices import choose_precision
from adain.errors import OptionError
from adain.events import EventWriter
from adain.model import Decoder, Encoder, StyleTransfer, blend, set_weights
from adain.muon import Muon
from adain.ops import Tensor, channel_stats
from adain.progress import StopRequest
from adain.recorder import Batches, Recorder, Watch, say_end, say_start
from adain.stats import ChannelStats
from adain.weights import load_encoder


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


class TrainingModel(keras.Model):
    """Style transfer with the losses of the paper, for Keras' fit().

    A batch is one tensor of pairs: uint8 (batch, 2, rows, columns, 3), content first; or a dict
    that also has their features, see features.dataset.
    """

    def __init__(self, config: TrainConfig, vgg: Encoder, encoder: Encoder,
                 decoder: Decoder) -> None:
        # Its parts cast their inputs themselves; statistics that come with a batch stay float32.
        super().__init__(dtype=decoder.dtype_policy, autocast=False)
        self.config = config
        self.vgg = vgg  # measures the losses, frozen; the vgg19 preset also encodes with it
        self.vgg.trainable = False
        self.transfer = StyleTransfer(encoder, decoder)
        self.replicas = 1  # devices that share a batch
        self.workers = 1  # machines that do
        names = ["content", "style", "tv", "pixel", "structure",
                 *(f"style/{name}" for name in STYLE_LAYERS)]
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True  # its parts are, and it has no weights of its own

    def call(self, batch: Tensor | dict[str, Tensor], training: bool = True) -> dict[str, Any]:
        features = batch if isinstance(batch, dict) else {"pairs": batch}
        own = self.own_style(features["pairs"], training)
        content, style = self.split(features["pairs"], own)
        if "content_features" in features:
            content_features = features["content_features"]
            style_stats = self.unpack(features["style_stats"], content_features, own)
        else:
            content_features = self.vgg(content)[-1]
            style_features = self.vgg(style)
            style_stats = [channel_stats(layer) for layer in style_features]
        target = blend(content_features, style_stats[-1])
        if self.transfer.encoder is self.vgg:
            stylized = self.transfer.decoder([target])
        else:
            stylized = self.transfer(content, style)
        if self.config.content_target == "content":
            target = content_features
        result = {"content": content, "target": target, "style_stats": style_stats, "own": own,
                  "stylized": stylized, "stylized_features": self.vgg(stylized)}
        return {**result, "style_features": style_features} if self.config.gram else result

    def own_style(self, pairs: Tensor, training: bool = True) -> Tensor | None:
        """Tell which pairs learn to reproduce their content, as its own style (batch,).

        All of them during the first reconstruction_iter steps, then identity_share of them. None
        where no pair ever does.
        """
        config = self.config
        if not training or not (config.reconstruction_iter or config.identity_share):
            return None
        count = ops.shape(pairs)[0]
        share = ops.where(self.optimizer.iterations < config.reconstruction_iter, 1.0,
                          config.identity_share)
        places = ops.cast(ops.arange(count), "float32") + 0.5  # so that counts are rounded
        return places < share * ops.cast(count, "float32")

    @staticmethod
    def split(pairs: Tensor, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return content and style pictures in [0, 1]."""
        pictures = ops.cast(pairs, "float32") / 255.0
        content, style = pictures[:, 0], pictures[:, 1]
        if own is not None:
            style = ops.where(own[:, None, None, None], content, style)
        return content, style

    @staticmethod
    def unpack(packed: Tensor, content_features: Tensor,
               own: Tensor | None = None) -> list[ChannelStats]:
        """Return the statistics of each of STYLE_LAYERS from features.FeatureCache's rows.

        Where a pair is its own style, those of relu4_1 are the content's; the others are not used.
        """
        cuts = np.cumsum(PRESETS["vgg19"].widths)[:-1].tolist()
        means, stds = (ops.split(packed[:, row][:, None, None, :], cuts, axis=-1)
                       for row in (0, 1))
        stats = [ChannelStats(mean, std) for mean, std in zip(means, stds)]
        if own is not None:
            stats[-1] = ChannelStats(*(ops.where(own[:, None, None, None], ours, theirs)
                                       for ours, theirs in zip(channel_stats(content_features),
                                                               stats[-1])))
        return stats

    def style_weight(self) -> Tensor | float:
        """Return the style weight at the current step."""
        ramp, start = self.config.style_weight_ramp, self.config.reconstruction_iter
        if not ramp and not start:
            return self.config.style_weight
        progress = ops.cast(self.optimizer.iterations - start, "float32") / max(ramp, 1)
        return self.config.style_weight * ops.clip(progress, 0.0, 1.0)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        config = self.config
        content = losses.content_loss(y_pred["stylized_features"][-1], y_pred["target"])
        style = self.style_losses(y_pred)
        total_style = sum(weight * loss for weight, loss in zip(config.style_layer_weights,
                                                                style.values()))
        tv = losses.total_variation_loss(y_pred["stylized"])
        pixel = losses.pixel_loss(y_pred["stylized"], y_pred["content"])
        structure = losses.structure_loss(y_pred["stylized"], y_pred["content"])
        values = {"content": content, "style": total_style, "tv": tv, "pixel": pixel,
                  "structure": structure,
                  **{f"style/{name}": value for name, value in style.items()}}
        for name, value in values.items():
            self.trackers[name].update_state(value)
        total = config.content_weight * content + self.style_weight() * values["style"]
        if config.tv_weight:
            total = total + config.tv_weight * tv
        if config.structure_weight:
            total = total + config.structure_weight * structure
        if y_pred["own"] is not None:
            # Factor 100: brings the pixel error of a blurred picture near the content loss.
            total = total + 100.0 * losses.pixel_loss(y_pred["stylized"], y_pred["content"],
                                                      y_pred["own"])
        return total / self.replicas  # whose gradients are added up

    def get_metrics_result(self):
        results = super().get_metrics_result()
        if self.workers > 1:  # Keras reduces over an axis there, which single numbers do not have
            results = {name: ops.reshape(value, (1,)) for name, value in results.items()}
        return results

    def style_losses(self, y_pred: dict[str, Any]) -> dict[str, Tensor]:
        """Return the style loss of each of STYLE_LAYERS, where pairs are not their own style."""
        stylized, own = y_pred["stylized_features"], y_pred["own"]
        counted = None if own is None else ops.logical_not(own)
        if self.config.gram:
            pairs, loss = zip(stylized, y_pred["style_features"]), losses.gram_loss
        else:
            pairs = zip(map(channel_stats, stylized), y_pred["style_stats"])
            loss = losses.style_loss
        return {name: loss(*pair, counted) for name, pair in zip(STYLE_LAYERS, pairs)}

    def preview(self, pairs: np.ndarray) -> np.ndarray:
        """Return rows content | style | stylized of uint8 pairs, as one uint8 picture."""
        pictures = pairs.astype(np.float32) / 255
        stylized = ops.convert_to_numpy(self.transfer(pictures[:, 0], pictures[:, 1]))
        stylized = (np.clip(np.nan_to_num(stylized), 0, 1) * 255 + 0.5).astype(np.uint8)
        return np.concatenate([np.concatenate([content, style, result], axis=1)
                               for (content, style), result in zip(pairs, stylized)])


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
        _set_networks(model, resumed, "Use another --checkpoint folder.")
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
        raise OptionError(f"{resumed.path} was written with another optimizer or --precision; "
                          "use the same options, or another --checkpoint folder.")
    for variable, array in zip(variables, stored):
        variable.assign(array)


def resume_point(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint in the folder, or None where a run starts afresh."""
    return checkpoint.load(folder) if folder.is_dir() and checkpoint.list_all(folder) else None


def first_pictures(batches: Batches, batch_size: int, crop_size: int) -> np.ndarray:
    """Return the contents and styles of a run's first steps: as many as inversion needs."""
    steps = -(-inversion.PIXELS // (2 * batch_size * crop_size**2))
    pairs = [batch["pairs"] if isinstance(batch, dict) else batch for batch in batches(0, steps)]
    return np.concatenate([ops.convert_to_numpy(each) for each in pairs]
                          ).reshape(-1, crop_size, crop_size, 3)


def starting_point(name: str | Path) -> Checkpoint | Shipped:
    """Return the networks of a preset's shipped weights, or else those of a checkpoint."""
    return Shipped(name) if name in PRESETS else checkpoint.load(name)


def _interrupt(signal_name: str) -> None:
    raise KeyboardInterrupt


def train(config: TrainConfig, batches: Batches, watch: Watch | np.ndarray, folder: str | Path,
          log_path: str | Path | None = None, report: Callable[[str], None] = print,
          strategy: Any = None, continue_from: str | Path | None = None) -> TrainingModel:
    """Train up to config.max_iter, from the newest checkpoint in `folder` if it has one.

    batches(first_step, last_step): what fit() takes and yields the batches of those steps, uint8
    (batch, 2, rows, columns, 3); see data.dataset. watch: what to record, or just a few such pairs
    as previews. SIGINT and SIGTERM save a checkpoint and end the run early. strategy: what
    distribution.choose gave; all workers must see the same `folder`, and the first one writes.
    continue_from: a folder or checkpoint whose networks a new run begins with, at step 0, or the
    name of a preset, for those that ship.
    """
    folder = Path(folder)
    watch = watch if isinstance(watch, Watch) else Watch(watch)
    distribution.check_batch(strategy, config.batch_size)
    resumed = resume_point(folder)
    inverts = config.initialization == "inversion" and not resumed
    if inverts and distribution.worker_count() > 1:
        raise OptionError("--initialization inversion works on one machine: take its first step "
                          "there, then --continue-from it on all.")
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
    recorder = Recorder(folder, events, watch, batches, first_step,
                        resumed.config.get("seconds", 0.0) if resumed else 0.0, report)
    with StopRequest(recorder.end_soon), distribution.clear_errors(folder):
        model.fit(fed, epochs=1, verbose=0, shuffle=False,
                  steps_per_epoch=config.max_iter - first_step, callbacks=[recorder])
    if events:
        events.close()
    end(recorder.step)
    best = checkpoint.best(folder)
    if best:
        report(f"lowest validation loss: {best}")
    return model
