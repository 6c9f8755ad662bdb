"""adain web: serve a page on this machine that repaints photographs, or write it as files."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from adain.commands.options import add
from adain.errors import OptionError
from adain.methods.recipe import Recipe
from adain.networks.architecture import PRESETS
from adain.web.gallery import shipped
from adain.web.limits import Limits

_NEEDS = {"starlette": "starlette", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain web", description="Open a page in the browser that repaints photographs. "
        "Pictures stay on this machine: only programs on it can connect to the page.")
    root.add_argument("--port", type=int, default=8000, metavar="N",
                      help="port of 127.0.0.1 to listen on; 0 chooses a free one (default "
                           "%(default)s)")
    root.add_argument("--no-browser", action="store_true",
                      help="print the page's address without opening a browser")
    root.add_argument("--model", choices=PRESETS, default="compact",
                      help="networks to use (default %(default)s)")
    root.add_argument("--style-path", nargs="+", metavar="PATH",
                      help="paintings that the page offers: pictures and folders (default: "
                           "styles/ of the repository)")
    root.add_argument("--static", metavar="DIR",
                      help="instead write the page to a folder that any static host can serve; it "
                           "computes in the browser, with the model compact")
    add(root, Recipe, "tune",
        help="with --static: optimize the style of each painting for N iterations (30 without a "
             "value), which takes seconds: results come nearer to it, and take no longer "
             "(default 0)")
    add(root, Limits, "max_pixels", "max_seconds")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    missing = [package for module, package in _NEEDS.items() if find_spec(module) is None]
    if missing:
        raise OptionError(f"adain web needs {' and '.join(missing)}: pip install -e '.[web]'")
    if options.style_path is None and not shipped("styles"):
        print("the page offers no paintings, as only a checkout of the repository has some: add "
              "yours with --style-path", file=sys.stderr)
    if options.tune and options.static is None:
        raise OptionError("--tune is for the paintings of a page that --static writes.")
    if options.static is not None:
        if options.model != "compact":
            raise OptionError(f"--static supports only --model compact; received {options.model}.")
        from adain.web import static

        size = static.write(Path(options.static), options.style_path, options.tune)
        print(f"the page -> {options.static} ({size / 1e6:.0f} MB): a static host can serve it")
        return
    from adain.web.server import open_browser, serve

    def ready(url: str) -> None:
        print(f"{url}  (Ctrl-C stops)", flush=True)
        if not options.no_browser and not open_browser(url):
            print("no browser was found: open the address in one", flush=True)

    serve(options.port, options.model, options.style_path,
          Limits(options.max_pixels, options.max_seconds), ready)
