"""Judge: measures the networks that are being trained with the pictures of a gallery.

The numbers are those of `adain metrics`: content, style, and the structural similarity (SSIM).
They are computed with Keras, on the device that trains.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from adain.files import images
from adain.files.pixels import to_float
from adain.networks import checkpoint
from adain.networks.architecture import STYLE_LAYERS
from adain.networks.keras import losses
from adain.networks.keras.model import Encoder
from adain.networks.keras.ops import channel_stats
from adain.networks.stats import ChannelStats
from adain.networks.weights import load_encoder
from adain.training.config import TrainConfig
from adain.training.gallery import Gallery
from adain.training.history import History
from adain.training.observers import Observer

logger = logging.getLogger(__name__)

# stylize(contents, styles): uint8 pictures (n, rows, columns, 3) -> the same.
Stylize = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Judge:
    """Measures a gallery in batches that need less memory than a training step."""

    def __init__(self, gallery: Gallery, config: TrainConfig) -> None:
        self.gallery, self._config = gallery, config
        size = gallery.contents.shape[1]
        self._count = max(1, config.batch_size * config.crop_size**2 // size**2)
        self._vgg = Encoder.from_weights(load_encoder("vgg19"), STYLE_LAYERS, dtype="float32")
        self._contents = [_numpy(self._features(content[None])[-1])
                          for content in gallery.contents]
        self._styles = [[ChannelStats(*map(_numpy, channel_stats(layer)))
                         for layer in self._features(style[None])] for style in gallery.styles]

    def measure(self, stylize: Stylize) -> tuple[dict[str, float], np.ndarray]:
        """Return the means over all pairs, and the stylized pictures, uint8 (pairs, ..., 3).

        "loss" is what the run lowers: content + style + structure by its weights, style summed
        over the channels of each layer; content is compared with the photograph.
        """
        scores, pictures = [], []
        for contents, styles in self._batches():
            stylized = stylize(self.gallery.contents[contents], self.gallery.styles[styles])
            scores += [self._scores(stylized, contents, styles)] * len(stylized)
            pictures.append(stylized)
        return ({name: float(np.mean([one[name] for one in scores])) for name in scores[0]},
                np.concatenate(pictures))

    def _batches(self) -> Iterator[tuple[list[int], list[int]]]:
        pairs = self.gallery.pairs
        for first in range(0, len(pairs), self._count):
            contents, styles = zip(*pairs[first:first + self._count])
            yield list(contents), list(styles)

    def _features(self, pictures: np.ndarray) -> list[Any]:
        rows, columns = (side // 8 * 8 for side in pictures.shape[1:3])
        features: list[Any] = self._vgg(to_float(pictures[:, :rows, :columns]))
        return features

    def _scores(self, stylized: np.ndarray, contents: list[int],
                styles: list[int]) -> dict[str, float]:
        """Return the means over some pictures of the numbers content[i] and style[i]."""
        config, features = self._config, self._features(stylized)
        content = losses.content_loss(
            features[-1], np.concatenate([self._contents[number] for number in contents]))
        layers = []  # of each the sum over its channels
        for index, layer in enumerate(features):
            theirs = [self._styles[number][index] for number in styles]
            layers.append(float(ops.mean(losses.style_loss(
                channel_stats(layer),
                ChannelStats(*(np.concatenate([getattr(one, name) for one in theirs])
                               for name in ("mean", "std")))))))
        distance = float(losses.structure_loss(to_float(stylized),
                                               to_float(self.gallery.contents[contents])))
        weighted = sum(weight * layer for weight, layer in zip(config.style_layer_weights, layers))
        return {"loss": config.content_weight * float(content) + config.style_weight * weighted
                + config.structure_weight * distance,
                "content": float(content),
                "style": sum(layer / features[index].shape[-1]
                             for index, layer in enumerate(layers)),
                "ssim": 1 - distance}


class GalleryRecorder:
    """Measures a run's gallery and writes what was found: history, TensorBoard, contact sheet."""

    def __init__(self, judge: Judge, folder: Path, events: Observer, history: History) -> None:
        self._judge, self._folder = judge, folder
        self._events, self._history = events, history

    def record(self, step: int, seconds: float, stylize: Stylize) -> dict[str, float]:
        """Measure and write; return the scores, with the seconds that it took."""
        began = time.monotonic()
        scores, stylized = self._judge.measure(stylize)
        sheet = self._judge.gallery.sheet(stylized)
        images.write(self._folder / "gallery" / f"{checkpoint.name(step)}.jpg", sheet)
        scores["seconds"] = round(time.monotonic() - began, 3)
        self._events.scalars(step, {f"gallery/{name}": value for name, value in scores.items()})
        self._events.image(step, "gallery", sheet)
        self._history.append(step, seconds=seconds, gallery=scores)
        logger.info("step %d  gallery: content %.3f  style %.3f  SSIM %.3f  (total %.4g)", step,
                    scores["content"], scores["style"], scores["ssim"], scores["loss"])
        return scores


def _numpy(tensor: Any) -> np.ndarray:
    array: np.ndarray = ops.convert_to_numpy(tensor)
    return array
