"""The gradient with respect to a style's statistics in OpenVINO, against float64 in NumPy."""

import numpy as np
import pytest
from conftest import random_encoder, random_networks
from test_gradients import (
    CONTENT_WEIGHT,
    STYLE_WEIGHT,
    WEIGHTS,
    activations,
    smooth,
    statistics,
)

from adain.networks.architecture import (
    CONTENT_LAYER,
    DECODER_OUTPUT,
    STYLE_LAYERS,
    VGG19_DEPTHS,
    decoder_plan,
    relu,
    scale,
)
from adain.networks.openvino.compiled import compile_graph
from adain.networks.openvino.gradients import widths
from adain.networks.openvino.style_gradients import LAYER_WEIGHTS, style_gradient_graph

ROWS, COLUMNS = 32, 40


def decode(networks, restyled):
    """Return the decoder's picture in float64."""
    x = None
    for step in decoder_plan(VGG19_DEPTHS):
        if relu(step) in restyled:
            x = restyled[relu(step)] if x is None else x + restyled[relu(step)]
        if step == "upsample":
            x = x.repeat(2, 0).repeat(2, 1)
            continue
        kernel, bias = networks.decoder[step]
        rows, columns = x.shape[:2]
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="reflect")
        x = bias + sum(padded[down:down + rows, across:across + columns] @ kernel[down, across]
                       for down in range(3) for across in range(3))
        if step != DECODER_OUTPUT:
            x = np.maximum(x, networks.negative_slope * x)
    return x


def losses(networks, features, mean, std, content, target):
    cuts = np.cumsum(networks.widths)[:-1]
    restyled = {name: x * s + m for name, x, m, s in zip(
        networks.adain_layers, features, np.split(mean, cuts), np.split(std, cuts))}
    picture = decode(networks, restyled)
    factors = np.repeat(LAYER_WEIGHTS, widths(WEIGHTS))
    errors = [np.sum(factors * (ours - theirs) ** 2)
              for ours, theirs in zip(statistics(picture), target)]
    return np.mean((activations(picture)[CONTENT_LAYER] - content) ** 2), sum(errors)


@pytest.mark.parametrize(("layers", "slope"), [
    (("relu4_1",), 0.0), (("relu2_2", "relu3_4", "relu4_1"), 0.2), (STYLE_LAYERS, 0.2)])
def test_losses_and_gradients_are_those_of_float64(layers, slope):
    networks = random_networks(layers, slope)
    generator = np.random.default_rng(0)
    features = [generator.normal(size=(ROWS // scale(name), COLUMNS // scale(name), width))
                for name, width in zip(layers, networks.widths)]
    mean, std = generator.normal(0, 0.3, networks.channels), generator.uniform(
        0.2, 1, networks.channels)
    content = activations(smooth(ROWS, COLUMNS, 1))[CONTENT_LAYER]
    target = statistics(smooth(64, 32, 2))
    graph = compile_graph(style_gradient_graph(networks, random_encoder()), "float32")
    found = [each.copy() for each in graph(
        *(np.float32(vector) for vector in (mean, std)),
        *(np.float32(x[None]) for x in features), np.float32(content[None]),
        *map(np.float32, target), np.float32(CONTENT_WEIGHT), np.float32(STYLE_WEIGHT))]

    def weighted(*change):
        content_loss, style_loss = losses(networks, features, mean + change[0], std + change[1],
                                          content, target)
        return CONTENT_WEIGHT * content_loss + STYLE_WEIGHT * style_loss

    expected = losses(networks, features, mean, std, content, target)
    np.testing.assert_allclose((found[0], found[1]), expected, rtol=1e-4)
    for seed in range(3):
        change = 1e-6 * np.random.default_rng(seed).normal(size=(2, networks.channels))
        quotient = (weighted(*change) - weighted(*-change)) / 2
        assert np.vdot(found[2], change[0]) + np.vdot(found[3], change[1]) == pytest.approx(
            quotient, rel=2e-3)
