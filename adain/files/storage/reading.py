"""Read the bytes of an entry: one open, one seek, one read."""

from __future__ import annotations

import struct
import zlib

from adain.errors import ImageError
from adain.files.storage.entry import DEFLATED, IN_FOLDER, STORED, Entry
from adain.files.storage.remote import file_system, is_url, url_errors

LARGEST = 2_000_000_000  # bytes of one file
LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # of a member of a zip file


def read(entry: Entry) -> bytes:
    """Return the bytes of a file.

    Raises:
        ImageError: it cannot be read; the message names it.
        OptionError: its URL needs a package that is missing.
    """
    if entry.offset == IN_FOLDER:
        return _bytes(entry.place, entry.place, 0, None)
    if max(entry.size, entry.unpacked) > LARGEST:
        raise ImageError(f"{entry.place} has more than {LARGEST} bytes.")
    if entry.method == -1:
        return _whole(entry, _bytes(entry.source, entry.place, entry.offset, entry.size))
    header = _bytes(entry.source, entry.place, entry.offset, LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\3\4":
        raise ImageError(f"{entry.place} is damaged: its place in the zip file holds no file.")
    *_, name, extra = LOCAL_HEADER.unpack(header)
    start = entry.offset + LOCAL_HEADER.size + name + extra
    return _unpacked(entry, _whole(entry, _bytes(entry.source, entry.place, start, entry.size)))


def _bytes(path: str, name: str, start: int, count: int | None) -> bytes:
    """Return bytes of a local or remote file; count: None for all of it."""
    if is_url(path):
        system, inner = file_system(path)
        with url_errors(name):
            end = None if count is None else start + count
            data: bytes = (system.cat_file(inner) if count is None else
                           system.cat_file(inner, start=start, end=end) if count else b"")
        if count is not None and len(data) > count:  # by https, from servers such as Python's own
            raise ImageError(f"{name} cannot be read: the server gives whole files only, no ranges "
                             f"of bytes. Download {path} first.")
        return data
    try:
        with open(path, "rb", buffering=0) as file:
            if count is None:
                return file.readall()
            file.seek(start)
            return _read(file.read, count)
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist.") from None
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror or error}.") from None


def _read(read: object, count: int) -> bytes:
    """Return `count` bytes, or those that there are; one read() may give fewer."""
    parts: list[bytes] = []
    while count and (part := read(count)):  # type: ignore[operator]
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _whole(entry: Entry, data: bytes) -> bytes:
    if len(data) != entry.size:
        raise ImageError(f"{entry.place} is cut: {len(data)} of {entry.size} bytes are there.")
    return data


def _unpacked(entry: Entry, data: bytes) -> bytes:
    if entry.method == DEFLATED:
        try:  # never more than the directory of the zip file says, and one byte to see it
            data = zlib.decompressobj(-15).decompress(data, entry.unpacked + 1)
        except zlib.error as error:
            raise ImageError(f"{entry.place} is damaged: {error}.") from None
    elif entry.method != STORED:
        raise ImageError(f"{entry.place} is compressed by another method than deflate.")
    if len(data) != entry.unpacked or zlib.crc32(data) != entry.crc:
        raise ImageError(f"{entry.place} is damaged: its checksum is wrong.")
    return data
