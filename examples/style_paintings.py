"""The techniques of draw_styles.py that paint: oil, dots, facets, watercolour."""

import cv2
import numpy as np
from style_marks import (
    Array,
    Rng,
    brush,
    coloured,
    colours,
    disc,
    finish,
    landscape,
    line,
    noise,
    pick,
    ramp,
    relief,
    scatter,
)


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
