"""A clip is a video file and nothing else: no list, no picture, no door to other files."""

import os
import socket
import struct

import numpy as np
import pytest
from conftest import picture
from PIL import Image

av = pytest.importorskip("av", reason='needs pip install -e ".[video]"')
import videos

from adain.errors import ImageError
from adain.video.clips import MAX_FRAME_PIXELS, Frame
from adain.video.file import CONTAINERS, open_clip
from adain.video.reader import Source


def refusal(path, **options):
    with pytest.raises(ImageError) as error:
        Source(path, **options)
    said = str(error.value)
    assert "\n" not in said and str(path) in said
    return said


@pytest.mark.parametrize("content, what", [
    (b"ffconcat version 1.0\nfile secret.mp4\n", "it is a list of other files (ffconcat)"),
    (b"# a list\nfile secret.mp4\n", "it is text"),
    (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n",
     "it is a list of other files (M3U)"),
    (b"[playlist]\nFile1=secret.mp4\n", "it is a list of other files (PLS)"),
    (b'<?xml version="1.0"?><MPD><BaseURL>secret.mp4</BaseURL></MPD>', "it is text"),
    (b"<html>404 not found</html>", "it is text"),
    (b"PK\3\4" + bytes(99), "it is a ZIP archive"), (b"ID3\4" + bytes(99), "it is sound (MP3)"),
    (b"YUV4MPEG2 W2 H2 F25:1\nFRAME\n" + bytes(6), "it is none of MP4, MOV, "),
    (b"", "Invalid data"), (bytes(5000), "Invalid data")])
def test_what_is_no_video_is_refused_by_what_it_is(tmp_path, content, what):
    for name in ("secret.mp4", "secret.ts"):
        videos.write(tmp_path / name, [picture(32, 48)] * 2)
    (tmp_path / "clip.mp4").write_bytes(content)
    assert f"is not a readable video: {what}" in refusal(tmp_path / "clip.mp4")


@pytest.mark.parametrize("format", ["GIF", "JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "PPM"])
def test_pictures_are_no_videos(tmp_path, format):
    try:
        Image.fromarray(picture()).save(tmp_path / "clip.mp4", format)
    except (KeyError, OSError):
        pytest.skip(f"Pillow without {format}")
    said = refusal(tmp_path / "clip.mp4")
    assert "picture" in said or "it is none of MP4, MOV" in said


def test_no_list_reaches_the_network(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.mp4"
        for start in ("ffconcat version 1.0\nfile ", "#EXTM3U\n#EXTINF:9,\n", "\n#EXTM3U\n"):
            (tmp_path / "clip.mp4").write_text(f"{start}{address}\n")
            refusal(tmp_path / "clip.mp4")
        with pytest.raises(ImageError):
            open_clip(address, MAX_FRAME_PIXELS)
        with pytest.raises(BlockingIOError):
            server.accept()


def with_reference(movie, name):
    """Return a MOV file whose frames are said to be in another file beside it."""
    alias = bytes(10) + bytes([4]) + b"disk".ljust(27, b"\0") + bytes(12)
    alias += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + struct.pack(">hh", 1, 1)
    alias += bytes(16) + struct.pack(">HH", 2, len(name)) + name + b"\0" * (len(name) % 2)
    alias += struct.pack(">HH", 0xffff, 0)
    start = movie.index(b"dref") + 12  # behind its size, version and number of entries
    old = struct.unpack(">I", movie[start:start + 4])[0]
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    result = bytearray(movie[:start] + entry + movie[start + old:])
    for atom in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        place = movie.index(atom) - 4
        size = struct.unpack(">I", movie[place:place + 4])[0] + len(entry) - old
        result[place:place + 4] = struct.pack(">I", size)
    return bytes(result)


def test_a_movie_s_reference_to_another_file_is_not_followed(tmp_path):
    videos.write(tmp_path / "secret.mov", [picture(32, 48, seed) for seed in range(3)])
    movie = (tmp_path / "secret.mov").read_bytes()
    place, size = movie.index(b"mdat"), struct.unpack(">I", movie[movie.index(b"mdat") - 4:][:4])[0]
    emptied = movie[:place + 4] + bytes(size - 8) + movie[place - 4 + size:]
    (tmp_path / "clip.mov").write_bytes(with_reference(emptied, b"secret.mov"))
    with av.open(str(tmp_path / "clip.mov"), options={"enable_drefs": "1"}) as followed:
        assert sum(1 for _ in followed.decode(video=0)) == 3  # so it is a reference indeed
    assert "no readable frame" in refusal(tmp_path / "clip.mov")


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "clip.mp4")
    assert "is no file" in refusal(tmp_path / "clip.mp4")
    assert "File name too long" in refusal(tmp_path / ("y" * 300 + ".mp4"))


def test_every_ending_of_videos_has_its_container(tmp_path):
    for suffix in (".mp4", ".mov", ".mkv", ".avi", ".mpg", ".ts", ".wmv", ".flv", ".3gp"):
        codec = "mpeg4" if suffix in (".wmv", ".3gp", ".avi") else "mpeg2video"
        codec = "flv1" if suffix == ".flv" else codec
        videos.write(tmp_path / f"a{suffix}", [picture(48, 64)] * 5,
                     codec="flv" if suffix == ".flv" else codec)
        with Source(tmp_path / f"a{suffix}") as clip:
            assert sum(isinstance(item, Frame) for item in clip) == 5
            assert set(clip.container.format.name.split(",")) & set(CONTAINERS)


def test_frames_above_the_limit_are_refused_before_they_are_decoded(tmp_path):
    videos.write(tmp_path / "a.mp4", [picture(64, 96)] * 2)
    assert refusal(tmp_path / "a.mp4", max_pixels=6143).endswith(
        "is refused: its frames have 96 x 64 = 6144 pixels, the limit is 6143; raise it with "
        "`max_pixels=6144`.")
    with Source(tmp_path / "a.mp4", max_pixels=6144) as clip:
        assert clip.look.columns == 96


def test_frames_larger_than_the_container_says_are_refused_too(tmp_path):
    videos.write(tmp_path / "a.mkv", [np.zeros((2304, 2304, 3), np.uint8)], codec="mjpeg",
                 pix_fmt="yuvj420p")
    content = (tmp_path / "a.mkv").read_bytes()
    for element in (b"\xb0\x82\x09\x00", b"\xba\x82\x09\x00"):  # Matroska's PixelWidth, -Height
        assert content.count(element) == 1
        content = content.replace(element, element[:2] + b"\x00\x10")
    (tmp_path / "b.mkv").write_bytes(content)
    with Source(tmp_path / "b.mkv") as clip:
        assert clip.look.columns == 2304
    assert "no readable frame" in refusal(tmp_path / "b.mkv", max_pixels=1_000_000)


def test_titles_that_are_not_utf_8_are_taken_for_latin_1(tmp_path):
    from adain.video.writer import Sink

    videos.write(tmp_path / "a.mkv", [picture(32, 48)] * 2, title="caf~ de nuit")
    content = (tmp_path / "a.mkv").read_bytes().replace(b"caf~", b"caf\xe9")
    (tmp_path / "b.mkv").write_bytes(content)
    with Source(tmp_path / "b.mkv") as clip, Sink(tmp_path / "c.mkv", clip) as sink:
        for item in clip:
            sink.write(item)
        sink.finish()
    with av.open(str(tmp_path / "c.mkv")) as container:
        assert container.metadata["title"] == "caf\xe9 de nuit"


def test_streams_that_are_not_copied_are_named(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        tracks = [container.add_stream("libx264", 25) for _ in range(2)]
        for track in tracks:
            track.width, track.height = 48, 32
        container.add_attachment("font.ttf", "font/ttf", b"a font")
        container.add_attachment("other.ttf", "font/ttf", b"a font")
        for track in tracks:
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 48, 3), np.uint8), format="rgb24")
            container.mux([*track.encode(frame), *track.encode(None)])
    with Source(tmp_path / "a.mkv") as clip:
        assert clip.left_out == ("1 further video", "2 attachments")
