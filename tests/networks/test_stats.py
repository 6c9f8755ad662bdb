from math import inf, nan

import numpy as np
import pytest

from adain.errors import OptionError
from adain.networks.stats import EPSILON, ChannelStats, StatsAccumulator, adain, interpolate, merge


def features(seed, rows=7, columns=9, channels=5):
    return np.random.default_rng(seed).gamma(2.0, 1.0, (rows, columns, channels))


def stats_of(array):
    return ChannelStats(array.mean((0, 1)), np.sqrt(array.var((0, 1)) + EPSILON))


def test_adain_by_hand():
    # values 1 and 3: mean 2, deviation 1 -> mean 10, deviation 5
    ours = np.array([[[1.0], [3.0]]])
    result = adain(ours, ChannelStats(np.array([2.0]), np.array([1.0])),
                   ChannelStats(np.array([10.0]), np.array([5.0])))
    assert result.tolist() == [[[5.0], [15.0]]]


def test_adain_result_has_the_target_statistics():
    content, style = features(0), stats_of(features(1))
    result = stats_of(adain(content, stats_of(content), style))
    np.testing.assert_allclose(result.mean, style.mean, rtol=1e-12)
    np.testing.assert_allclose(result.std, style.std, rtol=1e-4)  # the epsilon counts once more


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_blending_features_equals_interpolating_statistics(alpha):
    content = features(0)
    ours, style = stats_of(content), stats_of(features(1))
    blended = (1 - alpha) * content + alpha * adain(content, ours, style)
    np.testing.assert_allclose(adain(content, ours, interpolate(ours, style, alpha)), blended,
                               rtol=1e-12)


def test_mixing_features_equals_merging_statistics():
    content, weights = features(0), [1.0, 2.0, 5.0]
    ours = stats_of(content)
    styles = [stats_of(features(seed)) for seed in (1, 2, 3)]
    mixed = sum(weight / 8 * adain(content, ours, style) for weight, style in zip(weights, styles))
    np.testing.assert_allclose(adain(content, ours, merge(styles, weights)), mixed, rtol=1e-12)


def test_merge_refuses_weights_that_do_not_fit():
    style = stats_of(features(0))
    for weights in ([1.0], [0.0, 0.0], [1.0, -1.0], [inf, 1.0], [nan, 1.0], [1.0, nan],
                    [1e308, 1e308]):
        with pytest.raises(OptionError):
            merge([style, style], weights)


def test_accumulated_statistics_do_not_depend_on_the_cut():
    whole = features(0, 20, 30).astype(np.float32)
    pieces = StatsAccumulator()
    for rows in (slice(0, 3), slice(3, 20)):
        for columns in (slice(0, 11), slice(11, 30)):
            part = whole[rows, columns]
            pieces.add(part.shape[0] * part.shape[1], part.mean((0, 1)), part.var((0, 1)))
    expected = stats_of(whole.astype(np.float64))
    np.testing.assert_allclose(pieces.result().mean, expected.mean, rtol=1e-6)
    np.testing.assert_allclose(pieces.result().std, expected.std, rtol=1e-6)


def test_constant_channel_has_deviation_of_epsilon():
    accumulator = StatsAccumulator()
    accumulator.add(16, np.array([1000.0], np.float32), np.array([0.0], np.float32))
    np.testing.assert_allclose(accumulator.result().std, np.sqrt(EPSILON), rtol=1e-6)
