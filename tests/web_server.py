"""The server of adain web in a thread of the tests, a browser, and small pictures to send."""

import base64
import io
import shutil
import struct
import threading
import zlib
from contextlib import contextmanager
from queue import Queue

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain.progress import StopRequest


def encoded(rows=48, columns=64, seed=0, format="PNG", **settings):
    """Return the bytes of a picture file with conftest.picture() in it."""
    file = io.BytesIO()
    Image.fromarray(picture(rows, columns, seed)).save(file, format, **settings)
    return file.getvalue()


def huge(columns, rows):
    """A PNG file of that size whose pixels are missing."""
    chunks = ((b"IHDR", struct.pack(">2I5B", columns, rows, 8, 2, 0, 0, 0)), (b"IDAT", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks)


def write_styles(folder):
    """Write two small paintings: mosaic.png and flow_field.png."""
    for seed, name in enumerate(("mosaic", "flow_field")):
        (folder / f"{name}.png").write_bytes(encoded(64, 64, 10 + seed))
    return folder


@contextmanager
def running(stylizer, styles, limits=None):
    """Give an httpx.Client of a server, which ends with it."""
    import httpx

    from adain.web.server import serve

    stop, said = StopRequest(), Queue()

    def run():
        try:
            serve(0, stylizer, [styles], limits, said.put, stop)
        except BaseException as error:
            said.put(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        url = said.get(timeout=60)
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            yield client
    finally:
        stop.ask("the test ends")
        thread.join()


# Lets masks() return what the page's brush made.
KEEP_MASKS = """(() => {
    const toBlob = HTMLCanvasElement.prototype.toBlob;
    window.masks = [];
    HTMLCanvasElement.prototype.toBlob = function (...given) {
        window.masks.push(this.toDataURL());
        return toBlob.apply(this, given);
    };
})()"""


def masks(tab, count):
    """Return the masks that a page with KEEP_MASKS has made last, as pictures.

    A preview may make the same ones between those of the finished picture.
    """
    last = [*dict.fromkeys(reversed(tab.evaluate("masks")))][:count][::-1]
    files = [base64.b64decode(each.partition(",")[2]) for each in last]
    return [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]


def cutout(rows=48, columns=64, seed=0):
    """A picture with a soft edge: opaque at its left, transparent at its right; RGBA."""
    opacity = np.clip(np.linspace(2, -1, columns), 0, 1) * 255
    rgba = np.dstack([picture(rows, columns, seed), np.tile(opacity, (rows, 1)).astype(np.uint8)])
    rgba[rgba[..., 3] == 0, :3] = 0
    return rgba


def stroke(tab, *points):
    """Draw a line with the page's brush; points: in shares of the picture's sides."""
    box = tab.locator("#surface").bounding_box()
    for index, (x, y) in enumerate(points):
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if index == 0:
            tab.mouse.down()
    tab.mouse.up()


@contextmanager
def chromium():
    """Give Debian's Chromium, or skip where it or Playwright is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[
            "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
        try:
            yield browser
        finally:
            browser.close()
