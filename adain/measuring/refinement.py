"""Measure an iteration of --refine beside the gradient by Keras and the limit of the arithmetic.

    adain benchmark --refine [--repeat 20] [--json FILE]

An iteration is one of a picture of 512 x 512 as a single tile: loss, gradient and L-BFGS. Keras,
where it runs on TensorFlow, computes the gradient of the same loss and takes no step. The limit is
the time that the multiplications alone would take at the rate of large convolutions, measured in
turn with the others. Run it while nothing else runs.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from adain.measuring.benchmark import Load, load, picture
from adain.networks.architecture import STYLE_LAYERS, VGG19_DEPTHS, encoder_plan
from adain.networks.keras.devices import start_quietly
from adain.networks.openvino import cpu
from adain.networks.openvino.compiled import compile_graph
from adain.networks.weights import load_encoder
from adain.transfer import tiling
from adain.transfer.descent import Descent
from adain.transfer.objective import LossWeights, Objective, Perception, Region

if TYPE_CHECKING:
    from adain.networks.keras.ops import Tensor

SIZE = 512
_CHANNELS, _SIDE, _CHAIN = 256, 128, 4  # of the convolutions that measure the rate


def measure(rounds: int) -> dict[str, float]:
    """Return seconds of an iteration by each engine and precision, medians, and what follows.

    Ratios are those of seconds of the clock.
    """
    actions: dict[str, Callable[[], object]] = {}
    for precision in ("float32", "bfloat16") if cpu.bfloat16() == cpu.FAST else ("float32",):
        actions[f"openvino, {precision}"] = iteration(precision, SIZE)
        actions[f"multiplications, {precision}"] = _convolution(precision)
        if _has_tensorflow():
            actions[f"keras, {precision}"] = _keras_gradient(precision, SIZE)
    numbers: dict[str, float] = {}
    loads: dict[str, list[Load]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            action()  # warms up
            loads[name].append(load(action))
    share = multiplications(SIZE) / (_CHAIN * 9 * _CHANNELS**2 * _SIDE**2)
    for name, of_it in loads.items():
        factor = share if name.startswith("multiplications") else 1.0
        for kind, seconds in zip(("", ", of all cores"), zip(*of_it)):
            numbers[name + kind] = factor * statistics.median(seconds)
    for precision in [name.rpartition(" ")[2] for name in actions if name.startswith("openvino")]:
        ours = numbers[f"openvino, {precision}"]
        limit = numbers[f"multiplications, {precision}"]
        numbers[f"share of the limit, {precision}"] = limit / ours
        for other in [name for name in actions if name.startswith("keras")]:
            numbers[f"times as fast, {precision} as {other}"] = numbers[other] / ours
    return numbers


def iteration(precision: str, size: int) -> Callable[[], object]:
    """Return what makes the next iteration of a refinement."""
    vgg = Perception(precision)
    x, content = (picture(size, size, seed) / np.float32(255) for seed in (0, 1))
    target = tiling.measure(vgg, picture(size, size, 2), size)
    objective = Objective(vgg, content, [Region(target, None)], LossWeights(), size)
    gradient, descent = np.empty_like(x), Descent()

    def step() -> None:
        objective(x, gradient)
        descent.move(x, gradient)

    return step


def multiplications(size: int) -> int:
    """Return how many multiplications the convolutions of a gradient take, forward and backward."""
    weights, pixels, total = load_encoder("vgg19"), size**2, 0
    for step in encoder_plan(VGG19_DEPTHS):
        if step == "pool":
            pixels //= 4
        else:
            total += 2 * pixels * weights[step][0].size
    return total


def _convolution(precision: str) -> Callable[[], object]:
    """Return what computes large convolutions, one after the other."""
    from adain.networks.openvino.runtime import op, openvino

    generator = np.random.default_rng(0)
    kernel = generator.normal(0, 0.02, (_CHANNELS, _CHANNELS, 3, 3)).astype(np.float32)
    x = op.parameter([1, _CHANNELS, _SIDE, _SIDE], np.float32)
    y = x
    for _ in range(_CHAIN):
        y = op.convolution(y, op.constant(kernel), [1, 1], [1, 1], [1, 1], [1, 1])
    # One pixel comes out: to copy all would take a share of the time.
    graph = compile_graph(openvino.Model([op.slice(
        y, *(np.array([each, each]) for each in (0, 1, 1)), np.array([2, 3]))], [x]), precision)
    data = generator.random((1, _CHANNELS, _SIDE, _SIDE), dtype=np.float32)
    return partial(graph, data)


def _has_tensorflow() -> bool:
    return (importlib.util.find_spec("tensorflow") is not None
            and os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow")


def _keras_gradient(precision: str, size: int) -> Callable[[], object]:
    """Return what computes the gradient of the same loss by Keras."""
    start_quietly()
    import tensorflow as tf

    from adain.networks.keras.losses import content_loss, style_loss, total_variation_loss
    from adain.networks.keras.model import Encoder
    from adain.networks.keras.ops import channel_stats

    encoder = Encoder.from_weights(load_encoder("vgg19"), STYLE_LAYERS,
                                   dtype=precision.replace("bfloat16", "mixed_bfloat16"))
    encoder.trainable = False
    x, content, style = (tf.constant(picture(size, size, seed)[None] / np.float32(255))
                         for seed in range(3))
    wanted, weights = encoder(content)[-1], LossWeights()
    targets = [channel_stats(each) for each in encoder(style)]

    def gradient(x: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            features = encoder(x)
            styles = [style_loss(channel_stats(each), target)
                      for each, target in zip(features, targets)]
            total = (weights.content * content_loss(features[-1], wanted)
                     + weights.style * tf.reduce_sum(styles)
                     + weights.tv * total_variation_loss(x))
        return tape.gradient(total, x)

    compiled = tf.function(gradient)
    return lambda: compiled(x).numpy()
