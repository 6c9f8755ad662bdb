"""Measure adain web in Chromium: from the command to the first preview, and after a change.

    python tools/measure_web.py [photograph]

Needs playwright and Debian's Chromium. The browser is started before: a user's is open already.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 15
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
NEXT = """() => new Promise((resolve) => {
    const image = document.getElementById("after");
    const slider = document.getElementById("alpha");
    const begun = performance.now();
    image.addEventListener("load", () => resolve(performance.now() - begun), {once: true});
    slider.value = 40 + Math.round(50 * Math.random());
    slider.dispatchEvent(new Event("input"));
})"""


def main() -> None:
    photograph = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "inputs" / "dandelions.jpg")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        begun = time.perf_counter()
        server = subprocess.Popen([sys.executable, "-m", "adain", "web", "--port", "0",
                                   "--no-browser"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            page.goto(server.stdout.readline().split()[0])
            opened = time.perf_counter() - begun
            page.wait_for_selector("html[data-ready]")
            page.set_input_files("#photo-file", photograph)
            page.wait_for_selector("#picture[data-shows=preview]")
            print(f"page open       {opened:6.2f} s")
            print(f"first preview   {time.perf_counter() - begun:6.2f} s")
            page.wait_for_timeout(1000)
            found = [page.evaluate(NEXT) / 1000 for _ in range(REPEATS)]
            print(f"after a change  {median(found):6.3f} s (median of {REPEATS}; "
                  f"{min(found):.3f} to {max(found):.3f})")
        finally:
            server.terminate()
            server.wait()
            browser.close()


if __name__ == "__main__":
    main()
