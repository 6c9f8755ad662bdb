"""RandomStyle: pictures in random styles as augmentation."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, picture

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
import adain
from adain import ChannelStats, OptionError, RandomStyle, WeightsError
from adain.networks.style_bank import write_bank
from adain.transfer.style_file import fingerprint


@pytest.fixture(scope="module")
def bank(stylizer):
    styles = [stylizer.encode_style(picture(64, 64, seed)) for seed in (9, 10, 11)]
    return ChannelStats(*(np.stack(vectors) for vectors in zip(*styles)))


@pytest.fixture(scope="module")
def images():
    return np.stack([picture(20, 36, seed) for seed in range(4)])


def test_pictures_are_those_that_stylizer_makes(stylizer, bank, images):
    """To two levels of 255: results are not rounded, float32 sums differ."""
    one = ChannelStats(bank.mean[:1], bank.std[:1])
    found = np.asarray(RandomStyle(one, 1.0, 0.7)(images, training=True))
    assert found.shape == images.shape and found.dtype == np.float32
    for content, ours in zip(images, found):
        expected = stylizer.stylize(content, ChannelStats(bank.mean[0], bank.std[0]), 0.7)
        assert abs(ours - expected).max() <= 2


def test_nothing_changes_without_training_or_with_probability_0(bank, images):
    assert np.array_equal(RandomStyle(bank, 1.0)(images), images)
    assert np.array_equal(RandomStyle(bank, 1.0)(images, training=False), images)
    assert np.array_equal(RandomStyle(bank, 0.0)(images, training=True), images)


def test_in_bfloat16_pixels_keep_their_precision(stylizer, bank, images):
    layer = RandomStyle(ChannelStats(bank.mean[:1], bank.std[:1]), 1.0, dtype="mixed_bfloat16")
    fractions = images + np.float32(1 / 3)
    assert np.array_equal(layer(fractions), fractions)
    ours = np.asarray(layer(images, training=True))
    expected = stylizer.stylize(images[0], ChannelStats(bank.mean[0], bank.std[0]))
    assert ours.dtype == np.float32 and 0 < abs(ours[0] - expected).mean() < 4


def test_each_picture_is_drawn_for_itself_and_a_seed_repeats_the_draws(bank):
    same = np.stack([picture(16, 16, 0)] * 24).astype(np.float32) / 255
    first, second, other = (np.asarray(RandomStyle(
        bank, 0.5, (0.2, 1.0), value_range=(0, 1), seed=seed)(same, training=True))
        for seed in (3, 3, 4))
    assert np.array_equal(first, second) and not np.array_equal(first, other)
    changed = [not np.array_equal(one, two) for one, two in zip(first, same)]
    assert 4 < sum(changed) < 20
    assert len({one.tobytes() for one in first}) == sum(changed) + 1
    assert first.min() >= 0 and first.max() <= 1


def test_it_works_within_tf_data_on_pictures_and_on_batches_of_any_size(bank, images):
    layer = RandomStyle(bank, 1.0, seed=1)
    single = tf.data.Dataset.from_tensor_slices(images).map(lambda x: layer(x, training=True))
    batches = tf.data.Dataset.from_tensor_slices(images).batch(3).map(
        lambda x: layer(x, training=True))
    found = np.stack(list(single))
    assert found.shape == images.shape
    assert sorted(len(batch) for batch in batches) == [1, 3]
    assert not np.array_equal(found, np.stack(list(single)))  # another draw each time

    def of_size(size):
        return tf.zeros([size, 24, 3], tf.uint8)

    sizes = tf.data.Dataset.from_tensor_slices([17, 32]).map(of_size).map(
        lambda x: layer(x, training=True))
    assert [each.shape[0] for each in sizes] == [17, 32]


def test_a_model_that_contains_it_is_saved_with_its_bank_and_loads_in_safe_mode(
        bank, images, tmp_path):
    model = keras.Sequential([keras.Input((20, 36, 3)), RandomStyle(bank, 1.0, seed=2),
                              keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    layer = loaded.layers[0]
    np.testing.assert_array_equal(np.asarray(layer.means), bank.mean)
    assert (layer.probability, layer.alpha, layer.seed) == (1.0, (1.0, 1.0), 2)
    assert [weight.path for weight in layer.trainable_weights] == []
    before, after = (np.asarray(RandomStyle.call(each.layers[0], images, training=True))
                     for each in (model, loaded))
    np.testing.assert_allclose(before, after, atol=0.01)
    alone = RandomStyle.from_config(layer.get_config())
    with pytest.raises(OptionError, match="without styles"):
        alone(images, training=True)


def test_a_bank_s_file_is_read_and_one_of_another_model_refused(bank, stylizer, tmp_path):
    path = tmp_path / "bank.npz"
    write_bank(path, ["a", "b", "c"], bank.mean, bank.std, stylizer.fingerprint, 512)
    layer = RandomStyle(path)
    assert layer.styles == 3
    np.testing.assert_array_equal(np.asarray(layer.stds), bank.std)
    with pytest.raises(WeightsError, match="another network"):
        RandomStyle(path, model="vgg19")
    with pytest.raises(OptionError, match=r"\(styles, 512\) for the model vgg19"):
        RandomStyle(bank, model="vgg19")
    assert fingerprint(adain.networks.weights.load("compact").encoder) == stylizer.fingerprint


def test_senseless_arguments_are_refused(bank):
    for options, word in (({"probability": 1.5}, "probability"), ({"alpha": (1, 0.5)}, "alpha"),
                          ({"alpha": 2}, "alpha"), ({"value_range": (1, 1)}, "value_range"),
                          ({"model": "large"}, "model")):
        with pytest.raises(OptionError, match=word):
            RandomStyle(bank, **options)
    with pytest.raises(OptionError, match="adain styles"):
        RandomStyle()


def test_gradients_pass_through_it(bank, images):
    layer = RandomStyle(bank, 1.0, 0.5)
    x = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, training=True))
    assert float(tf.reduce_max(tf.abs(tape.gradient(loss, x)))) > 0


def test_models_train_with_it_on_tensorflow(bank, images):
    assert np.isfinite(losses(RandomStyle(bank, 0.5, seed=1), images)).all()


def test_models_train_with_it_on_jax(bank, tmp_path):
    """Draws are repeated by the seed, in compiled steps, too."""
    pytest.importorskip("jax")
    np.savez(tmp_path / "bank.npz", mean=bank.mean, std=bank.std)
    program = """if True:
        import sys
        sys.path[:0] = ["tests", "tests/transfer"]
        import numpy as np
        from conftest import picture
        from test_random_style import ChannelStats, RandomStyle, losses
        with np.load(sys.argv[1]) as file:
            bank = ChannelStats(file["mean"], file["std"])
        images = np.stack([picture(16, 16, seed) for seed in range(4)])
        found = [losses(RandomStyle(bank, 0.5, seed=seed), images) for seed in (1, 1)]
        assert np.isfinite(found).all() and found[0] == found[1], found
    """
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "bank.npz"], cwd=ROOT,
                          text=True, capture_output=True,
                          env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT),
                               # What is compiled need not be fast, and is compiled once for both.
                               "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
                               "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
                               "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"})
    assert done.returncode == 0, done.stderr


def losses(layer, images):
    """Return the losses of two epochs, each of two compiled steps."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layer, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=keras.backend.backend() == "jax")
    return model.fit(images / 255, np.arange(4), batch_size=2, epochs=2, shuffle=False,
                     verbose=0).history["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_classifier_that_trained_with_it_knows_shapes_in_other_textures(backend):
    pytest.importorskip(backend)
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, ROOT / "examples" / "train_with_random_style.py"],
                          capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    plain, augmented = (float(line.split()[-2]) for line in done.stdout.splitlines())
    assert augmented > plain
