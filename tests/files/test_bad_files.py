"""Folders as people have them: cut, empty, mislabelled, absurd files among good ones."""

import os
import struct
import zlib

import numpy as np
import pytest
from conftest import logged, picture
from PIL import Image

from adain.errors import ImageError
from adain.files.bad_files import BadFiles
from adain.training import data
from adain.training.picture_cache import read

GOOD = 3


def png_header(columns, rows):
    """A PNG file that promises a picture of this size and has no pixels."""
    def chunk(kind, content):
        return (struct.pack(">I", len(content)) + kind + content
                + struct.pack(">I", zlib.crc32(kind + content)))
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) \
        + chunk(b"IEND", b"")


@pytest.fixture
def collection(tmp_path):
    """Three good pictures and one bad file of each kind; their names are the kinds."""
    folder = tmp_path / "pictures" / "nested"
    folder.mkdir(parents=True)
    for index in range(GOOD):
        Image.fromarray(picture(40, 48, index)).save(folder / f"good{index}.jpg")
    whole = (folder / "good0.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[:len(whole) // 2])
    (folder / "empty.png").touch()
    (folder / "web page.jpg").write_bytes(b"<html>404 not found</html>")
    (folder / "gigantic.png").write_bytes(png_header(60_000, 60_000))
    Image.new("RGB", (4000, 1)).save(folder / "strip.png")
    return tmp_path / "pictures"


BAD = {"truncated.jpg": "truncated", "empty.png": "it is empty",
       "web page.jpg": "unknown format", "gigantic.png": "refused", "strip.png": "times as long"}


def pictures(folder, bad_files):
    return data.Pictures(folder, 0, image_size=40, crop_size=32, bad_files=bad_files)


def test_every_bad_file_is_named_once_with_its_reason(collection, tmp_path):
    with logged() as lines:
        for _ in range(2):  # the second time as a resumed run
            bad_files = BadFiles(tmp_path / "run" / "bad_files.txt")
            stream = pictures(collection, bad_files)
            crops = [stream.crop(index) for index in range(2 * len(stream.files))]
            assert all(crop.shape == (32, 32, 3) for crop in crops)
            assert bad_files.count == len(BAD)
    listed = dict(line.split("\t") for line in
                  (tmp_path / "run" / "bad_files.txt").read_text().splitlines())
    assert {name.rsplit("/", 1)[1] for name in listed} == set(BAD)
    for name, reason in BAD.items():
        assert reason in listed[str(collection / "nested" / name)]
    assert len(lines) == len(BAD)


def test_pictures_with_a_wrong_ending_are_read(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / "png_in_truth.jpg")
    assert pictures(tmp_path, BadFiles(tmp_path / "bad.txt")).crop(0).shape == (32, 32, 3)
    assert not (tmp_path / "bad.txt").exists()


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_names_that_are_not_text_are_listed(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"no")
    except OSError:
        pytest.skip("this file system takes no such names")
    Image.fromarray(picture()).save(tmp_path / "good.png")
    for _ in range(2):
        stream = pictures(tmp_path, BadFiles(tmp_path / "bad.txt"))
        with logged() as lines:
            stream.crop(0), stream.crop(1)
        "\n".join(lines).encode()  # can be printed
    assert (tmp_path / "bad.txt").read_text().count("caf\\udce9.jpg\tis not a readable") == 1


def test_all_bad_is_an_error_that_names_the_list(collection, tmp_path):
    for index in range(GOOD):
        (collection / "nested" / f"good{index}.jpg").unlink()
    stream = pictures(collection, BadFiles(tmp_path / "bad.txt"))
    with pytest.raises(ImageError, match=r"none of the 5 pictures in .*bad.txt says why"):
        stream.crop(0)
    assert str(stream.failure).startswith("none of the 5")


def test_a_list_that_cannot_be_written_does_not_end_the_run(collection, tmp_path):
    (tmp_path / "file").touch()
    stream = pictures(collection, BadFiles(tmp_path / "file" / "bad.txt"))
    with logged() as lines:
        for index in range(len(stream.files)):
            stream.crop(index)
    assert any("cannot be written" in line for line in lines)


def damage(content, generator):
    """Flip bytes, cut the file, or both."""
    content = bytearray(content)
    kind = generator.integers(3)
    if kind != 1:
        for place in generator.integers(len(content), size=generator.integers(1, 40)):
            content[place] ^= int(generator.integers(1, 256))
    return bytes(content[:generator.integers(len(content))] if kind else content)


@pytest.mark.parametrize("count", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_corrupt_zoo(tmp_path, count):
    """Whatever the bytes, a file gives a crop or is listed; nothing hangs or ends the stream."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "zoo"
    folder.mkdir()
    suffixes = ("jpg", "png", "webp", "gif", "bmp", "tif")
    for index in range(count):
        file = folder / f"{index:03d}.{suffixes[index % len(suffixes)]}"
        Image.fromarray(picture(48, 56, index)).save(file)
        file.write_bytes(damage(file.read_bytes(), generator))
    Image.fromarray(picture()).save(folder / "good.png")
    bad_files = BadFiles(tmp_path / "bad.txt")
    stream = pictures(folder, bad_files)
    for index in range(len(stream.files)):
        crop = stream.crop(index)
        assert crop.shape == (32, 32, 3) and crop.dtype == np.uint8
    listed = [line.split("\t")[0] for line in (tmp_path / "bad.txt").read_text().splitlines()]
    assert len(set(listed)) == len(listed) == bad_files.count
    for file in folder.iterdir():
        try:
            read(file, 40)
            assert str(file) not in listed
        except ImageError:
            assert str(file) in listed
    assert count / 4 < len(listed) < count
