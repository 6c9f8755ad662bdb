"""Clips as nobody should make them: cut, flipped, mislabelled, absurd; a few hundred, all small.

`clips(folder)` makes some good ones in that folder, and gives (name, content) of the hostile ones;
`enormous(folder)` gives those that take seconds to be made.
"""

import io
import re
import struct
from fractions import Fraction

import av
import numpy as np
import videos
from conftest import picture
from PIL import Image

# Suffix -> the codecs of pictures and sound, and the pixel format.
BASES = {"mp4": ("libx264", "aac", "yuv420p"), "mkv": ("ffv1", "ac3", "bgr0"),
         "webm": ("libvpx-vp9", "libopus", "yuva420p"), "avi": ("mpeg4", "mp2", "yuv420p"),
         "mpg": ("mpeg2video", "mp2", "yuv420p"), "ts": ("libx264", "aac", "yuv420p"),
         "flv": ("flv", None, "yuv420p"), "wmv": ("mpeg4", None, "yuv420p"),
         "mov": ("png", "pcm_s16le", "rgb24")}


def clips(folder):
    bases = {}
    for suffix, (codec, sound, pixels) in BASES.items():
        path = folder / f"good.{suffix}"
        videos.write(path, [picture(48, 64, seed) for seed in range(6)], codec=codec, sound=sound,
                     pix_fmt=pixels, title="a title of some length")
        bases[suffix] = path.read_bytes()
    for make in (cut, flipped, overwritten, mislabelled, lists, odd_sizes, huge, without_video,
                 times, sizes, titles, joined, tags):
        for index, (name, content) in enumerate(make(bases, folder)):
            yield f"{make.__name__}_{index}_{name}", content


def cut(bases, folder):
    for suffix, content in bases.items():
        for share in (0.001, 0.05, 0.3, 0.6, 0.9, 0.999):
            yield f"a.{suffix}", content[:int(share * len(content))]


def flipped(bases, folder):
    generator = np.random.default_rng(0)
    for suffix, content in bases.items():
        for count in (1, 3, 10, 30, 100, 1000):
            content = bytearray(content)
            # Headers are where it hurts: half of the places are near the start or the end.
            near = [min(len(content), 600), len(content)]
            for place in generator.integers(near[generator.integers(2)], size=count):
                place = place if generator.integers(2) else len(content) - 1 - place
                content[place] ^= int(generator.integers(1, 256))
            yield f"a.{suffix}", bytes(content)


def overwritten(bases, folder):
    """Parts that are zero, or stand twice, or in reverse."""
    for suffix, content in bases.items():
        third = len(content) // 3
        yield f"zero.{suffix}", content[:third] + bytes(third) + content[2 * third:]
        yield f"twice.{suffix}", content[:2 * third] + content[third:]
        yield f"reversed.{suffix}", content[:third] + content[third:][::-1]


def mislabelled(bases, folder):
    suffixes = list(bases)
    for suffix, other in zip(suffixes, suffixes[1:] + suffixes[:1]):
        yield f"{other}.{suffix}", bases[other]
    for format in ("GIF", "JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM"):
        file = io.BytesIO()
        Image.fromarray(picture()).save(file, format)
        yield f"{format}.mp4", file.getvalue()
    for content in (b"", b"\0", b"no video", bytes(9999), b"\xff" * 9999, b"PK\3\4" + bytes(99),
                    b"ID3\4" + bytes(999), b"<html>404</html>", b"RIFF\xff\xff\xff\xffAVI LIST"):
        yield "other.mp4", content


def lists(bases, folder):
    """Lists of other files, of addresses, and of themselves."""
    for index, text in enumerate((
            "ffconcat version 1.0\nfile good.mp4\n", "ffconcat version 1.0\nfile {name}\n",
            "file good.mp4\n" * 500, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ngood.ts\n",
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{name}\n", "[playlist]\nFile1=good.mp4\n",
            "#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n", "v=0\nc=IN IP4 127.0.0.1\n",
            '<?xml version="1.0"?><MPD><BaseURL>good.mp4</BaseURL></MPD>')):
        yield "list.mp4", text.format(name=f"lists_{index}_list.mp4").encode()


def odd_sizes(bases, folder):
    for columns, rows in ((1, 1), (2, 1), (1, 2), (3, 3), (1, 3000), (3000, 1), (17, 15),
                          (4096, 8)):
        videos.write(folder / "odd.mov", [picture(rows, columns)] * 2, codec="png", pix_fmt="rgb24")
        yield f"{columns}x{rows}.mov", (folder / "odd.mov").read_bytes()


def huge(bases, folder):
    """Frames of up to 65535 x 65535 pixels, in a header."""
    place = bases["mp4"].index(b"avc1") + 28
    yield "header.mp4", bases["mp4"][:place] + b"\xff" * 4 + bases["mp4"][place + 4:]
    for size in (b"\xff\xff\xff\xff", b"\0\0\x80\0"):
        yield "png.mov", re.sub(rb"IHDR.{8}", b"IHDR" + size * 2, bases["mov"], flags=re.S)
    yield "header.mkv", re.sub(rb"\xb0\x81.\xba\x81.", b"\xb0\x82\xff\xff\xba\x82\xff\xff",
                               bases["mkv"], flags=re.S)
    place = bases["avi"].index(b"avih") + 40
    yield "header.avi", bases["avi"][:place] + b"\xff" * 8 + bases["avi"][place + 8:]


def enormous(folder):
    """Frames that are as large as their header says."""
    videos.write(folder / "big.mov", [np.zeros((15000, 16000, 3), np.uint8)], codec="png",
                 pix_fmt="rgb24")
    yield "true.mov", (folder / "big.mov").read_bytes()
    (folder / "big.mov").unlink()
    videos.write(folder / "big.mkv", [np.zeros((9000, 8000, 3), np.uint8)], codec="mjpeg",
                 pix_fmt="yuvj420p")
    yield "true.mkv", (folder / "big.mkv").read_bytes()


def without_video(bases, folder):
    """Sound only, a cover only, headers only, nothing but attachments."""
    for suffix, codec in (("mp4", "aac"), ("mkv", "ac3"), ("avi", "mp2"), ("ts", "mp2")):
        path = folder / f"sound.{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, 48000)
            frame = av.AudioFrame.from_ndarray(
                np.zeros((2, 4800), np.float32 if stream.format.name == "fltp" else np.int16),
                stream.format.name if "p" in stream.format.name else "s16p", "stereo")
            frame.sample_rate = 48000
            container.mux([*stream.encode(frame), *stream.encode(None)])
        yield f"sound.{suffix}", path.read_bytes()
    for suffix in ("mkv", "mp4", "avi", "ts"):
        path = folder / f"empty.{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", 25)
            stream.width, stream.height = 64, 48
            if suffix == "mkv":
                container.add_attachment("../../a\nfont\x1b[2J.ttf", "font/ttf", b"a font")
            container.start_encoding()
        yield f"empty.{suffix}", path.read_bytes()


def times(bases, folder):
    """Times that are negative, far away, equal, falling; clocks of absurd units."""
    for pts in ([-50, -20, 0, 7], [0, 2**31, 2**32, 2**33], [2**40, 2**41, 2**42, 2**43],
                [0, 10**9, 10**9 + 1, 10**9 + 2]):
        videos.write(folder / "times.mkv", [picture(32, 48)] * 4, pts, Fraction(1, 1000),
                     codec="mjpeg", pix_fmt="yuvj420p")
        yield "far.mkv", (folder / "times.mkv").read_bytes()
    movie = bases["mp4"]
    for atom, offset, length in (("mdhd", 16, 4), ("mvhd", 16, 4), ("stts", 12, 8),
                                 ("elst", 12, 12), ("mdhd", 20, 4), ("tkhd", 24, 4)):
        place = movie.index(atom.encode()) + offset
        for value in (b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0"):
            value *= length // 4
            yield f"{atom}.mp4", movie[:place] + value + movie[place + length:]
    for scale in (b"\x00\x00\x01", b"\x7f\xff\xff", b"\x00\x00\x00"):  # Matroska's unit
        yield "unit.mkv", bases["mkv"].replace(b"\x2a\xd7\xb1\x83\x0f\x42\x40",
                                               b"\x2a\xd7\xb1\x83" + scale)


def sizes(bases, folder):
    """Boxes of absurd lengths and numbers, and boxes in boxes in boxes."""
    movie = bases["mp4"]
    for atom in (b"moov", b"trak", b"mdat", b"stsd", b"avcC", b"stsz"):
        place = movie.index(atom) - 4
        for size in (0, 1, 7, 2**31 - 1, 2**32 - 1):
            yield (f"{atom.decode()}.mp4",
                   movie[:place] + struct.pack(">I", size) + movie[place + 4:])
    for atom in (b"stsz", b"stco", b"stsc", b"stts"):
        place = movie.index(atom) + (12 if atom == b"stsz" else 8)
        yield f"count_{atom.decode()}.mp4", movie[:place] + b"\x7f\xff\xff\xff" + movie[place + 4:]
    place = movie.index(b"stsz") + 8
    yield "all_of_one_size.mp4", movie[:place] + b"\0\0\0\1\0\xff\xff\xff" + movie[place + 8:]
    place = movie.index(b"stco") + 12
    yield "no_such_place.mp4", movie[:place] + b"\xff\xff\xff\xff" + movie[place + 4:]
    depth, deep = 20_000, b""
    for index in range(depth):
        deep += struct.pack(">I4s", 8 * (depth - index), b"moov")
    yield "deep.mp4", movie[:movie.index(b"moov") - 4] + deep
    cluster = b"\x1f\x43\xb6\x75"
    yield "unknown.mkv", bases["mkv"].replace(cluster, cluster + b"\x01" + b"\xff" * 7)


def titles(bases, folder):
    for title in (b"\xe9" * 22, b"\n\r\t\x1b[2J\x07" * 3 + b"1234567", b"\0" * 22, b"\xff\xfe" * 11,
                  b"%s%n" * 5 + b"%d"):
        for suffix in ("mp4", "mkv", "avi", "wmv"):
            yield f"a.{suffix}", bases[suffix].replace(b"a title of some length", title)


def joined(bases, folder):
    """Streams that change their size, codec or everything on the way."""
    for rows, columns in ((64, 64), (31, 35), (1, 200)):
        videos.write(folder / "other.ts", [picture(rows, columns)] * 3, codec="mpeg2video")
        yield "a.ts", bases["ts"] + (folder / "other.ts").read_bytes()
        yield "b.ts", (folder / "other.ts").read_bytes() + bases["ts"]
    yield "all.ts", b"".join(bases.values())
    yield "two.mp4", bases["mp4"] * 2


def tags(bases, folder):
    """Codecs that do not exist, matrices that turn nothing upright, pixels without a shape."""
    movie = bases["mp4"]
    for codec in (b"zzzz", b"encv", b"mp4a", b"hvc1", b"av01", b"\0\0\0\0"):
        yield "codec.mp4", movie.replace(b"avc1", codec)
    place = movie.index(b"tkhd") + 44
    for value in (b"\0", b"\xff", b"\x7f"):
        yield "matrix.mp4", movie[:place] + value * 36 + movie[place + 36:]
    videos.write(folder / "tags.mp4", [picture(48, 64)] * 3, sample_aspect_ratio=Fraction(4, 3),
                 colorspace=1, color_range=2, color_primaries=1, color_trc=1)
    movie = (folder / "tags.mp4").read_bytes()
    place = movie.index(b"pasp") + 4
    for value in (b"\0\0\0\0\0\0\0\1", b"\0\0\0\1\0\0\0\0", b"\x7f\xff\xff\xff\0\0\0\1"):
        yield "shape.mp4", movie[:place] + value + movie[place + 8:]
    place = movie.index(b"colr") + 8
    for value in (b"\0\xff", b"\0\0", b"\0\x03", b"\xff\xff"):
        yield "colours.mp4", movie[:place] + value * 3 + movie[place + 6:]
    for width in range(4):  # of the sound's samples
        yield "sound.mov", bases["mov"].replace(b"sowt", (b"none", b"\0\0\0\0", b"twos", b"fl64")[
            width])
