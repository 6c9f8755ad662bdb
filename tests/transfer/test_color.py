import numpy as np
import pytest
from conftest import picture

from adain.errors import OptionError
from adain.transfer import color
from adain.transfer.color import recolor_style, restore_colors


def correlated(seed, mean, spread, shape=(120, 160)):
    """Colours of a normal distribution that stays within 0..255, with correlated channels."""
    generator = np.random.default_rng(seed)
    colours = generator.normal(size=(*shape, 3)) @ (generator.normal(size=(3, 3)) * spread)
    return np.clip(np.rint(colours + mean), 0, 255).astype(np.uint8)


def covariance(image):
    return np.cov(image.reshape(-1, 3).T.astype(float), bias=True)


def luminance(image):
    return image.astype(float) @ [0.299, 0.587, 0.114]


def test_coral_gives_the_mean_and_covariance_of_the_content():
    """Up to rounding, which adds 1/12 of variance to each channel; nothing clips here."""
    style, content = correlated(0, (90, 120, 140), 7), correlated(1, (130, 110, 120), 12, (99, 50))
    result = recolor_style(style, content, "coral")
    assert result.min() > 0 and result.max() < 255 and result.shape == style.shape
    np.testing.assert_allclose(result.mean((0, 1)), content.mean((0, 1)), atol=0.02)
    np.testing.assert_allclose(covariance(result), covariance(content), atol=0.3)
    assert abs(covariance(style) - covariance(content)).max() > 50  # so it did something


def test_coral_by_hand():
    """Uncorrelated channels are scaled by the ratio of deviations: 10 : 40 in red, 10 : 20."""
    signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), -1).reshape(2, 4, 3)
    style, content = (100 + 10 * signs).astype(np.uint8), 120 + signs * [40, 20, 10]
    np.testing.assert_array_equal(recolor_style(style, content.astype(np.uint8), "coral"), content)


def test_histograms_match():
    """No level's share of the pixels below it differs by more than one level of the style holds."""
    style, content = picture(90, 70), correlated(1, (60, 150, 200), 12)
    result = recolor_style(style, content, "histogram")
    for channel in range(3):
        counts, wanted = (np.bincount(image[..., channel].ravel(), minlength=256)
                          / image[..., 0].size for image in (result, content))
        step = np.bincount(style[..., channel].ravel()).max() / style[..., 0].size
        assert abs(np.cumsum(counts) - np.cumsum(wanted)).max() <= step + wanted.max()
    before = abs(style.mean((0, 1)) - content.mean((0, 1)))
    assert (abs(result.mean((0, 1)) - content.mean((0, 1))) < 1).all() and before.max() > 20


def test_histogram_by_hand():
    style = np.array([[0, 10], [20, 30]], np.uint8)[..., None].repeat(3, 2)
    content = np.array([[200, 50], [50, 220]], np.uint8)[..., None].repeat(3, 2)
    expected = [[50, 50], [200, 220]]
    assert recolor_style(style, content, "histogram")[..., 1].tolist() == expected


def test_luminance_of_the_style_is_matched_and_its_colours_are_gone():
    style, content = correlated(0, (90, 120, 140), 7), correlated(1, (130, 110, 120), 12)
    result = recolor_style(style, content, "luminance")
    assert (result == result[..., :1]).all()
    assert luminance(result).mean() == pytest.approx(luminance(content).mean(), abs=0.02)
    assert luminance(result).std() == pytest.approx(luminance(content).std(), abs=0.02)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_chrominance_is_the_content_s_and_luminance_the_result_s(kind):
    """I and Q of YIQ are differences of channels: equal differences, equal chrominance."""
    content, stylized = correlated(1, (130, 110, 120), 8), correlated(0, (115, 110, 140), 7)
    one = 257 if kind == np.uint16 else 1
    stylized = stylized.astype(kind) * kind(one)
    result = restore_colors(stylized, content, "luminance")
    assert result.dtype == kind and result.min() > 0 and result.max() < 255 * one
    differences = [np.diff(image.astype(int), axis=2) for image in (result, content)]
    np.testing.assert_array_equal(differences[0], differences[1] * one)
    limit = 1.01 if kind == np.uint8 else 3  # both are rounded, and their weights to 14 bits
    assert abs(luminance(result) - luminance(stylized)).max() <= limit
    assert abs(luminance(stylized) - luminance(content) * one).max() > 20


def test_restored_colours_are_clipped_not_wrapped():
    content = np.array([[[250, 10, 10]]], np.uint8)
    white, black = np.full((1, 1, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8)
    assert restore_colors(white, content, "luminance").tolist() == [[[255, 183, 183]]]  # 82 -> 255
    assert restore_colors(black, content, "luminance").tolist() == [[[168, 0, 0]]]


def test_floats_keep_chrominance_beyond_white():
    content, white = np.array([[[250, 10, 10]]], np.uint8), np.ones((1, 1, 3), np.float32)
    result = restore_colors(white, content, "luminance") * 255  # the same without clipping
    np.testing.assert_allclose(result, [[[423.24, 183.24, 183.24]]], atol=0.1)


def test_colours_are_restored_pixel_by_pixel():
    stylized, content = picture(40, 30), picture(40, 30, 1)
    whole = restore_colors(stylized, content, "luminance")
    part = np.s_[7:25, 3:30]
    np.testing.assert_array_equal(restore_colors(stylized[part], content[part], "luminance"),
                                  whole[part])


def flat(value, shape=(20, 30)):
    return np.full((*shape, 3), value, np.uint8)


@pytest.mark.parametrize("mode", color.COLOR_MODES)
def test_flat_and_grey_pictures_do_not_fail(mode):
    grey = picture(40, 30)[..., :1].repeat(3, 2)
    content = picture(20, 30)
    for style in (flat(0), flat(255), flat((10, 200, 30)), grey, flat(9, (1, 1))):
        result = recolor_style(style, content, mode)
        assert result.shape == style.shape and result.dtype == np.uint8
    # A flat style becomes flat; a flat content makes the style flat, in the content's colour.
    assert (recolor_style(flat((10, 200, 30)), content, mode).reshape(-1, 3).std(0) == 0).all()
    assert (recolor_style(picture(), flat((90, 90, 90)), mode) == 90).all()


def test_flat_style_takes_the_mean_colour():
    content = picture(20, 30)
    result = recolor_style(flat((10, 200, 30)), content, "coral")
    assert abs(result[0, 0] - content.mean((0, 1))).max() <= 0.5


def test_a_grey_style_stays_grey_of_the_content_s_strength():
    """Coral cannot invent colours: along grey the deviation is matched, across it there is none."""
    grey = picture(40, 30)[..., :1].repeat(3, 2)
    content = correlated(1, (130, 110, 120), 8)
    result = recolor_style(grey, content, "coral").astype(float)
    assert np.isfinite(result).all()
    assert np.linalg.matrix_rank(covariance(result), tol=2) == 1


@pytest.mark.parametrize("mode", [None, *color.COLOR_MODES])
def test_inputs_are_not_modified_and_equal_pictures_stay(mode):
    image = picture(40, 30)
    copy = image.copy()
    result = recolor_style(image, image, mode)
    if mode != "luminance":
        assert abs(result.astype(int) - copy).max() <= (1 if mode == "coral" else 0)
    np.testing.assert_array_equal(restore_colors(image, image, mode), copy)
    np.testing.assert_array_equal(image, copy)


def test_modes_that_have_nothing_to_do_afterwards_change_nothing():
    stylized, content = picture(8, 8), picture(8, 8, 1)
    for mode in (None, "coral", "histogram"):
        assert restore_colors(stylized, content, mode) is stylized


def test_unknown_modes_are_named():
    for call in (recolor_style, restore_colors):
        with pytest.raises(OptionError, match="coral, histogram, luminance; received sepia"):
            call(picture(8, 8), picture(8, 8), "sepia")


def test_rotate_hue_keeps_greys_and_luminance_and_comes_back():
    image = picture() // 2 + 64  # no colour leaves the range
    turned = color.rotate_hue(image, 1.0)
    assert np.abs(turned.astype(int) - image).max() > 30
    np.testing.assert_allclose(turned @ [0.299, 0.587, 0.114], image @ [0.299, 0.587, 0.114],
                               atol=1.0)
    np.testing.assert_allclose(color.rotate_hue(turned, -1.0).astype(int), image, atol=2)
    grey = np.repeat(image[..., :1], 3, axis=2)
    np.testing.assert_array_equal(color.rotate_hue(grey, 2.0), grey)


def test_rotate_hue_by_half_a_turn_mirrors_every_channel_at_the_luminance():
    red = np.full((1, 1, 3), [150, 100, 100], np.uint8)  # luminance 114.95
    assert color.rotate_hue(red, np.pi)[0, 0].tolist() == [80, 130, 130]


def test_tint_moves_the_mean_and_scales_the_contrast():
    image = np.uint8([[[10, 100, 200], [30, 120, 240]]])  # mean 20, 110, 220
    tinted = color.tint(image, np.array([60.0, 90.0, 120.0]), 0.5)
    assert tinted.tolist() == [[[55, 85, 110], [65, 95, 130]]]
    assert color.tint(image, np.array([255.0, 0.0, 20.0]), 1.0).tolist() == [  # clipped
        [[245, 0, 0], [255, 10, 40]]]


def test_lighten_raises_to_a_power_and_keeps_black_and_white():
    image = np.array([[[0, 64, 255]]], np.uint8)
    assert color.lighten(image, 0.5).tolist() == [[[0, 128, 255]]]  # sqrt(64 / 255) x 255 = 127.7
    np.testing.assert_array_equal(color.lighten(image, 1.0), image)
