"""Small files of every format and mode; each value expected here was worked out by hand."""

import io
import struct
import threading
import warnings
import zlib

import cv2
import numpy as np
import PIL
import pytest
from conftest import picture
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin

from adain import images
from adain.errors import ImageError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
NEW_PILLOW = pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13,
                                reason="older versions of Pillow refuse this file")


def save(path, image, **options):
    image.save(path, **options)
    return path


def encoded(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def tiff(path, samples, photometric, **tags):
    """Write an uncompressed TIFF of any sample type, as Pillow cannot."""
    rows, columns, channels = samples.shape
    sample_format = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in {256: columns, 257: rows, 258: (8 * samples.itemsize,) * channels, 259: 1,
                       262: photometric, 273: 0, 277: channels, 278: rows, 279: samples.nbytes,
                       339: (sample_format,) * channels, **tags}.items():
        directory[int(tag)] = value
    with open(path, "wb") as file:
        directory.save(file)  # which adds its own end to the offset 0
        file.write(samples.tobytes())
    return path


def png_with_chunk(data, kind, content):
    """Put a chunk behind the header of a PNG."""
    chunk = struct.pack(">I", len(content)) + kind + content
    return data[:33] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + data[33:]


def swapped_profile():
    """An sRGB profile whose red and green primaries are exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(data[132 + 12 * i:136 + 12 * i]): 132 + 12 * i
            for i in range(int.from_bytes(data[128:132], "big"))}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4:red + 8], data[green + 4:green + 8] = (data[green + 4:green + 8],
                                                        data[red + 4:red + 8])
    return bytes(data)


def grey_profile(gamma=1.0):
    """An ICC profile (version 2) of grey with a power curve; lcms makes none for us."""
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)  # D50 in 1/65536
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256))
    text = struct.pack(">4s4xI", b"desc", 5) + b"grey\0" + b"\0" * 79
    tags, body, place = b"", b"", 128 + 4 + 3 * 12
    for name, content in ((b"wtpt", white), (b"kTRC", curve), (b"desc", text)):
        tags += struct.pack(">4sII", name, place + len(body), len(content))
        body += content
    body += b"\0" * (-len(body) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s28x3i", place + len(body), 0x02100000, b"mntr", b"GRAY",
                         b"XYZ ", b"acsp", 63190, 65536, 54061).ljust(128, b"\0")
    return header + struct.pack(">I", 3) + tags + body


# Formats and modes

@pytest.mark.parametrize("suffix", images.WRITE_SUFFIXES)
def test_what_is_written_is_read_back(tmp_path, suffix):
    image = picture(30, 50)
    images.write(tmp_path / f"x{suffix}", image)
    read = images.read(tmp_path / f"x{suffix}")
    assert read.shape == image.shape and read.dtype == np.uint8
    limit = {".jpg": 5, ".jpeg": 5, ".webp": 12}.get(suffix, 0)  # lossy, WebP also in colour
    assert abs(read.astype(int) - image).mean() <= limit
    assert [entry.name for entry in tmp_path.iterdir()] == [f"x{suffix}"]


MODES = {".png": ("L", "1", "P", "LA", "RGBA", "I;16"), ".jpg": ("L", "CMYK", "YCbCr"),
         ".tif": ("L", "1", "P", "LA", "RGBA", "I;16", "CMYK", "YCbCr"),
         ".webp": ("RGBA",), ".bmp": ("L", "1", "P", "RGBA"), ".gif": ("L", "1", "P")}


@pytest.mark.parametrize("suffix, mode", [
    pytest.param(suffix, mode, marks=NEW_PILLOW if (suffix, mode) == (".tif", "YCbCr") else ())
    for suffix, modes in MODES.items() for mode in modes])
def test_every_mode_becomes_rgb(tmp_path, mode, suffix):
    grey = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (16, 1))
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "1":
        grey = np.where(grey > 127, 255, 0).astype(np.uint8)
        image = Image.fromarray(grey).convert("1")
    elif mode == "P":  # the web palette has few greys
        image = Image.fromarray(grey).quantize(256)
    else:
        image = Image.fromarray(grey).convert("RGB").convert(mode)
    options = {"quality": 100} if suffix == ".jpg" else {"lossless": True} \
        if suffix == ".webp" else {}
    result = images.open_picture(save(tmp_path / f"x{suffix}", image, **options))
    assert result.rgb.shape == (16, 64, 3) and result.opacity is None and result.exif is None
    limit = 2 if suffix == ".jpg" else 1 if mode == "YCbCr" else 0
    assert abs(result.rgb.astype(int) - grey[..., None]).max() <= limit


def test_cmyk_is_ink(tmp_path):
    """Full cyan is (0, 255, 255), half black is (127, 127, 127), with Adobe's inversion or not."""
    ink = np.zeros((8, 16, 4), np.uint8)
    ink[:, :8, 0], ink[:, 8:, 3] = 255, 128
    image = Image.frombytes("CMYK", (16, 8), ink.tobytes())
    for name, options in (("x.tif", {}), ("x.jpg", {"quality": 100, "subsampling": 0})):
        read = images.read(save(tmp_path / name, image, **options))
        assert abs(read[4, 2].astype(int) - [0, 255, 255]).max() <= 1
        assert abs(read[4, 13].astype(int) - 127).max() <= 1


def test_inverted_grey_of_sixteen_bits(tmp_path):
    """TIFF may say that 0 is white; Pillow overlooks it for more than 8 bits."""
    samples = np.array([0, 32896, 65535], np.uint16).reshape(1, 3, 1)
    assert images.read(tiff(tmp_path / "x.tif", samples, 0))[0, :, 0].tolist() == [255, 127, 0]
    assert images.read(tiff(tmp_path / "x.tif", samples, 1))[0, :, 0].tolist() == [0, 128, 255]


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    path = save(tmp_path / "x.png", Image.fromarray(np.full((4, 4), 32896, np.uint16)))
    assert (images.read(path) == 128).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_colour(tmp_path, suffix):
    image = np.array([[[0, 32896, 65535], [65535, 257, 25700]]], np.uint16)
    (tmp_path / f"x{suffix}").write_bytes(cv2.imencode(suffix, image[..., ::-1])[1].tobytes())
    assert images.read(tmp_path / f"x{suffix}").tolist() == [[[0, 128, 255], [255, 1, 100]]]


@pytest.mark.parametrize("kind, samples", [
    (np.uint32, [0, 2**31, 2**32 - 1]), (np.int16, [-5, 16384, 32767]),
    (np.float32, [-1, 0.502, 7])])
def test_other_samples_of_a_tiff_are_scaled(tmp_path, kind, samples):
    path = tiff(tmp_path / "x.tif", np.array(samples, kind).reshape(1, 3, 1), 1)
    assert images.read(path)[0, :, 0].tolist() == [0, 128, 255]


def test_missing_numbers_of_a_float_tiff_are_black(tmp_path):
    path = tiff(tmp_path / "x.tif", np.full((1, 1, 1), np.nan, np.float32), 1)
    assert images.read(path).tolist() == [[[0, 0, 0]]]


def test_float_colour_of_a_tiff(tmp_path):
    samples = np.array([[[0, 0.502, 1], [2, -1, 0.2]]], np.float32)
    path = tiff(tmp_path / "x.tif", samples, 2, **{"274": 6})  # turned, to stand upright
    assert images.read(path).tolist() == [[[0, 128, 255]], [[255, 0, 51]]]
    with pytest.raises(ImageError, match="it has 2 x 1 = 2 pixels"):
        images.read(path, max_pixels=1)
    alpha = np.array([[[0.2, 0.4, 1, 0.502]]], np.float64)
    result = images.open_picture(tiff(tmp_path / "x.tif", alpha, 2, **{"338": 2}))
    assert result.rgb.tolist() == [[[51, 102, 255]]] and result.opacity.tolist() == [[128]]


def test_tiffs_that_would_be_read_wrongly_are_refused(tmp_path):
    """Pillow makes noise of 16-bit planes; grey with alpha of 16 bits it does not know."""
    planes = tiff(tmp_path / "x.tif", np.zeros((3, 4, 3), np.uint16), 2, **{"284": 2})
    with pytest.raises(ImageError, match="16 bits in separate planes are not supported; save it a"):
        images.read(planes)
    grey = tiff(tmp_path / "x.tif", np.zeros((3, 4, 2), np.uint16), 1, **{"338": 2})
    with pytest.raises(ImageError, match=r"not supported \(2 samples of 16 bits\); save it as PNG"):
        images.read(grey)


def test_lab_colour_of_a_tiff(tmp_path):
    samples = np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8)  # L 100 and 0, a = b = 0
    read = images.read(tiff(tmp_path / "x.tif", samples, 8))
    assert abs(read[0].astype(int) - [[255] * 3, [0] * 3]).max() <= 1


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, GREEN)]
    for suffix in (".gif", ".webp", ".png", ".tif"):
        options = {"lossless": True} if suffix == ".webp" else {}
        path = save(tmp_path / f"x{suffix}", frames[0], save_all=True, append_images=frames[1:],
                    **options)
        assert images.read(path)[0, 0].tolist() == list(RED), suffix


def test_the_content_tells_the_format_not_the_name(tmp_path):
    (tmp_path / "x.jpg").write_bytes(encoded(Image.new("RGB", (4, 4), RED), "PNG"))
    assert images.read(tmp_path / "x.jpg")[0, 0].tolist() == list(RED)


@pytest.mark.parametrize("size", [(1, 1), (20000, 1), (1, 20000)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_thin_pictures(tmp_path, size, suffix):
    image = np.full((size[1], size[0], 3), 200, np.uint8)
    images.write(tmp_path / f"x{suffix}", image)
    assert abs(images.read(tmp_path / f"x{suffix}").astype(int) - image).max() <= 1


def test_bands_meet_without_a_seam(monkeypatch, tmp_path):
    image = np.dstack([picture(23, 17), picture(23, 17, 1)[..., 0]])
    path = save(tmp_path / "x.png", Image.fromarray(image))
    for pixels in (1, 17 * 5, 1 << 20):
        monkeypatch.setattr("adain.image_reader._BAND_PIXELS", pixels)
        result = images.open_picture(path)
        np.testing.assert_array_equal(np.dstack([result.rgb, result.opacity]), image)


# Opacity

HALF = np.array([[0, 128, 255]], np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_opacity_is_kept(tmp_path, suffix):
    image = np.dstack([np.full((1, 3, 3), RED, np.uint8), HALF])
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    result = images.open_picture(save(tmp_path / f"x{suffix}", Image.fromarray(image), **options))
    np.testing.assert_array_equal(result.opacity, HALF)
    np.testing.assert_array_equal(result.rgb, image[..., :3])


def test_opacity_of_grey(tmp_path):
    image = Image.fromarray(np.dstack([[[10, 20, 30]], HALF]).astype(np.uint8))
    result = images.open_picture(save(tmp_path / "x.png", image))
    assert result.opacity.tolist() == HALF.tolist()
    assert result.rgb[0, :, 0].tolist() == [10, 20, 30]


def test_opacity_of_sixteen_bits(tmp_path):
    image = np.array([[[0, 32896, 65535, 32896]]], np.uint16)
    (tmp_path / "x.png").write_bytes(
        cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA))[1].tobytes())
    result = images.open_picture(tmp_path / "x.png")
    assert result.rgb.tolist() == [[[0, 128, 255]]] and result.opacity.tolist() == [[128]]


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_opacity_of_a_palette(tmp_path, suffix):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    result = images.open_picture(save(tmp_path / f"x{suffix}", image, transparency=0))
    assert result.opacity.tolist() == [[0, 255]] and result.rgb[0, 1].tolist() == list(BLUE)


def test_partly_transparent_palette(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    result = images.open_picture(save(tmp_path / "x.png", image, transparency=bytes([100, 200])))
    assert result.opacity.tolist() == [[100, 200]]
    assert result.rgb.tolist() == [[list(RED), list(BLUE)]]


@pytest.mark.parametrize("image, transparent", [
    (Image.fromarray(np.array([[7, 9]], np.uint8)), 7),
    (Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1"), 0),
    (Image.fromarray(np.array([[7 * 257, 9 * 257]], np.uint16)), 7 * 257),
    (Image.fromarray(np.array([[RED, BLUE]], np.uint8)), RED)], ids=["L", "1", "I;16", "RGB"])
def test_one_transparent_colour(tmp_path, image, transparent):
    result = images.open_picture(save(tmp_path / "x.png", image, transparency=transparent))
    assert result.opacity.tolist() == [[0, 255]]
    np.testing.assert_array_equal(result.rgb[0, 1], images.read(save(tmp_path / "y.png", image))[
        0, 1])


def test_one_transparent_colour_of_sixteen_bits(tmp_path):
    image = np.array([[[0x1234, 0x5678, 0x9abc], [0x1234, 0x5678, 0]]], np.uint16)
    data = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    data = png_with_chunk(data, b"tRNS", struct.pack(">3H", *image[0, 0].tolist()))
    (tmp_path / "x.png").write_bytes(data)
    assert images.open_picture(tmp_path / "x.png").opacity.tolist() == [[0, 255]]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_premultiplied_colours_are_divided(tmp_path, kind):
    """TIFF's associated alpha: stored (64, 32, 0, 128) is the colour (128, 64, 0), half there."""
    samples = np.array([[[64, 32, 0, 128]]], kind) * (257 if kind == np.uint16 else 1)
    result = images.open_picture(tiff(tmp_path / "x.tif", samples.astype(kind), 2, **{"338": 1}))
    assert result.opacity.tolist() == [[128]]
    assert abs(result.rgb[0, 0].astype(int) - [128, 64, 0]).max() <= 1


@NEW_PILLOW
def test_premultiplied_grey_is_divided(tmp_path):
    samples = np.array([[[64, 128]]], np.uint8)
    result = images.open_picture(tiff(tmp_path / "x.tif", samples, 1, **{"338": 1}))
    assert result.opacity.tolist() == [[128]]
    assert abs(result.rgb[0, 0].astype(int) - 128).max() <= 1


def test_a_fourth_channel_that_is_no_opacity_is_dropped(tmp_path):
    samples = np.array([[[64, 32, 0, 128]]], np.uint8)
    result = images.open_picture(tiff(tmp_path / "x.tif", samples, 2, **{"338": 0}))
    assert result.opacity is None and result.rgb.tolist() == [[[64, 32, 0]]]


# Orientation, profiles, metadata

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


# Bad files

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


def bomb(format, columns, rows):
    """A file of a few hundred bytes whose header promises a large picture."""
    data = bytearray(encoded(Image.new("RGB", (16, 16)), format))
    if format == "PNG":
        data[16:24] = struct.pack(">II", columns, rows)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif format == "BMP":
        data[18:26] = struct.pack("<ii", columns, rows)
    elif format == "GIF":
        data[6:10] = struct.pack("<HH", columns, rows)
    elif format == "JPEG":
        place = data.index(b"\xff\xc0") + 5
        data[place:place + 4] = struct.pack(">HH", rows, columns)
    return bytes(data)


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


def test_reading_smaller_is_faster_but_not_below_the_hint(tmp_path):
    path = save(tmp_path / "x.jpg", Image.fromarray(picture(640, 960)))
    assert min(images.read(path, shorter_side=100).shape[:2]) in range(100, 320)
