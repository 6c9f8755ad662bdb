"""Files that are broken, too large, or no files at all; many of them at once."""

import io
import threading
import warnings

import numpy as np
import pytest
from conftest import picture
from picture_files import bomb, encoded, save, swapped_profile
from PIL import Image

from adain import images
from adain.errors import ImageError


def test_errors_name_the_file_and_the_reason(tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"text.jpg is not a readable image: unknown format; JPEG"):
        images.read(tmp_path / "text.jpg")
    with pytest.raises(ImageError, match="empty.png is not a readable image: it is empty"):
        images.read(tmp_path / "empty.png")
    with pytest.raises(ImageError, match="none.jpg does not exist"):
        images.read(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="is a folder"):
        images.read(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="cannot be read: Not a directory"):
        images.read(tmp_path / "file" / "x.png")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged directories
def test_a_cut_file_is_an_error_of_one_line(format):
    """Cut anywhere, a file either is refused or has lost nothing that shows."""
    whole = encoded(Image.fromarray(picture(40, 60)), format)
    expected = images.read(io.BytesIO(whole))
    refused = 0
    for length in range(1, len(whole), max(1, len(whole) // 60)):
        try:
            result = images.read(io.BytesIO(whole[:length]))
        except ImageError as error:
            assert "\n" not in str(error) and str(error).startswith("picture is not a readable")
            refused += 1
        else:
            np.testing.assert_array_equal(result, expected, f"cut at {length} of {len(whole)}")
    assert refused >= 50


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged directories
def test_damaged_bytes_raise_nothing_but_image_errors(format):
    whole = encoded(Image.fromarray(picture(16, 16)), format)
    generator = np.random.default_rng(0)
    for _ in range(150):
        data = np.frombuffer(whole, np.uint8).copy()
        data[generator.integers(0, min(len(data), 400), 3)] = generator.integers(0, 256, 3)
        try:
            assert images.open_picture(io.BytesIO(data.tobytes()), max_pixels=10**6).rgb.size
        except ImageError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "JPEG"])
def test_a_bomb_is_refused_before_it_is_decoded(format):
    with pytest.raises(ImageError, match=r"it has 60000 x 50000 = 3000000000 pixels, the limit is "
                                         r"256000000; raise it with --max-pixels 3000000000\."):
        images.open_picture(io.BytesIO(bomb(format, 60000, 50000)))


def test_the_limit_is_the_caller_s(tmp_path):
    path = save(tmp_path / "x.png", Image.new("RGB", (20, 10)))
    assert images.read(path, max_pixels=200).shape == (10, 20, 3)
    with pytest.raises(ImageError, match="x.png is refused: it has 20 x 10 = 200 pixels"):
        images.read(path, max_pixels=199)


@pytest.mark.parametrize("format, options", [
    ("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {}), ("GIF", {}),
    ("JPEG", {})])
def test_pillow_s_own_limit_is_not_in_the_way(monkeypatch, format, options):
    """It warns above it and refuses above its double; it is set by others, and stays as it is."""
    monkeypatch.setattr("adain.image_reader._BAND_PIXELS", 500)
    data = encoded(Image.new("1" if format != "JPEG" else "L", (100, 100)), format, **options)
    for limit in (1000, 6000):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert images.read(io.BytesIO(data)).shape == (100, 100, 3)
        assert limit == Image.MAX_IMAGE_PIXELS


# Streams and threads

def test_a_pipe_is_read():
    class Pipe(io.RawIOBase):
        name = "<stdin>"

        def __init__(self, data):
            self.data = io.BytesIO(data)

        def readable(self):
            return True

        def readinto(self, buffer):
            return self.data.readinto(buffer)

    for format in ("PNG", "TIFF", "WEBP"):
        data = encoded(Image.fromarray(picture(8, 8)), format, **(
            {"lossless": True} if format == "WEBP" else {}))
        np.testing.assert_array_equal(images.read(Pipe(data)), picture(8, 8))
    with pytest.raises(ImageError, match="<stdin> is not a readable image: it is empty"):
        images.read(Pipe(b""))


def test_threads_read_the_same(tmp_path):
    """Profiles, orientation and opacity, eight pictures at a time."""
    exif = Image.Exif()
    exif[0x0112] = 6
    paths = [save(tmp_path / f"{seed}.png", Image.fromarray(
        np.dstack([picture(64, 48, seed), picture(64, 48, seed)[..., 0]])),
        icc_profile=swapped_profile(), exif=exif) for seed in range(8)]
    expected = [images.open_picture(path) for path in paths]
    results = {}

    def work(index):
        for _ in range(5):
            results[index] = images.open_picture(paths[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, picture_ in enumerate(expected):
        np.testing.assert_array_equal(results[index].rgb, picture_.rgb)
        np.testing.assert_array_equal(results[index].opacity, picture_.opacity)
