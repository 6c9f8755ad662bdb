"""The page of a comparison: a table, bar charts, the pictures side by side, and a summary."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from adain.files import find, images
from adain.measuring import energy, metrics
from adain.measuring.comparison import DISPLAY, METHODS, PEER, Figures, Plan, available, figures
from adain.measuring.energy import Use
from adain.measuring.metrics import Scores
from adain.networks.openvino.cpu import usable_cores
from adain.training.plots import GRID, INK, PAPER, font, stack
from adain.training.report import with_headings

ROWS = 4  # contents that are shown
COLORS = {"compact": (31, 90, 160), "vgg19": (60, 140, 60), "johnson": (190, 90, 20),
          "gatys": (150, 40, 120), PEER: (120, 120, 120)}
PATIENCE, SMALL_MEMORY = 10, 1e9  # seconds for a picture, and bytes, that an old machine affords


def write(plan: Plan, uses: dict[str, Use], watts: float, tariff: float) -> Path:
    """Write index.md and its pictures into the plan's folder; return its path.

    watts: of a busy core, where energy is not counted; tariff: the price of a kilowatt-hour.
    """
    reasons = available(plan)
    measured = {method: figures(plan, method, uses) for method in METHODS if not reasons[method]}
    scores = measure_pictures(plan, measured)
    images.write(plan.folder / "charts.png", np.asarray(charts(measured, scores, watts)))
    images.write(plan.folder / "pictures.jpg", np.asarray(side_by_side(plan, measured)))
    parts = [
        "# Ways to repaint a photograph, compared",
        *summary(plan, measured, watts, tariff),
        table(plan, measured, scores, watts, tariff),
        *(f"* **{method}** is left out: {reason}." for method, reason in reasons.items() if reason),
        "![bar charts of the table](charts.png)",
        f"![content, style, {', '.join(measured)}](pictures.jpg)",
        definitions(plan, uses, watts, tariff), "\n".join(machine())]
    path = plan.folder / "index.md"
    with images.atomic(path) as beside:
        beside.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def measure_pictures(plan: Plan, measured: dict[str, Figures]) -> dict[str, Scores]:
    """Return the metrics of each method's display pictures, the mean over the contents."""
    meter = metrics.Meter()
    contents = {path.stem: path for path in find.pictures(plan.place("contents"))}
    return {method: metrics.mean(metrics.measure_folder(
        meter, contents, {plan.style.stem: plan.style}, plan.place(method)))
        for method, each in measured.items() if isinstance(each.display, Use)}


def table(plan: Plan, measured: dict[str, Figures], scores: dict[str, Scores], watts: float,
          tariff: float) -> str:
    columns, rows = plan.print_size
    lines = [f"| | set-up s | {DISPLAY[0]} x {DISPLAY[1]}, s | MB | {columns} x {rows}, s | MB "
             "| Wh for 1000 | price of 1000 | content | style | SSIM |",
             "| --- " + "| --: " * 10 + "|"]
    for method, each in measured.items():
        cells = ["-" if each.set_up is None else f"{each.set_up:.2f}"]
        cells += [f"{each.display.seconds:.2f}", megabytes(each.display_peak)] \
            if isinstance(each.display, Use) else [each.display, "-"]
        cells += [f"{each.large.seconds:.1f}", megabytes(each.large.peak_bytes)] \
            if isinstance(each.large, Use) else [each.large, "-"]
        if isinstance(each.display, Use):
            joules = 1000 * each.display.energy(watts)
            cells += [f"{joules / 3600:.3g}", f"{energy.price(joules, tariff):.5f}"]
        else:
            cells += ["-", "-"]
        cells += [f"{value:.2f}" for value in scores[method]] if method in scores else ["-"] * 3
        lines.append(f"| **{method}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def megabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:.0f}"


def summary(plan: Plan, measured: dict[str, Figures], watts: float, tariff: float) -> list[str]:
    """Return paragraphs about what is feasible, sustainable and pleasant on old hardware."""
    done = {method: each.display for method, each in measured.items()
            if isinstance(each.display, Use)}
    printing = {method: each.large for method, each in measured.items()
                if isinstance(each.large, Use)}
    feasible = [method for method, use in done.items() if use.seconds <= PATIENCE
                and (measured[method].display_peak or 0) <= SMALL_MEMORY]
    columns, rows = plan.print_size
    paragraphs = [
        f"**Feasible** on an old machine, that is within {PATIENCE} s and "
        f"{SMALL_MEMORY / 1e9:.0f} GB for a picture of {DISPLAY[0]} x {DISPLAY[1]} pixels: "
        f"{', '.join(feasible) or 'none'}. A print of {columns} x {rows} pixels was made by "
        + (", ".join(f"{method} ({use.seconds:.0f} s, {megabytes(use.peak_bytes)} MB)"
                     for method, use in printing.items()) or "none")
        + (f"; {PEER} computes 384 x 384 pixels and enlarges them." if PEER in printing else ".")]
    if len(done) > 1:
        cost = {method: use.energy(watts) for method, use in done.items()}
        least, most = min(cost, key=cost.__getitem__), max(cost, key=cost.__getitem__)
        paragraphs.append(
            f"**Sustainable:** a thousand pictures by {least} take "
            f"{1000 * cost[least] / 3600:.2g} Wh, by {most} {1000 * cost[most] / 3600:.2g} Wh, "
            f"{cost[most] / max(cost[least], 1e-9):.0f} times as much. A network for one style "
            "(johnson) has to be trained for each style before, which is not counted here.")
    paragraphs.append(
        "**Pleasant** is for the eye to judge: the pictures are below. In numbers, a low style "
        "loss is close to the painting, a high SSIM close to the photograph.")
    return paragraphs


def charts(measured: dict[str, Figures], scores: dict[str, Scores], watts: float) -> Image.Image:
    """Return a bar chart of each quantity, one below the other."""
    done = {method: each.display for method, each in measured.items()
            if isinstance(each.display, Use)}
    large = {method: each.large for method, each in measured.items() if isinstance(each.large, Use)}
    return stack([
        bars("seconds for a display picture", {m: use.seconds for m, use in done.items()}),
        bars("seconds for a print, with the start", {m: use.seconds for m, use in large.items()}),
        bars("peak memory for a display picture, MB",
             {m: each.display_peak / 1e6 for m, each in measured.items()
              if m in done and each.display_peak}),
        bars("watt-hours for 1000 display pictures",
             {m: use.energy(watts) / 3.6 for m, use in done.items()}),
        *(bars(title, {m: getattr(score, name) for m, score in scores.items()}, logarithmic=False)
          for title, name in (("content loss", "content"), ("style loss", "style"),
                              ("SSIM", "ssim")))])


def bars(title: str, values: dict[str, float], logarithmic: bool = True,
         width: int = 760) -> Image.Image:
    """Return a chart of one bar for each method, its value written behind it.

    logarithmic: bars begin at a tenth of the smallest value.
    """
    left, row = 140, 22
    plot = Image.new("RGB", (width, 36 + row * len(values)), PAPER)
    draw = ImageDraw.Draw(plot)
    draw.text((left, 14), title + (" (logarithmic)" if logarithmic else ""), INK, font(14),
              anchor="lm")
    positive = [value for value in values.values() if value > 0]
    low = math.log10(min(positive, default=1)) - 1
    high = math.log10(max(positive, default=1)) if logarithmic else max(positive, default=1)
    for index, (method, value) in enumerate(values.items()):
        share = 0.0
        if value > 0:
            share = (math.log10(value) - low) / (high - low) if logarithmic else value / high
        top = 28 + index * row
        draw.text((left - 8, top + row / 2), method, INK, font(12), anchor="rm")
        end = left + share * (width - left - 90)
        draw.rectangle([left, top + 3, end, top + row - 3], COLORS.get(method, INK), GRID)
        draw.text((end + 6, top + row / 2), f"{value:.0f}" if value >= 100 else f"{value:.3g}", INK,
                  font(12), anchor="lm")
    return plot


def side_by_side(plan: Plan, measured: dict[str, Figures], width: int = 266) -> Image.Image:
    """Return content, style and results, a row for each of the first contents."""
    contents = find.pictures(plan.place("contents"))[:ROWS]
    height = width * DISPLAY[1] // DISPLAY[0]

    def column(paths: list[Path]) -> np.ndarray:
        return np.concatenate([
            images.resize(images.read(path), height, width) if path.exists()
            else np.full((height, width, 3), 255, np.uint8) for path in paths])

    style = images.read(plan.style)
    shown = images.resize(style, width * style.shape[0] // style.shape[1], width)[:height]
    shown = np.pad(shown, ((0, height * len(contents) - len(shown)), (0, 0), (0, 0)),
                   constant_values=255)
    columns = [("content", column(contents)), ("style", shown)]
    columns += [(method, column([plan.place(method, f"{path.stem}__{plan.style.stem}.png")
                                 for path in contents])) for method in measured]
    return with_headings(columns)


def definitions(plan: Plan, uses: dict[str, Use], watts: float, tariff: float) -> str:
    counted = any(use.joules is not None for use in uses.values())
    source = ("the counters of the processor packages (RAPL), which count all that the machine "
              "does" if counted else
              f"the seconds that the cores computed, times {watts:g} W for a busy core (--watts); "
              "this machine shows no counter")
    quick = (f" **A quick look only:** gatys with {plan.iterations} iterations, "
             f"{len(plan.contents)} contents, a small print." if plan.quick else "")
    return (f"{len(plan.contents)} photographs in the style of {plan.style.name}; every number is "
            f"of whole commands.{quick} *set-up*: the command on one picture less what each "
            "further picture takes; - where every picture starts the program anew. *MB*: peak "
            f"resident memory. *Wh*: from {source}. *price*: at {tariff:g} for a kilowatt-hour "
            f"(--tariff). gatys: {plan.iterations} iterations. *content*, *style*, *SSIM*: the "
            "definitions of `adain metrics`, over the display pictures.")


def machine() -> list[str]:
    """Return what was measured on what, and when."""
    versions = []
    for name in ("openvino", "numpy", "keras", "tensorflow", PEER):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return [f"* {processor()}, {usable_cores()} cores, {platform.system()} {platform.machine()}",
            f"* {time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, "
            + ", ".join(versions)]


def processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in text.splitlines()
             if line.startswith("model name")]
    return names[0] if names else platform.machine()
