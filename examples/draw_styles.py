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
from typing import NamedTuple, NoReturn

import cv2
import numpy as np
from PIL import Image

Array = np.ndarray
Rng = np.random.Generator
SKY, SUN, FAR, WATER, HILL, FIELD, TREE = range(7)
INK, FOAM = (20, 32, 62), (247, 241, 222)
SHIFT = 4  # OpenCV draws with coordinates in sixteenths of a pixel: smooth, unshaken marks


def colours(codes: str) -> Array:
    """Hex colour codes as an (n, 3) float array of RGB values from 0 to 255."""
    return np.array([tuple(bytes.fromhex(code)) for code in codes.split()], np.float32)


def noise(height: int, width: int, cell: float, rng: Rng, octaves: int = 3) -> Array:
    """Smooth value noise from 0 to 1; `cell` is the size of its largest bumps in pixels."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        rows, columns = int(height / step) + 3, int(width / step) + 3
        grid = rng.random((rows, columns)).astype(np.float32)
        size = (int(columns * step) + 1, int(rows * step) + 1)
        full = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
        total += full[:height, :width] / 2**octave
    return (total - total.min()) / max(float(np.ptp(total)), 1e-6)


def streaks(height: int, width: int, cell: float, rng: Rng) -> Array:
    """Noise drawn out sideways, like wood grain, ripples or old glass."""
    return cv2.resize(noise(height, max(width // 8, 2), cell, rng, 2), (width, height))


def ramp(values: Array, palette: Array) -> Array:
    """Colours for values from 0 to 1, blended along the palette."""
    place = np.linspace(0, 1, len(palette))
    return np.stack([np.interp(values, place, palette[:, c]) for c in range(3)], axis=-1)


def coloured(label: Array, tone: Array, palettes: str) -> Array:
    """Colours by label and lightness; a palette, dark to light, per label, split by commas."""
    return np.choose(label[..., None], [ramp(tone, colours(p)) for p in palettes.split(",")])


def relief(picture: Array, thickness: Array, strength: float) -> Array:
    """Light the picture from the upper left as if its paint had this thickness."""
    smooth = cv2.GaussianBlur(thickness.astype(np.float32), (0, 0), 0.8)
    slope = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) + cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return picture * (1 + np.clip(slope * strength, -0.4, 0.5))[..., None]


def finish(picture: Array) -> Array:
    """Back to whole bytes."""
    return np.clip(picture, 0, 255).astype(np.uint8)


def fixed(points: Array) -> Array:
    """Points as the fixed-point integers that OpenCV's drawing calls want."""
    return np.round(np.asarray(points) * 2**SHIFT).astype(np.int32)


def line(canvas: Array, points: Array, paint: tuple, thick: float) -> None:
    """Draw an open line through the points."""
    cv2.polylines(canvas, [fixed(points)], False, paint, max(round(thick), 1), cv2.LINE_AA, SHIFT)


def disc(canvas: Array, point: Array, radius: float, paint: tuple) -> None:
    """Draw a filled circle."""
    cv2.circle(canvas, fixed(point).tolist(), int(radius * 2**SHIFT), paint, -1, cv2.LINE_AA, SHIFT)


def scatter(height: int, width: int, gap: float, rng: Rng, jitter: float = 0.5) -> Array:
    """Evenly spread points (x, y) about `gap` pixels apart, in random order."""
    y, x = np.mgrid[-gap / 2 : height + gap : gap, -gap / 2 : width + gap : gap]
    x = x + (np.arange(len(x)) % 2)[:, None] * gap / 2
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    return rng.permutation(points + rng.uniform(-jitter, jitter, points.shape) * gap)


def pick(field: Array, points: Array) -> Array:
    """Values of a field at points (x, y), those outside moved to the border."""
    x = np.clip(points[..., 0], 0, field.shape[1] - 1).astype(int)
    y = np.clip(points[..., 1], 0, field.shape[0] - 1).astype(int)
    return field[y, x]


def brush(
    colour: Array, angle: Array, rng: Rng, length: float, thick: float, vary: float = 22.0
) -> Array:
    """Paint a colour field in bristly strokes along an angle field, lit like thick oil."""
    thick = max(thick, 1.0)
    # The fourth channel collects the thickness of the paint under the same strokes.
    canvas = np.dstack([finish(colour), np.full(angle.shape, 128, np.uint8)])
    start = np.concatenate([scatter(*angle.shape, thick * 1.5, rng) for _ in range(2)])
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    path = [start]
    for _ in range(6):
        path.append(path[-1] + pick(direction, path[-1]) * length / 6)
    path = np.stack(path, axis=1)
    tone = pick(colour, path[:, 3]) + rng.normal(0, vary, (len(start), 1))
    tone += rng.normal(0, vary / 2, (len(start), 3))
    normal = pick(direction, path[:, 3])[:, None, ::-1] * (-1, 1)
    bristles = max(int(thick / 2), 1)
    for trail, paint, side in zip(path, tone, normal, strict=True):
        for offset in np.linspace(-0.5, 0.5, bristles + 1):
            streak = rng.normal(0, 1)
            value = [*np.clip(paint + streak * vary / 2, 0, 255).tolist(), 128 + 45 * streak]
            line(canvas, trail + side * offset * thick, value, thick / bristles)
    return relief(canvas[..., :3].astype(np.float32), canvas[..., 3], 0.0022)


class Scene(NamedTuple):
    """A landscape before it is painted: what lies where, how light it is, where marks run."""

    label: Array
    tone: Array
    angle: Array
    sun: tuple[float, float]


def landscape(height: int, width: int, rng: Rng) -> Scene:
    """Sun over mountains, water, a hill, a field and a tree; lengths in picture heights."""
    y, x = (np.mgrid[0:height, 0:width] / height).astype(np.float32)
    wide = width / height
    sun = (wide * rng.uniform(0.58, 0.78), rng.uniform(0.17, 0.27))
    far, around = np.hypot(x - sun[0], y - sun[1]), np.arctan2(x - sun[0], sun[1] - y)
    bumps = noise(height, width, height / 6, rng) - 0.5
    label, angle = np.zeros((height, width), np.uint8), around + bumps * 2
    tone = np.clip(1.05 - far * 0.95 + 0.35 * bumps, 0, 1)

    def cover(mask: Array, name: int, light: Array, along: Array) -> None:
        label[mask], tone[mask], angle[mask] = name, np.clip(light, 0, 1)[mask], along[mask]

    def ground(base: float, rise: float, cell: float, tilt: float) -> tuple[Array, Array]:
        """Depth below a line of hills, and the slope of that line."""
        top = noise(1, width, cell * height, rng)[0] * rise + np.linspace(-tilt, tilt, width)
        return y - base + top, 0 * y - np.arctan(np.gradient(top) * height)

    cover(far < 0.085, SUN, 1.0 - far * 3, around)
    below, slope = ground(0.53, 0.24, 0.30, 0.02)
    cover(below > 0, FAR, 0.95 - below * 3.2 + bumps, slope + bumps * 1.5)
    glint = np.exp(-(((x - sun[0]) / (0.05 + (y - 0.5) * 0.45)) ** 2))
    ripple = streaks(height, width, height / 22, rng)
    cover(y > 0.54, WATER, 0.15 + 0.55 * ripple * (1 + glint), (ripple - 0.5) * 0.4)
    below, slope = ground(0.70, 0.12, 0.35, -0.16)
    cover(below > 0, HILL, 1.0 - below * 3.0 + 0.7 * bumps, slope + below * 1.5)
    below, slope = ground(0.88, 0.10, 0.45, 0.05)
    rows = np.sin((below + 0.25 * x * below) * 70) * 0.22
    cover(below > 0, FIELD, 0.85 - below * 1.9 + rows + 0.3 * bumps, slope + below)
    left = wide * rng.uniform(0.16, 0.24)
    cover((abs(x - left) < 0.012 + 0.02 * y**4) & (abs(y - 0.7) < 0.22), TREE, 0.2 * x, y + 1.2)
    for _ in range(12):
        dx, dy = x - left - rng.normal(0, 0.075), y - 0.43 - rng.normal(0, 0.085)
        crown = np.hypot(dx, dy) + 0.05 * bumps < rng.uniform(0.05, 0.085)
        cover(crown, TREE, 0.5 + 4.5 * (dx - dy) + 0.7 * bumps, np.arctan2(dx, -dy))
    return Scene(label, tone, angle, sun)


def flow_field(height: int, width: int, rng: Rng) -> Array:
    """Night sky in swirling oil strokes: vortices and stars over dark hills and a cypress."""
    unit, wide = min(height, width) / 560, width / height
    y, x = (np.mgrid[0:height, 0:width] / height).astype(np.float32)
    flow_x, flow_y, glow = 1 + 0 * x, 0.35 * np.sin(x * 5 + rng.uniform(0, 6)), 0 * x
    stars = [(wide * 0.82, 0.17, 0.085), (wide * 0.43, 0.36, 0.05)]
    stars += [(wide * (i + rng.uniform(0.2, 0.8)) / 6, rng.uniform(0.04, 0.5), 0.026)
              for i in range(6)]
    tone = 0.30 + 0.25 * noise(height, width, height / 8, rng)
    for star_x, star_y, size in stars:
        dx, dy = x - star_x, y - star_y
        far = np.hypot(dx, dy) / size + 1e-3
        pull = 5 / size / far * np.exp(-((far / 2.6) ** 2))
        flow_x, flow_y = flow_x - dy * pull, flow_y + dx * pull
        rings = 0.82 + 0.28 * np.cos(far * 7)
        glow = np.maximum(glow, np.exp(-((far / 1.5) ** 2)) * rings)
        tone += 0.14 * np.cos(far * 4) * np.exp(-far / 3)
    label, angle = np.zeros((height, width), np.uint8), np.arctan2(flow_y, flow_x)
    for name, base in ((1, 0.70), (2, 0.84)):
        top = 0.14 * noise(1, width, width / 3, rng)
        bumps, below = noise(height, width, height / 9, rng) - 0.5, y - base + top
        label[below > 0] = name
        tone = np.where(below > 0, 0.95 - below * 4.5 + 0.7 * bumps, tone)
        slope = bumps * 1.6 - np.arctan(np.gradient(top[0]) * height)
        angle = np.where(below > 0, slope, angle)
    half = 0.02 + (y - 0.12) * 0.13 + 0.015 * np.sin(y * 34)
    cypress = (abs(x - wide * 0.15 - 0.02 * np.sin(y * 9)) < half) & (y > 0.1)
    label[cypress] = 3
    tone = np.where(cypress, noise(height, width, height / 30, rng), tone)
    angle = np.where(cypress, 1.57 + 0.6 * np.sin(y * 22), angle)
    colour = coloured(label, tone, "0b1440 15307c 2458ac 4c8fc9 a9d0d6 e9e9c0,"
                      "0d1c4a 1d4a78 4d86a8,08131f 1c4435 6d8c3a c9b94a,05120f 12301f 3f5a2a")
    gold = ramp(glow, colours("2458ac 7fb3b0 e8cf58 f9d53a fff3b0"))
    colour += (gold - colour) * (np.clip(glow * 1.6, 0, 1) * (label == 0))[..., None]
    return finish(brush(colour, angle, rng, 34 * unit, 6.5 * unit))


def pointillism(height: int, width: int, rng: Rng) -> Array:
    """A bright shore in dots, each colour divided into neighbours and its complement."""
    unit, scene = min(height, width) / 560, landscape(height, width, rng)
    colour = coloured(scene.label, scene.tone, "2f6cc0 4a8ad0 7ab4e0 b8d8e4 f8dcb0,ff9a2a ffe868,"
                      "44508f 8a78b8 e0a8b0,1c4f97 3e90b8 ffe9a0,1f5a4a 5da04a d8d45a,"
                      "7a3a3c d9883a f7d96a,16304e 2a7040 c2cc4a")
    canvas = finish(cv2.GaussianBlur(colour, (0, 0), 3 * unit) * 0.5 + 110)
    for gap in (12.0, 10.5, 9.5):
        points = scatter(height, width, max(gap * unit, 2.5), rng)
        hsv = pick(colour, points)[None].astype(np.float32) / 255
        hsv = cv2.cvtColor(hsv, cv2.COLOR_RGB2HSV)[0]
        turn = rng.choice([0, 0, 0, 0, 25, -25, 180], len(points)) + rng.normal(0, 7, len(points))
        hsv[:, 0] = (hsv[:, 0] + turn) % 360
        hsv[:, 1] = np.clip(hsv[:, 1] * 1.25 + 0.12, 0, 1)
        hsv[:, 2] = np.clip(hsv[:, 2] + rng.normal(0.02, 0.09, len(points)), 0.12, 1)
        paints = (cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0] * 255).tolist()
        for point, paint in zip(points, paints, strict=True):
            disc(canvas, point, rng.uniform(0.42, 0.58) * max(gap * unit, 2.5), paint)
    return canvas


def tile_owners(centre: Array, turn: Array, reach: int, shape: tuple[int, int]) -> tuple:
    """For every pixel the tile that reaches it first, growing as a turned square, and the gap
    to the second: squares, unlike circles, meet in straight rows."""
    best, second = np.full((2, *shape), 1e6, np.float32)
    owner = np.zeros(shape, np.int32)
    rows, columns = np.ogrid[0 : shape[0], 0 : shape[1]]
    for i, ((x, y), cos, sin) in enumerate(zip(centre, np.cos(turn), np.sin(turn), strict=True)):
        window = tuple(slice(max(int(p) - reach, 0), max(int(p) + reach, 0)) for p in (y, x))
        dy, dx = rows[window[0]] - y, columns[:, window[1]] - x
        far = np.maximum(abs(dx * cos + dy * sin), abs(dy * cos - dx * sin))
        near = best[window]
        second[window] = np.minimum(second[window], np.maximum(far, near))
        owner[window] = np.where(far < near, i, owner[window])
        best[window] = np.minimum(far, near)
    return owner, second - best


def mosaic(height: int, width: int, rng: Rng) -> Array:
    """Stone and glass tiles in rows that follow the outlines, set in dark grout."""
    size = max(17 * min(height, width) / 560, 4)
    scene, shape, reach = landscape(height, width, rng), (height, width), int(size * 1.6)
    edges = cv2.morphologyEx(scene.label, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    away = cv2.distanceTransform((edges == 0).astype(np.uint8), cv2.DIST_L2, 5)
    away = cv2.GaussianBlur(away, (0, 0), size / 2)
    turn = np.arctan2(cv2.Sobel(away, cv2.CV_32F, 0, 1), cv2.Sobel(away, cv2.CV_32F, 1, 0))
    centre = scatter(height, width, size, rng, 0.3)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    for _ in range(10):  # Lloyd's algorithm: move each tile to the middle of what it owns
        owner = tile_owners(centre, pick(turn, centre), reach, shape)[0].ravel()
        count = np.bincount(owner, minlength=len(centre))[:, None]
        middle = [np.bincount(owner, axis.ravel(), len(centre)) for axis in (x, y)]
        centre = np.where(count > 0, np.stack(middle, axis=1) / np.maximum(count, 1), centre)
    owner, gap = tile_owners(centre, pick(turn, centre), reach, shape)
    tone = pick(coloured(scene.label, scene.tone, "1d4e89 2476b0 5cb4c4 d8e6b0,ee7a1a ffc43a,"
                         "472a5e 8a4a7c d98a8a,0f3d5c 1f8a8c d8eec0,24472f 5f8a3c c8c44c,"
                         "6e2518 c4562a eda84a,10281c 1f6a3c 9cc04c"), centre)
    tone += rng.normal(0, 16, (len(centre), 1)) + rng.normal(0, 9, (len(centre), 3))
    tone[rng.random(len(centre)) < 0.05] += 45  # a few glints of glass
    stone = tone[owner] * (0.9 + 0.2 * noise(height, width, size / 2, rng, 1))[..., None]
    stone = relief(stone, np.minimum(gap, size / 4), 0.06)
    return finish(40 + (stone - 40) * np.clip(gap / (size / 10) - 0.7, 0, 1)[..., None])


def breaking_wave(canvas: Array, depth: float, blue: Array, rng: Rng) -> Array:
    """One row of waves, the nearer the larger: body, stripes, outline, claws of foam, spray."""
    height, width = canvas.shape[:2]
    unit, rise = min(height, width) / 560, height * (0.05 + 0.11 * depth)
    time = np.linspace(-0.5, 1.5, 900)
    phase = time * (4.2 - 2.3 * depth) * 2 * np.pi + rng.uniform(0, 6.3)
    crest = (0.5 + 0.5 * np.cos(phase)) ** 2
    swell = crest + 0.3 * noise(1, 900, 200, rng)[0]

    def curve(down: float) -> Array:
        """The crest line, or a calmer one of the same wave further down."""
        x = time * width + rise * (1 - down) * 1.6 * crest**1.5
        y = height * (0.56 + 0.36 * depth + 0.2 * down) - rise * (1.6 - down) * swell
        return np.stack([x, y], axis=1)

    front, wave = curve(0.0), np.empty_like(canvas)
    wave[:] = blue
    for i, down in enumerate(np.linspace(0.08, 1.2, 11)):
        paint = [FOAM, INK, (blue * 1.35).clip(0, 255).tolist()][i % 3]
        line(wave, curve(down), paint, (7, 2, 5)[i % 3] * unit * (0.5 + 0.6 * depth))
    body = fixed([*front, (2 * width, 2 * height), (-width, 2 * height)])
    mask = cv2.fillPoly(np.zeros((height, width), np.uint8), [body], 255, cv2.LINE_AA, SHIFT)
    canvas = finish(canvas + (wave - canvas.astype(np.float32)) * (mask[..., None] / 255))
    line(canvas, front, INK, 2.6 * unit)
    top = front[(crest > 0.45) & (np.sin(phase) > -0.5)]
    root = np.repeat(top[rng.integers(0, len(top), 70)] + rng.normal(0, 0.04, (70, 2)) * rise, 4, 0)
    step = np.tile(np.arange(4), 70)  # a claw is four discs, ever smaller, bending down
    size = np.repeat(rng.uniform(0.045, 0.085, 70), 4) * rise * (1 - 0.2 * step) + unit
    claw = root + np.stack([1.25 * step, 0.28 * step**2 - 0.2 * step], axis=1) * size[:, None]
    for extra, paint in ((1.8 * unit, INK), (0.0, FOAM)):  # all outlines first: they merge
        for point, radius in zip(claw, size, strict=True):
            disc(canvas, point, radius + extra, paint)
    for point in top[rng.integers(0, len(top), 60)] - abs(rng.normal(0, 0.35, (60, 2))) * rise:
        disc(canvas, point, rng.uniform(1.8, 3.0) * unit, FOAM)
    return canvas


def woodcut_waves(height: int, width: int, rng: Rng) -> Array:
    """Colour woodblock print: breaking waves in flat blues, a far mountain, a red sun."""
    unit = min(height, width) / 560
    y = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    canvas = finish(ramp(y, colours("27507f a9c0b4 f0e2bd f3cfa0 e7a87c")))
    disc(canvas, (width * 0.76, height * 0.22), height * 0.1, (203, 62, 44))
    for shape, paint in (("26 62 40 42 47 30 53 30 61 43 78 62 26 62", (92, 118, 140)),
                         ("42 39 47 30 53 30 59 40 55 37 53 42 50 37 47 43 45 37 42 39", FOAM)):
        corners = np.array(shape.split(), float).reshape(-1, 2) / 100 * (width, height)
        cv2.fillPoly(canvas, [fixed(corners)], paint, cv2.LINE_AA, SHIFT)
        line(canvas, corners, INK, 2.4 * unit)
    for i, blue in enumerate(colours("7fa8b4 5b8fae 3f77a6 2c5f96 1f4a82 173a6c")):
        canvas = breaking_wave(canvas, i / 5, blue, rng)
    return finish(canvas * (0.90 + 0.16 * streaks(height, width, 5 * unit, rng))[..., None])


def ink_hatching(height: int, width: int, rng: Rng) -> Array:
    """Pen drawing: tone from layers of crossed lines in blue-black and sepia on cream."""
    unit, scene = min(height, width) / 560, landscape(height, width, rng)
    base = np.array([0.22, 0.95, 0.24, 0.10, 0.10, 0.14, -0.12], np.float32)[scene.label]
    tone = cv2.GaussianBlur(np.clip(base + scene.tone * 0.66, 0, 1), (0, 0), 1.5 * unit)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    wobble = noise(height, width, 60 * unit, rng) * 7 * unit
    form = cv2.GaussianBlur(scene.tone, (0, 0), 12 * unit) * 14 * unit
    rings = np.hypot(x - scene.sun[0] * height, y - scene.sun[1] * height)
    grain = noise(height, width, 9 * unit, rng)
    picture = colours("f3e6c8")[0] * (0.94 + 0.07 * grain)[..., None]
    for turn, limit, ink in ((0.9, 0.92, "1d2440"), (2.2, 0.62, "7a3218"), (0.25, 0.42, "1d2440"),
                             (1.55, 0.22, "1d2440")):
        along = x * np.cos(turn) + y * np.sin(turn)
        across = x * np.sin(turn) - y * np.cos(turn) + form
        # The first lines in the sky run around the sun.
        across = np.where((scene.label == SKY) & (limit > 0.9), rings, across) + wobble
        row = across / max(8.0 * unit, 2.5)
        # Each line gets its own changes of pressure, so that it reads as drawn by hand.
        strip = noise(256, 64, 1, rng, 1)
        pressure = strip[np.floor(row).astype(int) % 256, (along / (22 * unit)).astype(int) % 64]
        weight = np.clip((limit - tone) * 1.4, 0, 0.32) * (0.55 + 0.9 * pressure)
        inked = np.clip((weight - abs(row % 1 - 0.5)) * 5 + 0.25, 0, 1) * (weight > 0.03)
        picture = picture + (colours(ink)[0] - picture) * (inked * 0.9)[..., None]
    for shake in (0.3, -0.2):  # outlines drawn twice, not quite in the same place
        label = cv2.remap(scene.label, x + wobble * shake, y, cv2.INTER_NEAREST)
        edges = cv2.morphologyEx(label, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
        outline = cv2.GaussianBlur(edges.astype(np.float32), (0, 0), 0.9 * unit) * 1.7
        picture = picture + (colours("141828")[0] - picture) * outline.clip(0, 1)[..., None]
    return finish(picture)


def stained_glass(height: int, width: int, rng: Rng) -> Array:
    """A window: panes of glowing glass between lead lines, rays around a sun."""
    unit, scene = min(height, width) / 560, landscape(height, width, rng)
    y, x = (np.mgrid[0:height, 0:width] / height).astype(np.float32)
    far, ray = np.hypot(x - scene.sun[0], y - scene.sun[1]), scene.sun[1] - y
    ray = np.floor(np.arctan2(ray, x - scene.sun[0]) / np.pi * 11 + 11.5).astype(int) % 22
    region = np.where(scene.label == SKY, ray + 50 * (far > 0.3), scene.label * 100)
    points = scatter(height, width, 46 * unit, rng, 0.42).clip(0, (width - 1, height - 1))
    seeds = np.ones((height, width), np.uint8)
    seeds[points[:, 1].astype(int), points[:, 0].astype(int)] = 0
    cell = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    # A pane is where a Voronoi cell and a part of the scene meet.
    _, first, pane = np.unique(cell * 1000 + region, return_index=True, return_inverse=True)
    pane = pane.reshape(height, width)
    same = np.ones((height, width), np.uint8)
    same[1:] &= pane[1:] == pane[:-1]
    same[:, 1:] &= pane[:, 1:] == pane[:, :-1]
    away = cv2.distanceTransform(same, cv2.DIST_L2, 5) / unit
    label, lot = scene.label.ravel()[first], rng.random(len(first))
    band = far.ravel()[first] * 1.25 + 0.12 * (ray.ravel()[first] % 2) + 0.12 * lot
    tone = coloured(label, np.where(label == SKY, band, lot),
                    "ffc83c f0842a e0486a 7a3ca8 2a50c0 1a3c9c,ffd23c ffe98a ffb52a,"
                    "12606c 2a8a8a 3a5a9a,1456b8 1f86c8 3cb4c0,1c7a3c 4aa038 8ac03c,"
                    "c8281e e0601e a81838,0c5a3c 1c8a4a 3c6a1c")
    tone *= rng.uniform(0.8, 1.2, (len(first), 1))
    glow = 0.5 + 0.5 * np.tanh(away / 9) + 0.45 * (streaks(height, width, 12 * unit, rng) - 0.5)
    glow += 0.25 * np.exp(-far * 3)
    picture = tone[pane] * glow[..., None] + 60 * np.clip(glow - 0.85, 0, 1)[..., None]
    thick = np.clip(3.4 - away, 0, 3)
    metal = relief(np.full((height, width, 3), 38.0), thick, 0.25)
    return finish(picture + (metal - picture) * thick.clip(0, 1)[..., None])


def cubist_facets(height: int, width: int, rng: Rng) -> Array:
    """Shaded planes that fade into each other, ochre, grey and blue, around a broken guitar."""
    unit, size = min(height, width) / 560, np.array([width, height])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    shades = colours("1c1a1c 4a3624 8c6430 c08c3c ecd29a f4ecd8 8a9490 4a6a80 22384e")
    colour = ramp(noise(height, width, height / 4, rng), shades[[2, 6, 4, 3, 7]])
    angle, edges = np.zeros((height, width), np.float32), []
    for i in range(130):
        reach, middle = height * (0.28 * (1 - i / 130) + 0.06), rng.normal(0.5, 0.27, 2) * size
        turn = rng.choice([0.25, 1.2, 1.95, 2.75]) + rng.normal(0, 0.1) + rng.choice([0, np.pi])
        cos, sin, half = np.cos(turn), np.sin(turn), rng.uniform(0.3, 0.7) * reach
        deep = (x - middle[0]) * cos + (y - middle[1]) * sin
        side = (y - middle[1]) * cos - (x - middle[0]) * sin + rng.normal(0, 0.4) * deep
        # A plane is strongest along one straight edge and fades out behind it.
        solid = (deep > 0) & (abs(side) < half) & (deep < reach)
        fade = 0.95 * solid * (1 - deep / reach).clip(0, 1) ** 0.8
        colour += (shades[rng.integers(0, 9)] - colour) * fade[..., None]
        angle[solid] = turn + 1.57
        edges.append(middle + np.array([[sin, -cos], [-sin, cos]]) * half)
    painted = finish(0.4 * brush(colour, angle, rng, 15 * unit, 6 * unit, 14) + 0.6 * colour)
    for i, ends in enumerate(edges[60:]):  # those of earlier planes lie under later ones
        line(painted, ends, tuple(shades[0 if i % 6 else 5].tolist()), (0.8 + 0.8 * (i % 3)) * unit)
    for px, py, radius, low, high in ((0.46, 0.66, 0.2, 60, 290), (0.55, 0.38, 0.13, -150, 60),
                                      (0.49, 0.53, 0.06, 0, 250), (0.53, 0.56, 0.06, 180, 420)):
        cv2.ellipse(painted, (int(px * width), int(py * height)), (int(radius * height),) * 2, -20,
                    low, high, (28, 22, 20), max(round(3 * unit), 1), cv2.LINE_AA)
    for i in range(5):
        ends = np.array([[0.42 + 0.018 * i, 0.82], [0.62 + 0.012 * i, 0.10]]) * size
        line(painted, ends, (245, 235, 210) if i % 2 else (28, 22, 20), 1.6 * unit)
    return painted


def watercolour_washes(height: int, width: int, rng: Rng) -> Array:
    """Misty ridges and flowers in transparent washes on rough paper."""
    unit, wide = min(height, width) / 560, width / height
    y, x = (np.mgrid[0:height, 0:width] / height).astype(np.float32)
    rough = noise(height, width, 5 * unit, rng, 2)
    picture = colours("fdf8ec")[0] * np.ones((height, width, 1))

    def wash(mask: Array, pigment: str, density: Array) -> None:
        """Lay pigment as light-absorbing film: it pools at the edge and in paper hollows."""
        nonlocal picture
        inward = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) / unit
        rim = 0.5 * np.exp(-inward / 2.0) + 0.2 * np.exp(-inward / 9)
        film = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7 * unit)
        film *= (density + rim).clip(0)
        absorb = -np.log(colours(pigment)[0].clip(4, 250) / 255)
        picture = picture * np.exp(-(film * (0.7 + 0.6 * rough))[..., None] * absorb)

    sun = np.hypot(x - wide * 0.66, y - 0.23) + 0.008 * rough
    for pigment, middle in (("2a7cd8", 0.0), ("f0708a", 0.25), ("ffb830", 0.42)):
        cloud = noise(height, width, height / 3, rng, 4)
        wash(sun > 0.077, pigment, np.exp(-(((y - middle) / 0.19) ** 2)) * cloud**1.5 * 1.6 - 0.15)
    wash(sun < 0.07, "f8481a", 0.7 + 0 * x)
    for i, pigment in enumerate(("a08cd8", "5a7ad8", "2a78c0", "1a98a0", "2a9a5a", "8ab81a")):
        reach = noise(1, width, width / (5 - 0.4 * i), rng, 4)
        wet = noise(height, width, height / 8, rng, 4)
        below = y - 0.45 - 0.09 * i + (0.22 - 0.015 * i) * reach + 0.012 * (wet - 0.5)
        wash(below > 0, pigment, 0.95 * np.exp(-below * 14) * (0.5 + wet) + 0.2 * wet - 0.1)
    for _ in range(90):
        down = rng.uniform(0.05, 1.0) ** 0.7
        size = rng.uniform(0.012, 0.036) * (0.3 + down)
        far = np.hypot(x - rng.uniform(0, wide), (y - 0.72 - 0.28 * down) * rng.uniform(0.8, 1.5))
        far += 0.02 * (rough - 0.5)
        pigment = ("e01a4a", "f8880a", "1a7a3a", "1a4ab0", "c81a8a")[rng.integers(0, 5)]
        wash(far < size, pigment, 0.35 + 0.6 * (far / size).clip(0, 1) ** 2)
    return finish(relief(picture, rough * 90, 0.0008))


def gold_ornament(height: int, width: int, rng: Rng) -> Array:
    """Gold leaf with a thicket of spirals above a robe of coloured squares and discs."""
    unit, dark = min(height, width) / 560, (48, 30, 12)
    gold = colours("8a5a14 b8861e d8a82c ecc850 fbe9a0")
    jewels = colours("1a1a1e f2ead2 c83a28 1f6a8a 2f8a4a 7a3a86 e88a2a 8a8f98")
    canvas = finish(ramp(noise(height, width, 70 * unit, rng, 4), gold))

    def block(point: Array, half: Array, paint: Array) -> None:
        low, high = (point - half).astype(int).tolist(), (point + half).astype(int).tolist()
        cv2.rectangle(canvas, low, high, tuple(map(float, paint)), -1)

    for point in scatter(height, width, 24 * unit, rng):
        block(point, rng.uniform(5, 13, 2) * unit, ramp(rng.random(), gold))
    turn = np.linspace(0, 5.5 * np.pi, 90)
    for point in scatter(int(height * 0.7), width, 88 * unit, rng, 0.35):
        whirl = rng.uniform(0, 6.3) + rng.choice([-1, 1]) * turn
        radius = rng.uniform(34, 54) * unit * (turn / turn[-1]) ** 0.8
        coil = point + np.stack([np.cos(whirl), np.sin(whirl)], axis=1) * radius[:, None]
        line(canvas, coil, dark, 7 * unit)
        line(canvas, coil, (158, 90, 30), 4 * unit)
    for point in scatter(height, width, 30 * unit, rng, 0.2):
        if point[1] / height < 0.36 + 2.0 * (point[0] / width - 0.5) ** 2:
            continue
        half, (paint, inner) = rng.uniform(9, 19, 2) * unit, jewels[rng.integers(0, 8, 2)]
        if rng.random() < 0.6:
            for inset, shade in ((0, dark), (2, paint), (6, inner)):
                block(point, (half - inset * unit).clip(0.5), shade)
        else:
            for part, shade in ((1.0, dark), (0.87, paint), (0.58, gold[3]), (0.33, inner)):
                disc(canvas, point, half.min() * 1.15 * part, tuple(map(float, shade)))
    bright = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)
    return finish(relief(canvas.astype(np.float32), bright, 0.0008))


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
