"""A page about a training run: adain report CHECKPOINT_DIR

Writes report.md with the results after several iterations side by side, a table of time and speed,
loss curves, device, versions and command; report.png and report_losses.png are its pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageDraw

from adain.errors import OptionError
from adain.files import images
from adain.networks import checkpoint
from adain.progress import duration
from adain.training import history
from adain.training.plots import INK, PAPER, Curve, font, plot, stack

COLORS = {"total": (31, 90, 160), "content": (60, 140, 60), "style": (190, 90, 20),
          "validation": (180, 30, 90)}

T = TypeVar("T")


def spread(items: list[T], count: int) -> list[T]:
    """Return at most `count` items: the first, the last and evenly chosen ones between."""
    if len(items) <= count:
        return items
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]


def strips(folder: Path) -> dict[int, Path]:
    """Return the preview strips of a run by step."""
    return {int(path.stem.removeprefix("step_")): path
            for path in sorted((folder / "previews").glob("step_*.jpg"))}


def comparison(previews: dict[int, Path]) -> Image.Image:
    """Return content and style, then the result after each step, a column each, with headings."""
    opened = {step: images.read(path) for step, path in previews.items()}
    last = opened[max(opened)]
    size = last.shape[1] // 3  # a strip has the columns content, style, stylized
    opened = {step: strip for step, strip in opened.items() if strip.shape == last.shape}
    columns = [("content", last[:, :size]), ("style", last[:, size:2 * size]),
               *((f"{step}", strip[:, 2 * size:]) for step, strip in sorted(opened.items()))]
    return with_headings(columns)


def with_headings(columns: list[tuple[str, np.ndarray]]) -> Image.Image:
    """Return pictures of one size side by side, each below its heading."""
    gap, head = 4, 24
    rows, size = columns[0][1].shape[:2]
    page = Image.new("RGB", (len(columns) * (size + gap) - gap, rows + head), PAPER)
    draw = ImageDraw.Draw(page)
    for index, (title, column) in enumerate(columns):
        left = index * (size + gap)
        page.paste(Image.fromarray(np.ascontiguousarray(column)), (left, head))
        draw.text((left + size / 2, head / 2), title, INK, font(13), anchor="mm")
    return page


def curves(lines: list[dict[str, Any]], width: int = 900, height: int = 260) -> Image.Image:
    """Return one plot above the other of total, content and style loss over the steps.

    The vertical axis is logarithmic; validation losses are drawn as dots. Where the run has a
    gallery, its content, style and SSIM follow.
    """
    pages = []
    for title, name in (("total", "loss"), ("content", "content"), ("style", "style")):
        pages.append(plot(f"{title} loss", [
            Curve("", COLORS[title], _points(lines, "losses", name)),
            Curve("dots: held-out pictures", COLORS["validation"],
                  _points(lines, "validation", name), dots=True)], width, height))
    for name, title in (("content", "content"), ("style", "style"), ("ssim", "SSIM")):
        points = _points(lines, "gallery", name)
        if points:
            pages.append(plot(f"gallery: {title}", [Curve("", COLORS["validation"], points)], width,
                              height, logarithmic=name != "ssim"))
    return stack(pages)


def _points(lines: list[dict[str, Any]], part: str, name: str) -> tuple[tuple[int, float], ...]:
    return tuple((line["step"], line[part][name]) for line in lines if part in line)


def table(lines: list[dict[str, Any]], steps: list[int]) -> str:
    """Return a Markdown table of time, speed and losses, measured nearest to these steps."""
    measured = [line for line in lines if "losses" in line]
    validated = dict(_points(lines, "validation", "loss"))
    rows = ["| iterations | training time | seconds | images/s | waited for data | content loss "
            "| style loss | validation loss |", "| --: " * 8 + "|"]
    chosen = {min(measured, key=lambda line: abs(line["step"] - step))["step"] for step in steps}
    for line in measured:
        if line["step"] in chosen:
            held_out = validated.get(line["step"])
            rows.append(
                f"| {line['step']} | {duration(line['seconds'])} | {line['seconds']:.0f} "
                f"| {line['images_per_second']:.1f} | {line['waited']:.0%} "
                f"| {line['losses']['content']:.4g} | {line['losses']['style']:.4g} "
                f"| {'' if held_out is None else f'{held_out:.4g}'} |")
    return "\n".join(rows)


def write(folder: Path, columns: int = 6) -> Path:
    """Write the report into a run's folder and return its path."""
    saved = checkpoint.load(folder, method=None)
    lines = history.read(folder)
    if not any("losses" in line for line in lines):
        raise OptionError(f"{folder} has no {history.NAME} with losses: train.py writes it.")
    previews = strips(folder)
    steps = spread(list(previews) or [line["step"] for line in lines if "losses" in line], columns)
    options, best = saved.config["options"], checkpoint.best(folder)
    parts = [f"# Training of `{saved.model}`, {saved.step} iterations"]
    if previews:
        images.write(folder / "report.png",
                     np.asarray(comparison({step: previews[step] for step in steps})))
        parts += ["![content, style, and the result after these iterations](report.png)",
                  f"*Content, style, and the result after {', '.join(map(str, steps))} "
                  "iterations.*"]
    images.write(folder / "report_losses.png", np.asarray(curves(lines)))
    parts += [table(lines, steps), "![loss curves](report_losses.png)"]
    sheets = sorted((folder / "gallery").glob("step_*.jpg"))
    if sheets:
        parts += [_gallery_table(lines, steps),
                  f"![contact sheet of the gallery](gallery/{sheets[-1].name})"]
    parts += ["\n".join(_facts(saved, best)),
              "```\n" + (saved.config.get("command") or "(command not recorded)") + "\n```",
              "| option | |\n| --- | --- |\n" + "\n".join(
                  f"| {name} | {value} |" for name, value in options.items())]
    path = folder / "report.md"
    with images.atomic_file(path) as file:
        file.write(("\n\n".join(parts) + "\n").encode())
    return path


def _gallery_table(lines: list[dict[str, Any]], steps: list[int]) -> str:
    """Return a Markdown table of the gallery's scores, measured nearest to these steps."""
    measured = {line["step"]: line["gallery"] for line in lines if "gallery" in line}
    chosen = {min(measured, key=lambda one: abs(one - step)) for step in steps} if measured else ()
    return "\n".join(["| iterations | gallery: content | style | SSIM |", "| --: " * 4 + "|", *(
        f"| {step} | {measured[step]['content']:.3f} | {measured[step]['style']:.3f} "
        f"| {measured[step]['ssim']:.3f} |" for step in sorted(chosen))])


def _facts(saved: checkpoint.Checkpoint, best: Path | None) -> list[str]:
    config = saved.config
    versions = ", ".join(f"{name} {version}"
                         for name, version in config.get("versions", {}).items())
    facts = [f"* device: {config.get('device', 'unknown')}", f"* versions: {versions}",
             f"* training time: {duration(config.get('seconds', 0))}"]
    if best:
        facts.append(f"* lowest loss on pictures that it was not trained on: `{best.name}`")
    return facts
