"""The losses of the iterative method in tiles, computed by OpenVINO on CPUs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from adain.methods.gatys.config import GatysConfig
from adain.networks.openvino import gram_gradients
from adain.networks.openvino.compiled import CompiledGraph, Turns, compile_graph
from adain.networks.openvino.graphs import activations_graph
from adain.networks.weights import load_encoder
from adain.transfer.objective import total_variation

if TYPE_CHECKING:
    import openvino

Arrays = dict[str, np.ndarray]


class TileLosses:
    """See loss.TileLosses; each graph is compiled when it is first needed."""

    def __init__(self, config: GatysConfig) -> None:
        self.config = config
        self._weights, self._turns = load_encoder("vgg19", config.vgg_path), Turns()

    def _compiled(self, graph: openvino.Model) -> CompiledGraph:
        return compile_graph(graph, self.config.precision.removeprefix("mixed_"))

    @cached_property
    def _activations(self) -> CompiledGraph:
        return self._compiled(activations_graph(self._weights, self.config.content_layers))

    @cached_property
    def _gram_matrices(self) -> CompiledGraph:
        return self._compiled(gram_gradients.gram_graph(self._weights, self.config.style_layers))

    @cached_property
    def _gradient_graph(self) -> CompiledGraph:
        return self._compiled(gram_gradients.gram_gradient_graph(
            self._weights, self.config.content_layers, self.config.style_layers))

    def features(self, window: np.ndarray, core: np.ndarray) -> Arrays:
        """Return the activations of the content layers in the whole window."""
        return {name: activation.copy() for name, activation in
                zip(self.config.content_layers, self._turns.next(self._activations)(window))}

    def grams(self, window: np.ndarray, core: np.ndarray) -> Arrays:
        grams = self._turns.next(self._gram_matrices)(window, _mask(window, core))
        return {name: gram.copy() for name, gram in zip(self.config.style_layers, grams)}

    def gradient(self, window: np.ndarray, core: np.ndarray, share: np.float32, targets: Arrays,
                 others: Arrays, style: Arrays) -> tuple[float, float, np.ndarray]:
        config = self.config
        content, style_loss, gradient = self._turns.next(self._gradient_graph)(
            window, _mask(window, core), share, np.float32(config.content_weight),
            np.float32(config.style_weight), *(targets[name] for name in config.content_layers),
            *(np.float32(part[name]) for name in config.style_layers for part in (others, style)))
        return float(content), float(style_loss), gradient

    def tv_gradient(self, picture: np.ndarray) -> tuple[float, np.ndarray]:
        gradient = np.empty_like(picture)
        return total_variation(picture[0], gradient[0], 1.0), gradient


def _mask(window: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Return a float32 array, 1 in the core and 0 in the rest of the window."""
    top, bottom, left, right = core
    mask = np.zeros(window.shape[1:3], np.float32)
    mask[top:bottom, left:right] = 1
    return mask
