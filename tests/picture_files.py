"""Small files that Pillow does not write by itself, and ICC profiles."""

import io
import struct
import zlib

from PIL import Image, ImageCms, TiffImagePlugin


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


def exif_data(main, camera=(), gps=()):
    """EXIF data as no library writes them: lists of (tag, type, count, little-endian bytes)."""
    def directory(entries, start):
        head, body = struct.pack("<H", len(entries)), b""
        for tag, kind, count, value in sorted(entries):
            head += struct.pack("<HHI", tag, kind, count)
            if len(value) > 4:
                place = start + 2 + 12 * len(entries) + 4 + len(body)
                body, value = body + value, struct.pack("<I", place)
            head += value.ljust(4, b"\0")
        return head + b"\0" * 4 + body

    length, main = 0, list(main)
    parts = []
    for tag, entries in ((0x8769, camera), (0x8825, gps)):
        start = 8 + len(directory([*main, *[(0, 4, 1, b"")] * 2], 0)) + length
        parts.append((tag, directory(entries, start), start))
        length += len(parts[-1][1])
    main += [(tag, 4, 1, struct.pack("<I", start)) for tag, _, start in parts]
    return b"Exif\0\0II*\0\x08\0\0\0" + directory(main, 8) + b"".join(part for _, part, _ in parts)


def png_with_chunk(data, kind, content):
    """Put a chunk behind the header of a PNG."""
    chunk = struct.pack(">I", len(content)) + kind + content
    return data[:33] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + data[33:]


def png(columns, rows, depth, kind, scanlines, interlace=0):
    """A PNG of these bytes, whatever its header promises."""
    data = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", columns, rows, depth, kind, 0, 0, interlace)
    for name, content in ((b"IHDR", header), (b"PLTE", bytes(range(48))),
                          (b"IDAT", zlib.compress(scanlines)), (b"IEND", b"")):
        if name != b"PLTE" or kind == 3:
            data += struct.pack(">I", len(content)) + name + content
            data += struct.pack(">I", zlib.crc32(name + content))
    return data


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
