"""Train with few pictures and with all: what overfitting looks like, and how long takes what.

    nice python tools/show_training.py CONTENT STYLE GALLERY OUT [--pictures 25 250] [--steps 1600]

CONTENT, STYLE and GALLERY are what train.py takes. OUT gets the runs, `all` and one named by each
number of pictures, which go on where they were when the command is repeated, their comparison by
adain report, and two pictures for docs/: overfitting.jpg, and quality.jpg with its table.
"""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from adain import Stylizer, TrainConfig, train
from adain.commands import show_log
from adain.files import find
from adain.networks import checkpoint
from adain.training import gallery, history, report, report_comparison

WIDTH = 1040  # of a picture for docs/, in pixels
MOST_BYTES = 150_000
ROWS = 3  # pairs of the gallery that are shown
MEASURED = 16  # times that a run is measured and saved


def settings(steps: int) -> TrainConfig:
    return TrainConfig(
        model="compact", batch_size=4, crop_size=64, image_size=96, cached_crops=1, keep=MEASURED,
        max_iter=steps, save_iter=max(1, steps // MEASURED), summary_iter=max(1, steps // 64),
        gallery_size=128, optimizer="muon", lr_schedule="cosine", learning_rate=1e-3,
        style_weight=2e-2, style_layer_weights=(8.0, 4.0, 2.0, 1.0))


def link(source: Path, target: Path, count: int) -> Path:
    """Fill a folder with links to `count` pictures, evenly chosen, of another."""
    files = find.list_below(source).files
    target.mkdir(parents=True, exist_ok=True)
    for number in np.linspace(0, len(files) - 1, count).round().astype(int):
        place = target / f"{number:06}{files[number].suffix}"
        if not place.is_symlink():
            place.symlink_to(os.path.abspath(files[number]))
    return target


def results(folder: Path, networks: dict[str, Stylizer]) -> Image.Image:
    """Return some pairs of a gallery, a row each: content, style, and what networks make of them.
    """
    side = WIDTH // (2 + len(networks)) - 4
    shown = gallery.read(folder, 256)
    pairs = [(shown.contents[row % len(shown.contents)],
              shown.styles[row * len(shown.styles) // ROWS]) for row in range(ROWS)]
    columns = {"content": [content for content, _ in pairs], "style": [style for _, style in pairs],
               **{title: [stylizer.stylize(*pair) for pair in pairs]
                  for title, stylizer in networks.items()}}
    return report.with_headings([
        (title, np.concatenate([np.asarray(Image.fromarray(picture).resize((side, side)))
                                for picture in column])) for title, column in columns.items()])


def write(path: Path, *pages: Image.Image) -> None:
    """Write pictures one above the other as one JPEG that is small enough for a page."""
    whole = Image.new("RGB", (max(page.width for page in pages),
                              sum(page.height for page in pages)), "white")
    top = 0
    for page in pages:
        whole.paste(page, (0, top))
        top += page.height
    for quality in range(88, 30, -4):
        buffer = io.BytesIO()
        whole.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() < MOST_BYTES:
            break
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {buffer.tell()} bytes, quality {quality}")


def curves(runs: dict[str, Path]) -> Image.Image:
    """Return the curves of adain report in two columns."""
    page = report_comparison.curves({name: history.read(run) for name, run in runs.items()},
                                    WIDTH // 2)
    half = page.height // 2
    both = Image.new("RGB", (2 * page.width, half), "white")
    for column in range(2):
        both.paste(page.crop((0, column * half, page.width, (column + 1) * half)),
                   (column * page.width, 0))
    return both


def table(run: Path, steps: list[int], shipped: dict[str, float]) -> str:
    """Return a Markdown table of the gallery's scores after these steps, and as shipped."""
    lines = {line["step"]: line for line in history.read(run) if "gallery" in line}
    rows = [(str(step), f"{lines[step]['seconds']:.0f}", lines[step]["gallery"]) for step in steps]
    return "\n".join(["| steps | seconds | content | style | SSIM |", "| --: " * 5 + "|", *(
        f"| {step} | {seconds} | {scores['content']:.2f} | {scores['style']:.2f} "
        f"| {scores['ssim']:.2f} |"
        for step, seconds, scores in [*rows, ("as shipped", "", shipped)])])


def measure(folder: Path, config: TrainConfig, stylizer: Stylizer) -> dict[str, float]:
    """Return the scores that a run of these settings with these networks would record."""
    from adain.training.judge import Judge  # imports Keras

    def stylize(contents: np.ndarray, styles: np.ndarray) -> np.ndarray:
        return np.stack([stylizer.stylize(*pair) for pair in zip(contents, styles)])
    return Judge(gallery.read(folder, config.gallery_size), config).measure(stylize)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("content", "style", "gallery", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--pictures", type=int, nargs="+", default=[25, 250])
    parser.add_argument("--steps", type=int, default=1600)
    options = parser.parse_args()
    show_log()
    out: Path = options.out
    config = settings(options.steps)
    data = {"all": (options.content, options.style), **{
        str(count): tuple(link(getattr(options, kind), out / "pictures" / str(count) / kind, count)
                          for kind in ("content", "style")) for count in options.pictures}}
    for name, (content, style) in data.items():
        train(config, content, style, out / name, gallery=options.gallery)

    shown = [options.steps // 16, options.steps // 4, options.steps]
    shipped = Stylizer("compact")
    write(out / "quality.jpg", results(options.gallery, {
        **{f"{step} steps": Stylizer(checkpoint=out / "all" / checkpoint.name(step))
           for step in shown}, "as shipped": shipped}))
    print(table(out / "all", shown, measure(options.gallery, config, shipped)))
    print(report_comparison.write([out / name for name in data], out))
    runs = {**{f"{count} pictures": out / str(count) for count in options.pictures},
            "all pictures": out / "all"}
    write(out / "overfitting.jpg", curves(runs), results(options.gallery, {
        name: Stylizer(checkpoint=checkpoint.list_all(run)[-1]) for name, run in runs.items()}))


if __name__ == "__main__":
    main()
