"""Tuning the statistics of styles."""

import numpy as np
import pytest
from conftest import ROOT, logged, picture

from adain import Stylizer
from adain.commands import stylize
from adain.errors import OptionError
from adain.files import images
from adain.networks.stats import ChannelStats
from adain.progress import Stopped, StopRequest
from adain.transfer import tuning
from adain.transfer.stylizer import REFINE_CHANNELS

STYLE = ChannelStats(np.array([1.0, 2.0], np.float32), np.array([0.5, 4.0], np.float32))


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer("compact", precision="float32")


@pytest.fixture
def small(small_references, stylizer):
    """A Stylizer that tunes on small photographs."""
    stylizer.__dict__.pop("_tuner", None)
    yield stylizer
    stylizer.__dict__.pop("_tuner", None)


def test_the_first_step_moves_every_statistic_by_the_rate():
    """Adam's first step is the rate times the sign of the gradient."""
    tuned = tuning._descend(STYLE, 1, lambda step, style: (1.0, np.array([[3.0, -1], [-2, 5]],
                                                                         np.float32)))
    rate = tuning.RATE
    np.testing.assert_allclose(tuned.mean, [1 - rate * 0.5, 2 + rate * 4], rtol=1e-5)
    np.testing.assert_allclose(tuned.std, [0.5 * np.exp(rate), 4 * np.exp(-rate)], rtol=1e-5)


def test_it_finds_the_minimum_of_a_parabola():
    wanted = ChannelStats(np.array([1.1, 1.0], np.float32), np.array([0.4, 5.0], np.float32))

    def losses(step, style):
        errors = np.array(style) - np.array(wanted)
        return float(np.sum(errors**2)), 2 * errors

    tuned = tuning._descend(STYLE, 200, losses)
    np.testing.assert_allclose(tuned, wanted, atol=0.02)


def test_a_loss_that_is_not_finite_keeps_the_statistics_before():
    seen = []

    def losses(step, style):
        seen.append(style)
        return (np.nan if step == 2 else 1.0), np.ones((2, 2), np.float32)

    with logged() as lines:
        tuned = tuning._descend(STYLE, 5, losses)
    assert "stopped at iteration 2" in lines[0]
    np.testing.assert_array_equal(tuned, seen[1])


def test_photographs_come_nearer_to_the_style(small):
    """Those that the style was tuned on, as another part of the program measures them."""
    style = images.resize(images.read(ROOT / "styles" / "mosaic.jpg"), 64, 64)
    plain, tuned = (small.encode_style(style, tune=tune) for tune in (0, 12))
    target = small._refiner.measure(style)
    losses = []
    for encoded in (plain, tuned):
        pictures = [small.stylize(path, encoded) for path in tuning.REFERENCES.glob("*.jpg")]
        errors = [np.array(small._refiner.measure(made)) - target for made in pictures]
        losses.append(np.mean(np.square(errors)))
    assert losses[1] < 0.9 * losses[0]


def test_vgg19_styles_are_tuned_too(small):
    vgg19, style = Stylizer("vgg19", precision="float32"), picture(64, 64)
    plain, tuned = (vgg19.encode_style(style, tune=tune) for tune in (0, 1))
    change = (tuned.mean - plain.mean) / plain.std
    assert np.median(np.abs(change)) == pytest.approx(tuning.RATE, rel=0.01)


def test_a_tuned_style_is_a_style(small, tmp_path):
    """It is saved and read, and refinement still compares with the painting's own statistics."""
    style = picture(64, 64)
    tuned = small.encode_style(style, refine=True, tune=2)
    plain = small.encode_style(style, refine=True)
    assert tuned.mean.size == small.channels + REFINE_CHANNELS
    np.testing.assert_array_equal(tuned.mean[small.channels:], plain.mean[small.channels:])
    assert not np.array_equal(tuned.mean[:small.channels], plain.mean[:small.channels])
    small.save_style(tmp_path / "style.npz", tuned)
    np.testing.assert_array_equal(small.encode_style(tmp_path / "style.npz"), tuned)
    with pytest.raises(OptionError, match="encoded already: give its picture, or tune it when"):
        small.encode_style(tmp_path / "style.npz", tune=2)


def test_it_can_be_stopped(small):
    stop = StopRequest()
    stop.reason = "Ctrl-C"
    with pytest.raises(Stopped):
        small.encode_style(picture(64, 64), tune=2, stop=stop)


def test_impossible_requests_are_refused(stylizer):
    with pytest.raises(OptionError, match="`tune` must be at least 0; received -1"):
        stylizer.encode_style(picture(64, 64), tune=-1)
    limited = Stylizer("compact", max_memory=500)
    with pytest.raises(OptionError, match=r"tuning a style needs about \d+ MB"):
        limited.encode_style(picture(64, 64), tune=1)


def test_the_command_tunes_each_style_once(small, tmp_path, capsys):
    (tmp_path / "content").mkdir()
    for name, seed in (("a", 1), ("b", 2)):
        images.write(tmp_path / "content" / f"{name}.png", picture(32, 40, seed))
    images.write(tmp_path / "style.png", picture(64, 64, 3))
    command = ["--model", "compact", "--precision", "float32", "--style-path",
               str(tmp_path / "style.png"), "--content-path", str(tmp_path / "content"),
               "--format", "png", "--out-path", str(tmp_path / "out"), "--tune", "2"]
    assert stylize.main(command) == 0
    assert capsys.readouterr().err.count("tunes the style style.png in 2 iterations") == 1
    expected = small.stylize(tmp_path / "content" / "b.png",
                             small.encode_style(tmp_path / "style.png", tune=2))
    np.testing.assert_array_equal(images.read(tmp_path / "out" / "b__style.png"), expected)
    small.save_style(tmp_path / "style.npz", tmp_path / "style.png")
    command[command.index(str(tmp_path / "style.png"))] = str(tmp_path / "style.npz")
    assert stylize.main([*command, "--overwrite"]) == 0
    assert "style.npz is encoded already, so it is not tuned" in capsys.readouterr().err
    with pytest.raises(OptionError, match="`tune` must be at least 0; received -2"):
        stylize.main([*command[:-1], "-2"])
