import numpy as np
import pytest
from conftest import picture, random_networks

from adain.networks import engine
from adain.networks.stats import ChannelStats
from adain.transfer import tiling


@pytest.fixture(scope="module")
def networks():
    return engine.create("openvino", random_networks(LAYERS), "float32")


LAYERS = ("relu2_2", "relu3_4", "relu4_1")
STYLE = ChannelStats(np.linspace(0, 1, 6 + 8 + 10, dtype=np.float32),
                     np.linspace(0.5, 2, 6 + 8 + 10, dtype=np.float32))


def stylize(networks, image, tile_size, **options):
    return tiling.stylize(networks, image, STYLE, 0.9, tile_size, **options)


@pytest.mark.parametrize("length, tile_size", [(16, 8), (200, 64), (64, 64), (8, 512), (72, 64)])
def test_cores_cover_every_pixel_once(length, tile_size):
    covered = np.zeros(length, int)
    for span in tiling.spans(length, tile_size, 64):
        covered[span.core()] += 1
        assert 0 <= span.window_start <= span.start < span.stop <= span.window_stop <= length
        assert span.stop - span.start <= tile_size
    assert (covered == 1).all()


def test_tiles_are_about_equally_long():
    assert [(span.start, span.stop) for span in tiling.spans(1032, 512, 64)] == [
        (0, 344), (344, 688), (688, 1032)]


def test_a_tile_in_the_middle_has_a_halo_on_both_sides():
    span = tiling.spans(2560, 512, 64)[1]
    assert (span.window_start, span.window_stop) == (512 - 64, 1024 + 64)
    assert span.core_in_window() == (64, 64 + 512)


def test_tiles_equal_whole_image(networks):
    image = picture(264, 328)
    whole = stylize(networks, image, 1024, dtype=np.float32)
    tiled = stylize(networks, image, 96, dtype=np.float32)
    # 1e-4: what float32 sums differ by when the work is split in another way, times the factor
    # of up to 600 by which AdaIN scales nearly constant channels of this random network
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-4 * abs(whole).max())


def test_too_small_a_halo_differs(networks):
    image = picture(264, 328)
    whole = stylize(networks, image, 1024, dtype=np.float32)
    tiled = stylize(networks, image, 96, halo=32, dtype=np.float32)
    assert abs(tiled - whole).max() > 1e-3 * abs(whole).max()


def test_tiled_statistics_equal_those_of_the_whole(networks):
    image = picture(264, 328)
    whole, tiled = tiling.measure(networks, image, 1024), tiling.measure(networks, image, 40)
    np.testing.assert_allclose(tiled.mean, whole.mean, atol=1e-5 * whole.mean.max())
    np.testing.assert_allclose(tiled.std, whole.std, atol=1e-5 * whole.std.max())


@pytest.mark.parametrize("rows, columns", [(1, 1), (1, 40), (8, 8), (17, 23), (33, 16), (100, 3)])
def test_result_is_exactly_as_large_as_the_content(networks, rows, columns):
    result = stylize(networks, picture(rows, columns), 64)
    assert result.shape == (rows, columns, 3) and result.dtype == np.uint8
