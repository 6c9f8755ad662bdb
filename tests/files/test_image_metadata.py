import struct

import numpy as np
import pytest
from conftest import picture
from picture_files import exif_data, grey_profile, save, swapped_profile
from PIL import Image, ImageOps

from adain.files import images


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    """All eight, against Pillow's own turning of an opaque picture and of its opacity."""
    image = Image.fromarray(np.dstack([picture(20, 40), picture(20, 40, 1)[..., 0]]))
    if suffix == ".jpg":
        image = image.convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "maker"
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    path = save(tmp_path / f"x{suffix}", image, exif=exif, **options)
    if suffix == ".jpg":  # without the tag: as it came out of the file
        image = Image.open(save(tmp_path / "y.jpg", image))
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    result = images.open_picture(path)
    np.testing.assert_array_equal(result.rgb, expected[..., :3])
    if suffix != ".jpg":
        np.testing.assert_array_equal(result.opacity, expected[..., 3])
    kept = Image.Exif()
    kept.load(result.exif)
    assert dict(kept) == {0x010F: "maker"}


def test_orientation_by_hand(tmp_path):
    upright = picture(20, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: to be shown, rotate by 90 degrees clockwise
    path = save(tmp_path / "x.png", Image.fromarray(np.rot90(upright)), exif=exif)
    np.testing.assert_array_equal(images.read(path), upright)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_open_pillow_image_is_turned_once(tmp_path, suffix):
    """Pillow turns TIFFs when it loads them, and them only."""
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = picture(20, 40)
    with Image.open(save(tmp_path / f"x{suffix}", Image.fromarray(np.rot90(upright)),
                         exif=exif)) as image:
        np.testing.assert_array_equal(images.to_array(image), upright)


def test_metadata_that_hold_are_kept(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298] = 6, "maker", "owner"
    exif[0x8769] = {0x9003: "2020:01:02 03:04:05", 0xA001: 65535, 0xA002: 40, 0xA003: 20,
                    0x927C: b"maker note", 0x829A: 0.01}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    exif[0x0201], exif[0x0202] = 100, 20  # a thumbnail
    path = save(tmp_path / "x.jpg", Image.fromarray(picture(20, 40)), exif=exif)
    kept = Image.Exif()
    kept.load(images.open_picture(path).exif)
    assert {tag: kept[tag] for tag in kept if tag < 0x8700} == {0x010F: "maker", 0x8298: "owner"}
    assert kept.get_ifd(0x8769) == {0x9003: "2020:01:02 03:04:05", 0xA001: 1, 0x829A: 0.01}
    assert kept.get_ifd(0x8825) == {1: "N", 2: (48.0, 8.0, 0.0)}


def test_layout_of_a_tiff_is_no_metadata(tmp_path):
    assert images.open_picture(save(tmp_path / "x.tif", Image.new("RGB", (4, 4)))).exif is None


OWNER, DATE = (0x8298, 2, 6, b"owner\0"), (0x9003, 2, 20, b"2020:01:02 03:04:05\0")
LATITUDE = (2, 5, 3, struct.pack("<6I", 48, 1, 8, 1, 0, 1))


@pytest.mark.parametrize("main, camera, gps", [
    ([(0x11A, 2, 3, b"72\0")], [], []),  # XResolution as text
    ([(0x128, 4, 1, struct.pack("<I", 70000))], [], []),  # ResolutionUnit, too large
    ([(0x10E, 5, 1, struct.pack("<2I", 1, 2))], [], []),  # ImageDescription as a number
    ([(0x132, 12, 1, struct.pack("<d", np.nan))], [], []),  # DateTime as no number
    ([(0x11A, 5, 1, bytes(8))], [], []),  # XResolution 0/0
    ([], [(0x8827, 16, 1, struct.pack("<Q", 1 << 40))], []),  # ISO as LONG8
    ([], [(0x829A, 2, 4, b"1/9\0")], []),  # ExposureTime as text
    ([], [], [(1, 5, 1, struct.pack("<2I", 1, 2))]),  # GPSLatitudeRef as a number
    ([], [], [(4, 2, 4, b"9,9\0")])])  # GPSLongitude as text
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.filterwarnings("ignore")  # Pillow's, of broken metadata
def test_a_tag_that_cannot_be_written_turns_no_picture_and_takes_no_other_tag_along(
        tmp_path, suffix, main, camera, gps):
    upright = Image.new("RGB", (8, 16))
    path = save(tmp_path / f"x{suffix}", upright.rotate(90, expand=True), exif=exif_data(
        [(0x112, 3, 1, b"\x06\0"), OWNER, *main], [DATE, *camera], [LATITUDE, *gps]))
    result = images.open_picture(path)
    assert result.rgb.shape == (16, 8, 3)
    for ending in (suffix, ".tif"):
        images.write(tmp_path / f"y{ending}", result.rgb, exif=result.exif)
        with Image.open(tmp_path / f"y{ending}") as written:
            kept = written.getexif()
            assert kept[0x8298] == "owner" and kept.get(0x112, 1) == 1
            assert kept.get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
            assert kept.get_ifd(0x8825)[2] == (48, 8, 0)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's
@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0",
                                  b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x02\0\xff\0\0\0\1\0"])
def test_broken_metadata_leave_the_picture(tmp_path, exif):
    path = save(tmp_path / "x.jpg", Image.new("RGB", (4, 4), (200, 200, 200)), exif=exif)
    result = images.open_picture(path)
    assert result.rgb.tolist() == np.full((4, 4, 3), 200).tolist() and result.exif is None


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_embedded_profile_is_converted_to_srgb(tmp_path, mode):
    """A profile whose red and green primaries are swapped must swap the channels."""
    image = Image.new("RGBA", (4, 4), (250, 10, 10, 99))
    if mode != "RGBA":
        image = image.convert("RGB").convert(mode)
    result = images.open_picture(save(tmp_path / "x.png", image, icc_profile=swapped_profile()))
    red, green, blue = result.rgb[0, 0]
    assert green > 200 and red < 60
    assert (result.opacity == 99).all() if mode == "RGBA" else result.opacity is None


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_profile_is_converted_to_srgb(tmp_path, mode):
    """Linear grey 0.5 is sRGB 0.735 = 188."""
    image = Image.new("LA", (4, 4), (128, 99)).convert(mode) if mode != "I;16" else \
        Image.fromarray(np.full((4, 4), 128 * 257, np.uint16))
    result = images.open_picture(save(tmp_path / "x.png", image, icc_profile=grey_profile()))
    assert abs(result.rgb.astype(int) - 188).max() <= 1
    assert (result.opacity == 99).all() if mode == "LA" else result.opacity is None


def test_grey_with_a_profile_for_colours(tmp_path):
    path = save(tmp_path / "x.jpg", Image.new("L", (8, 8), 100), icc_profile=swapped_profile())
    assert abs(images.read(path).astype(int) - 100).max() <= 2


def test_srgb_profile_changes_nothing(tmp_path):
    """Nor does rounding: a conversion from sRGB to sRGB moves some colours by one."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    images.write(tmp_path / "x.png", image)
    with Image.open(tmp_path / "x.png") as stored:
        assert stored.info["icc_profile"]
    np.testing.assert_array_equal(images.read(tmp_path / "x.png"), image)


@pytest.mark.parametrize("profile", [b"junk", grey_profile()])
def test_broken_and_foreign_profiles_are_ignored(tmp_path, profile):
    path = save(tmp_path / "x.png", Image.new("RGB", (4, 4), (250, 10, 10)), icc_profile=profile)
    assert images.read(path)[0, 0].tolist() == [250, 10, 10]
