"""A page that compares training runs: adain report RUN RUN ...

Writes comparison.md with the numbers of the last step that all runs have measured, the curves of
their losses and their galleries, and the contact sheets of their galleries side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adain.errors import OptionError
from adain.files import images
from adain.networks import checkpoint
from adain.progress import duration
from adain.training import history
from adain.training.plots import Color, Curve, plot, stack
from adain.training.report import with_headings

COLORS: tuple[Color, ...] = ((31, 90, 160), (190, 90, 20), (60, 140, 60), (180, 30, 90),
                             (110, 70, 160), (90, 90, 90))
SCORES = ("content", "style", "ssim")


def write(folders: Sequence[Path], target: Path) -> Path:
    """Write a page about two runs or more into a folder, and return its path.

    Raises:
        OptionError: more runs than there are colours, or one of them has no losses.
        WeightsError: one of the folders has no checkpoint.
    """
    if not 2 <= len(folders) <= len(COLORS):
        raise OptionError(f"a comparison is of 2 to {len(COLORS)} runs; received {len(folders)}.")
    names = _names(folders)
    runs = {name: history.read(folder) for name, folder in zip(names, folders)}
    for folder, lines in zip(folders, runs.values()):
        if not any("losses" in line for line in lines):
            raise OptionError(f"{folder} has no {history.NAME} with losses: train.py writes it.")
    parts = [f"# {' and '.join(names) if len(names) == 2 else ', '.join(names)}",
             "![curves](comparison_curves.png)",
             "Losses are those of the pictures that a run trains on; content, style and SSIM those "
             "of its gallery, which it does not train on."]
    images.write(target / "comparison_curves.png", np.asarray(curves(runs)))
    parts.append(_table(runs))
    sheets = _sheets(dict(zip(names, folders)))
    if sheets:
        images.write(target / "comparison.jpg", np.asarray(with_headings(sheets)))
        parts.append("![the galleries](comparison.jpg)")
    parts.append("\n".join(f"* {name}: {_facts(folder)}" for name, folder in zip(names, folders)))
    path = target / "comparison.md"
    with images.atomic_file(path) as file:
        file.write(("\n\n".join(parts) + "\n").encode())
    return path


def curves(runs: dict[str, list[dict[str, Any]]], width: int = 900,
           height: int = 220) -> Any:
    """Return one plot above the other: the training's loss, and each score of the gallery."""
    def of(part: str, value: str) -> list[Curve]:
        return [Curve(name, color, tuple((line["step"], line[part][value])
                                         for line in lines if part in line))
                for (name, lines), color in zip(runs.items(), COLORS)]

    pages = [plot("total loss of the training", of("losses", "loss"), width, height)]
    for score in SCORES:
        curves_of_score = of("gallery", score)
        if any(curve.points for curve in curves_of_score):
            title = "SSIM" if score == "ssim" else score
            pages.append(plot(f"gallery: {title}", curves_of_score, width, height,
                              logarithmic=score != "ssim"))
    return stack(pages)


def _names(folders: Sequence[Path]) -> list[str]:
    """Return the folders' last parts, or whole paths where those are equal."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Return a Markdown table of each run's best and last scores."""
    rows = ["| run | iterations | training time | training loss | gallery: step | content | style "
            "| SSIM |", "| --- " + "| --: " * 7 + "|"]
    for name, lines in runs.items():
        last = [line for line in lines if "losses" in line][-1]
        start = (f"| {name} | {last['step']} | {duration(last['seconds'])} "
                 f"| {last['losses']['loss']:.4g} ")
        measured = [line for line in lines if "gallery" in line]
        if not measured:
            rows.append(start + "| | | | |")
            continue
        best = min(measured, key=lambda line: line["gallery"]["loss"])
        for line, what in ((best, "best"), (measured[-1], "last")):
            scores = line["gallery"]
            rows.append(start + f"| {what}, {line['step']} | {scores['content']:.3f} "
                        f"| {scores['style']:.3f} | {scores['ssim']:.3f} |")
            start = "| | | | "
    return "\n".join(rows)


def _sheets(folders: dict[str, Path]) -> list[tuple[str, np.ndarray]]:
    """Return the galleries' contact sheets after the last step that all runs have measured."""
    stems = [{path.stem for path in (folder / "gallery").glob("step_*.jpg")}
             for folder in folders.values()]
    common = set.intersection(*stems)
    if not common:
        return []
    last = max(common)
    sheets = [(f"{name}, {int(last.removeprefix('step_'))} iterations",
               images.read(folder / "gallery" / f"{last}.jpg"))
              for name, folder in folders.items()]
    return sheets if len({sheet.shape for _, sheet in sheets}) == 1 else []


def _facts(folder: Path) -> str:
    config = checkpoint.load(folder, method=None).config
    data = config.get("data", {})
    pictures = ", ".join(f"{entry.get('pictures')} in {name}" for name, entry in data.items()
                         if isinstance(entry, dict))
    return (f"{pictures or 'pictures not recorded'}; {config.get('device', 'unknown device')}; "
            f"`{config.get('command') or 'command not recorded'}`")
