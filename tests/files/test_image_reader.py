"""Small files of every format and mode; each value expected here was worked out by hand."""

import struct

import cv2
import numpy as np
import PIL
import pytest
from conftest import picture
from picture_files import encoded, png_with_chunk, save, tiff
from PIL import Image

from adain.errors import ImageError
from adain.files import images

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
NEW_PILLOW = pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13,
                                reason="older versions of Pillow refuse this file")


@pytest.mark.parametrize("suffix", images.WRITE_SUFFIXES)
def test_what_is_written_is_read_back(tmp_path, suffix):
    image = picture(30, 50)
    images.write(tmp_path / f"x{suffix}", image)
    read = images.read(tmp_path / f"x{suffix}")
    assert read.shape == image.shape and read.dtype == np.uint8
    # Lossy, WebP also in colour.
    limit = {".jpg": 5, ".jpeg": 5, ".webp": 12, ".avif": 5}.get(suffix, 0)
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
    (np.float32, [-0.2, 0.502, 1.2]), (np.float32, [np.nan, 0.502, np.inf]),
    *((kind, [0, 128, 255]) for kind in (np.int16, np.int32, np.uint32, np.float32)),
    *((kind, [0, 32896, 65535]) for kind in (np.int32, np.uint32, np.float32)),
    (np.int32, [0, 2**30, 2**31 - 1]), (np.float32, [-9, 128.2, 260])])
def test_other_samples_of_a_tiff_are_scaled(tmp_path, kind, samples):
    """To the range that they certainly have; what resampling leaves outside of it is cut off."""
    path = tiff(tmp_path / "x.tif", np.array(samples, kind).reshape(1, 3, 1), 1)
    assert images.read(path)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("kind, samples", [
    (np.int32, [0, 1023]), (np.int32, [0, 100]), (np.int16, [-1000, 3000]),
    (np.int32, [-255, 255]), (np.uint32, [5, 4095]), (np.float32, [0, 7]), (np.float32, [-1, 1]),
    (np.float32, [0, 4095]), (np.float32, [*[0] * 500, 200])])
def test_samples_of_a_tiff_whose_white_is_not_certain_are_refused(tmp_path, kind, samples):
    """10 and 12 bits, depths, tomograms, numbers from -1 to 1, and high dynamic range."""
    path = tiff(tmp_path / "x.tif", np.array(samples, kind).reshape(1, -1, 1), 1)
    with pytest.raises(ImageError, match=rf"x.tif is not a readable image: its samples go from "
                                         rf"{min(samples):g} to {max(samples):g}, which leaves"):
        images.read(path)


def test_black_is_black_and_no_number_is_an_error(tmp_path):
    for kind in (np.int32, np.uint32, np.int16, np.float32):
        assert not images.read(tiff(tmp_path / "x.tif", np.zeros((2, 2, 1), kind), 1)).any()
    for channels in (1, 3):
        path = tiff(tmp_path / "x.tif", np.full((1, 1, channels), np.nan, np.float32), channels)
        with pytest.raises(ImageError, match="none of its samples is a finite number"):
            images.read(path)


def test_a_range_is_that_of_the_whole_picture(monkeypatch, tmp_path):
    monkeypatch.setattr("adain.files.reader._BAND_PIXELS", 3)
    samples = np.array([0, 1, 2, 128, 255], np.int32).reshape(5, 1, 1)
    read = images.read(tiff(tmp_path / "x.tif", samples, 1))
    assert read[:, 0, 0].tolist() == samples.ravel().tolist()


def test_a_pillow_image_of_an_uncertain_range_is_refused():
    with pytest.raises(ImageError, match="the image cannot be used: its samples go from 0 to 7"):
        images.to_array(Image.fromarray(np.array([[0, 7]], np.float32)))


def test_float_colour_of_a_tiff_from_0_to_255(tmp_path):
    samples = np.array([[[0, 128, 255, 1], [51, 52, 53, 0.502]]], np.float32)
    rgb = tiff(tmp_path / "x.tif", samples[..., :3], 2)
    assert images.read(rgb).tolist() == samples[..., :3].tolist()
    for white in (1, 255):  # of the opacity
        samples[..., 3] *= white
        result = images.open_picture(tiff(tmp_path / "y.tif", samples, 2, **{"338": 2}))
        assert result.rgb.tolist() == samples[..., :3].tolist()
        assert result.opacity.tolist() == [[255, 128]]


def test_float_colour_of_a_tiff(tmp_path):
    samples = np.array([[[0, 0.502, 1], [1.2, -0.2, 0.2]]], np.float32)
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
        monkeypatch.setattr("adain.files.reader._BAND_PIXELS", pixels)
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


def test_reading_smaller_is_faster_but_not_below_the_hint(tmp_path):
    path = save(tmp_path / "x.jpg", Image.fromarray(picture(640, 960)))
    assert min(images.read(path, shorter_side=100).shape[:2]) in range(100, 320)
