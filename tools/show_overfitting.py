"""Train with 250 pictures and with all, and compare both: what overfitting looks like.

    python tools/show_overfitting.py CONTENT STYLE GALLERY OUT [--pictures 250] [--steps 5000]

CONTENT, STYLE and GALLERY are what train.py takes. OUT gets the two runs, `few` and `all`, which go
on where they were when the command is repeated, and their comparison, for docs/overfitting.jpg.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from PIL import Image

from adain import TrainConfig, train
from adain.commands import show_log
from adain.files import find
from adain.training import report_comparison

WIDTH, QUALITY = 1200, 70  # of the picture for the docs, below 150 kB


def link(source: Path, target: Path, count: int) -> Path:
    """Fill a folder with links to `count` pictures, evenly chosen, of another."""
    files = find.list_below(source).files
    target.mkdir(parents=True, exist_ok=True)
    for number in np.linspace(0, len(files) - 1, count).round().astype(int):
        place = target / f"{number:06}{files[number].suffix}"
        if not place.is_symlink():
            place.symlink_to(os.path.abspath(files[number]))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("content", "style", "gallery", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--pictures", type=int, default=250)
    parser.add_argument("--steps", type=int, default=5000)
    options = parser.parse_args()
    show_log()
    config = TrainConfig(
        model="compact", batch_size=4, crop_size=64, image_size=96, cached_crops=1,
        max_iter=options.steps, save_iter=1000, summary_iter=25, evaluate_every=250,
        gallery_size=128, optimizer="muon", lr_schedule="cosine", learning_rate=1e-3,
        style_weight=2e-2, style_layer_weights=(8.0, 4.0, 2.0, 1.0))
    out: Path = options.out
    few = {kind: link(getattr(options, kind), out / "pictures" / kind, options.pictures)
           for kind in ("content", "style")}
    runs = {"few": (few["content"], few["style"]), "all": (options.content, options.style)}
    for name, (content, style) in runs.items():
        train(config, content, style, out / name, gallery=options.gallery)
    print(report_comparison.write([out / name for name in runs], out))
    pages = [Image.open(out / name).convert("RGB")
             for name in ("comparison_curves.png", "comparison.jpg")]
    pages = [page.resize((WIDTH, page.height * WIDTH // page.width), Image.Resampling.LANCZOS)
             for page in pages]
    whole = Image.new("RGB", (WIDTH, sum(page.height for page in pages)))
    whole.paste(pages[0], (0, 0))
    whole.paste(pages[1], (0, pages[0].height))
    whole.save(out / "overfitting.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
