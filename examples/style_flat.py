"""Flat, bold techniques for training styles: cut-outs, grids, bands, posters, large strokes."""

from __future__ import annotations

import cv2
import numpy as np
from style_marks import SHIFT, Array, Rng, brush, finish, fixed, line, noise, scatter


def palette(rng: Rng) -> Array:
    """Three to eight RGB colours, 0 to 255, one of them often nearly white or nearly black."""
    count = int(rng.integers(3, 9))
    hues = (rng.random() + rng.choice([0.08, 0.33, 1.0]) * rng.random(count)) % 1
    hsv = np.stack([hues * 360, rng.beta(3, 1.5, count), rng.beta(4, 1.5, count)], -1)
    found = cv2.cvtColor(hsv[None].astype(np.float32), cv2.COLOR_HSV2RGB)[0] * 255
    if rng.random() < 0.6:
        found[0] = rng.choice([250, 240, 15]) + rng.uniform(-5, 5, 3)
    return found


def blob(center: Array, radius: float, rng: Rng) -> Array:
    """Points of a smooth closed outline around a center."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    waves = sum(rng.normal(0, 0.28 / k) * np.cos(k * turn + rng.uniform(0, 6.3))
                for k in range(1, 6))
    return center + (radius * (1 + waves))[:, None] * np.stack([np.cos(turn), np.sin(turn)], -1)


def cut_outs(height: int, width: int, rng: Rng) -> Array:
    """Large flat shapes of coloured paper over each other."""
    paints, unit = palette(rng), min(height, width)
    canvas = np.full((height, width, 3), paints[0], np.uint8)
    for size in np.geomspace(0.5, 0.05, int(rng.integers(8, 45))) * unit:
        outline = blob(rng.random(2) * (width, height), size, rng)
        if rng.random() < 0.3:
            outline = outline[::int(rng.integers(8, 21))]
        cv2.fillPoly(canvas, [fixed(outline)], paints[rng.integers(len(paints))].tolist(),
                     cv2.LINE_AA, SHIFT)
    return canvas


def grid(height: int, width: int, rng: Rng) -> Array:
    """Rectangles of flat colour, often with dark bars between them."""
    paints = palette(rng)
    canvas = np.zeros((height, width, 3), np.uint8)
    rows, columns = (np.unique([0, length, *rng.integers(0, length, rng.integers(2, 14))])
                     for length in (height, width))
    for top, bottom in zip(rows, rows[1:]):
        for left, right in zip(columns, columns[1:]):
            canvas[top:bottom, left:right] = paints[rng.integers(len(paints))]
    if rng.random() < 0.7:
        thick, ink = max(2, round(rng.uniform(0.004, 0.03) * width)), rng.choice([10, 60, 245])
        for row in rows:
            cv2.line(canvas, (0, int(row)), (width, int(row)), [int(ink)] * 3, thick)
        for column in columns:
            cv2.line(canvas, (int(column), 0), (int(column), height), [int(ink)] * 3, thick)
    if rng.random() < 0.4:
        middle, angle = (width / 2, height / 2), rng.uniform(-45, 45)
        turned = cv2.getRotationMatrix2D(middle, angle, 1.5)
        canvas = cv2.warpAffine(canvas, turned, (width, height), borderMode=cv2.BORDER_REFLECT)
    return canvas


def bands(height: int, width: int, rng: Rng) -> Array:
    """Winding bands of flat colour along the levels of a smooth field."""
    paints = palette(rng)
    field = noise(height, width, min(height, width) * rng.uniform(0.2, 0.9), rng, 2)
    levels = field * rng.uniform(3, 20)
    canvas = paints[levels.astype(int) % len(paints)]
    if rng.random() < 0.5:  # outlines between them
        edge = cv2.morphologyEx(levels.astype(np.uint8), cv2.MORPH_GRADIENT,
                                np.ones((3, 3), np.uint8)) > 0
        canvas[edge] = rng.choice([12, 240])
    return finish(canvas)


def poster(height: int, width: int, rng: Rng) -> Array:
    """Flat areas of a smooth field with outlines, and dots or hatching in some of them."""
    paints, unit = palette(rng), min(height, width)
    field = noise(height, width, unit * rng.uniform(0.25, 0.7), rng, 4)
    label = np.digitize(field, np.sort(rng.random(len(paints) - 1)))
    canvas = finish(paints[label])
    pattern = canvas.copy()
    ink = rng.choice([15, 235]) + rng.integers(-10, 10, 3)
    gap = unit * rng.uniform(0.012, 0.04)
    if rng.random() < 0.5:
        for x, y in scatter(height, width, gap, rng, 0.05):
            cv2.circle(pattern, fixed(np.array([x, y])).tolist(), int(gap * 0.3 * 2**SHIFT),
                       ink.tolist(), -1, cv2.LINE_AA, SHIFT)
    else:
        slope = rng.uniform(-1, 1)
        for start in np.arange(-2 * height, 2 * width, gap):
            line(pattern, np.array([[start, 0], [start + slope * height, height]]), ink.tolist(),
                 gap * 0.3)
    patterned = np.isin(label, rng.integers(0, len(paints), 2))
    canvas[patterned] = pattern[patterned]
    if rng.random() < 0.7:
        edges = cv2.morphologyEx(label.astype(np.uint8), cv2.MORPH_GRADIENT,
                                 np.ones([int(rng.integers(2, 6))] * 2, np.uint8)) > 0
        canvas[edges] = rng.choice([10, 20, 230])
    return canvas


def bold_strokes(height: int, width: int, rng: Rng) -> Array:
    """Long thick strokes of paint that follow a smooth field, in few colours."""
    paints, unit = palette(rng), min(height, width)
    field = noise(height, width, unit * rng.uniform(0.3, 0.8), rng, 2)
    colour = paints[np.minimum((field * len(paints)).astype(int), len(paints) - 1)]
    angle = (noise(height, width, unit * rng.uniform(0.3, 1), rng, 1) * 2 * np.pi
             * rng.uniform(0.3, 1.5))
    return finish(brush(colour, angle, rng, unit * rng.uniform(0.08, 0.35),
                        unit * rng.uniform(0.012, 0.05), vary=rng.uniform(5, 25)))
