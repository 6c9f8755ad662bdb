"""The techniques of draw_styles.py that cut, set or print: mosaic, woodcut, ink, glass, gold."""

import cv2
import numpy as np
from style_marks import (
    FOAM,
    INK,
    SHIFT,
    SKY,
    Array,
    Rng,
    coloured,
    colours,
    disc,
    finish,
    fixed,
    landscape,
    line,
    noise,
    pick,
    ramp,
    relief,
    scatter,
    streaks,
)


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
