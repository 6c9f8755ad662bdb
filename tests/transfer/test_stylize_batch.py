"""Stylizer.stylize_batch(): many contents, each in its own style."""

import numpy as np
import pytest
from conftest import picture

from adain import OptionError, Stylizer
from adain.errors import ImageError
from adain.transfer import batch

SIZES = [(61, 50), (16, 90), (61, 50), (1, 1)]


@pytest.fixture(scope="module")
def contents():
    return [picture(*size, seed) for seed, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def styles(stylizer):
    return [stylizer.encode_style(picture(64, 64, seed)) for seed in range(10, 14)]


def test_a_batch_equals_stylize_for_each(stylizer, contents, styles):
    alphas = [1.0, 0.5, 0.0, 1.0]
    found = stylizer.stylize_batch(contents, styles, alphas)
    for content, style, alpha, result in zip(contents, styles, alphas, found, strict=True):
        assert result.shape == content.shape and result.dtype == np.uint8
        assert result.flags.writeable and result.flags.c_contiguous
        expected = stylizer.stylize(content, style, alpha).astype(int)
        assert abs(expected - result).max() <= 1


def test_contents_larger_than_a_tile_are_computed_in_tiles(contents, styles, monkeypatch):
    tiled, calls = Stylizer("compact", precision="float32", tile_size=48), []
    transfer_batch = tiled.engine.transfer_batch
    monkeypatch.setattr(tiled.engine, "transfer_batch", lambda images, *rest: (
        calls.append([image.shape for image in images]), transfer_batch(images, *rest))[1])
    large, small = picture(100, 60), picture(40, 48)
    found = tiled.stylize_batch([large, small], styles[:2], 0.8)
    assert calls == [[(40, 48, 3)]]
    np.testing.assert_array_equal(found[0], tiled.stylize(large, styles[0], 0.8))


def test_pictures_at_once_are_limited_by_memory(stylizer, contents, styles, monkeypatch):
    """Each picture takes 64 x 56, 16 x 96 or 16 x 16 pixels."""
    calls, transfer_batch = [], stylizer.engine.transfer_batch
    monkeypatch.setattr(stylizer.engine, "transfer_batch", lambda images, *rest: (
        calls.append(len(images)), transfer_batch(images, *rest))[1])
    whole = stylizer.stylize_batch(contents, styles)
    assert calls == [4]
    calls.clear()
    parts = batch.stylize(stylizer.engine, contents, styles, [1.0] * 4,
                          stylizer.tile_size_for, pixels=64 * 56 + 16 * 96)
    assert calls == [2, 2]
    for one, two in zip(whole, parts):
        np.testing.assert_array_equal(one, two)


def test_what_does_not_fit_together_is_refused(stylizer, contents, styles):
    with pytest.raises(OptionError, match="4 contents need 4 styles and alphas; received 3"):
        stylizer.stylize_batch(contents, styles[:3])
    with pytest.raises(OptionError, match="received 4 and 1"):
        stylizer.stylize_batch(contents, styles, [1.0])
    with pytest.raises(OptionError, match="alpha"):
        stylizer.stylize_batch(contents, styles, [1.0, 1.0, 1.0, 2.0])
    with pytest.raises(ImageError):
        stylizer.stylize_batch([np.zeros((4, 4), np.uint8), None], styles[:2])
    with pytest.raises(OptionError, match="threads"):
        Stylizer("compact", threads=0)
    assert stylizer.stylize_batch([], []) == []
