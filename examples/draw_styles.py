"""Draw the sample style pictures of this project, so that no painter's rights are touched.

Every picture is computed from random numbers: a field of colours (often a landscape with a
sun, water, hills and a tree) is rendered with the marks of one artistic technique, such as
oil strokes, dots, tiles or ink lines. The same seed always gives the same pictures.

    python examples/draw_styles.py                       # all of them, into styles/
    python examples/draw_styles.py --only mosaic --seed 7 --out-path /tmp
"""

import argparse
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
from PIL import Image
from style_crafts import gold_ornament, ink_hatching, mosaic, stained_glass, woodcut_waves
from style_marks import Array, Rng
from style_paintings import cubist_facets, flow_field, pointillism, watercolour_washes

# Each style with its shape: rows and columns as shares of the longer side.
STYLES: dict[str, tuple[Callable[[int, int, Rng], Array], float, float]] = {
    "cubist_facets": (cubist_facets, 1.0, 0.8),
    "flow_field": (flow_field, 0.8, 1.0),
    "gold_ornament": (gold_ornament, 1.0, 0.8),
    "ink_hatching": (ink_hatching, 0.8, 1.0),
    "mosaic": (mosaic, 0.8, 1.0),
    "pointillism": (pointillism, 0.8, 1.0),
    "stained_glass": (stained_glass, 1.0, 0.85),
    "watercolour_washes": (watercolour_washes, 0.85, 1.0),
    "woodcut_waves": (woodcut_waves, 0.8, 1.0),
}


def draw(name: str, size: int, seed: int) -> Array:
    """One style picture whose longer side has `size` pixels."""
    style, rows, columns = STYLES[name]
    # The name is part of the seed, so that a picture does not depend on which others are drawn.
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    picture = style(round(size * rows), round(size * columns), rng)
    # As soft as a scan: hard digital edges only make the file bigger.
    return cv2.GaussianBlur(picture, (0, 0), 0.5)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main() -> int:
    parser = Parser(description="Draw the sample style pictures.")
    parser.add_argument("--out-path", type=Path, default=Path("styles"),
                        metavar="FOLDER",
                        help="folder for the pictures, made if missing (default: styles)")
    parser.add_argument("--size", type=int, default=640, metavar="PIXELS",
                        help="longer side in pixels, 64 to 4096 (default: 640)")
    parser.add_argument("--seed", type=int, default=0, metavar="NUMBER",
                        help="number from 0 up; another seed draws other pictures (default: 0)")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=list(STYLES),
                        choices=list(STYLES), help="draw these only: " + ", ".join(STYLES))
    options = parser.parse_args()
    if not 64 <= options.size <= 4096:
        parser.error(f"--size must be from 64 to 4096, not {options.size}")
    if options.seed < 0:
        parser.error(f"--seed must not be negative, not {options.seed}")
    try:
        options.out_path.mkdir(parents=True, exist_ok=True)
        for name in options.only:
            path = options.out_path / f"{name}.jpg"
            picture = Image.fromarray(draw(name, options.size, options.seed))
            picture.save(path, quality=90, subsampling=0, optimize=True)
            print(f"{path}  {picture.width} x {picture.height}")
    except OSError as problem:
        parser.error(str(problem))
    return 0


if __name__ == "__main__":
    sys.exit(main())
