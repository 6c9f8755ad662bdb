"""Training one network per style: the losses of `gatys`, but for the weights of a network.

It takes the settings of `trainer` (TrainConfig; the style loss is always of Gram matrices) and its
form of checkpoints. --reconstruction-iter and --style-weight-ramp raise the style weight
gradually: a network that starts at the full weight never learns to keep the photograph. `train`
can also continue a trained network at a higher weight, which gives the best pictures.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from adain import __version__
from adain.errors import AdaINError, OptionError, WeightsError
from adain.files import find, images
from adain.files.arrays import is_number
from adain.files.bad_files import BadFiles
from adain.methods.johnson import network as johnson
from adain.methods.johnson.network import LAYERS, METHOD, OUTPUT, Arrays
from adain.networks import checkpoint
from adain.networks.architecture import STYLE_LAYERS
from adain.networks.checkpoint import Checkpoint
from adain.networks.keras import losses
from adain.networks.keras.devices import choose_precision, describe_device
from adain.networks.keras.model import Encoder, blend
from adain.networks.keras.ops import ReflectConv2D, Tensor, gram_matrix, upsample
from adain.networks.stats import ChannelStats
from adain.networks.weights import load_encoder
from adain.progress import StopRequest, duration
from adain.training import data, loader
from adain.training.config import TrainConfig
from adain.training.events import EventWriter
from adain.training.folder_lock import locked
from adain.training.recorder import say_end, say_start
from adain.training.resume import check_changes, describe_pictures
from adain.training.trainer import optimizer
from adain.transfer.tiling import pad, to_float, to_integers

PREVIEWS = 4


class NormalisedConv(layers.Layer):
    """A convolution and instance normalisation: AdaIN with statistics that are learned."""

    def __init__(self, name: str, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        size, inputs, outputs, stride = LAYERS[name]
        self.conv = ReflectConv2D(outputs, size, strides=stride, use_bias=False, dtype=dtype)
        self.conv.build((None, None, None, inputs))
        self.mean = self.add_weight((outputs,), "zeros", "float32", name="mean")
        self.std = self.add_weight((outputs,), "ones", "float32", name="std")
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        stats = ChannelStats(ops.cast(self.mean, "float32"), ops.cast(self.std, "float32"))
        return ops.cast(blend(self.conv(x), stats), self.compute_dtype)


class Network(keras.Model):
    """The transformation network: pictures (batch, rows, columns, 3) in [0, 1] -> the same."""

    def __init__(self, arrays: Arrays | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.convs = {name: NormalisedConv(name, self.dtype_policy) for name in LAYERS
                      if name != OUTPUT}
        self.output_conv = ReflectConv2D(LAYERS[OUTPUT].outputs, LAYERS[OUTPUT].size,
                                         dtype=self.dtype_policy)
        self.output_conv.build((None, None, None, LAYERS[OUTPUT].inputs))
        self.built = True
        for name, array in (arrays or {}).items():
            self.arrays()[name].assign(array)

    def call(self, pictures: Tensor) -> Tensor:
        def layer(name, x):
            return self.output_conv(x) if name == OUTPUT else self.convs[name](x)

        x = johnson.forward(pictures, layer, ops.relu, ops.add, upsample)
        return ops.sigmoid(ops.cast(x, "float32"))

    def arrays(self) -> dict[str, keras.Variable]:
        """Return the variables by the names that files give them."""
        found = {f"{OUTPUT}/kernel": self.output_conv.kernel, f"{OUTPUT}/bias":
                 self.output_conv.bias}
        for name, layer in self.convs.items():
            found |= {f"{name}/kernel": layer.conv.kernel, f"{name}/mean": layer.mean,
                      f"{name}/std": layer.std}
        return found


class TrainingModel(keras.Model):
    """The network with its losses, for Keras' fit(); a batch is uint8 (batch, rows, columns, 3).

    style: uint8 (rows, columns, 3); first_weight: the style weight that a ramp starts from.
    """

    def __init__(self, config: TrainConfig, vgg: Encoder, network: Network, style: np.ndarray,
                 first_weight: float) -> None:
        super().__init__(dtype=network.dtype_policy, autocast=False)
        self.config, self.network, self.first_weight = config, network, first_weight
        self.vgg = vgg
        self.vgg.trainable = False
        self.grams = [ops.convert_to_numpy(gram_matrix(layer))
                      for layer in vgg(to_float(pad(style))[None])]
        names = ["content", "style", "tv", "pixel", *(f"style/{name}" for name in STYLE_LAYERS)]
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True

    def call(self, batch: Tensor) -> dict[str, Any]:
        content = ops.cast(batch, "float32") / 255.0
        stylized = self.network(content)
        return {"content": content, "target": self.vgg(content)[-1], "stylized": stylized,
                "stylized_features": self.vgg(stylized)}

    def style_weight(self) -> Tensor | float:
        """Return the style weight at the current step: 0 at first, then a ramp, then the whole."""
        config = self.config
        steps = ops.cast(self.optimizer.iterations - config.reconstruction_iter, "float32")
        ramp = ops.clip(steps / max(config.style_weight_ramp, 1), 0.0, 1.0)
        if not config.style_weight_ramp:
            ramp = ops.cast(steps >= 0, "float32")
        weight = self.first_weight + (config.style_weight - self.first_weight) * ramp
        return ops.where(steps < 0, 0.0, weight)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        config, features = self.config, y_pred["stylized_features"]
        style = {name: ops.mean(losses.gram_distance(gram_matrix(layer), gram))
                 for name, layer, gram in zip(STYLE_LAYERS, features, self.grams)}
        values = {"content": losses.content_loss(features[-1], y_pred["target"]),
                  "style": sum(style.values()),
                  "tv": losses.total_variation_loss(y_pred["stylized"]),
                  "pixel": losses.pixel_loss(y_pred["stylized"], y_pred["content"]),
                  **{f"style/{name}": value for name, value in style.items()}}
        for name, value in values.items():
            self.trackers[name].update_state(value)
        total = (config.content_weight * values["content"] + config.tv_weight * values["tv"]
                 + self.style_weight() * values["style"])
        reconstructs = self.optimizer.iterations < config.reconstruction_iter
        # Factor 100: brings the pixel error of a blurred picture near the content loss.
        return total + ops.where(reconstructs, 100.0, 0.0) * values["pixel"]

    def preview(self, pictures: np.ndarray) -> np.ndarray:
        """Return uint8 pictures in a row, and what the network makes of them below."""
        stylized = to_integers(ops.convert_to_numpy(self.network(to_float(pictures))))
        return np.concatenate([np.concatenate(row, axis=1) for row in (pictures, stylized)])


class StyleRecorder(keras.callbacks.Callback):
    """Progress, previews and checkpoints while fit() runs; once `stop` is set, saves and ends it.

    about: what each checkpoint's config.json says besides the step.
    """

    def __init__(self, folder: Path, log_path: Path, previews: np.ndarray, first_step: int,
                 about: dict[str, Any], report: Callable[[str], None]) -> None:
        super().__init__()
        self.folder, self.previews, self.about, self.report = folder, previews, about, report
        self.events = EventWriter(log_path, first_step)
        self.step = first_step
        self.stop: str | None = None  # the name of the signal that asked for it
        self._summary = (first_step, time.monotonic())

    def end_soon(self, signal_name: str) -> None:
        self.stop = signal_name

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        config, self.step = self.model.config, self.step + 1
        values = {name: float(value) for name, value in logs.items()}
        if not all(np.isfinite(value) for value in values.values()):
            raise AdaINError(f"the losses became {values} at step {self.step}; lower "
                             "`learning_rate` or `style_weight`, or use `precision=float32`.")
        last = self.step == config.max_iter or self.stop is not None
        if self.stop:
            self.report(f"{self.stop}: saving at step {self.step}")
        if self.step % config.summary_iter == 0 or last:
            self.summarise(values)
        if self.step % config.save_iter == 0 or last:
            self.save(values)
        if self.stop:
            self.model.stop_training = True

    def summarise(self, values: dict[str, float]) -> None:
        """Log and print the mean losses since the last summary."""
        config, now = self.model.config, time.monotonic()
        (step, then), self._summary = self._summary, (self.step, now)
        pace = (now - then) / (self.step - step)
        self.events.scalars(self.step, {f"loss/{'total' if name == 'loss' else name}": value
                                        for name, value in values.items()})
        self.report(f"step {self.step}/{config.max_iter}  total {values['loss']:.4g}  "
                    f"content {values['content']:.4g}  style {values['style']:.4g}  "
                    f"{config.batch_size / pace:.1f} images/s  "
                    f"{duration((config.max_iter - self.step) * pace)} left")
        self.model.reset_metrics()

    def save(self, values: dict[str, float]) -> None:
        """Write a checkpoint and a preview named by its step."""
        config = {"step": self.step, "losses": values, "device": describe_device(),
                  "versions": {"adain": __version__}, **self.about}
        checkpoint.write(
            self.folder, config,
            {name: ops.convert_to_numpy(v) for name, v in self.model.network.arrays().items()},
            [ops.convert_to_numpy(v) for v in self.model.optimizer.variables],
            self.model.config.keep)
        strip = self.model.preview(self.previews)
        images.write(self.folder / "previews" / f"{checkpoint.name(self.step)}.jpg", strip)
        self.events.image(self.step, "content_stylized", strip)


def build(config: TrainConfig, style: np.ndarray, resumed: Checkpoint | None = None,
          continue_from: str | Path | None = None) -> TrainingModel:
    """Return a compiled model: with fresh weights, those to continue from, or a checkpoint's."""
    keras.utils.set_random_seed(config.seed)
    policy = choose_precision(config.precision)
    vgg = Encoder.from_weights(load_encoder("vgg19", config.vgg_path), STYLE_LAYERS, dtype=policy)
    first_weight, arrays = 0.0, None
    if continue_from is not None:
        arrays, about = johnson.load(continue_from)
        options = about.get("options")
        first_weight = options.get("style_weight") if isinstance(options, dict) else None
    if resumed is not None:
        arrays, _ = johnson.load(resumed.path)
        first_weight = resumed.config.get("first_weight")
    if not is_number(first_weight):
        raise WeightsError(f"{resumed.path if resumed else continue_from} does not say which style "
                           "weight it was trained with.")
    model = TrainingModel(config, vgg, Network(arrays, dtype=policy), style, first_weight)
    model.compile(optimizer(config), jit_compile=config.jit_compile)
    model.optimizer.build(model.trainable_variables)
    for variable, array in zip(model.optimizer.variables, resumed.optimizer() if resumed else []):
        variable.assign(array)
    return model


def train(config: TrainConfig, content_path: str | Path, style_path: str | Path,
          folder: str | Path, log_path: str | Path | None = None,
          continue_from: str | Path | None = None, command: str | None = None,
          report: Callable[[str], None] = print, allow_changes: bool = False) -> TrainingModel:
    """Train up to config.max_iter, from the newest checkpoint in `folder` if it has one.

    content_path: a folder of photographs; style_path: one picture, shrunk to config.image_size on
    its shorter side. continue_from: a folder or file of a trained network to begin with; its
    style weight then rises to config.style_weight over config.style_weight_ramp steps. config.model
    and config.gram mean nothing here. command: what was typed. SIGINT, SIGTERM and SIGHUP save a
    checkpoint and end the run early. allow_changes, errors: see trainer.train.
    """
    if config.crop_size % 8 or config.crop_size < 16 or config.crop_size > config.image_size:
        raise OptionError("crop size must be a multiple of 8, from 16 to the image size "
                          f"{config.image_size}; received {config.crop_size}.")
    folder, style = Path(folder), images.read(style_path)
    if min(style.shape[:2]) > config.image_size:
        style = images.resize_shorter_side(style, config.image_size)
    fingerprint = hashlib.sha256(repr(style.shape).encode() + style.tobytes()).hexdigest()
    bad_files = BadFiles(folder / "bad_files.txt", report)
    source = data.Pictures(content_path, config.seed, config.image_size, config.crop_size,
                           bad_files, files=find.list_below(
                               content_path, leave_out=(folder, log_path or folder)).files)
    about = {"method": METHOD, "style": fingerprint, "style_name": Path(style_path).name,
             "options": dataclasses.asdict(config) | {"model": METHOD},
             "data": {"content_path": describe_pictures(source.path, source.files)}}
    with locked(folder):
        model = _train(config, source, style, about, folder, Path(log_path or folder / "logs"),
                       continue_from, command, report, allow_changes)
    bad_files.check()
    return model


def _train(config: TrainConfig, source: data.Pictures, style: np.ndarray, about: dict[str, Any],
           folder: Path, log_path: Path, continue_from: str | Path | None, command: str | None,
           report: Callable[[str], None], allow_changes: bool) -> TrainingModel:
    """Train in a folder that nobody else trains in; see train()."""
    resumed = None
    if checkpoint.list_all(folder):
        resumed = checkpoint.load(folder, METHOD, resume=True)
        if resumed.config.get("style") != about["style"]:
            raise OptionError(f"{resumed.path} was trained with another style or `image_size` than "
                              f"{about['style_name']}; use another `checkpoint` folder.")
        check_changes(resumed, config, about["data"], allow_changes, report)
    model = build(config, style, resumed, continue_from)
    first_step = say_start(folder, resumed, config.max_iter, report)
    if first_step >= config.max_iter:
        return model
    previews = np.stack([source.crop(index) for index in range(PREVIEWS)])
    checkpoint.set_aside(folder, first_step)
    recorder = StyleRecorder(folder, log_path, previews, first_step,
                             about | {"first_weight": model.first_weight}, report)
    with StopRequest(recorder.end_soon):
        model.fit(batches(source, config, first_step), epochs=1, verbose=0, shuffle=False,
                  steps_per_epoch=config.max_iter - first_step, callbacks=[recorder])
    say_end(recorder.step, config.max_iter, command,
            f"python stylize.py --checkpoint {folder} --content-path ...", report)
    return model


def batches(source: data.Pictures, config: TrainConfig, first_step: int):
    """Return the batches of uint8 (batch, crop_size, crop_size, 3) up to config.max_iter."""
    if not loader.on_tensorflow():
        return loader.in_threads(source.crop, config.batch_size, first_step, config.max_iter)
    import tensorflow as tf

    def load(index):
        crop = tf.numpy_function(lambda i: source.crop(int(i)), [index], tf.uint8, stateful=False)
        return tf.ensure_shape(crop, (config.crop_size, config.crop_size, 3))

    return data.batches(load, config.batch_size, first_step, config.max_iter)
