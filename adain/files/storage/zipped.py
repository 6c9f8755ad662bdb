"""The members of a zip file, also of one that is cut, whose directory is lost."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from adain.files.storage.entry import DEFLATED, STORED, Entry, LeftOut
from adain.files.storage.reading import LARGEST, LOCAL_HEADER

_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800
_DAMAGE = (OSError, ValueError, EOFError, OverflowError, NotImplementedError, struct.error,
           zipfile.BadZipFile)


def members(source: str, file: BinaryIO, size: int, left: LeftOut,
            problem: Callable[[str], None]) -> Iterator[Entry]:
    """Yield the files of a zip file that are used.

    Of one that is cut, those before the cut, after `problem` was called with a line about it.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            archive.NameToInfo.clear()
    except _DAMAGE as error:
        problem(f"{source} is cut or damaged: {' '.join(str(error).split())}; what of it is whole "
                "is used.")
        yield from _scan(source, file, size, left)
        return
    members.reverse()
    while members:  # the list shrinks as it is used
        info = members.pop()
        if info.is_dir():
            continue
        special = bool(info.flag_bits & _ENCRYPTED)
        name = left.member(info.filename, special)
        if name is not None:
            yield Entry(source, name, info.header_offset, info.compress_size, info.compress_type,
                        info.file_size, info.CRC)


def _scan(source: str, file: BinaryIO, size: int, left: LeftOut) -> Iterator[Entry]:
    """Yield the files of a zip file from its start on, by the header before each."""
    place = 0
    while True:
        file.seek(place)
        header = file.read(LOCAL_HEADER.size)
        if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\3\4":
            return
        _, _, flags, method, _, _, crc, packed, unpacked, names, extras = LOCAL_HEADER.unpack(
            header)
        raw, extra = file.read(names), file.read(extras)
        start = place + LOCAL_HEADER.size + names + extras
        unpacked, packed = _zip64(extra, unpacked, packed)
        behind = 16 if flags & _SIZES_FOLLOW else 0
        if behind and not packed:
            inflated = _inflated(file, size - start) if method == DEFLATED else None
            if inflated is None:  # nor can the end of a stored file be known
                return
            packed, unpacked, crc = inflated
        if start + packed > size:
            return
        name = left.member(raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace"),
                           bool(flags & _ENCRYPTED) or method not in (STORED, DEFLATED))
        if name is not None and not raw.endswith(b"/"):
            yield Entry(source, name, place, packed, method, unpacked, crc)
        place = start + packed + behind
        if behind:  # the four bytes before sizes that follow are optional
            file.seek(place - behind)
            place -= 0 if file.read(4) == b"PK\7\x08" else 4


def _inflated(file: BinaryIO, most: int) -> tuple[int, int, int] | None:
    """Return packed size, unpacked size and CRC of the data that begin here; None if cut."""
    inflate, packed, unpacked, crc = zlib.decompressobj(-15), 0, 0, 0
    while not inflate.eof and packed < most and unpacked <= LARGEST:
        part = file.read(1 << 16)
        if not part:
            return None
        try:
            data = inflate.decompress(part)
        except zlib.error:
            return None
        packed, unpacked, crc = packed + len(part), unpacked + len(data), zlib.crc32(data, crc)
    return (packed - len(inflate.unused_data), unpacked, crc) if inflate.eof else None


def _zip64(extra: bytes, unpacked: int, packed: int) -> tuple[int, int]:
    """Return the sizes of a member; those of 4 GB and more stand in an extra field."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1 and length >= 16 and packed == unpacked == 0xFFFFFFFF:
            unpacked, packed = struct.unpack_from("<QQ", extra, 4)
        extra = extra[4 + length:]
    return unpacked, packed
