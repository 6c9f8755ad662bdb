"""One network per style: real training on crops of 32 px, in float32."""

import dataclasses
import shutil

import numpy as np
import pytest
from conftest import logged, picture
from PIL import Image

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
from adain.errors import AdaINError, OptionError, WeightsError
from adain.files import images
from adain.methods.johnson import model as johnson_model
from adain.methods.johnson import network as johnson
from adain.methods.johnson.model import Network
from adain.methods.johnson.network import StyleNetwork
from adain.methods.johnson.training import train_style
from adain.networks import checkpoint
from adain.training import history, report
from adain.training.config import TrainConfig

pytestmark = pytest.mark.xdist_group("johnson")
CONFIG = TrainConfig(batch_size=2, image_size=40, crop_size=32, learning_rate=3e-3, max_iter=4,
                     save_iter=2, summary_iter=2, precision="float32")
RED = (220, 40, 30)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with photographs, red.png, and the run `whole`: starting one takes seconds."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "content").mkdir()
    for index in range(2):
        Image.fromarray(picture(40 + 8 * index, 56, index)).save(
            folder / "content" / f"{index}.png")
    Image.new("RGB", (48, 40), RED).save(folder / "red.png")
    train(CONFIG, folder, "whole")
    return folder


def train(config, folder, name, style="red.png", **options):
    with logged() as lines:
        train_style(config, folder / "content", folder / style, folder / name, **options)
    assert any(line.startswith("trains the style of") for line in lines[:2])
    return [line for line in lines if not line.startswith("trains the style of")]


def random_arrays(seed=0):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32)
            for name, shape in johnson.shapes().items()}


def test_a_plain_colour_is_learnt_in_a_few_steps_and_a_bad_photograph_named(runs, tmp_path):
    shutil.copytree(runs / "content", tmp_path / "content")
    shutil.copy(runs / "red.png", tmp_path)
    (tmp_path / "content" / "broken.jpg").write_bytes(b"\xff\xd8 broken")
    config = dataclasses.replace(CONFIG, max_iter=40, content_weight=0.0, save_iter=40)
    lines = train(config, tmp_path, "plain")
    style = [float(line.split("style ")[1].split()[0]) for line in lines if line[:5] == "step "]
    assert len(style) == 20 and np.mean(style[-3:]) < 0.3 * np.mean(style[:3])
    content = picture(37, 51, seed=3)
    stylized = StyleNetwork(tmp_path / "plain", "float32").stylize(content)
    assert stylized.shape == content.shape
    before, after = (np.abs(image.mean(axis=(0, 1)) - RED).max() for image in (content, stylized))
    assert after < 0.4 * before
    assert sum("broken.jpg" in line for line in lines) == 1
    assert "broken.jpg" in (tmp_path / "plain" / "bad_files.txt").read_text()


def test_resume_equals_uninterrupted(runs):
    shutil.copytree(runs / "whole" / "step_0000002", runs / "halves" / "step_0000002")
    assert "at step 2" in train(CONFIG, runs, "halves")[0]
    for name in ("model.npz", "optimizer.npz"):
        with (np.load(runs / "whole" / "step_0000004" / name) as whole,
              np.load(runs / "halves" / "step_0000004" / name) as halves):
            assert whole.files == halves.files
            for key in whole.files:
                np.testing.assert_array_equal(whole[key], halves[key], err_msg=key)
    assert "nothing to do" in train(CONFIG, runs, "halves")[-1]


def test_a_run_is_validated_and_has_history_and_a_report(runs):
    config = dataclasses.replace(CONFIG, validation_split=0.5, max_iter=3, save_iter=1, keep=1)
    lines = train(config, runs, "validated")
    measured = history.read(runs / "validated")
    losses = {line["step"]: line["validation"] for line in measured if "validation" in line}
    assert list(losses) == [1, 2, 3]
    for values in losses.values():
        assert values["loss"] == pytest.approx(values["content"] + CONFIG.style_weight
                                               * values["style"])
    assert lines[-1].startswith("lowest loss on pictures that it was not trained on:")
    preview = images.read(runs / "validated" / "previews" / "step_0000003.jpg")
    assert preview.shape == (4 * 32, 3 * 32, 3)  # content | style | stylized
    text = report.write(runs / "validated").read_text()
    assert "# Training of `johnson`, 3 iterations" in text and "| 3 |" in text


@pytest.mark.slow  # the loop is that of all methods, tested in training/test_recorder.py
def test_a_loss_that_is_not_a_number_keeps_its_batch(runs):
    with pytest.raises(AdaINError, match="its batch is in .*failed_step_"):
        train(dataclasses.replace(CONFIG, learning_rate=1e30), runs, "failed")
    [kept] = (runs / "failed").glob("failed_step_*.npz")
    with np.load(kept) as batch:
        assert batch["pictures"].shape == (2, 32, 32, 3) and batch["pictures"].dtype == np.uint8


def test_an_exported_file_is_the_newest_checkpoint(runs, tmp_path):
    johnson.export(runs / "whole", tmp_path / "red.npz")
    arrays, about = johnson.load(tmp_path / "red.npz")
    assert about["step"] == 4 and about["style_name"] == "red.png"
    with np.load(runs / "whole" / "step_0000004" / "model.npz") as stored:
        for name, array in arrays.items():
            np.testing.assert_allclose(array, stored[name], rtol=1e-3, atol=1e-6)  # float16


def test_another_style_is_refused(runs):
    with pytest.raises(OptionError, match="another style"):
        train(CONFIG, runs, "whole", style="content/0.png")


def test_a_network_is_continued_at_a_higher_style_weight(runs):
    arrays, _ = johnson.load(runs / "whole")
    config = dataclasses.replace(CONFIG, style_weight=0.05, style_weight_ramp=8)
    model = johnson_model.build(config, picture(), continue_from=runs / "whole")
    for name, variable in model.network.arrays().items():
        np.testing.assert_array_equal(variable, arrays[name])
    assert int(model.optimizer.iterations) == 0
    for step, weight in ((0, 0.01), (4, 0.03), (8, 0.05), (99, 0.05)):
        model.optimizer.iterations.assign(step)
        assert float(model.style_weight()) == pytest.approx(weight)


def test_the_style_weight_waits_for_the_reconstruction_and_rises():
    config = dataclasses.replace(CONFIG, reconstruction_iter=10, style_weight_ramp=4)
    model = johnson_model.build(config, picture())
    for step, weight in ((0, 0), (9, 0), (10, 0), (12, 0.005), (14, 0.01)):
        model.optimizer.iterations.assign(step)
        assert float(model.style_weight()) == pytest.approx(weight)


def test_openvino_and_keras_agree(tmp_path):
    arrays = random_arrays()
    johnson.save(tmp_path / "random.npz", arrays, {})
    halves, _ = johnson.load(tmp_path / "random.npz")
    content = picture(40, 56)
    expected = np.asarray(Network(halves, dtype="float32")(content[None] / np.float32(255)))[0]
    assert np.ptp(expected) > 0.2
    stylized = StyleNetwork(tmp_path / "random.npz", "float32").stylize(content)
    assert np.abs(stylized - expected * 255).max() < 1.01  # rounding to uint8


def test_every_normalised_layer_has_its_learned_statistics():
    layer = johnson_model.NormalisedConv("down1", "float32")
    layer.mean.assign(np.arange(32.0))
    layer.std.assign(np.full(32, 3.0))
    features = np.asarray(layer(picture(32, 32)[None] / np.float32(255)))
    np.testing.assert_allclose(features.mean(axis=(0, 1, 2)), np.arange(32), atol=1e-3)
    np.testing.assert_allclose(features.std(axis=(0, 1, 2)), 3, rtol=0.01)  # epsilon


def test_a_file_is_small_and_a_wrong_one_is_refused(tmp_path):
    path = tmp_path / "network.npz"
    johnson.save(path, random_arrays(), {"step": 3})
    assert path.stat().st_size < 4e6
    assert johnson.load(path)[1] == {"method": "johnson", "step": 3}
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="not a network for one style"):
        johnson.load(path)
    with pytest.raises(WeightsError, match="does not exist"):
        johnson.load(tmp_path / "none.npz")


def test_its_checkpoints_and_those_of_adain_are_not_mixed_up(runs):
    assert johnson.is_network(runs / "whole") and johnson.is_network("network.npz")
    with pytest.raises(WeightsError, match="of the method johnson; expected adain"):
        checkpoint.load(runs / "whole")
    shutil.copytree(runs / "whole" / "step_0000004", runs / "adain" / "step_0000004")
    config = runs / "adain" / "step_0000004" / "config.json"
    config.write_text(config.read_text().replace('"method": "johnson"', '"method": "adain"'))
    with pytest.raises(WeightsError, match="of the method adain; expected johnson"):
        johnson.load(runs / "adain")
    assert not johnson.is_network(runs / "adain")


def test_impossible_crops_are_refused(runs):
    with pytest.raises(OptionError, match="`image_size=40` is smaller than `crop_size=48`"):
        train(dataclasses.replace(CONFIG, crop_size=48), runs, "large")
