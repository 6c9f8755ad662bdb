import json

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain.commands import metrics as command
from adain.errors import ImageError, OptionError
from adain.files import images
from adain.measuring import metrics


@pytest.fixture(scope="module")
def meter():
    return metrics.Meter(size=64)


@pytest.fixture
def gallery(tmp_path):
    for kind, seed in (("content", 0), ("style", 10)):
        (tmp_path / kind).mkdir()
        for index in range(2):
            Image.fromarray(picture(64, 80, seed + index)).save(
                tmp_path / kind / f"{kind}{index}.png")
    return tmp_path


def test_the_content_itself_has_no_content_loss_and_full_similarity(meter, gallery):
    content, style = gallery / "content" / "content0.png", gallery / "style" / "style0.png"
    scores = meter.measure(content, style, images.read(content))
    assert scores.content == 0 and scores.ssim == pytest.approx(1) and scores.style > 0.01


def test_the_style_itself_has_no_style_loss(meter, gallery):
    content, style = gallery / "content" / "content0.png", gallery / "style" / "style0.png"
    scores = meter.measure(content, style, images.read(style))
    assert scores.style == pytest.approx(0, abs=1e-9) and scores.content > 0.01


def test_the_content_is_resized_to_the_stylized_picture(meter, gallery):
    content, style = gallery / "content" / "content0.png", gallery / "style" / "style0.png"
    half = images.resize(images.read(content), 32, 40)
    assert meter.measure(content, style, half).content == 0


def test_style_loss_is_a_mean_over_channels_and_a_sum_over_layers(meter, gallery, monkeypatch):
    """With one channel a layer, means 0 and 2 and deviations 0 and 1: 4 layers x (4 + 1)."""
    ours, theirs = [np.zeros((4, 4, 1))] * 4, [np.array([[[1.0], [3.0]]])] * 4
    answers = [theirs, ours, ours]  # measure() asks for the style, the content, the stylized
    monkeypatch.setattr(meter, "features", lambda image: answers.pop(0))
    monkeypatch.setattr(meter, "_styles", {})
    monkeypatch.setattr(meter, "_content", None)
    path = gallery / "style" / "style0.png"
    assert meter.measure(path, path, images.read(path)).style == pytest.approx(20, rel=0.01)


def test_ssim_of_flat_pictures_is_the_luminance_term():
    dark, light = np.full((20, 20), 50.0), np.full((20, 20), 100.0)
    c1 = (0.01 * 255) ** 2
    assert metrics.ssim(dark, light) == pytest.approx(
        (2 * 50 * 100 + c1) / (50**2 + 100**2 + c1), rel=1e-6)


def test_ssim_falls_with_noise():
    clean = metrics.luminance(picture(64, 64))
    noise = np.random.default_rng(0).normal(0, 1, clean.shape)
    some, more = (metrics.ssim(clean + sigma * noise, clean) for sigma in (10, 40))
    assert 1 > some > more > 0


def test_luminance_is_that_of_rgb_not_bgr():
    assert metrics.luminance(np.array([[[255, 0, 0]]], np.uint8))[0, 0] == pytest.approx(76.245)


def test_command_prints_a_table_and_writes_json(gallery, monkeypatch, capsys):
    (gallery / "out").mkdir()
    for name in ("content0__style1", "content1__style0"):
        Image.fromarray(picture(64, 80, 5)).save(gallery / "out" / f"{name}.jpg")
    monkeypatch.chdir(gallery)
    command.main(["content", "style", "out", "--size", "64", "--json", "x.json"])
    row = capsys.readouterr().out.splitlines()[-1].split("|")
    report = json.loads((gallery / "x.json").read_text())["out"]
    assert set(report["pictures"]) == {"content0__style1", "content1__style0"}
    assert float(row[3]) == pytest.approx(report["mean"]["content"], abs=0.005)
    assert report["mean"]["ssim"] == pytest.approx(
        np.mean([one["ssim"] for one in report["pictures"].values()]))


def test_names_that_fit_no_source_are_refused(meter, tmp_path):
    Image.fromarray(picture(32, 32)).save(tmp_path / "a__b.png")
    with pytest.raises(ImageError, match="a__b.png is not named CONTENT__STYLE"):
        metrics.measure_folder(meter, {"a": tmp_path}, {"c": tmp_path}, tmp_path)


def test_pictures_too_small_to_measure_are_refused(meter, gallery):
    content, style = gallery / "content" / "content0.png", gallery / "style" / "style0.png"
    with pytest.raises(ImageError, match="16 x 16 or more"):
        meter.measure(content, style, picture(8, 8))
    with pytest.raises(OptionError, match="`size`"):
        metrics.Meter(size=4)
