"""The decoder that least squares find."""

import dataclasses

import numpy as np
import pytest
from conftest import picture
from test_any_style import CONFIG, train

keras = pytest.importorskip("keras")
from adain.errors import OptionError
from adain.networks import checkpoint
from adain.networks.keras.model import Decoder, Encoder
from adain.networks.keras.ops import ReflectConv2D
from adain.training import any_style, data, inversion  # noqa: E402
from adain.training.config import TrainConfig

WIDTHS, DEPTHS = (16, 32, 64, 128), (1, 1, 1, 1)


def networks():
    keras.utils.set_random_seed(0)
    return Encoder(WIDTHS, DEPTHS, ("relu4_1",)), Decoder(WIDTHS, DEPTHS, ("relu4_1",))


def test_least_squares_finds_the_convolution_that_made_the_target(monkeypatch):
    monkeypatch.setattr(inversion, "RIDGE", 1e-4)  # with the usual one the tolerance hid errors
    generator = np.random.default_rng(0)
    x = generator.random((2, 12, 16, 3)).astype(np.float32)
    conv = ReflectConv2D(4)
    conv.build(x.shape)
    conv.bias.assign([1, 2, 3, 4])
    kernel, bias = inversion.least_squares(x, np.asarray(conv(x)), generator)
    # The ridge shrinks the kernel by about its own size.
    np.testing.assert_allclose(kernel, conv.kernel, atol=20 * inversion.RIDGE)
    np.testing.assert_allclose(bias, conv.bias, atol=20 * inversion.RIDGE)


def test_few_equations_give_the_same_solution_as_many():
    """The same ones twice are more equations than unknowns; the penalty grows with them."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(40, 50)), generator.normal(size=(40, 3))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    np.testing.assert_allclose(inversion._ridge(x, y), inversion._ridge(
        np.concatenate([x, x]), np.concatenate([y, y])), rtol=1e-6, atol=1e-9)


def test_inverted_encoder_gives_pictures_back():
    pictures = np.stack([picture(32, 32, seed=seed) for seed in range(8)])
    encoder, decoder = networks()
    wanted = pictures.astype(np.float32) / 255

    def error():
        return float(np.mean((np.asarray(decoder(encoder(wanted))) - wanted) ** 2))

    before = error()
    inversion.invert(encoder, decoder, pictures)
    constant = float(np.mean((wanted - wanted.mean(axis=(0, 1, 2))) ** 2))
    assert error() < 0.8 * constant < before


def test_dead_channels_live_again_and_change_nothing():
    pictures = np.stack([picture(32, 32, seed=seed) for seed in range(4)])
    encoder, decoder = networks()
    inversion.invert(encoder, decoder, pictures)
    hopeless = inversion.revive(encoder, decoder, pictures)  # dead in the encoder, too
    for layer, dead in (("conv4_1", [0, 5, 9]), ("conv2_1", [3])):
        bias = np.array(decoder.convs[layer].bias)
        bias[dead] = -100
        decoder.convs[layer].bias.assign(bias)
    features = encoder(pictures.astype(np.float32) / 255)
    before = np.asarray(decoder(features))
    assert inversion.revive(encoder, decoder, pictures) > hopeless
    np.testing.assert_allclose(decoder(features), before, atol=1e-5)
    assert inversion.revive(encoder, decoder, pictures) == hopeless


def test_run_begins_with_the_inversion(folders, monkeypatch):
    monkeypatch.setattr(inversion, "PIXELS", 2**13)
    config = dataclasses.replace(CONFIG, model="vgg19", initialization="inversion", max_iter=1,
                                 save_iter=1, learning_rate=1e-9)
    train(config, folders, "inverted")
    inverted = checkpoint.load(folders / "inverted").config["losses"]
    source = data.PairSource(folders / "content", folders / "style", config.seed,
                             config.image_size, config.crop_size)
    model = any_style.build(dataclasses.replace(config, initialization="random"))
    pairs = np.stack([source.pair(0), source.pair(1)])  # of the same step
    model.compute_loss(pairs, y_pred=model(pairs))
    [random] = model.get_metrics_result()["losses"]
    assert inverted["pixel"] < 0.5 * float(random["pixel"])


def test_continued_run_revives_dead_channels(folders, monkeypatch):
    monkeypatch.setattr(inversion, "PIXELS", 2**13)
    config = dataclasses.replace(CONFIG, model="vgg19", initialization="inversion", max_iter=1)
    _, lines = train(config, folders, "run", continue_from="vgg19")
    assert "dead channels" in lines[0]


def test_only_a_frozen_encoder_can_be_inverted():
    with pytest.raises(OptionError, match="compact"):
        TrainConfig(model="compact", initialization="inversion")
