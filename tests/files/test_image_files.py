"""Files that are broken, too large, or no files at all; many of them at once."""

import io
import struct
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from conftest import ROOT, picture
from picture_files import bomb, encoded, png, save, swapped_profile, tiff
from PIL import Image

from adain.errors import ImageError
from adain.files import images

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF",
           *(["AVIF"] if ".avif" in images.WRITE_SUFFIXES else [])]


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


@pytest.mark.parametrize("format", FORMATS)
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


@pytest.mark.parametrize("format", FORMATS)
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


COLOURS = [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (1, 3), (4, 3), (8, 4),
           (16, 4), (8, 6), (16, 6)]  # bits, and PNG's number of the kind of pixels
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@pytest.mark.parametrize("depth, kind", COLOURS)
@pytest.mark.parametrize("rows", [1, 7, 8])
@pytest.mark.parametrize("columns", [1, 2, 9])
def test_a_png_whose_data_end_early_is_an_error_and_a_black_one_is_not(depth, kind, rows, columns):
    row = bytes(1 + (columns * CHANNELS[kind] * depth + 7) // 8)
    for count in range(rows + 1):
        data = io.BytesIO(png(columns, rows, depth, kind, row * count))
        if count == rows:
            assert images.read(data).shape == (rows, columns, 3)
        else:
            with pytest.raises(ImageError, match="data end early|truncated"):
                images.read(data)


@pytest.mark.parametrize("depth, kind", COLOURS)
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 2), (5, 1), (8, 8), (9, 7), (3, 10)])
def test_an_interlaced_png_is_whole_only_with_its_last_byte(depth, kind, size):
    """Pixels come in passes: every 8th of every 8th row, those half way between, and so on."""
    columns, rows = size
    bits = CHANNELS[kind] * depth
    length = sum(len(range(top, rows, down)) * (1 + (len(range(left, columns, across)) * bits + 7)
                                                // 8)
                 for left, top, across, down in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8),
                                                 (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                                                 (0, 1, 1, 2)) if left < columns)
    assert images.read(io.BytesIO(png(*size, depth, kind, bytes(length), 1))).shape[:2] == (
        rows, columns)
    with pytest.raises(ImageError, match="data end early|truncated"):
        images.read(io.BytesIO(png(*size, depth, kind, bytes(length - 1), 1)))


def test_a_tiff_that_lacks_strips_is_an_error(tmp_path):
    """Rows without one, or a whole plane."""
    rows = {"256": 16, "257": 8, "258": (8, 8, 8), "277": 3, "278": 8}
    planes = rows | {"284": 2, "273": (0, 128, 256), "279": (128, 128, 128)}
    for tags, lacking in ((rows, {"278": 4}), (planes, {"273": (0, 128)})):
        path = tiff(tmp_path / "x.tif", np.full((8, 16, 3), 200, np.uint8), 2, **tags)
        assert (images.read(path) == 200).all()
        tiff(path, np.full((8, 16, 3), 200, np.uint8), 2, **tags | lacking)
        with pytest.raises(ImageError, match="its data end early"):
            images.read(path)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_libraries_print_nothing_of_what_is_raised(tmp_path, capfd, compression):
    Image.fromarray(picture(64, 64)).save(tmp_path / "x.tif", compression=compression)
    data = bytearray((tmp_path / "x.tif").read_bytes())
    data[8:2000] = bytes(1992)
    capfd.readouterr()
    with pytest.raises(ImageError):
        images.read(io.BytesIO(data))
    assert capfd.readouterr() == ("", "")


def test_commands_print_their_own_line_only(tmp_path):
    """OpenCV has a log, and Pillow too."""
    samples = np.full((64, 64, 3), 0.5, np.float32)
    path = tiff(tmp_path / "x.tif", samples, 2)
    path.write_bytes(path.read_bytes()[:9000])
    tiff(tmp_path / "y.tif", np.zeros((4, 4, 3), np.uint8), 2, **{"277": 260})
    for name, reason in (("x.tif", "its samples cannot be decoded"),
                         ("y.tif", "Invalid value for samples per pixel")):
        code = ("import sys; from adain import commands; from adain.files import images; "
                "commands.run(lambda: images.read(sys.argv[1]))")
        done = subprocess.run([sys.executable, "-c", code, tmp_path / name], cwd=ROOT,
                              capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (
            1, f"ImageError: {tmp_path / name} is not a readable image: {reason}.\n")


def test_a_gif_of_42_bytes_is_no_picture_of_225_megapixels(tmp_path):
    data = bytearray(encoded(Image.new("P", (1, 1)), "GIF"))
    for columns, rows in ((300, 200), (4000, 4000)):
        data[6:10] = struct.pack("<2H", columns, rows)
        assert images.read(io.BytesIO(data)).shape == (rows, columns, 3)
    data[6:10] = struct.pack("<2H", 15000, 15000)
    with pytest.raises(ImageError, match="its canvas of 15000 x 15000 pixels holds"):
        images.read(io.BytesIO(data))


def test_memory_that_is_too_short_is_an_error_of_that_picture(monkeypatch, tmp_path):
    def fail(*_):
        raise MemoryError

    path = save(tmp_path / "x.png", Image.new("RGB", (4, 4)))
    monkeypatch.setattr("adain.files.reader._turn", fail)
    with pytest.raises(ImageError, match="x.png needs more memory than there is"):
        images.read(path)


# Formats

BOXES = {  # the first box of a file, by its brands
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "mif1": b"\0\0\0\x18ftypmif1\0\0\0\0miafheic",
    "avif": b"\0\0\0\x1cftypmif1\0\0\0\0miafavifheic"}


@pytest.mark.parametrize("start, reason", [
    (BOXES["heic"], "HEIC needs pillow-heif: pip install pillow-heif"),
    (BOXES["mif1"], "HEIC needs pillow-heif: pip install pillow-heif"),
    (BOXES["avif"], "this Pillow reads no AVIF: pip install 'pillow>=11.3'"),
    (b"\0\0\0\x14ftypisom\0\0\0\0isom", "unknown format; JPEG, PNG"),
    (b"\xff\x0a", "JPEG XL is not read; save it as PNG"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL is not read; save it as PNG"),
    *((start, "unknown format; JPEG, PNG") for start in (
        b"8BPS\0\1", b"%!PS-Adobe-3.0 EPSF-3.0", b"%PDF-1.4", b"<svg>", b"#FIG"))])
def test_formats_that_are_not_read_are_said_whatever_the_ending(monkeypatch, tmp_path, start,
                                                                reason):
    monkeypatch.setattr("adain.files.formats.HAS_AVIF", False)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "x.jpg").write_bytes(start + bytes(200))
    with pytest.raises(ImageError, match=f"x.jpg is not a readable image: {reason}"):
        images.read(tmp_path / "x.jpg")


def test_a_number_s_place_in_a_name_stands_for_no_other_file(tmp_path):
    for name, shade in (("x_%03d.png", 1), ("x_000.png", 2), ("x_001.png", 3), ("x_[0-9].png", 4),
                        ("x_?.png", 5)):
        save(tmp_path / name, Image.new("L", (4, 4), shade))
    for name, shade in (("x_%03d.png", 1), ("x_[0-9].png", 4), ("x_?.png", 5)):
        assert (images.read(tmp_path / name) == shade).all()
    with pytest.raises(ImageError, match="does not exist"):
        images.read(tmp_path / "y_%03d.png")
    images.write(tmp_path / "x_%03d.png", picture(4, 4))
    assert (images.read(tmp_path / "x_000.png") == 2).all()


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason='needs pip install -e ".[heif]"')
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    image = np.zeros((40, 64, 3), np.uint8)
    image[:, :32] = 200, 100, 50
    pillow_heif.from_pillow(Image.fromarray(image)).save(tmp_path / "x.heic", quality=95,
                                                         exif=exif.tobytes())
    result = images.open_picture(tmp_path / "x.heic")
    assert abs(result.rgb.astype(int) - np.rot90(image, -1)).mean() < 3
    assert b"maker" in result.exif
    with pytest.raises(ImageError, match="it has "):
        images.read(tmp_path / "x.heic", max_pixels=100)


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "JPEG"])
def test_a_bomb_is_refused_before_it_is_decoded(format):
    with pytest.raises(ImageError, match=r"it has 60000 x 50000 = 3000000000 pixels, the limit is "
                                         r"256000000; raise it with `max_pixels=3000000000`\."):
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
    monkeypatch.setattr("adain.files.reader._BAND_PIXELS", 500)
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
