"""Measure the static page in Chromium: seconds for a picture, and memory for a large one.

    python tools/measure_browser.py --size 512
    python tools/measure_browser.py --megapixels 12

Prints one line of JSON. Seconds are medians: `change` of a preview whose style, strength or mixture
was changed, `new` of one of a photograph that was not shown before. Memory is the largest resident
set of the page's renderer process.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adain.export.source import synthetic_picture
from adain.web import static

FLAGS = ("--headless", "--no-sandbox", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
PREVIEW = """async ([size, rounds]) => {
    const { createEngine } = await import("./engine.js");
    const engine = await createEngine();
    const styles = await engine.styles();
    const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const context = canvas.getContext("2d");
    const image = context.createImageData(size, size);
    image.data.forEach((_, index) => {
        image.data[index] = index % 4 === 3 ? 255 : 128 + 127 * Math.sin(index * index / 999);
    });
    context.putImageData(image, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve));
    const found = { new: [], change: [] };
    for (let round = 0; round < rounds; round++) {
        const content = await engine.openContent(new File([blob], "photo.png"));
        for (const name of ["new", "change"]) {
            const recipe = { styles: [{ id: styles[round % styles.length].id, weight: 1 }],
                masks: null, alpha: 1 - round / 100,
                coarseSize: null, keepColors: null, refine: 0 };
            const started = performance.now();
            await engine.preview(content, recipe, { size });
            found[name].push((performance.now() - started) / 1000);
        }
    }
    return found;
}"""


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve a folder on 127.0.0.1; give its address."""
    class Handler(SimpleHTTPRequestHandler):
        extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **TYPES}

        def send_head(self) -> Any:
            del self.headers["If-Modified-Since"]  # as app.py does
            return super().send_head()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def renderer_peak() -> int:
    """Return the largest resident set of a renderer that this process has started, in bytes."""
    parents, peaks = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "status").read_text()
                command = (entry / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            pid = int(entry.name)
            parents[pid] = int(re.search(r"PPid:\s*(\d+)", status)[1])
            if b"--type=renderer" in command:
                peaks[pid] = 1024 * int(re.search(r"VmHWM:\s*(\d+)", status)[1])

    def is_ours(pid: int) -> bool:
        while pid > 1:
            if pid == os.getpid():
                return True
            pid = parents.get(pid, 0)
        return False

    return max(peak for pid, peak in peaks.items() if is_ours(pid))


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, help="time previews of this many pixels a side")
    parser.add_argument("--rounds", type=int, default=7, help="of --size (default %(default)s)")
    parser.add_argument("--megapixels", type=float, help="make a photograph of this size")
    parser.add_argument("--page", type=Path, help="folder of the page (default: it is written)")
    parser.add_argument("--flags", nargs="*", default=["--disable-gpu"],
                        help="of Chromium (default %(default)s)")
    options = parser.parse_args()
    result: dict[str, Any] = {"cores": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        page = options.page or Path(scratch) / "page"
        if options.page is None:
            static.write(page)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=[*FLAGS, *options.flags])
        tab = browser.new_page()
        tab.set_default_timeout(1_800_000)
        tab.on("console", lambda message: print(message.type, message.text))
        with served(page) as url:
            tab.goto(url)
            tab.wait_for_selector("html[data-ready]")
            result["isolated"] = tab.evaluate("crossOriginIsolated")
            result["start_bytes"] = renderer_peak()
            if options.size:
                seconds = tab.evaluate(PREVIEW, [options.size, options.rounds])
                result |= {name: statistics.median(found) for name, found in seconds.items()}
            if options.megapixels:
                side = round((options.megapixels * 1e6 / 12) ** 0.5)
                photograph = Path(scratch) / "photograph.jpg"
                picture = Image.fromarray(synthetic_picture(3 * side, 4 * side, 0))
                picture.save(photograph, quality=92)
                tab.set_input_files("#photo-file", photograph)
                tab.wait_for_selector("#picture[data-shows=preview]")
                tab.locator("#strokes").evaluate("input => { input.value = 0; }")
                started = time.perf_counter()
                with tab.expect_download() as download:
                    tab.click("#make")
                made = np.asarray(Image.open(download.value.path()))
                result |= {"rows": made.shape[0], "columns": made.shape[1],
                           "seconds": time.perf_counter() - started}
            result["renderer_bytes"] = renderer_peak()
        browser.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
