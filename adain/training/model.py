"""The models that are trained: what all have, and the networks and losses of the AdaIN paper."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from adain.networks import checkpoint
from adain.networks.architecture import PRESETS, STYLE_LAYERS
from adain.networks.keras import losses
from adain.networks.keras.model import Decoder, Encoder, StyleTransfer, blend, get_weights
from adain.networks.keras.ops import Tensor, channel_stats
from adain.networks.stats import ChannelStats
from adain.training import accumulation
from adain.training.config import TrainConfig


class RecordedModel(keras.Model):
    """What the training loop needs of a method's model, for Keras' fit() and the recorder.

    names: of the losses whose means are recorded, beside the total.
    """

    def __init__(self, config: TrainConfig, names: list[str], dtype: Any) -> None:
        # Its parts cast their inputs themselves; statistics that come with a batch stay float32.
        super().__init__(dtype=dtype, autocast=False)
        self.config = config
        self.replicas = 1  # devices that share a batch
        self.workers = 1  # machines that do
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self._step_on_jax: Tensor | None = None  # while it computes losses

    @property
    def step(self) -> Tensor:
        """The number of steps before this one."""
        return self.optimizer.iterations if self._step_on_jax is None else self._step_on_jax

    def train_step(self, *arguments: Any) -> Any:
        if self.config.accumulate == 1:
            return super().train_step(*arguments)
        return accumulation.step(self, self.config.accumulate, *arguments)

    def compute_loss_and_updates(self, *arguments: Any, optimizer_variables: Any = None,
                                 **options: Any) -> Any:
        """Do what Keras' JAX trainer does, with losses that may depend on the step."""
        if optimizer_variables is not None:
            place = [variable is self.optimizer.iterations
                     for variable in self.optimizer.variables].index(True)
            self._step_on_jax = optimizer_variables[place]
        try:
            return super().compute_loss_and_updates(
                *arguments, optimizer_variables=optimizer_variables, **options)
        finally:
            self._step_on_jax = None

    def record(self, values: dict[str, Tensor]) -> None:
        """Add the losses of a batch to their means."""
        for name, value in values.items():
            self.trackers[name].update_state(value)

    def get_metrics_result(self) -> dict[str, Any]:
        """Return {"losses": (their means by name,)}, for recorder.scalars().

        In a tuple, because Keras makes Python numbers of those it sees as soon as a step is under
        way, and so would keep a GPU waiting for the next one.
        """
        results = super().get_metrics_result()
        if self.workers > 1:  # Keras reduces over an axis there, which single numbers do not have
            results = {name: ops.reshape(value, (1,)) for name, value in results.items()}
        return {"losses": (results,)}

    def networks(self) -> dict[str, np.ndarray]:
        """Return what a checkpoint keeps of the networks, by the names in its model.npz."""
        raise NotImplementedError

    def stylize(self, contents: np.ndarray, styles: np.ndarray) -> np.ndarray:
        """Return each content in its style; all are uint8 (n, rows, columns, 3)."""
        raise NotImplementedError

    def preview(self, examples: np.ndarray) -> np.ndarray:
        """Return rows of content | style | stylized for Watch.previews, as one uint8 picture."""
        raise NotImplementedError


class TrainingModel(RecordedModel):
    """Style transfer with the losses of the paper, for Keras' fit().

    A batch is one tensor of pairs: uint8 (batch, 2, rows, columns, 3), content first; or a dict
    that also has their features, see features.dataset.
    """

    def __init__(self, config: TrainConfig, vgg: Encoder, encoder: Encoder,
                 decoder: Decoder) -> None:
        super().__init__(config, ["content", "style", "tv", "pixel", "structure",
                                  *(f"style/{name}" for name in STYLE_LAYERS)],
                         decoder.dtype_policy)
        self.vgg = vgg  # measures the losses, frozen; the vgg19 preset also encodes with it
        self.vgg.trainable = False
        self.transfer = StyleTransfer(encoder, decoder)
        self.built = True  # its parts are, and it has no other weights

    def call(self, batch: Tensor | dict[str, Tensor], training: bool = True) -> dict[str, Any]:
        features = batch if isinstance(batch, dict) else {"pairs": batch}
        identity = self.identity_mask(features["pairs"], training)
        content, style = self.split(features["pairs"], identity)
        if "content_features" in features:
            content_features = features["content_features"]
            style_stats = self.unpack(features["style_stats"], content_features, identity)
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
        result = {"content": content, "target": target, "style_stats": style_stats,
                  "identity": identity, "stylized": stylized,
                  "stylized_features": self.vgg(stylized)}
        return {**result, "style_features": style_features} if self.config.gram else result

    def identity_mask(self, pairs: Tensor, training: bool = True) -> Tensor | None:
        """Return which pairs learn to reproduce their content, as their style: bool (batch,).

        All pairs during the first reconstruction_iter steps, then identity_share of them; None if
        no pair ever does.
        """
        config = self.config
        if not training or not (config.reconstruction_iter or config.identity_share):
            return None
        count = ops.shape(pairs)[0]
        share = ops.where(self.step < config.reconstruction_iter, 1.0,
                          config.identity_share)
        places = ops.cast(ops.arange(count), "float32") + 0.5  # so that counts are rounded
        return places < share * ops.cast(count, "float32")

    @staticmethod
    def split(pairs: Tensor, identity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return content and style pictures in [0, 1]."""
        pictures = ops.cast(pairs, "float32") / 255.0
        content, style = pictures[:, 0], pictures[:, 1]
        if identity is not None:
            style = ops.where(identity[:, None, None, None], content, style)
        return content, style

    @staticmethod
    def unpack(packed: Tensor, content_features: Tensor,
               identity: Tensor | None = None) -> list[ChannelStats]:
        """Return the statistics of each of STYLE_LAYERS from features.FeatureCache's rows.

        In pairs of the identity mask those of relu4_1 are the content's; the others are not used.
        """
        cuts = np.cumsum(PRESETS["vgg19"].widths)[:-1].tolist()
        means, stds = (ops.split(packed[:, row][:, None, None, :], cuts, axis=-1)
                       for row in (0, 1))
        stats = [ChannelStats(mean, std) for mean, std in zip(means, stds)]
        if identity is not None:
            stats[-1] = ChannelStats(*(ops.where(identity[:, None, None, None], ours, theirs)
                                       for ours, theirs in zip(channel_stats(content_features),
                                                               stats[-1])))
        return stats

    def style_weight(self) -> Tensor | float:
        """Return the style weight at the current step."""
        ramp, start = self.config.style_weight_ramp, self.config.reconstruction_iter
        if not ramp and not start:
            return self.config.style_weight
        progress = ops.cast(self.step - start, "float32") / max(ramp, 1)
        return self.config.style_weight * ops.clip(progress, 0.0, 1.0)

    def compute_loss(self, x: Tensor = None, y: Tensor = None, y_pred: Any = None,
                     sample_weight: Tensor = None, training: bool = True) -> Tensor:
        config = self.config
        content = losses.content_loss(y_pred["stylized_features"][-1], y_pred["target"])
        layers = self.style_losses(y_pred)
        style = sum(weight * loss for weight, loss in zip(config.style_layer_weights,
                                                          layers.values()))
        tv = losses.total_variation_loss(y_pred["stylized"])
        pixel = losses.pixel_loss(y_pred["stylized"], y_pred["content"])
        structure = losses.structure_loss(y_pred["stylized"], y_pred["content"])
        self.record({"content": content, "style": ops.mean(style), "tv": tv, "pixel": pixel,
                     "structure": structure,
                     **{f"style/{name}": ops.mean(value) for name, value in layers.items()}})
        if config.style_knee:
            style = losses.soften(style, config.style_knee)
        total = config.content_weight * content + self.style_weight() * ops.mean(style)
        if config.tv_weight:
            total = total + config.tv_weight * tv
        if config.structure_weight:
            total = total + config.structure_weight * structure
        if y_pred["identity"] is not None:
            # Factor 100: brings the pixel error of a blurred picture near the content loss.
            total = total + 100.0 * losses.pixel_loss(y_pred["stylized"], y_pred["content"],
                                                      y_pred["identity"])
        return total / self.replicas  # whose gradients are added up

    def style_losses(self, y_pred: dict[str, Any]) -> dict[str, Tensor]:
        """Return the style loss of each pair at each of STYLE_LAYERS; 0 in the identity mask."""
        stylized, identity = y_pred["stylized_features"], y_pred["identity"]
        if self.config.gram:
            pairs, loss = zip(stylized, y_pred["style_features"]), losses.gram_loss
        else:
            pairs = zip(map(channel_stats, stylized), y_pred["style_stats"])
            loss = losses.style_loss
        style_losses = {name: loss(*pair) for name, pair in zip(STYLE_LAYERS, pairs)}
        return style_losses if identity is None else {
            name: ops.where(identity, 0.0, values) for name, values in style_losses.items()}

    def networks(self) -> dict[str, np.ndarray]:
        encoder = self.transfer.encoder
        return checkpoint.to_arrays(None if encoder is self.vgg else get_weights(encoder),
                                    get_weights(self.transfer.decoder))

    def stylize(self, contents: np.ndarray, styles: np.ndarray) -> np.ndarray:
        stylized = ops.convert_to_numpy(self.transfer(
            *(pictures.astype(np.float32) / 255 for pictures in (contents, styles))))
        levels: np.ndarray = np.clip(np.nan_to_num(stylized), 0, 1) * 255 + 0.5
        return levels.astype(np.uint8)

    def preview(self, pairs: np.ndarray) -> np.ndarray:
        stylized = self.stylize(pairs[:, 0], pairs[:, 1])
        return np.concatenate([np.concatenate([content, style, result], axis=1)
                               for (content, style), result in zip(pairs, stylized)])
