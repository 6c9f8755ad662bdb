"""The loss and its gradient in OpenVINO, against float64 in NumPy and against Keras."""

import numpy as np
import pytest
from conftest import picture, random_encoder

from adain.networks.architecture import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    VGG19_DEPTHS,
    encoder_plan,
    relu,
    scale,
)
from adain.networks.openvino import gradients
from adain.networks.openvino.compiled import compile_graph
from adain.networks.stats import EPSILON
from adain.transfer.tiling import tiles

WEIGHTS = random_encoder()
CHANNELS = gradients.widths(WEIGHTS)
CONTENT_WEIGHT, STYLE_WEIGHT = 0.7, 0.3


def activations(image):
    """Return the named activations in float64, each (rows, columns, channels)."""
    x, found = image.astype(np.float64), {}
    for step in encoder_plan(VGG19_DEPTHS):
        rows, columns = x.shape[:2]
        if step == "pool":
            x = x.reshape(rows // 2, 2, columns // 2, 2, -1).max(axis=(1, 3))
            continue
        kernel, bias = WEIGHTS[step]
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="reflect")
        x = np.maximum(bias + sum(
            padded[down:down + rows, across:across + columns] @ kernel[down, across]
            for down in range(3) for across in range(3)), 0)
        found[relu(step)] = x
    return found


def statistics(image):
    found = activations(image)
    flat = [found[name].reshape(-1, found[name].shape[-1]) for name in STYLE_LAYERS]
    return (np.concatenate([each.mean(axis=0) for each in flat]),
            np.concatenate([np.sqrt(each.var(axis=0) + EPSILON) for each in flat]))


def losses(image, content, target):
    found = activations(image)[CONTENT_LAYER]
    return (np.mean((found - content) ** 2),
            sum(np.sum((ours - theirs) ** 2) for ours, theirs in zip(statistics(image), target)))


def loss(*arguments):
    content, style = losses(*arguments)
    return CONTENT_WEIGHT * content + STYLE_WEIGHT * style


def smooth(rows=32, columns=48, seed=0):
    return picture(rows, columns, seed).astype(np.float32) / 255


def whole(image, content, target, precision="float32", weights=WEIGHTS):
    """Return (content loss, style loss, gradient) of the graph for a whole picture."""
    graph = compile_graph(gradients.picture_graph(weights), precision)
    mean, std = (vector.astype(np.float32) for vector in target)
    found = graph(image[None], content[None].astype(np.float32), mean, std,
                  np.float32(CONTENT_WEIGHT), np.float32(STYLE_WEIGHT))
    return float(found[0]), float(found[1]), found[2][0].copy()


@pytest.fixture(scope="module")
def problem():
    """A picture, the content's activations and the style's statistics."""
    return smooth(), activations(smooth(seed=1))[CONTENT_LAYER], statistics(smooth(64, 32, 2))


def test_losses_are_those_of_float64(problem):
    content, style, _ = whole(*problem)
    np.testing.assert_allclose((content, style), losses(*problem), rtol=1e-4)


# Corners, where padding mirrors twice; what padding mirrors; an edge; the middle.
@pytest.mark.parametrize("place", [(0, 0), (1, 1), (0, 20), (30, 46), (31, 47), (31, 1), (16, 24)])
def test_the_gradient_at_a_pixel_is_the_quotient_of_differences(problem, place):
    image, *wanted = problem
    gradient = whole(*problem)[2]
    for channel in range(3):
        moved = np.zeros(image.shape)
        moved[(*place, channel)] = 1e-6
        quotient = (loss(image + moved, *wanted) - loss(image - moved, *wanted)) / 2e-6
        assert gradient[(*place, channel)] == pytest.approx(
            quotient, rel=1e-3, abs=1e-4 * float(np.abs(gradient).max()))


@pytest.mark.parametrize("rows, columns", [(32, 32), (32, 40), (40, 32)])
def test_the_gradient_in_any_direction_is_the_quotient_of_differences(rows, columns):
    image, target = smooth(rows, columns), statistics(smooth(64, 32, 2))
    content = activations(smooth(rows, columns, 1))[CONTENT_LAYER]
    gradient = whole(image, content, target)[2]
    for seed in range(3):
        moved = 1e-6 * np.random.default_rng(seed).normal(size=image.shape)
        quotient = loss(image + moved, content, target) - loss(image - moved, content, target)
        assert np.vdot(gradient, moved) == pytest.approx(quotient / 2, rel=1e-3)


def test_the_gradients_of_tiles_add_up_to_that_of_the_picture():
    image, target = smooth(104, 136), statistics(smooth(64, 32, 2))
    content = activations(smooth(104, 136, 1))[CONTENT_LAYER].astype(np.float32)
    content_loss, _, expected = whole(image, content, target)
    mean, std = statistics(image)
    pixels = np.repeat([image.shape[0] * image.shape[1] // scale(name)**2
                        for name in STYLE_LAYERS], CHANNELS)
    scales = 2 * STYLE_WEIGHT * (std - target[1]) / std / pixels
    shifts = 2 * STYLE_WEIGHT * (mean - target[0]) / pixels - mean * scales
    tables = [np.float32([each]) for each in (scales, shifts)]
    graph = compile_graph(gradients.tile_graph(WEIGHTS), "float32")
    gradient, squares = np.zeros_like(image), 0.0
    for down, across in tiles(*image.shape[:2], 40, 32):
        place = down.window(), across.window()
        core = np.zeros(image[place].shape[:2], np.float32)
        core[slice(*down.core_in_window()), slice(*across.core_in_window())] = 1
        eighth = tuple(slice(span.start // 8, span.stop // 8) for span in place)
        found = graph(image[place][None], content[eighth][None], core, core[None], *tables,
                      np.float32(2 * CONTENT_WEIGHT / content.size))
        squares += float(found[0])
        gradient[place] += found[1][0]
    assert squares / content.size == pytest.approx(content_loss, rel=1e-5)
    np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())


def test_equal_maxima_take_equal_parts():
    flat = np.full((32, 32, 3), 0.5, np.float32)  # nothing in it tells left from right
    content = activations(flat)[CONTENT_LAYER]
    symmetric = {layer: (kernel + kernel[::-1] + kernel[:, ::-1] + kernel[::-1, ::-1], bias)
                 for layer, (kernel, bias) in WEIGHTS.items()}
    gradient = whole(flat, content, statistics(smooth(seed=2)), weights=symmetric)[2]
    assert np.abs(gradient).max() > 0
    for turned in (gradient[::-1], gradient[:, ::-1]):
        np.testing.assert_allclose(gradient, turned, atol=1e-3 * np.abs(gradient).max())


def test_bfloat16_points_the_same_way(problem):
    exact, rounded = (whole(*problem, precision)[2].ravel() for precision in
                      ("float32", "bfloat16"))
    assert np.vdot(exact, rounded) > 0.95 * np.linalg.norm(exact) * np.linalg.norm(rounded)


def test_the_gradient_is_that_of_keras(problem):
    pytest.importorskip("tensorflow")
    import keras
    import tensorflow as tf

    from adain.networks.keras.model import Encoder
    from adain.networks.keras.ops import channel_stats

    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes TensorFlow's gradient")
    image, content, target = problem
    encoder, x = Encoder.from_weights(WEIGHTS, STYLE_LAYERS), tf.constant(image[None])
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = encoder(x)
        own = [tf.concat([tf.reshape(part, [-1]) for part in parts], 0)
               for parts in zip(*map(channel_stats, found))]
        total = CONTENT_WEIGHT * tf.reduce_mean((found[-1] - content[None])**2) + STYLE_WEIGHT * (
            sum(tf.reduce_sum((ours - theirs)**2) for ours, theirs in zip(own, target)))
    expected = tape.gradient(total, x).numpy()[0]
    np.testing.assert_allclose(whole(*problem)[2], expected, atol=1e-4 * np.abs(expected).max())
