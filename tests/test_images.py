import io

import numpy as np
import pytest
from conftest import picture
from PIL import Image, ImageCms

from adain import images
from adain.errors import ImageError


def save(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", images.WRITE_SUFFIXES)
def test_what_is_written_is_read_back(tmp_path, suffix):
    image = picture(30, 50)
    images.write(tmp_path / f"x{suffix}", image)
    read = images.read(tmp_path / f"x{suffix}")
    assert read.shape == image.shape and read.dtype == np.uint8
    limit = {".jpg": 5, ".jpeg": 5, ".webp": 12}.get(suffix, 0)  # lossy, WebP also in colour
    assert abs(read.astype(int) - image).mean() <= limit
    assert [entry.name for entry in tmp_path.iterdir()] == [f"x{suffix}"]


def test_jpeg_keeps_colour_at_full_resolution(tmp_path):
    """Red and blue columns of one pixel: with chroma subsampling they would turn purple."""
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, ::2, 0], image[:, 1::2, 2] = 255, 255
    images.write(tmp_path / "x.jpg", image)
    assert abs(images.read(tmp_path / "x.jpg").astype(int) - image).mean() < 10


def test_exif_orientation_is_applied(tmp_path):
    upright = picture(20, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: to be shown, rotate by 90 degrees clockwise
    path = save(tmp_path / "x.png", Image.fromarray(np.rot90(upright)), exif=exif)
    np.testing.assert_array_equal(images.read(path), upright)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "I;16", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    grey = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (16, 1))
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "1":
        grey = np.where(grey > 127, 255, 0).astype(np.uint8)
        image = Image.fromarray(grey).convert("1")
    else:
        image = Image.fromarray(grey).convert("RGB").convert(mode) if mode in ("P", "CMYK") \
            else Image.fromarray(grey).convert(mode)
    if mode == "P":  # the web palette has few greys
        image = Image.fromarray(grey).quantize(256)
    path = save(tmp_path / ("x.tif" if mode == "CMYK" else "x.png"), image)
    read = images.read(path)
    assert read.shape == (16, 64, 3)
    assert abs(read.astype(int) - grey[..., None]).max() <= (1 if mode == "I;16" else 0)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    path = save(tmp_path / "x.png", Image.fromarray(np.full((4, 4), 32896, np.uint16)))
    assert (images.read(path) == 128).all()


def test_embedded_profile_is_converted_to_srgb(tmp_path):
    """A profile whose red and green primaries are swapped must swap the channels."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    data = bytearray(srgb.tobytes())
    tags = {bytes(data[132 + 12 * i:136 + 12 * i]): 132 + 12 * i
            for i in range(int.from_bytes(data[128:132], "big"))}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4:red + 8], data[green + 4:green + 8] = (data[green + 4:green + 8],
                                                        data[red + 4:red + 8])
    path = save(tmp_path / "x.png", Image.new("RGB", (4, 4), (250, 10, 10)),
                icc_profile=bytes(data))
    red, green, blue = images.read(path)[0, 0]
    assert green > 200 and red < 60


def test_broken_profile_is_ignored(tmp_path):
    path = save(tmp_path / "x.png", Image.new("RGB", (4, 4), (250, 10, 10)), icc_profile=b"junk")
    assert images.read(path)[0, 0].tolist() == [250, 10, 10]


def test_truncated_jpeg_is_named(tmp_path):
    file = io.BytesIO()
    Image.fromarray(picture(200, 200)).save(file, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(file.getvalue()[:2000])
    with pytest.raises(ImageError, match=r"cut\.jpg is not a readable image: .*truncated"):
        images.read(tmp_path / "cut.jpg")


def test_errors_name_the_file_and_the_reason(tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(ImageError, match="text.jpg is not a readable image: unknown format"):
        images.read(tmp_path / "text.jpg")
    with pytest.raises(ImageError, match="none.jpg does not exist"):
        images.read(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="is a folder"):
        images.read(tmp_path)


def test_reading_smaller_is_faster_but_not_below_the_hint(tmp_path):
    path = save(tmp_path / "x.jpg", Image.fromarray(picture(640, 960)))
    assert min(images.read(path, shorter_side=100).shape[:2]) in range(100, 320)


def test_find_takes_a_file_or_a_folder(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden"):
        (tmp_path / name).touch()
    assert [path.name for path in images.find(tmp_path)] == ["a.png", "b.JPG"]
    assert images.find(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    (tmp_path / "empty").mkdir()
    for path, message in ((tmp_path / "empty", "has no pictures"), (tmp_path / "x", "not exist")):
        with pytest.raises(ImageError, match=message):
            images.find(path)


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    images.write(tmp_path / "x.png", picture(8, 8))
    before = (tmp_path / "x.png").read_bytes()
    with pytest.raises(RuntimeError), images.atomic(tmp_path / "x.png") as beside:
        beside.write_bytes(b"half")
        raise RuntimeError
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.png"]
    assert (tmp_path / "x.png").read_bytes() == before


def test_unwritable_places_and_formats_are_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="cannot be written"):
        images.write(tmp_path / "file" / "x.png", picture(8, 8))
    with pytest.raises(ImageError, match="cannot write '.xyz'"):
        images.write(tmp_path / "x.xyz", picture(8, 8))


def test_resize_shorter_side_keeps_the_aspect():
    assert images.resize_shorter_side(picture(100, 200), 50).shape == (50, 100, 3)
    assert images.resize_shorter_side(picture(301, 200), 50).shape == (75, 50, 3)
    assert images.resize_shorter_side(picture(10, 10), 30).shape == (30, 30, 3)


def test_shrinking_averages():
    """A one-pixel checkerboard becomes its mean; nearest or bilinear sampling would alias."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    assert abs(images.resize(board, 16, 16).astype(int) - 127).max() <= 1
