import io
import struct
import threading

import cv2
import numpy as np
import pytest
from conftest import picture
from PIL import Image, ImageCms

from adain.errors import ImageError
from adain.files import images
from adain.files.writer import SRGB_PROFILE

AVIF = [suffix for suffix in images.WRITE_SUFFIXES if suffix == ".avif"]  # Pillow's own choice
LOSSY_OR_NOT = [".jpg", ".png", ".webp", ".tif", *AVIF]
OPACITY = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (16, 1))  # (16, 32)


def exif():
    data = Image.Exif()
    data[0x010F], data[0x8298] = "maker", "owner"
    data[0x8769] = {0x9003: "2020:01:02 03:04:05", 0x829A: 0.01}
    data[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    return data.tobytes()


def tags(data):
    parsed = Image.Exif()
    parsed.load(data)
    return ({tag: parsed[tag] for tag in (0x010F, 0x8298)},
            {tag: parsed.get_ifd(0x8769)[tag] for tag in (0x9003, 0x829A)}, parsed.get_ifd(0x8825))


@pytest.mark.parametrize("suffix", [".jpg", *AVIF])
def test_colour_is_kept_at_full_resolution(tmp_path, suffix):
    """Red and blue columns of one pixel: with chroma subsampling they would turn purple."""
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, ::2, 0], image[:, 1::2, 2] = 255, 255
    images.write(tmp_path / f"x{suffix}", image)
    assert abs(images.read(tmp_path / f"x{suffix}").astype(int) - image).mean() < 10


def test_quality_makes_larger_files(tmp_path):
    for suffix in (".jpg", ".webp", *AVIF):
        sizes = []
        for quality in (50, 95):
            images.write(tmp_path / f"x{suffix}", picture(64, 64), quality=quality)
            sizes.append((tmp_path / f"x{suffix}").stat().st_size)
        assert sizes[1] > 1.5 * sizes[0]


@pytest.mark.parametrize("suffix", LOSSY_OR_NOT)
def test_a_small_srgb_profile_is_embedded(tmp_path, suffix):
    images.write(tmp_path / f"x{suffix}", picture(8, 8))
    with Image.open(tmp_path / f"x{suffix}") as image:
        profile = image.info["icc_profile"]
    assert len(profile) < 1000
    name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    assert "sRGB" in name


def test_equal_pictures_make_equal_files_on_all_days():
    """lcms writes the date of the day into a new profile."""
    assert struct.unpack(">6H", SRGB_PROFILE[24:36]) == (2000, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("suffix", LOSSY_OR_NOT)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_metadata_are_written(tmp_path, suffix, kind):
    if kind == np.uint16 and not images.writable_format(suffix).keeps_16_bits:
        return
    image = picture(16, 32).astype(kind)
    images.write(tmp_path / f"x{suffix}", image, exif=exif())
    assert tags(images.open_picture(tmp_path / f"x{suffix}").exif) == tags(exif())


def test_too_many_metadata_for_a_jpeg_are_left_out(tmp_path):
    data = Image.Exif()
    data[0x010E] = "x" * 70000
    for suffix in (".jpg", ".png"):
        images.write(tmp_path / f"x{suffix}", picture(8, 8), exif=data.tobytes())
    assert images.open_picture(tmp_path / "x.jpg").exif is None
    assert len(images.open_picture(tmp_path / "x.png").exif) > 70000


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", *AVIF])
def test_opacity_is_kept(tmp_path, suffix):
    image = picture(16, 32)
    images.write(tmp_path / f"x{suffix}", image, opacity=OPACITY)
    result = images.open_picture(tmp_path / f"x{suffix}")
    assert abs(result.opacity.astype(int) - OPACITY).max() <= (4 if suffix == ".avif" else 0)
    if suffix in (".png", ".tif"):
        np.testing.assert_array_equal(result.rgb, image)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_without_opacity_the_picture_lies_on_white(tmp_path, suffix):
    """Half transparent black is grey 127 or 128, fully transparent is white, opaque itself."""
    image = np.zeros((16, 32, 3), np.uint8)
    image[..., 0] = 200
    images.write(tmp_path / f"x{suffix}", image, opacity=OPACITY)
    expected = 255 - (255 - image.astype(float)) * OPACITY[..., None] / 255
    assert abs(images.read(tmp_path / f"x{suffix}") - expected).max() <= (
        0.501 if suffix == ".bmp" else 8)


def deep(rows=9, columns=14, channels=3):
    return np.random.default_rng(0).integers(0, 65536, (rows, columns, channels), np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(9, 14), (1, 1), (1, 20000), (20000, 1)])
def test_sixteen_bits_are_kept(tmp_path, suffix, shape):
    """Read back by another library, sample by sample."""
    image = deep(*shape)
    images.write(tmp_path / f"x{suffix}", image)
    stored = cv2.imread(str(tmp_path / f"x{suffix}"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored[..., ::-1], image)
    assert abs(images.read(tmp_path / f"x{suffix}") - image / 257).max() < 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_with_opacity_profile_and_metadata(tmp_path, suffix):
    image, opacity = deep(16, 32), OPACITY
    images.write(tmp_path / f"x{suffix}", image, opacity=opacity, exif=exif())
    stored = cv2.imread(str(tmp_path / f"x{suffix}"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored[..., [2, 1, 0]], image)
    np.testing.assert_array_equal(stored[..., 3], opacity.astype(np.uint16) * 257)
    result = images.open_picture(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(result.opacity, opacity)
    assert tags(result.exif) == tags(exif())
    with Image.open(tmp_path / f"x{suffix}") as image:
        assert image.info["icc_profile"] == SRGB_PROFILE


def test_arrays_need_not_be_contiguous(tmp_path):
    image = picture(32, 64)[::-2, ::2]
    for kind in (np.uint8, np.uint16):
        for suffix in (".png", ".tif"):
            values = image.astype(kind)[:, ::-1]
            images.write(tmp_path / f"x{suffix}", values)
            stored = cv2.imread(str(tmp_path / f"x{suffix}"), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(stored[..., ::-1], values)


@pytest.mark.parametrize("format", ["jpg", ".png", "webp", "TIF", "bmp"])
def test_file_objects_get_the_bytes_of_the_file(tmp_path, format):
    class Pipe(io.RawIOBase):  # which cannot seek
        data = b""

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    image, pipe = picture(8, 8), Pipe()
    images.write(pipe, image, format=format)
    path = tmp_path / f"x.{format.removeprefix('.')}"
    images.write(path, image)
    assert pipe.data == path.read_bytes()


def test_the_format_overrules_the_ending(tmp_path):
    images.write(tmp_path / "x.data", picture(8, 8), format="png")
    assert (tmp_path / "x.data").read_bytes().startswith(b"\x89PNG")


def test_what_formats_keep():
    kept = {suffix: images.writable_format(f"x{suffix}")[2:4] for suffix in images.WRITE_SUFFIXES
            if suffix != ".avif"}
    assert kept == {".jpg": (False, False), ".jpeg": (False, False), ".png": (True, True),
                    ".webp": (True, False), ".tif": (True, True), ".tiff": (True, True),
                    ".bmp": (False, False)}
    assert images.writable_format("PNG") == images.writable_format("a/b.png")


def test_what_a_format_cannot_hold_is_one_clear_error(tmp_path):
    for name, image, message in (
            ("x.jpg", deep(), "JPEG has 8 bits, the picture 16; use PNG or TIFF"),
            ("x.webp", np.zeros((1, 16384, 3), np.uint8),
             "WEBP holds 16383 pixels a side, the picture has 16384 x 1; use PNG or TIFF"),
            ("x.jpg", np.zeros((65501, 1, 3), np.uint8), "JPEG holds 65500 pixels a side"),
            ("x.png", np.zeros((0, 5, 3), np.uint8), "a picture of 5 x 0 pixels")):
        with pytest.raises(ImageError, match=message):
            images.write(tmp_path / name, image)
    assert list(tmp_path.iterdir()) == []
    for name, side in (("x.webp", 16383), ("x.jpg", 65500)):
        images.write(tmp_path / name, np.zeros((side, 1, 3), np.uint8))
        assert images.read(tmp_path / name).shape == (side, 1, 3)


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    images.write(tmp_path / "x.png", picture(8, 8))
    before = (tmp_path / "x.png").read_bytes()
    with pytest.raises(RuntimeError), images.atomic(tmp_path / "x.png") as beside:
        beside.write_bytes(b"half")
        raise RuntimeError
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.png"]
    assert (tmp_path / "x.png").read_bytes() == before


def test_the_longest_names_are_written(tmp_path):
    images.write(tmp_path / f"{'x' * 251}.png", picture(8, 8))


def test_unwritable_places_and_formats_are_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="cannot be written"):
        images.write(tmp_path / "file" / "x.png", picture(8, 8))
    with pytest.raises(ImageError, match="cannot write '.xyz'"):
        images.write(tmp_path / "x.xyz", picture(8, 8))
    for name in (tmp_path / "x", "xyz"):
        with pytest.raises(ImageError, match="cannot write ''; use one of .jpg"):
            images.check_writable_format(name)


def test_threads_that_write_one_name_leave_a_whole_file(tmp_path):
    errors = []

    def work(seed):
        try:
            for _ in range(10):
                images.write(tmp_path / "x.png", picture(64, 64, seed))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    result = images.read(tmp_path / "x.png")
    assert any(np.array_equal(result, picture(64, 64, seed)) for seed in range(4))
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.png"]
