"""Large pictures of every kind stay within --max-memory, or are refused before they are decoded."""

import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, picture
from PIL import Image

from adain import memory
from adain.commands.stylize import main
from adain.files import images

# A GIF of 225 megapixels in 37 bytes, of a canvas that one frame fills. Its data end early.
LARGE = (b"GIF89a" + struct.pack("<HHBBB", 15000, 15000, 0x80, 0, 0) + bytes(6)
         + b"," + struct.pack("<HHHHB", 0, 0, 15000, 15000, 0) + b"\x02\x00;")


@pytest.mark.parametrize("options, available, reason", [
    (["--max-memory", "2000"], 10**12, "at least 2238 MB with the model compact; --max-memory is"),
    ([], 2 * 10**9, "at least 2238 MB with the model compact; limits of this process"),
    (["--max-memory", "3000"], 10**12, "truncated")])
def test_a_large_gif_is_refused_before_it_is_decoded(tmp_path, monkeypatch, capsys, options,
                                                     available, reason):
    (tmp_path / "large.gif").write_bytes(LARGE)
    monkeypatch.setattr(memory, "available", lambda: available)
    assert main(["--model", "compact", "--content-path", str(tmp_path / "large.gif"),
                 "--style-path", str(ROOT / "styles" / "mosaic.jpg"), "--out-path",
                 str(tmp_path / "out"), *options]) == 1
    assert reason in capsys.readouterr().err


def gif(image, path):
    image.quantize(64, dither=0).save(path)


def transparent(image, path):
    opacity = np.full(image.size[::-1], 255, np.uint8)
    opacity[1000:2000] = 0
    image.putalpha(Image.fromarray(opacity))
    image.save(path, compress_level=1)


def turned(image, path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    image.save(path, exif=exif)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("save, name, megabytes, count", [
    (gif, "x.gif", 450, 1), (transparent, "x.png", 450, 1), (turned, "x.jpg", 450, 1),
    (turned, "x.jpg", 700, 4)])
def test_max_memory_holds(tmp_path, save, name, megabytes, count):
    """24 megapixels each: 3 bytes of each for the picture, its result and a copy, and 200 MB."""
    (tmp_path / "in").mkdir()
    for index in range(count):
        save(Image.fromarray(picture(400, 600)).resize((6000, 4000)),
             tmp_path / "in" / f"{index}{name}")
    program = """if True:
        import sys
        from pathlib import Path
        from adain.commands.stylize import main
        code = main(sys.argv[1:])
        print(code, Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, "--model", "compact", "--content-path", tmp_path / "in",
         "--style-path", ROOT / "styles" / "mosaic.jpg", "--out-path", tmp_path / "out",
         "--max-memory", str(megabytes)], capture_output=True, text=True, cwd=ROOT)
    code, peak = map(int, done.stdout.split()[-2:])
    print(f"{count} {name} within {megabytes} MB: {peak * 1024 / 1e6:.0f} MB, "
          f"{time.perf_counter() - started:.0f} s")
    assert code == 0 and peak * 1024 < megabytes * 1e6, done.stderr
    made = images.read(next((tmp_path / "out").iterdir()))
    assert made.shape == ((6000, 4000, 3) if save is turned else (4000, 6000, 3))
