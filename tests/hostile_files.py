"""Styles and checkpoints that somebody made to do harm, or that a disk has spoilt.

Each function yields (what it is, how to write it) pairs; the second writes below the path given.
None may do anything but be read, or be refused in one line.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from conftest import random_decoder, random_encoder, script

from adain.networks import checkpoint, weights
from adain.networks.architecture import PRESETS

Files = Iterator[tuple[str, Callable[[Path], object]]]
DEEP = 100_000


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def member(content: bytes, name: str, **arrays) -> bytes:
    """An .npz file with one member of any bytes, and plain arrays."""
    file = io.BytesIO(npz(**arrays))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    return (b"\x93NUMPY" + version + struct.pack("<H", min(len(text), 65535)) + text.encode()
            + data)


def patched(content: bytes, offset: int, value: bytes) -> bytes:
    """A zip file with a field changed in every header of its members: local and central."""
    content = bytearray(content)
    for magic, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        at = content.find(magic)
        while at >= 0:
            place = at + offset + shift
            content[place:place + len(value)] = value
            at = content.find(magic, at + 4)
    return bytes(content)


def damaged(content: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """The same bytes, cut short or changed here and there."""
    chance = random.Random(0)
    for index in range(count):
        if index % 3 == 0:
            yield f"cut {index}", content[:chance.randrange(len(content))]
        else:
            changed = bytearray(content)
            for _ in range(chance.choice((1, 4, 30))):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            yield f"changed {index}", bytes(changed)


def spoilt(good: dict[str, np.ndarray], name: str) -> Iterator[tuple[str, bytes]]:
    """An .npz file of arrays, one of which is not as it should be."""
    array = good[name]
    rest = {key: value for key, value in good.items() if key != name}
    for what, value in (
            ("NaN", np.where(np.arange(array.size).reshape(array.shape) == 1, np.nan, array)),
            ("infinity", np.full_like(array, np.inf)), ("1e300", np.full(array.shape, 1e300)),
            ("empty", np.empty(0, np.float32)), ("empty rows", np.empty((0, 5), np.float32)),
            ("scalar", np.float32(1)), ("one more", np.zeros((*array.shape, 2), np.float32)),
            ("one number", np.zeros(1, np.float32)), ("text", np.array("text")),
            ("texts", np.full(array.shape, "1.0")), ("bytes", np.full(array.shape, b"1.0")),
            ("complex", array.astype(np.complex64)), ("dates", np.zeros(array.shape, "M8[s]")),
            ("record", np.zeros(array.shape, [("a", "f4"), ("b", "f4")])),
            ("object", np.full(array.shape, None)), ("many dimensions", np.zeros((1,) * 32, "f4")),
            ("float128", array.astype(np.longdouble))):
        yield f"{name} is {what}", npz(**{name: value}, **rest)
    yield f"{name} is missing", npz(**rest)
    for what, content in (
            ("without content", b""), ("no array", b"text"), ("cut magic", b"\x93NUM"),
            ("cut header", header("{'descr'")),
            ("deep header", header("(" * 60_000)),
            ("minus header", header("{'descr': '<f4', 'fortran_order': " + "-" * 9000 + "1}")),
            ("unhashable header", header("{[]: 1}")), ("set header", header("{{}}")),
            ("code in a header", header("{'descr': __import__('os').system('touch hacked')}")),
            ("null header", header("{'descr': '\0'}")),
            ("no shape", header("{'descr': '<f4', 'fortran_order': False, }")),
            ("version 9", header("{}", version=b"\x09\x09")),
            ("version 2", header("\0\0{'descr': '<f4'}", version=b"\x02\x00")),
            *((f"shape {shape}", header(
                f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}", b"\0" * 64))
              for kind, shape in (
                  ("<f4", "(-1,)"), ("<f4", "(4611686018427387904, 4)"), ("<f4", "(10**9,)"),
                  ("<f4", f"({'9' * 5000},)"), ("<f4", "(1.5,)"), ("<f4", "16"),
                  ("<f4", "(16, 0)"), ("|O", "(16,)"), ("<U999999999", "(1,)"), ("<f3", "(16,)"),
                  ("|V4", "(16,)"), ("<f4", "(999999999999999, 0)"), ("<f4", "(1, " * 40 + ")")))):
        yield f"{name}: {what}", member(content, f"{name}.npy", **rest)


def archives(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Zip files that are odd as such."""
    yield "nothing", b""
    yield "text", b"not a zip file " * 99
    yield "an empty zip file", b"PK\x05\x06" + bytes(18)
    yield "an array", good[good.find(b"\x93NUMPY"):][:2000]
    yield "encrypted", patched(good, 6, b"\x01\x00")
    yield "strongly encrypted", patched(good, 6, b"\x41\x00")
    yield "patch data", patched(good, 6, b"\x20\x00")
    yield "names that are no text", patched(patched(good, 6, b"\x00\x08"), 30, b"\xff\xfe")
    for method in (1, 9, 12, 14, 93, 95, 99):
        yield f"method {method}", patched(good, 8, struct.pack("<H", method))
    yield "not deflated", patched(good, 8, struct.pack("<H", 8))
    yield "a wrong sum", patched(good, 14, b"\1\2\3\4")
    yield "3 GB", patched(good, 22, struct.pack("<I", 3_000_000_000))
    yield "a version of the future", patched(good, 4, b"\xff\x00")
    yield "offsets past the end", good[:-22] + patched_end(good[-22:], 16, b"\xff\xff\xff\x7f")
    yield "a list past the end", good[:-22] + patched_end(good[-22:], 12, b"\xff\xff\xff\x7f")
    yield "a comment that is cut", good[:-2] + b"\xff\xff"


def patched_end(end: bytes, offset: int, value: bytes) -> bytes:
    return end[:offset] + value + end[offset + len(value):]


def bomb(path: Path, name: str, megabytes: int) -> None:
    """An .npz file of zeros, a thousandth of their size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(
            f"{name}.npy", "w", force_zip64=True) as file:
        count = megabytes * 250_000
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count},), }}"
        file.write(header(text + " " * (117 - len(text)) + "\n"))
        for _ in range(megabytes):
            file.write(bytes(1_000_000))


def special(path: Path, what: str) -> None:
    """Something under a file's name that is no file, or that has no end."""
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"device": "/dev/zero", "nowhere": "/none", "itself": path}[what])


SPECIAL = ("folder", "pipe", "device", "nowhere", "itself")


def styles(encoder: str, channels: int, count: int = 30) -> Files:
    """Encoded styles; count: how many are good ones with some bytes damaged."""
    vector = np.linspace(0.5, 2, channels, dtype=np.float32)
    good = {"mean": vector, "std": vector, "encoder": np.array(encoder)}
    found = [*archives(npz(**good)), *spoilt(good, "mean"), *damaged(npz(**good), count),
             ("std is negative", npz(**good | {"std": -vector})),
             *((f"encoder is {value!r}", npz(**good | {"encoder": value})) for value in (
                 np.array("x" * 10**6), np.array(b"x"), np.float32(1), np.array(["a", "b"]),
                 np.array("\x1b[31m\udcff"), np.array(None)))]
    for what, content in found:
        yield what, lambda path, content=content: path.write_bytes(content)
    for what in SPECIAL:
        yield what, lambda path, what=what: special(path, what)


CONFIGS = [
    "", "{", "[]", "null", "1", '"text"', "{}", '{"format": 1}', '{"format": 2}', "NaN",
    '{"format": 1, "step": 3}', '{"format": 1, "step": 3, "options": {}}',
    '{"format": 1, "step": 3, "options": []}', '{"format": 1, "step": 3, "options": {"model": 1}}',
    "[" * DEEP, '{"a":' * DEEP, "9" * 9999, b"\xff\xfe\xfa", b"\xef\xbb\xbf{}", b"\0" * 99,
    "{" + " " * 2_000_000 + "}"]
ENTRIES = [
    {"step": -1}, {"step": "3"}, {"step": True}, {"step": 3.5}, {"step": None}, {"step": 10**400},
    {"seconds": "x"}, {"seconds": float("nan")}, {"seconds": float("inf")}, {"validation": 3},
    {"validation": {}}, {"validation": {"loss": "x"}}, {"validation": {"loss": float("nan")}},
    {"versions": []}, {"command": {}}, {"device": 7}, {"method": "other"}, {"method": ["adain"]},
    {"data": 3}, {"data": {"content_path": []}},
    *({"options": {"model": model}} for model in ("other", "vgg19", "../compact", "\x1b[2J", "")),
    *({"options": {"model": "vgg19", "vgg_path": path}} for path in (
        "/etc/passwd", "/dev/zero", "none.t7", "evil.t7", "\0", "//host/share/x.h5", 3, {}))]


def checkpoints(count: int = 9) -> Files:
    """Folders of a compact run; count: how many have a model.npz with some bytes damaged."""
    size = PRESETS["compact"][:2]

    def write(path: Path, **entries) -> Path:
        return checkpoint.save(path, {
            "step": 3, "options": {"model": "compact", "vgg_path": None}} | entries,
            random_encoder(*size), random_decoder(*size), [np.zeros(3)], keep=9)

    def with_file(path: Path, name: str, content: bytes | str) -> None:
        file = write(path) / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    for text in CONFIGS:
        yield (f"config.json is {text[:40]!r}",
               lambda path, text=text: with_file(path, "config.json", text))
    for entries in ENTRIES:
        def change(path, entries=entries):
            file = write(path) / "config.json"
            file.write_text(json.dumps(json.loads(file.read_text()) | entries))
        yield f"config.json has {str(entries)[:60]}", change
    arrays = (weights.to_arrays(random_encoder(*size), "encoder")
              | weights.to_arrays(random_decoder(*size), "decoder"))
    coded = script("pack_checkpoint").to_coded_arrays(random_decoder(*size), "decoder") | {
        name: array for name, array in arrays.items() if name.startswith("encoder")}
    codes, table = "decoder/conv4_1/codes", "decoder/conv4_1/table"
    for what, changed in (
            ("NaN", arrays | {"decoder/conv4_1/bias": np.full(96, np.nan)}),
            ("another shape", arrays | {"decoder/conv4_1/bias": np.zeros(3)}),
            ("no arrays", {}), ("another name", {"decoder/x": np.zeros(3)}),
            ("a name of slashes", {"decoder///": np.zeros(3)}),
            ("codes past the table", coded | {table: np.zeros(9, "f4")}),
            ("wide codes", coded | {codes: np.full((3, 3, 256, 96), 10**9)}),
            ("codes that are floats", coded | {codes: np.zeros((3, 3, 256, 96))}),
            ("a table of rows", coded | {table: np.zeros((256, 99), "f4")})):
        yield f"model.npz has {what}", lambda path, changed=changed: with_file(
            path, "model.npz", npz(**changed))
    for what, content in damaged(npz(**arrays), count):
        yield f"model.npz is {what}", lambda path, content=content: with_file(
            path, "model.npz", content)
    for what, content in (("nothing", b""), ("no arrays", npz()), ("unnumbered", npz(x=np.ones(2))),
                          ("gaps", npz(**{"0001": np.ones(2)})),
                          ("NaN", npz(**{"0000": np.full(3, np.nan)}))):
        yield f"optimizer.npz is {what}", lambda path, content=content: with_file(
            path, "optimizer.npz", content)
    for name in ("model.npz", "config.json"):
        for what in SPECIAL:
            def replace(path, name=name, what=what):
                file = write(path) / name
                file.unlink()
                special(file, what)
            yield f"{name} is a {what}", replace
    yield "no model.npz", lambda path: (write(path) / "model.npz").unlink()
    yield "a loop of folders", lambda path: (
        path.mkdir(), (path / "step_0000001").symlink_to(path))


def clear(path: Path) -> None:
    """Remove what one of these functions wrote."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
