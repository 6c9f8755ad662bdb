import numpy as np
import pytest
from conftest import picture, random_decoder, random_encoder

from adain import engine, weights
from adain.architecture import STYLE_LAYERS
from adain.errors import OptionError


@pytest.mark.parametrize("model", ["narrow", "vgg19", "compact"])
def test_openvino_equals_keras(model):
    if model == "narrow":
        encoder, decoder = random_encoder(), random_decoder()
    else:
        encoder, decoder = weights.load_encoder(model), weights.load_decoder(model)
    ours = engine.create("openvino", encoder, decoder, "float32")
    theirs = engine.create("keras", encoder, decoder, "float32")
    image = picture(48, 64).astype(np.float32) / 255
    features, expected = ours.encode(image), theirs.encode(image)
    assert features.shape == (6, 8, encoder["conv4_1"][0].shape[-1])
    # 1e-4 of the largest value: float32 sums of thousands of products in another order
    np.testing.assert_allclose(features, expected, atol=1e-4 * abs(expected).max())
    result, expected = ours.decode(features), theirs.decode(features)
    assert result.shape == (48, 64, 3) and result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-4 * abs(expected).max())


def test_encoder_graph_gives_the_activations_asked_for():
    encoder = random_encoder()
    graph = engine.encoder_graph(encoder, list(STYLE_LAYERS))
    outputs = engine.compile_graph(graph, "float32")(np.zeros((1, 32, 48, 3), np.float32))
    assert [outputs[index].shape for index in range(4)] == [
        (1, 32, 48, 4), (1, 16, 24, 6), (1, 8, 12, 8), (1, 4, 6, 10)]


def test_results_stay_when_the_engine_runs_again():
    networks = engine.create("openvino", random_encoder(), random_decoder(), "float32")
    first = networks.encode(np.zeros((16, 16, 3), np.float32))
    copy = first.copy()
    networks.encode(np.ones((16, 16, 3), np.float32))
    np.testing.assert_array_equal(first, copy)


def test_unknown_names_are_refused():
    with pytest.raises(OptionError, match="openvino, keras"):
        engine.create("tensorrt", {}, {})
    with pytest.raises(OptionError, match="float32"):
        engine.create("openvino", {}, {}, "float8")
