"""adain flicker: measure how much stylized videos flicker for several values of --smoothing."""

from __future__ import annotations

import argparse

import numpy as np

from adain import Stylizer
from adain.files import find, images
from adain.measuring import flicker
from adain.networks.architecture import PRESETS


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain flicker",
        description="Measure how much stylized videos flicker, with synthetic clips made from "
                    "pictures.")
    root.add_argument("content_path", help="a picture, or a folder of pictures")
    root.add_argument("style_path", help="a picture, or a folder of pictures")
    root.add_argument("--model", choices=PRESETS, default="compact",
                      help="networks to measure (default %(default)s)")
    root.add_argument("--smoothing", type=float, nargs="+", default=[0, 0.5, 1, 2],
                      metavar="SECONDS",
                      help="average content statistics over this many seconds; one row for each "
                           "value (default 0 0.5 1 2)")
    root.add_argument("--frames", type=int, default=25, metavar="N",
                      help="number of frames of each clip (default %(default)s)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    stylizer = Stylizer(options.model)
    contents = [images.read(path) for path in find.pictures(options.content_path)]
    styles = [stylizer.encode_style(path) for path in find.pictures(options.style_path)]
    print("| smoothing | " + " | ".join(f"{name}: pixels | blocks" for name in flicker.CLIPS)
          + " |\n" + "| --- " * (1 + 2 * len(flicker.CLIPS)) + "|")
    for smoothing in options.smoothing:
        cells = []
        for name in flicker.CLIPS:
            values = [flicker.measure(stylizer, content, style, name, smoothing, options.frames)
                      for content in contents for style in styles]
            cells += [f"{value:.2f}" for value in np.mean(values, axis=0)]
        print(f"| {smoothing:g} s | {' | '.join(cells)} |", flush=True)
