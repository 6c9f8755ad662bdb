import subprocess
import sys

import numpy as np
import pytest
from conftest import picture, random_decoder, random_encoder

from adain import engine, weights
from adain.architecture import PRESETS, STYLE_LAYERS
from adain.errors import OptionError

LAYERS = ("relu2_2", "relu3_4", "relu4_1")
WHOLE = engine.Core(0, 48, 0, 64)


@pytest.mark.parametrize("model", ["narrow", "vgg19", "compact"])
def test_openvino_equals_keras(model):
    pytest.importorskip("keras")
    if model == "narrow":
        networks = random_encoder(), random_decoder(), LAYERS
    else:
        networks = (weights.load_encoder(model), weights.load_decoder(model),
                    PRESETS[model].adain_layers)
    ours = engine.create("openvino", *networks, "float32")
    theirs = engine.create("keras", *networks, "float32")
    image = picture(48, 64).astype(np.float32) / 255
    encoded, expected = ours.encode(image, WHOLE), theirs.encode(image, WHOLE)
    # 1e-4 of the largest value: float32 sums of thousands of products in another order
    for features, reference in zip(encoded.features, expected.features):
        np.testing.assert_allclose(np.moveaxis(features, 1, -1), reference,
                                   atol=1e-4 * abs(reference).max())
    for vector, reference in zip(encoded[1:], expected[1:]):
        np.testing.assert_allclose(vector, reference, atol=1e-4 * abs(reference).max())

    scale, shift = np.linspace(0.5, 1.5, vector.size), np.linspace(-0.1, 0.1, vector.size)
    results = [networks.decode(features, scale.astype(np.float32), shift.astype(np.float32))
               for networks, (features, _, _) in ((ours, encoded), (theirs, expected))]
    assert results[0].shape == (48, 64, 3) and results[0].dtype == np.float32
    np.testing.assert_allclose(*results, atol=1e-4 * abs(results[1]).max())


@pytest.mark.parametrize("name", engine.ENGINES)
def test_statistics_are_those_of_the_core(name):
    pytest.importorskip(name)
    networks = engine.create(name, random_encoder(), random_decoder(), LAYERS, "float32")
    image = picture(48, 64).astype(np.float32) / 255
    encoded = networks.encode(image, engine.Core(8, 40, 16, 64))
    fine, _, coarse = encoded.features
    if name == "openvino":
        fine, coarse = np.moveaxis(fine, 1, -1), np.moveaxis(coarse, 1, -1)
    assert encoded.mean.shape == encoded.variance.shape == (6 + 8 + 10,)
    for features, channels, size in ((fine, slice(0, 6), 2), (coarse, slice(14, 24), 8)):
        core = features[0, 8 // size:40 // size, 16 // size:64 // size]
        np.testing.assert_allclose(encoded.mean[channels], core.mean((0, 1)), rtol=1e-4)
        np.testing.assert_allclose(encoded.variance[channels], core.var((0, 1)), rtol=1e-4)


def test_activations_graph_gives_the_activations_asked_for():
    graph = engine.activations_graph(random_encoder(), STYLE_LAYERS)
    outputs = engine.compile_graph(graph, "float32")(np.zeros((1, 32, 48, 3), np.float32))
    assert [outputs[index].shape for index in range(4)] == [
        (1, 32, 48, 4), (1, 16, 24, 6), (1, 8, 12, 8), (1, 4, 6, 10)]


def test_statistics_stay_when_the_engine_runs_again():
    networks = engine.create("openvino", random_encoder(), random_decoder(), LAYERS, "float32")
    core = engine.Core(0, 16, 0, 16)
    first = networks.encode(np.zeros((16, 16, 3), np.float32), core)
    mean, variance = first.mean.copy(), first.variance.copy()
    networks.encode(np.ones((16, 16, 3), np.float32), core)
    np.testing.assert_array_equal(first.mean, mean)
    np.testing.assert_array_equal(first.variance, variance)


def test_unknown_names_are_refused():
    with pytest.raises(OptionError, match="openvino, keras"):
        engine.create("tensorrt", {}, {}, ())
    with pytest.raises(OptionError, match="float32"):
        engine.create("openvino", {}, {}, (), "float8")


def test_signals_are_still_handled_after_openvino_has_started():
    program = """if True:
        import os, signal
        import numpy as np
        from adain import Stylizer
        Stylizer("compact").stylize(*np.zeros((2, 64, 64, 3), np.uint8))
        signal.signal(signal.SIGTERM, lambda number, frame: print("handled"))
        os.kill(os.getpid(), signal.SIGTERM)
        print("alive")
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "handled\nalive\n" and done.returncode == 0
