import subprocess
import sys

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain.files import images

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def test_transparent_pixels_take_the_nearest_colours():
    """Red left, blue right, invisible black between: it turns red near red, blue near blue."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, :10], image[:, 50:] = RED, BLUE
    opacity = np.zeros((40, 60), np.uint8)
    opacity[:, :10] = opacity[:, 50:] = 255
    filled = images.fill_transparent(image, opacity).astype(int)
    np.testing.assert_array_equal(filled[opacity > 0], image[opacity > 0])
    assert (filled[:, 10:14, 0] > 200).all() and (filled[:, 46:50, 2] > 200).all()
    assert (filled.sum(2) >= 254).all()  # red and blue in some proportion, nowhere the black
    assert abs(np.diff(filled, axis=1)).max() < 60  # smoothly
    assert (image[:, 30] == 0).all()  # the input is not modified


def test_a_filled_edge_looks_like_no_edge():
    """The visible half of a smooth picture goes on into the other half without a step."""
    image = picture(64, 64) // 8 + 100
    opacity = np.zeros((64, 64), np.uint8)
    opacity[:, :32] = 255
    hidden = np.where(opacity[..., None] > 0, image, 0).astype(np.uint8)
    filled = images.fill_transparent(hidden, opacity).astype(int)
    assert abs(filled[:, 32] - filled[:, 31]).max() < 32
    assert filled[:, 32:].min() >= image[:, :32].min()  # no new colours


def test_faint_pixels_count_by_their_opacity():
    image = np.array([[RED, BLUE, (9, 9, 9), (9, 9, 9)]], np.uint8)
    filled = images.fill_transparent(image, np.array([[1, 255, 0, 0]], np.uint8))
    assert filled[0, 3, 2] > 250 and filled[0, 3, 0] < 5


@pytest.mark.parametrize("shape", [(1, 1), (1, 20000), (20000, 1), (3, 700), (513, 5)])
def test_one_visible_pixel_fills_a_picture_of_any_size(shape):
    image, opacity = np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8)
    image[-1, -1], opacity[-1, -1] = (50, 100, 150), 1
    assert (images.fill_transparent(image, opacity) == (50, 100, 150)).all()


@pytest.mark.parametrize("shape", [(300, 40), (519, 77)])
def test_bands_leave_no_seams_in_what_is_filled(shape):
    image, opacity = picture(*shape), np.zeros(shape, np.uint8)
    opacity[::97, ::13] = opacity[200:210] = 255
    filled = images.fill_transparent(image, opacity).astype(int)
    across = images.fill_transparent(image.transpose(1, 0, 2), opacity.T).transpose(1, 0, 2)
    assert abs(filled - across).max() <= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_filling_a_picture_takes_little_memory():
    """3 bytes a pixel for what is filled, 5.5 for half its size and smaller ones as floats."""
    program = """if True:
        from pathlib import Path
        import cv2
        import numpy as np
        from adain.files import images

        def peak():
            return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

        picture = np.full((3000, 2000, 3), 99, np.uint8)
        opacity = np.zeros((3000, 2000), np.uint8)
        opacity[:9] = 255
        before = peak()
        images.fill_transparent(picture, opacity)
        print((peak() - before) * 1024 / opacity.size)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert float(done.stdout) < 8, done.stderr


def test_nothing_to_fill_and_nothing_to_fill_from():
    image = picture(8, 8)
    for opacity in (None, np.ones((8, 8), np.uint8), np.zeros((8, 8), np.uint8)):
        np.testing.assert_array_equal(images.fill_transparent(image, opacity), image)
    empty = np.zeros((0, 5, 3), np.uint8)
    assert images.fill_transparent(empty, empty[..., 0]).shape == (0, 5, 3)


def test_read_shows_no_colour_from_under_transparency(tmp_path):
    image = np.zeros((4, 4, 4), np.uint8)
    image[:, 2:] = (*GREEN, 255)
    path = tmp_path / "x.png"
    Image.fromarray(image).save(path)
    assert (images.read(path) == GREEN).all()
    assert (images.open_picture(path).rgb[:, 0] == 0).all()


def test_resize_shorter_side_keeps_the_aspect():
    assert images.resize_shorter_side(picture(100, 200), 50).shape == (50, 100, 3)
    assert images.resize_shorter_side(picture(301, 200), 50).shape == (75, 50, 3)
    assert images.resize_shorter_side(picture(10, 10), 30).shape == (30, 30, 3)


def test_shrinking_averages():
    """A one-pixel checkerboard becomes its mean; nearest or bilinear sampling would alias."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    assert abs(images.resize(board, 16, 16).astype(int) - 127).max() <= 1


def test_shrink_never_enlarges():
    image = picture(40, 60)
    assert images.shrink(image, 20).shape == (20, 30, 3)
    assert images.shrink(image, 40) is image
    assert images.shrink(image, 41) is image
    assert images.shrink(image, None) is image
