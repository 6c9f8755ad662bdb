"""Plots for reports: curves over the steps, drawn with Pillow alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

INK, GRID, PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
Color = tuple[int, int, int]


@dataclass(frozen=True)
class Curve:
    """Values by step. name: shown at the top right, where it is not empty. dots: instead of a line.
    """

    name: str
    color: Color
    points: tuple[tuple[int, float], ...]
    dots: bool = False


def plot(title: str, curves: Sequence[Curve], width: int = 900, height: int = 260,
         logarithmic: bool = True) -> Image.Image:
    """Return a plot of curves over the steps; on a logarithmic axis only values above 0 are shown.
    """
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    left, top, right, bottom = 70, 28, width - 20, height - 30
    draw.text((left, 14), title, INK, font(14), anchor="lm")
    shown = [(curve, [(step, math.log10(value) if logarithmic else value)
                      for step, value in curve.points if value > 0 or not logarithmic])
             for curve in curves]
    points = [point for _, values in shown for point in values]
    if not points:
        return page
    # A flat curve still needs an axis of some height.
    low, high = (extreme(value for _, value in points) + margin
                 for extreme, margin in ((min, -0.02), (max, 0.02)))
    first, last = (extreme(step for step, _ in points) for extreme in (min, max))

    def place(step: float, value: float) -> tuple[float, float]:
        return (left + (right - left) * (step - first) / max(last - first, 1),
                bottom - (bottom - top) * (value - low) / (high - low))

    for share in (0, 0.25, 0.5, 0.75, 1):
        step, value = first + share * (last - first), low + share * (high - low)
        x, y = place(step, value)
        draw.line([(left, y), (right, y)], GRID)
        draw.text((left - 6, y), f"{10 ** value if logarithmic else value:.3g}", INK, font(12),
                  anchor="rm")
        draw.text((x, bottom + 12), f"{round(step)}", INK, font(12), anchor="mm")
    end = float(right)
    for curve, values in shown:
        line = [place(step, value) for step, value in values]
        if len(line) > 1 and not curve.dots:
            draw.line(line, curve.color, 2)
        for x, y in line if curve.dots else ():
            draw.ellipse([x - 4, y - 4, x + 4, y + 4], curve.color)
        if line and curve.name:
            draw.text((end, 14), curve.name, curve.color, font(12), anchor="rm")
            end -= draw.textlength(curve.name, font(12)) + 16
    return page


def stack(pages: Sequence[Image.Image]) -> Image.Image:
    """Return pictures one above the other, as wide as the widest."""
    page = Image.new("RGB", (max(each.width for each in pages),
                             sum(each.height for each in pages)), PAPER)
    top = 0
    for each in pages:
        page.paste(each, (0, top))
        top += each.height
    return page


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font of labels."""
    return ImageFont.load_default(size)
