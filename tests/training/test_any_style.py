"""Real training, small: 32 px crops, narrow steps, on the CPU, in float32."""

import dataclasses
import json
import os
import shutil
import signal

import numpy as np
import pytest
from conftest import logged, picture
from PIL import Image

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
import toy

import adain
from adain.errors import OptionError, WeightsError
from adain.files import images
from adain.networks import checkpoint
from adain.networks.keras import ops  # noqa: E402
from adain.networks.keras.model import get_weights
from adain.networks.weights import load_encoder
from adain.progress import stop_on_signals
from adain.training import any_style, data, features, loop
from adain.training.config import TrainConfig
from adain.training.folder_lock import locked
from adain.training.watch import Watch

pytestmark = pytest.mark.xdist_group("training")
CONFIG = TrainConfig(
    model="compact", batch_size=2, image_size=40, crop_size=32, learning_rate=1e-3, max_iter=4,
    save_iter=2, summary_iter=2, precision="float32", style_weight=1e-3)
FAST = dataclasses.replace(CONFIG, image_size=16, crop_size=16, summary_iter=1)


def fit(config, batches, previews, folder, continue_from=None, **options):
    """Train networks for any style; return the model and what was logged."""
    with logged() as lines:
        model = loop.fit(any_style.AnyStyle(config, continue_from), config, batches,
                         Watch(previews), folder, **options)
    return model, lines


def train(config, folders, name, fixed_crops=None, **options):
    source = data.PairSource(folders / "content", folders / "style", config.seed,
                             config.image_size, config.crop_size, fixed_crops=fixed_crops)
    return fit(config, lambda first, last: data.dataset(source, config.batch_size, first, last),
               np.stack([source.pair(0), source.pair(1)]), folders / name, **options)


def train_cached(config, folders, name):
    source = data.PairSource(folders / "content", folders / "style", config.seed,
                             config.image_size, config.crop_size, fixed_crops=config.cached_crops)
    cache = features.FeatureCache(source, load_encoder("vgg19"))
    _, lines = fit(config, lambda first, last: features.dataset(cache, config.batch_size, first,
                                                                last),
                   source.pair(0)[None], folders / name)
    return cache, lines


def arrays(path):
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def trained(fast_run, tmp_path):
    """A copy of `fast_run`, to change."""
    return shutil.copytree(fast_run, tmp_path / "copy")


def test_two_folders_are_enough_to_train(folders):
    """Nothing else of the package has to be known, and no logging configured."""
    with logged() as lines:
        found = adain.train(dataclasses.replace(CONFIG, max_iter=2, validation_split=0.5),
                            folders / "content", folders / "style", folders / "run")
    assert found == folders / "run" / "step_0000002"
    assert lines[0].startswith("trains compact on") and lines[-2].startswith("done: ")
    assert {"content_path", "style_path"} == checkpoint.load(found).config["data"].keys()
    assert adain.Stylizer(checkpoint=found).stylize(picture(), picture(seed=1)).shape == (48, 64, 3)
    with pytest.raises(OptionError, match="`device` must be one of auto, cpu, gpu; received tpu"):
        adain.train(CONFIG, folders / "content", folders / "style", folders / "run", device="tpu")


@pytest.mark.parametrize("model, options", [
    ("compact", {}), ("vgg19", {}),
    ("vgg19", {"gram": True, "style_weight": 1e-6, "identity_share": 0.5, "style_knee": 1e3,
               "content_target": "content", "reconstruction_iter": 2, "style_weight_ramp": 2})],
    ids=["compact", "vgg19", "vgg19 with options"])
def test_loss_falls(folders, model, options):
    config = dataclasses.replace(CONFIG, model=model, max_iter=16, save_iter=16, summary_iter=1,
                                 **options)
    _, lines = train(config, folders, "run")
    content = [float(line.split("content ")[1].split()[0]) for line in lines
               if line.startswith("step")]
    assert len(content) == 16
    assert np.mean(content[-4:]) < 0.9 * np.mean(content[:2])


@pytest.mark.parametrize("model, options", [
    ("vgg19", {"reconstruction_iter": 1, "identity_share": 0.5, "style_weight_ramp": 1}),
    ("compact", {})])
def test_cached_features_train_as_computed_ones(folders, model, options):
    config = dataclasses.replace(CONFIG, model=model, cached_crops=2, summary_iter=1, max_iter=3,
                                 learning_rate=1e-9, **options)
    cache, lines = train_cached(config, folders, "cached")
    cached = [[float(line.split(f"{name} ")[1].split()[0]) for name in ("content", "style")]
              for line in lines if line.startswith("step")]
    # The networks hardly change at this rate, so they tell what a run without a cache would log.
    model = any_style.build(dataclasses.replace(config, cached_crops=0),
                            checkpoint.load(folders / "cached"))
    for step, losses in enumerate(cached):
        model.optimizer.iterations.assign(step)
        pairs = np.stack([cache.source.pair(2 * step), cache.source.pair(2 * step + 1)])
        model.compute_loss(pairs, y_pred=model(pairs))
        [computed] = model.get_metrics_result()["losses"]
        model.reset_metrics()
        # The cache computes in bfloat16 where the CPU has it, and keeps float16.
        np.testing.assert_allclose(losses, [float(computed[name]) for name in ("content", "style")],
                                   rtol=0.03)
    assert len(cached) == 3


def test_cached_features_are_computed_once_and_right(folders):
    source = data.PairSource(folders / "content", folders / "style", 0, 40, 32, fixed_crops=2)
    cache = features.FeatureCache(source, load_encoder("vgg19"))
    pairs, content_features, style_stats = cache.pair(3)
    np.testing.assert_array_equal(pairs, source.pair(3))
    assert content_features.shape == (4, 4, 512) and style_stats.shape == (2, 960)
    model = any_style.build(dataclasses.replace(CONFIG, model="vgg19"))
    relu4_1 = np.asarray(model.vgg(pairs[:1] / np.float32(255))[-1][0])
    np.testing.assert_allclose(content_features, relu4_1, atol=0.03 * relu4_1.max())
    stats = ops.channel_stats(model.vgg(pairs[1:] / np.float32(255))[0])
    np.testing.assert_allclose(style_stats[:, :64], np.stack(stats)[:, 0, 0, 0], atol=0.03)
    for index in range(40):
        assert cache.pair(index)[1] is cache.pair(index)[1]


def test_styles_may_have_larger_crops(folders):
    """A pair shows the style resized, and has the statistics of the whole crop."""
    source = data.PairSource(folders / "content", folders / "style", 0, 40, 32, fixed_crops=2,
                             style_crop_size=40)
    style = source.style.crop(3)
    assert style.shape == (40, 40, 3)
    cache = features.FeatureCache(source, load_encoder("vgg19"))
    pairs, content_features, style_stats = cache.pair(3)
    assert content_features.shape == (4, 4, 512)
    np.testing.assert_array_equal(pairs, source.pair(3))
    np.testing.assert_array_equal(pairs[1], images.resize(style, 32, 32))
    np.testing.assert_array_equal(style_stats, cache._stats(style))


@pytest.mark.parametrize("model, cached, why", [
    ("vgg19", 0, "needs `cached_crops`"), ("compact", 1, "whose encoder is not trained")])
def test_larger_style_crops_are_for_cached_statistics(model, cached, why):
    with pytest.raises(OptionError, match=why):
        dataclasses.replace(CONFIG, model=model, cached_crops=cached, style_crop_size=64)


def test_features_are_filled_in_before_the_first_step(folders):
    source = data.PairSource(folders / "content", folders / "style", 0, 40, 32, fixed_crops=2)
    cache = features.FeatureCache(source, load_encoder("vgg19"))
    with logged() as lines:
        features.dataset(cache, 2, 1, 3)
    expected = {pictures.place(index) for index in range(2, 6)
                for pictures in (source.content, source.style)}
    assert lines == [f"computes the features of {len(expected)} crops, once"]
    cache._content_network = cache._style_network = None  # they are not needed any more
    for index in range(2, 6):
        cache.pair(index)


def test_a_run_goes_on_from_the_newest_whole_checkpoint_as_if_uninterrupted(fast_run, trained):
    model = trained / "run" / "step_0000004" / "model.npz"
    model.write_bytes(model.read_bytes()[:1000])
    _, lines = train(dataclasses.replace(FAST, keep=1), trained, "run")
    assert "step_0000002, the newest whole checkpoint, is used" in lines[0]
    assert "step 2" in lines[1]
    assert [path.name for path in checkpoint.list_all(trained / "run")] == ["step_0000004"]
    checkpoint.load(trained / "run").decoder()
    assert (trained / "run" / "damaged_step_0000004").exists()
    for name in ("model.npz", "optimizer.npz"):
        whole, resumed = (arrays(root / "run" / "step_0000004" / name)
                          for root in (fast_run, trained))
        assert whole.keys() == resumed.keys()
        for key in whole:
            np.testing.assert_array_equal(whole[key], resumed[key], err_msg=key)


def test_another_run_in_its_place_is_refused_unless_allowed(tmp_path):
    batches = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    toy.train(tmp_path, batches[:2], batch_size=2)
    with pytest.raises(OptionError, match=r"trained with `batch_size=2` \(now 1\)"):
        toy.train(tmp_path, batches, batch_size=1)
    with locked(tmp_path), pytest.raises(OptionError, match="a run trains in .* already"):
        toy.train(tmp_path, batches, batch_size=2)
    config = TrainConfig(max_iter=3, save_iter=1, summary_iter=1, batch_size=1)
    with logged() as lines:
        toy.train_phase(config, tmp_path, batches, allow_changes=True)
    assert "`batch_size=2` (now 1)" in lines[0]
    assert checkpoint.list_all(tmp_path)[-1].name == "step_0000003"


def test_a_run_writes_checkpoints_previews_and_tensorboard(fast_run):
    run = fast_run / "run"
    assert [path.name for path in checkpoint.list_all(run)] == ["step_0000002", "step_0000004"]
    assert sorted(path.name for path in (run / "previews").iterdir()) == [
        "step_0000001.jpg", "step_0000002.jpg", "step_0000004.jpg"]
    config = json.loads((run / "step_0000004" / "config.json").read_text())
    assert config["step"] == 4 and config["options"]["model"] == "compact"

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "logs"))
    events.Reload()
    tags = events.Tags()
    assert {"loss/total", "loss/content", "loss/style", "loss/tv", "learning_rate",
            "images_per_second", *(f"loss/style/{layer}" for layer in any_style.STYLE_LAYERS)
            } <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("loss/total")] == [1, 2, 3, 4]
    assert tags["images"] == ["content_style_stylized"]
    total, parts = events.Scalars("loss/total")[0].value, [
        events.Scalars(f"loss/{name}")[0].value for name in ("content", "style")]
    assert total == pytest.approx(parts[0] + FAST.style_weight * parts[1], rel=1e-4)


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    config = TrainConfig(max_iter=4, save_iter=1, batch_size=1, keep=2)
    toy.train_phase(config, tmp_path, [[1.0], [2.0], [3.0], [4.0]])
    assert [path.name for path in checkpoint.list_all(tmp_path)] == [
        "step_0000003", "step_0000004"]


def test_a_finished_run_says_so(trained):
    _, lines = train(FAST, trained, "run")
    assert "already at step 4 of 4" in lines[0]


def test_learning_rate_decays_as_documented():
    schedule = loop.learning_rate(TrainConfig(learning_rate=1e-4, lr_decay=1e-2))
    assert float(schedule(0)) == pytest.approx(1e-4)
    assert float(schedule(50)) == pytest.approx(1e-4 / (1 + 1e-2 * 50))
    cosine = loop.learning_rate(
        TrainConfig(learning_rate=1.0, lr_schedule="cosine", max_iter=100))
    assert float(cosine(50)) == pytest.approx(0.505) and float(cosine(100)) == pytest.approx(0.01)


def test_reconstruction_and_ramp_follow_the_step():
    model = any_style.build(dataclasses.replace(CONFIG, reconstruction_iter=10,
                                              style_weight_ramp=4, style_weight=8.0))
    pairs = np.stack([[picture(32, 32, 0), picture(32, 32, 1)]])
    for step, weight, reconstructs in ((0, 0, True), (9, 0, True), (11, 2, False), (99, 8, False)):
        model.optimizer.iterations.assign(step)
        content, style = map(np.asarray, model.split(pairs, model.identity_mask(pairs)))
        assert float(model.style_weight()) == weight
        assert (content == style).all() == reconstructs


def test_a_share_of_the_pairs_is_its_own_style():
    model = any_style.build(dataclasses.replace(CONFIG, identity_share=0.25, content_weight=0.0,
                                              style_weight=0.0))
    pairs = np.stack([[picture(32, 32, 2 * index), picture(32, 32, 2 * index + 1)]
                      for index in range(4)])
    found = model(pairs)
    assert np.asarray(found["identity"]).tolist() == [True, False, False, False]
    # Nothing else has a weight: what counts are the pixels of the first picture.
    difference = np.asarray(found["stylized"])[0] - pairs[0, 0] / 255
    expected = 100 * (difference ** 2).mean() / 4
    assert float(model.compute_loss(pairs, y_pred=found)) == pytest.approx(expected, rel=1e-4)
    with_itself = model(pairs[:1, [0, 0]], training=False)
    np.testing.assert_allclose(np.asarray(found["stylized"])[0],
                               np.asarray(with_itself["stylized"])[0], atol=1e-5)


def test_style_layer_weights_are_factors_of_the_layers_losses():
    model = any_style.build(dataclasses.replace(CONFIG, content_weight=0.0, style_weight=0.5,
                                              style_layer_weights=(8.0, 4.0, 2.0, 0.0)))
    pairs = np.stack([[picture(32, 32, 0), picture(32, 32, 1)]])
    loss = float(model.compute_loss(pairs, y_pred=model(pairs)))
    [found] = model.get_metrics_result()["losses"]
    expected = (8 * found["style/relu1_1"] + 4 * found["style/relu2_1"]
                + 2 * found["style/relu3_1"])
    assert loss == pytest.approx(0.5 * float(expected)) and loss > 0


def test_the_vgg19_encoder_stays_as_it_is(folders):
    model = any_style.build(dataclasses.replace(CONFIG, model="vgg19"))
    assert len(model.trainable_variables) == 2 * len(get_weights(model.transfer.decoder))


def test_a_folder_of_another_model_is_refused(trained):
    with pytest.raises(OptionError, match="holds the model compact"):
        train(dataclasses.replace(FAST, model="vgg19"), trained, "run")


def test_a_new_run_begins_with_the_networks_it_continues_from(trained):
    found = checkpoint.load(trained / "run")
    for folder in (trained / "run", found.path):
        model = any_style.AnyStyle(CONFIG, continue_from=folder).build(None)
        for ours, theirs in ((model.transfer.decoder, found.decoder()),
                             (model.transfer.encoder, found.encoder())):
            for layer, (kernel, bias) in get_weights(ours).items():
                np.testing.assert_array_equal(kernel, theirs[layer][0])
                np.testing.assert_array_equal(bias, theirs[layer][1])
        assert int(model.optimizer.iterations) == 0
    with pytest.raises(OptionError, match="holds the model compact, this run trains vgg19. Contin"):
        train(dataclasses.replace(CONFIG, model="vgg19"), trained, "other",
              continue_from=trained / "run")


def test_run_may_begin_with_the_shipped_networks():
    shipped = any_style.starting_point("compact")
    model = any_style.build(CONFIG, start=shipped)
    for layer, (kernel, _) in get_weights(model.transfer.encoder).items():
        np.testing.assert_array_equal(kernel, shipped.encoder()[layer][0])
    with pytest.raises(OptionError, match="the shipped vgg19 holds the model vgg19"):
        any_style.build(CONFIG, start=any_style.starting_point("vgg19"))


def test_sigterm_saves_and_ends_the_run(tmp_path):
    def batches(first, last):
        for step in range(first, last):
            if step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            yield (np.array([float(step)]),)

    config = TrainConfig(max_iter=100, save_iter=100, batch_size=1)
    with logged() as lines:
        toy.train_phase(config, tmp_path, batches)
    assert "saved; run the same command to go on" in lines[-1]
    [saved] = checkpoint.list_all(tmp_path)
    assert "step_0000001" <= saved.name < "step_0000100"


def test_sigterm_before_the_first_step_ends_the_run(folders):
    source = data.PairSource(folders / "content", folders / "style", 0, 40, 32, fixed_crops=2)

    def batches(first, last):
        os.kill(os.getpid(), signal.SIGTERM)
        return features.dataset(cache, 2, first, last)

    with stop_on_signals() as stop:
        cache = features.FeatureCache(source, load_encoder("vgg19"), stop)
        cache.pair = None  # is not called any more
        _, lines = fit(dataclasses.replace(CONFIG, model="vgg19"), batches, source.pair(0)[None],
                       folders / "run", stop=stop)
    assert lines[-1].startswith("stopped at step 0; run the same command to go on")
    assert not checkpoint.list_all(folders / "run")


@pytest.mark.parametrize("change", [{"batch_size": 0}, {"style_weight": -1}, {"seed": -1},
                                    {"learning_rate": 0}, {"learning_rate": float("nan")},
                                    {"model": "vgg16"}, {"content_target": "both"},
                                    {"cached_crops": -1}, {"identity_share": 1},
                                    {"style_knee": -1}, {"tinting": 1.1},
                                    {"style_layer_weights": (1.0, 1.0)},
                                    {"style_layer_weights": (0.0, 0.0, 0.0, 0.0)}])
def test_impossible_options_are_refused(change):
    with pytest.raises(OptionError, match=f"{list(change)[0].replace('_', '.')}.*received"):
        dataclasses.replace(CONFIG, **change)


def test_checkpoints_that_cannot_be_used_are_one_clear_error(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        checkpoint.load(tmp_path / "none")
    with pytest.raises(WeightsError, match="has no checkpoint"):
        checkpoint.load(tmp_path)
    (tmp_path / "step_0000001").mkdir()
    (tmp_path / "step_0000001" / "config.json").write_text("{")
    with pytest.raises(WeightsError, match="config.json"):
        checkpoint.load(tmp_path)


def test_an_unfinished_checkpoint_is_not_seen(tmp_path):
    (tmp_path / ".step_0000009.partial").mkdir()
    (tmp_path / ".step_0000009.partial" / "config.json").write_text("{}")
    assert checkpoint.list_all(tmp_path) == []


def test_preview_is_rows_of_content_style_and_result(folders):
    model = any_style.build(CONFIG)
    pairs = np.stack([[picture(32, 32, seed), picture(32, 32, seed + 1)] for seed in (0, 5)])
    strip = model.preview(pairs)
    assert strip.shape == (64, 96, 3)
    np.testing.assert_array_equal(strip[32:, :64], np.concatenate(pairs[1], axis=1))
    Image.fromarray(strip)
