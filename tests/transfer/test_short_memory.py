"""Stylising under limits of memory: the right picture or one line, no hang, no signal.

    pytest -m slow tests/transfer/test_short_memory.py                            some runs
    SHORT_MEMORY_RUNS=200 pytest -m slow -s tests/transfer/test_short_memory.py   as many as wanted
"""

import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, picture
from PIL import Image

from adain import Stylizer, memory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS")
RUNS = int(os.environ.get("SHORT_MEMORY_RUNS", "12"))
SECONDS = 120  # without a second of computing, or of waiting for a core, are a hang
# Levels of 255 from the run without a limit, whose tiles may be larger: worst value and mean.
# Tiles of float32 are exact up to rounding; int8 rounds a value in a million to another feature.
TOLERANCE = {"float32": (1, 0.01), "bfloat16": (24, 0.1), "int8": (32, 0.2)}
# Of a hundred runs so many have this model, content in megapixels, and one of these precisions.
# vgg19 takes minutes for 12 megapixels, least of them in int8.
KINDS = [(62, "compact", 3, ("float32", "bfloat16", "int8")),
         (15, "compact", 12, ("float32", "bfloat16", "int8")),
         (6, "vgg19", 1, ("float32", "bfloat16", "int8")),
         (13, "vgg19", 3, ("bfloat16", "int8")),
         (4, "vgg19", 12, ("int8",))]
_LIMITED = """
import resource, sys
kind, limit = sys.argv[1:3]
resource.setrlimit(getattr(resource, kind), 2 * (int(limit),))
sys.argv[1:] = sys.argv[3:]
from adain.commands.stylize import entry_point
entry_point()
"""


def stylize(folder, name, *options, limit=None, kind="RLIMIT_AS"):
    """Run the command under a limit in megabytes; return its exit, its messages, the result."""
    out_path = folder / f"{name}.png"
    out_path.unlink(missing_ok=True)
    unlimited = 2 ** 40
    command = [sys.executable, "-X", "faulthandler", "-c", _LIMITED, kind,
               str(limit * 1_000_000 if limit else unlimited),
               "--style-path", str(ROOT / "styles" / "mosaic.jpg"), "--out-path", str(out_path),
               *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True, cwd=ROOT, env=os.environ | {"ADAIN_CACHE": ""})
    busy: dict[str, float] = {}
    while True:
        try:
            messages = process.communicate(timeout=SECONDS)[1]
            break
        except subprocess.TimeoutExpired:
            before, busy = busy, busy_seconds(process.pid)
            if sum(seconds - before.get(thread, 0) for thread, seconds in busy.items()) < 1:
                process.kill()
                return "hang", process.communicate()[1], None
    made = np.asarray(Image.open(out_path)) if out_path.exists() else None
    return process.returncode, messages, made


def busy_seconds(pid):
    """Return for each thread how long it computed or waited for a core, which others may have."""
    busy = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # it ended
            computed, waited, _ = (thread / "schedstat").read_text().split()
            busy[thread.name] = (int(computed) + int(waited)) / 1e9
    return busy


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """{megapixels: a file}"""
    folder = tmp_path_factory.mktemp("contents")
    files = {}
    for megapixels, size in ((1, (1200, 900)), (3, (2000, 1500)), (12, (4000, 3000))):
        files[megapixels] = folder / f"{megapixels}.jpg"
        Image.fromarray(picture(375, 500)).resize(size).save(files[megapixels])
    return files


@pytest.mark.parametrize("kind, limit", [("RLIMIT_AS", 600), ("RLIMIT_DATA", 450)])
def test_the_right_picture_is_made_under_a_limit(contents, tmp_path, stylizer, kind, limit):
    code, messages, made = stylize(tmp_path, "made", "--model", "compact", "--content-path",
                                   str(contents[1]), "--precision", "float32", limit=limit,
                                   kind=kind)
    assert (code, messages) == (0, "")
    expected = stylizer.stylize(contents[1], ROOT / "styles" / "mosaic.jpg")
    assert abs(made - expected.astype(int)).max() <= 1


def test_a_limit_that_is_too_small_is_one_line(contents, tmp_path):
    code, messages, made = stylize(tmp_path, "made", "--model", "compact", "--content-path",
                                   str(contents[1]), limit=350)
    assert code == 1 and made is None
    assert messages.count("\n") == 1 and "needs at least" in messages, messages


def test_tiles_are_smaller_where_less_memory_is_left(monkeypatch):
    image = np.zeros((3000, 4000, 3), np.uint8)
    usual = Stylizer("compact").tile_size_for(image)
    sizes = []
    for megabytes in (100_000, 450, 400, 350):
        monkeypatch.setattr(memory, "available", lambda: megabytes * 1_000_000)  # noqa: B023
        sizes.append(Stylizer("compact").tile_size_for(image))
    assert usual == sizes[0] > sizes[1] > sizes[2] > sizes[3] > 0
    assert Stylizer("compact", tile_size=1024).tile_size_for(image) == 1024


@pytest.mark.slow
def test_no_limit_hangs_crashes_or_changes_a_picture(contents, tmp_path):
    draw, expected, ends = random.Random(os.environ.get("SHORT_MEMORY_SEED", 0)), {}, []
    for number in range(RUNS):
        _, model, megapixels, precisions = draw.choices(KINDS, [kind[0] for kind in KINDS])[0]
        precision = draw.choice(precisions)
        limit = draw.randrange(600, 1600)
        options = ["--model", model, "--content-path", str(contents[megapixels]), "--precision",
                   precision]
        started = time.perf_counter()
        code, messages, made = stylize(tmp_path, "made", *options, limit=limit)
        worst, right = None, False
        if code == 0:
            if (model, megapixels, precision) not in expected:
                expected[model, megapixels, precision] = stylize(tmp_path, "whole", *options)[2]
            apart = abs(made - expected[model, megapixels, precision].astype(int))
            worst = int(apart.max())
            right = worst <= TOLERANCE[precision][0] and apart.mean() <= TOLERANCE[precision][1]
        told = [line for line in messages.splitlines() if not line.startswith("skipped 1: ")]
        good = right or (code == 1 and made is None and len(told) == 1)
        ends.append(good)
        print(f"{number}: {model} {megapixels} Mpx {precision} {limit} MB: code {code}, worst "
              f"{worst}, {time.perf_counter() - started:.0f} s {messages.strip()[-300:]}"
              f"{'' if good else '  <- BAD'}", flush=True)
    assert all(ends)
