"""Draw any number of styles to train on: all techniques, in random palettes, seeds and scales.

Collections of paintings have few flat, bold and bright ones. These are computed from random
numbers, so no one has rights in them. Picture number i is always the same.

    python examples/draw_training_styles.py --count 900 --out-path drawn_styles
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from draw_styles import STYLES, draw
from PIL import Image
from style_flat import bands, bold_strokes, cut_outs, grid, poster
from style_marks import Array, Rng

FLAT = (bands, bold_strokes, cut_outs, grid, poster)
SHORTER_SIDE = 320


def recolour(picture: Array, rng: Rng) -> Array:
    """Turn the hues and the order of the channels, change saturation and lightness, at random."""
    picture = picture[..., rng.permutation(3)]
    if rng.random() < 0.2:
        picture = 255 - picture
    hsv = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 360)) % 360
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.4, 1.8), 0, 1)
    hsv[..., 2] **= rng.uniform(0.4, 1.3)
    return np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).astype(np.uint8)


def training_style(number: int) -> Array:
    """Return training style `number`, uint8 RGB, its shorter side SHORTER_SIDE pixels."""
    rng = np.random.default_rng([number, 20])
    size = int(rng.integers(330, 640))
    techniques = [*STYLES, *FLAT]
    technique = techniques[number % len(techniques)]
    if technique in STYLES:
        picture = recolour(draw(technique, size, int(rng.integers(1 << 30))), rng)
    else:
        picture = technique(round(size * rng.uniform(0.75, 1)), size, rng)
        if rng.random() < 0.5:  # grain of paper or canvas
            picture = picture + rng.normal(0, rng.uniform(2, 10), picture.shape)
        picture = cv2.GaussianBlur(np.clip(picture, 0, 255).astype(np.uint8), (0, 0), 0.5)
    scale = SHORTER_SIDE / min(picture.shape[:2])
    return cv2.resize(picture, None, fx=scale, fy=scale,
                      interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=900, help="pictures (default 900)")
    parser.add_argument("--out-path", type=Path, default=Path("drawn_styles"), metavar="FOLDER")
    options = parser.parse_args()
    options.out_path.mkdir(parents=True, exist_ok=True)
    for number in range(options.count):
        Image.fromarray(training_style(number)).save(
            options.out_path / f"drawn_{number:05d}.webp", quality=85)
    print(f"{options.count} styles -> {options.out_path}")


if __name__ == "__main__":
    main()
