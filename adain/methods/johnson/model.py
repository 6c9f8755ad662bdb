"""Keras models for training a network for one style: the network, and its losses.

The losses are those of methods.gatys, minimized by the weights of a network instead of by pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from adain.errors import WeightsError
from adain.files import images
from adain.files.arrays import is_number
from adain.files.pixels import to_float, to_integers
from adain.methods.johnson import network as johnson
from adain.methods.johnson.network import LAYERS, OUTPUT, Arrays
from adain.networks.architecture import STYLE_LAYERS
from adain.networks.checkpoint import Checkpoint
from adain.networks.keras import losses
from adain.networks.keras.devices import choose_precision
from adain.networks.keras.model import Encoder, blend
from adain.networks.keras.ops import ReflectConv2D, Tensor, gram_matrix, upsample
from adain.networks.stats import ChannelStats
from adain.networks.weights import load_encoder
from adain.training.config import TrainConfig
from adain.training.loop import compile_model
from adain.training.model import RecordedModel
from adain.transfer.tiling import pad


class NormalisedConv(layers.Layer):
    """A convolution and instance normalization, which is AdaIN with trained target statistics."""

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
    """The transformation network: pictures (batch, rows, columns, 3) in [0, 1] -> stylized ones.

    arrays: weights by the names of network.shapes(); None: random ones.
    """

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
        def layer(name: str, x: Tensor) -> Tensor:
            return self.output_conv(x) if name == OUTPUT else self.convs[name](x)

        x = johnson.forward(pictures, layer, ops.relu, ops.add, upsample)
        return ops.sigmoid(ops.cast(x, "float32"))

    def arrays(self) -> dict[str, keras.Variable]:
        """Return the variables by their names in files, see network.shapes()."""
        variables = {f"{OUTPUT}/kernel": self.output_conv.kernel, f"{OUTPUT}/bias":
                     self.output_conv.bias}
        for name, layer in self.convs.items():
            variables |= {f"{name}/kernel": layer.conv.kernel, f"{name}/mean": layer.mean,
                          f"{name}/std": layer.std}
        return variables


class TrainingModel(RecordedModel):
    """The network with its losses, for Keras' fit(); a batch is uint8 (batch, rows, columns, 3).

    style: uint8 (rows, columns, 3).
    first_weight: the style weight from which config.style_weight_ramp starts.
    """

    def __init__(self, config: TrainConfig, vgg: Encoder, network: Network, style: np.ndarray,
                 first_weight: float) -> None:
        super().__init__(config, ["content", "style", "tv", "pixel",
                                  *(f"style/{name}" for name in STYLE_LAYERS)],
                         network.dtype_policy)
        self.network, self.first_weight = network, first_weight
        self.style = images.resize(style, config.crop_size, config.crop_size)  # for preview()
        self.vgg = vgg
        self.vgg.trainable = False
        self.grams = [ops.convert_to_numpy(gram_matrix(layer))
                      for layer in vgg(to_float(pad(style))[None])]
        self.built = True

    def call(self, batch: Tensor) -> dict[str, Any]:
        content = ops.cast(batch, "float32") / 255.0
        stylized = self.network(content)
        return {"content": content, "target": self.vgg(content)[-1], "stylized": stylized,
                "stylized_features": self.vgg(stylized)}

    def style_weight(self) -> Tensor | float:
        """Return the style weight at the current step.

        It is 0 for reconstruction_iter steps, then rises linearly for style_weight_ramp steps from
        first_weight to config.style_weight.
        """
        config = self.config
        steps = ops.cast(self.step - config.reconstruction_iter, "float32")
        ramp = ops.clip(steps / max(config.style_weight_ramp, 1), 0.0, 1.0)
        if not config.style_weight_ramp:
            ramp = ops.cast(steps >= 0, "float32")
        weight = self.first_weight + (config.style_weight - self.first_weight) * ramp
        return ops.where(steps < 0, 0.0, weight)

    def compute_loss(self, x: Tensor = None, y: Tensor = None, y_pred: Any = None,
                     sample_weight: Tensor = None, training: bool = True) -> Tensor:
        config, features = self.config, y_pred["stylized_features"]
        style = {name: ops.mean(losses.gram_distance(gram_matrix(layer), gram))
                 for name, layer, gram in zip(STYLE_LAYERS, features, self.grams)}
        values = {"content": losses.content_loss(features[-1], y_pred["target"]),
                  "style": sum(style.values()),
                  "tv": losses.total_variation_loss(y_pred["stylized"]),
                  "pixel": losses.pixel_loss(y_pred["stylized"], y_pred["content"]),
                  **{f"style/{name}": value for name, value in style.items()}}
        self.record(values)
        total = (config.content_weight * values["content"] + config.tv_weight * values["tv"]
                 + self.style_weight() * values["style"])
        reconstructs = self.step < config.reconstruction_iter
        # With 100 the pixel error of a blurred picture is about as large as the content loss.
        return total + ops.where(reconstructs, 100.0, 0.0) * values["pixel"]

    def networks(self) -> dict[str, np.ndarray]:
        return {name: ops.convert_to_numpy(variable)
                for name, variable in self.network.arrays().items()}

    def preview(self, pictures: np.ndarray) -> np.ndarray:
        stylized = ops.convert_to_numpy(self.network(to_float(pictures)))
        stylized = to_integers(np.nan_to_num(stylized))
        return np.concatenate([np.concatenate([content, self.style, result], axis=1)
                               for content, result in zip(pictures, stylized)])


def build(config: TrainConfig, style: np.ndarray, resumed: Checkpoint | None = None,
          continue_from: str | Path | None = None) -> TrainingModel:
    """Return a compiled model with random weights, or those of a file or a checkpoint.

    Args:
        style: uint8 (rows, columns, 3).
        resumed: the checkpoint of this run to continue, or None.
        continue_from: a trained network with which a new run starts, or None.

    Raises:
        WeightsError: the network is missing or damaged.
    """
    keras.utils.set_random_seed(config.seed)
    policy = choose_precision(config.precision)
    vgg = Encoder.from_weights(load_encoder("vgg19", config.vgg_path), STYLE_LAYERS, dtype=policy)
    first_weight: Any = 0.0
    arrays: Arrays | None = None
    if continue_from is not None:
        arrays, about = johnson.load(continue_from)
        options = about.get("options")
        first_weight = options.get("style_weight") if isinstance(options, dict) else None
    if resumed is not None:
        arrays, _ = johnson.load(resumed.path)
        first_weight = resumed.config.get("first_weight")
    if not is_number(first_weight):
        raise WeightsError(f"{resumed.path if resumed else continue_from} lacks the style weight "
                           "with which it was trained.")
    model = TrainingModel(config, vgg, Network(arrays, dtype=policy), style, first_weight)
    compile_model(model, config)
    return model
