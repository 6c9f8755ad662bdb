import numpy as np
import pytest
from conftest import picture

keras = pytest.importorskip("keras")
from adain.networks.keras import losses, ops  # noqa: E402
from adain.networks.stats import EPSILON, ChannelStats  # noqa: E402


def number(tensor):
    return float(keras.ops.convert_to_numpy(tensor))


def test_channel_stats_by_hand():
    features = np.array([[[[1.0, 5.0]], [[3.0, 5.0]]]], np.float32)  # 2 rows, 1 column, 2 channels
    mean, std = ops.channel_stats(features)
    assert keras.ops.convert_to_numpy(mean).tolist() == [[[[2.0, 5.0]]]]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(std).ravel(),
                               [np.sqrt(1 + EPSILON), np.sqrt(EPSILON)], rtol=1e-5)


def test_channel_stats_of_half_precision_do_not_overflow():
    features = keras.ops.cast(np.full((1, 4, 4, 1), 60_000.0), "float16")
    mean, std = ops.channel_stats(features)
    assert np.isfinite(number(mean[0, 0, 0, 0])) and np.isfinite(number(std[0, 0, 0, 0]))


def test_gram_matrix_by_hand():
    features = np.array([[[[1.0, 2.0], [3.0, 0.0]]]], np.float32)  # 1 row, 2 columns
    # (1*1 + 3*3)/2, (1*2 + 3*0)/2, (2*2 + 0*0)/2
    assert keras.ops.convert_to_numpy(ops.gram_matrix(features)).tolist() == [[[5, 1], [1, 2]]]


def test_content_loss_is_a_mean():
    assert number(losses.content_loss(np.zeros((2, 4, 4, 3), "f"),
                                      np.full((2, 4, 4, 3), 3.0, "f"))) == pytest.approx(9)


def test_style_loss_sums_channels_for_each_picture():
    zero = ChannelStats(np.zeros((2, 1, 1, 5), "f"), np.zeros((2, 1, 1, 5), "f"))
    other = ChannelStats(np.full((2, 1, 1, 5), 2.0, "f"), np.full((2, 1, 1, 5), 1.0, "f"))
    found = keras.ops.convert_to_numpy(losses.style_loss(zero, other))
    assert found.tolist() == pytest.approx([5 * (4 + 1)] * 2)


def test_gram_loss_by_hand():
    ours = np.array([[[[1.0, 2.0], [3.0, 0.0]]]], np.float32)
    none = np.zeros((1, 2, 2, 2), np.float32)  # another size is allowed
    [found] = keras.ops.convert_to_numpy(losses.gram_loss(ours, none))
    assert found == pytest.approx((25 + 1 + 1 + 4) / 2)


def test_soften_leaves_small_losses_and_takes_the_root_of_large_ones():
    found = keras.ops.convert_to_numpy(losses.soften(np.array([0, 1e-3, 8, 1e8], "f"), 1.0))
    assert found.tolist() == pytest.approx([0, 1e-3, 2 * (3 - 1), 2e4], rel=1e-3)


def test_total_variation_by_hand():
    image = np.array([[0.0, 1.0], [0.0, 1.0]], "f")[None, ..., None]
    assert number(losses.total_variation_loss(image)) == pytest.approx(0 + 1)
    assert number(losses.total_variation_loss(np.full((1, 4, 4, 3), 0.7, "f"))) == 0


def test_reflect_pad_mirrors_without_repeating_the_border():
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    expected = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(ops.reflect_pad(x)), expected)


def test_upsample_repeats_rows_and_columns():
    x = picture(4, 6)[None].astype(np.float32)
    expected = x.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(ops.upsample(x)), expected)


def test_structure_loss_is_one_minus_the_ssim_of_the_metrics():
    from adain.measuring import metrics

    left, right = picture(24, 31, seed=0), picture(24, 31, seed=1)
    batch = [np.stack(pair).astype(np.float32) / 255 for pair in ((left, left), (right, left))]
    expected = 1 - (metrics.ssim(metrics.luminance(left), metrics.luminance(right)) + 1) / 2
    assert number(losses.structure_loss(*batch)) == pytest.approx(expected, abs=1e-4)
