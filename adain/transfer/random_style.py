"""RandomStyle: a Keras layer that augments training pictures by stylizing them.

Pictures in random styles keep their shapes and lose their textures, so that a network learns
shapes (Geirhos et al. 2019, "ImageNet-trained CNNs are biased towards texture",
arXiv:1811.12231; during training, Jackson et al. 2019, "Style augmentation", arXiv:1809.05375).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from adain.errors import OptionError
from adain.networks import weights
from adain.networks.architecture import STRIDE, preset
from adain.networks.keras.graphs import Graphs
from adain.networks.keras.ops import Tensor
from adain.networks.networks import Networks
from adain.networks.stats import ChannelStats
from adain.networks.style_bank import StyleBank
from adain.transfer.style_file import fingerprint
from adain.transfer.tiling import SMALLEST

Bank = str | Path | StyleBank | ChannelStats


@keras.saving.register_keras_serializable("adain")
class RandomStyle(keras.layers.Layer):
    """Stylizes training pictures, each in a random style of a bank.

    Args:
        bank: a file written by `adain styles`, a StyleBank, or ChannelStats of many styles, each
            array (styles, channels). It is loaded into memory: 3 MB for 1000 styles of compact.
        probability: share of the pictures that are stylized, from 0 to 1.
        alpha: strength, from 0 to 1; or a pair, between which each picture gets a random strength.
        model: the model that the bank is for, "compact" or "vgg19".
        value_range: lowest and highest value of pixels.
        seed: seed of the random numbers; None: a random one.
        styles: used by Keras to restore a saved layer: the number of styles.
        options: other arguments of keras.layers.Layer. With dtype="mixed_bfloat16" the networks
            compute in bfloat16, which is faster on GPUs since 2020.

    Raises:
        OptionError: an argument is invalid.
        WeightsError: the bank is missing, damaged, or of another model.

    Call arguments:
        images: pictures (batch, rows, columns, 3), or one picture (rows, columns, 3), of any size
            and type.
        training: whether to stylize; without it, only the type is changed.

    Returns:
        float32 of the same shape, in value_range.

    The layer has no trainable weights, and gradients pass through it. A model that contains it
    is saved with its bank. In tf.data.Dataset.map() it needs KERAS_BACKEND=tensorflow.

    >>> augment = adain.RandomStyle("bank.npz", probability=0.5, alpha=(0.3, 1.0))
    >>> batches = batches.map(lambda x, y: (augment(x, training=True), y))
    """

    def __init__(self, bank: Bank | None = None, probability: float = 0.5,
                 alpha: float | Sequence[float] = 1.0, model: str = "compact",
                 value_range: Sequence[float] = (0.0, 255.0), seed: int | None = None,
                 styles: int | None = None, **options: Any) -> None:
        super().__init__(autocast=False, **options)  # pixels lose much in bfloat16
        if not 0 <= probability <= 1:
            raise OptionError(f"`probability` must be from 0 to 1; received {probability}.")
        strengths = (alpha, alpha) if isinstance(alpha, (int, float)) else tuple(alpha)
        if len(strengths) != 2 or not 0 <= strengths[0] <= strengths[1] <= 1:
            raise OptionError("`alpha` must be a number from 0 to 1, or two, the smaller one "
                              f"first; received {alpha}.")
        low, high = value_range
        if not low < high:
            raise OptionError(f"`value_range` must be two numbers, the smaller one first; "
                              f"received {value_range}.")
        preset(model)
        self.probability, self.alpha, self.model = probability, strengths, model
        self.value_range, self.seed = (low, high), seed
        networks = weights.load(model)
        # A saved layer is restored without a bank; its styles are loaded later, as weights.
        means, stds = (np.zeros((2, styles or 0, networks.channels), np.float32)
                       if bank is None else _read(bank, networks))
        self._has_bank = bank is not None
        self.styles = len(means)
        if not self.styles:
            raise OptionError("`bank` has no styles: give a file written by `adain styles`.")
        self.generator = keras.random.SeedGenerator(seed)
        self.means, self.stds = (self.add_weight(
            shape=table.shape, dtype="float32", trainable=False, name=name, autocast=False,
            initializer="zeros") for name, table in (("means", means), ("stds", stds)))
        self.means.assign(means)
        self.stds.assign(stds)
        self._graphs = Graphs(networks, self.dtype_policy.name)
        self.networks = self._graphs.model  # Keras finds the weights by it
        self.networks.trainable = False
        self.built = True

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        if not self._has_bank:
            raise OptionError("this RandomStyle was created from its configuration only, without "
                              "styles: load the model with its weights, or give a `bank`.")
        images = ops.cast(images, "float32")
        if not training or not self.probability:
            return images
        if len(images.shape) == 3:
            return self._augment(images[None])[0]
        return self._augment(images)

    def _augment(self, images: Tensor) -> Tensor:
        count = ops.shape(images)[0]
        chosen = keras.random.uniform((count,), seed=self.generator) < self.probability
        rows = keras.random.randint((count,), 0, self.styles, seed=self.generator)
        alphas = keras.random.uniform((count,), *self.alpha, seed=self.generator)
        # Nothing is computed if no picture is chosen, which is frequent for single pictures.
        return ops.cond(ops.any(chosen),
                        lambda: ops.where(chosen[:, None, None, None],
                                          self._stylize(images, rows, alphas), images),
                        lambda: images)

    def _stylize(self, images: Tensor, rows: Tensor, alphas: Tensor) -> Tensor:
        low, high = self.value_range
        style = ChannelStats(ops.take(self.means, rows, axis=0), ops.take(self.stds, rows, axis=0))
        nothing = ops.zeros_like(style.mean)
        pictures = _padded(ops.clip((images - low) / (high - low), 0, 1))
        pictures, _ = self._graphs.transfer(pictures, style, alphas, ChannelStats(nothing, nothing),
                                            ops.ones_like(alphas))
        pictures = pictures[:, :ops.shape(images)[1], :ops.shape(images)[2]]
        return ops.clip(pictures, 0, 1) * (high - low) + low

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(store)
        self._has_bank = True

    def compute_output_spec(self, images: Any, training: bool = False) -> Any:
        return keras.KerasTensor(images.shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {
            "probability": self.probability, "alpha": list(self.alpha), "model": self.model,
            "value_range": list(self.value_range), "seed": self.seed, "styles": self.styles}


def _read(bank: Bank, networks: Networks) -> tuple[np.ndarray, np.ndarray]:
    """Return means and deviations of all styles, float32 (styles, channels)."""
    if isinstance(bank, (str, Path)):
        bank = StyleBank(bank, fingerprint(networks.encoder))
    if isinstance(bank, StyleBank):
        styles = [bank.style(index) for index in range(len(bank))]
        bank = ChannelStats(*(np.stack(vectors) for vectors in zip(*styles)))
    means, stds = (np.atleast_2d(np.asarray(table, np.float32)) for table in bank)
    if means.shape != stds.shape or means.ndim != 2 or means.shape[1] != networks.channels:
        raise OptionError(f"`bank` must have means and stds of shape (styles, {networks.channels}) "
                          f"for the model {networks.name}; received {means.shape} and "
                          f"{stds.shape}.")
    return means, stds


def _padded(images: Tensor) -> Tensor:
    """Pad pictures at the bottom and right by mirroring, to sizes that the networks accept."""
    for axis in (1, 2):
        length = ops.shape(images)[axis]
        if isinstance(length, int):
            whole = max(SMALLEST, -(-length // STRIDE) * STRIDE)
            if whole == length:
                continue
        else:
            whole = ops.maximum(SMALLEST, (length + STRIDE - 1) // STRIDE * STRIDE)
        places = ops.mod(ops.arange(whole), 2 * length)
        images = ops.take(images, ops.minimum(places, 2 * length - 1 - places), axis=axis)
    return images
