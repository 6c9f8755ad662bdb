"""Make a contact sheet: photographs down the left, styles along the top, results between them.

    python examples/overview.py [--model compact] [--out-path examples/overview.jpg]
        [--content inputs/cat.jpg ...] [--style styles/mosaic.jpg ...] [--size 180]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from adain import Stylizer, images

ROOT = Path(__file__).parent.parent
CONTENTS = ["astronaut", "cat", "coffee", "dandelions"]
STYLES = ["flow_field", "woodcut_waves", "mosaic", "watercolour_washes", "gold_ornament"]


def sheet(stylizer: Stylizer, contents: list[np.ndarray], styles: list[np.ndarray],
          size: int) -> np.ndarray:
    """Return the sheet as uint8 RGB; every cell is the middle square, `size` pixels a side."""
    encoded = [stylizer.encode_style(style) for style in styles]
    rows = [[np.full((size, size, 3), 255, np.uint8), *(square(style, size) for style in styles)]]
    for content in contents:
        results = [stylizer.stylize(content, style) for style in encoded]
        rows.append([square(picture, size) for picture in (content, *results)])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def square(image: np.ndarray, size: int) -> np.ndarray:
    """Return the middle square of a picture in another size."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return images.resize(image[top:top + side, left:left + side], size, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vgg19", help="vgg19 (default) or compact")
    parser.add_argument("--checkpoint", help="folder written by train.py")
    parser.add_argument("--content", nargs="+", default=[ROOT / "inputs" / f"{name}.jpg"
                                                         for name in CONTENTS])
    parser.add_argument("--style", nargs="+", default=[ROOT / "styles" / f"{name}.jpg"
                                                       for name in STYLES])
    parser.add_argument("--size", type=int, default=180, help="of a cell, in pixels (default 180)")
    parser.add_argument("--out-path", default=ROOT / "examples" / "overview.jpg")
    options = parser.parse_args()
    stylizer = (Stylizer(checkpoint=options.checkpoint) if options.checkpoint
                else Stylizer(options.model))
    contents, styles = ([images.read(path) for path in paths]
                        for paths in (options.content, options.style))
    images.write(options.out_path, sheet(stylizer, contents, styles, options.size), quality=85)


if __name__ == "__main__":
    main()
