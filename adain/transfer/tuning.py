"""Tune the statistics of a style, so that pictures painted with them come nearer to it.

What networks make of a style differs from it in much the same way for all contents. So the means
and deviations that AdaIN gives the content are optimized, once for each style, for the losses of
`refine` on a few photographs that come with the package. A picture then costs what it did before.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from adain.files import images
from adain.files.pixels import to_float
from adain.networks.architecture import preset
from adain.networks.networks import Networks
from adain.networks.openvino import graphs
from adain.networks.openvino.compiled import CompiledGraph, compile_options
from adain.networks.openvino.style_gradients import style_gradient_graph
from adain.networks.stats import EPSILON, ChannelStats
from adain.networks.weights import MODELS
from adain.progress import StopRequest, checked
from adain.transfer.objective import Perception

logger = logging.getLogger(__name__)

REFERENCES = MODELS / "references"  # photographs, 256 x 256
PER_STEP = 2  # references of each iteration, in turn
RATE = 0.04  # of the first step, in deviations of the style
_BETA_1, _BETA_2 = 0.9, 0.99  # of Adam
BYTES = 700_000_000  # of memory beside the preset's base_bytes, measured in float32

Losses = Callable[[int, ChannelStats], tuple[float, np.ndarray]]


class StyleTuner:
    """Tunes styles for one pair of networks; threads take turns in the session of `vgg`.

    Args:
        networks: an encoder and a decoder of a preset.
        vgg: compares pictures.
        precision: "auto", "float32" or "bfloat16", see Stylizer; "int8" counts as "auto".
    """

    def __init__(self, networks: Networks, vgg: Perception, precision: str = "auto") -> None:
        options = compile_options("auto" if precision == "int8" else precision)
        self._vgg = vgg
        self._style_weight = preset(networks.name).tuning_weight
        encode = CompiledGraph(partial(graphs.activations_graph, networks.encoder,
                                       networks.adain_layers, networks.negative_slope), options)
        self._references = [self._reference(encode, path)
                            for path in sorted(REFERENCES.glob("*.jpg"))]
        self._gradient = CompiledGraph(
            partial(style_gradient_graph, networks, vgg.weights), options)

    def _reference(self, encode: CompiledGraph, path: Path) -> list[np.ndarray]:
        """Return a photograph's features, normalized, and the activations to compare with."""
        picture = to_float(images.read(path))
        with self._vgg.session():
            return [*map(_normalized, encode(picture[None])), self._vgg.content(picture)]

    def tune(self, style: ChannelStats, target: ChannelStats, iterations: int,
             stop: StopRequest | None = None) -> ChannelStats:
        """Return the tuned statistics of a style.

        Args:
            style: measured by the networks' encoder, (channels,).
            target: the style's statistics in VGG19, see Refiner.measure().
            iterations: number of steps of Adam (Kingma & Ba 2015), whose rate falls to 0.
            stop: asks to end early, by raising Stopped.
        """
        with self._vgg.session():
            tuned = _descend(style, iterations, partial(self._losses, target=target), stop)
            self._gradient.release_memory()
            self._vgg.release_memory()
            return tuned

    def _losses(self, step: int, style: ChannelStats,
                target: ChannelStats) -> tuple[float, np.ndarray]:
        """Return the loss of a step's references, and its gradient, (2, channels)."""
        loss, gradient = 0.0, np.zeros((2, style.mean.size), np.float32)
        for number in range(PER_STEP * step, PER_STEP * (step + 1)):
            *features, content = self._references[number % len(self._references)]
            content_loss, style_loss, *gradients = self._gradient(
                *style, *features, content, *target, np.float32(1), np.float32(self._style_weight))
            loss += (float(content_loss) + self._style_weight * float(style_loss)) / PER_STEP
            gradient += np.stack(gradients) / PER_STEP
        return loss, gradient


def _normalized(features: np.ndarray) -> np.ndarray:
    """Return features (1, rows, columns, channels) with mean 0 and deviation 1 in each channel."""
    mean = features.mean((0, 1, 2), dtype=np.float64)
    std = np.sqrt(features.var((0, 1, 2), dtype=np.float64) + EPSILON)
    normalized: np.ndarray = ((features - mean) / std).astype(np.float32)
    return normalized


def _descend(style: ChannelStats, iterations: int, losses: Losses,
             stop: StopRequest | None = None) -> ChannelStats:
    """Return the statistics after that many steps of Adam, or the last ones of a finite loss.

    losses: returns the loss of a step's statistics and its gradient, (2, channels).
    """
    change, first, second = np.zeros((3, 2, style.mean.size), np.float32)
    tuned = finite = style
    for step in checked(range(iterations), stop):
        loss, gradient = losses(step, tuned)
        if not math.isfinite(loss + float(np.vdot(gradient, gradient))):
            logger.warning("tuning the style stopped at iteration %d, because the loss became %s: "
                           "the statistics before are kept", step, loss)
            return finite
        finite = tuned
        gradient *= (style.std, tuned.std)  # with respect to `change`
        first += (1 - _BETA_1) * (gradient - first)
        second += (1 - _BETA_2) * (gradient**2 - second)
        rate = RATE * (1 + math.cos(math.pi * step / iterations)) / 2
        change -= rate * (first / (1 - _BETA_1 ** (step + 1))) / (
            np.sqrt(second / (1 - _BETA_2 ** (step + 1))) + 1e-8)
        tuned = ChannelStats(style.mean + style.std * change[0], style.std * np.exp(change[1]))
    return tuned
