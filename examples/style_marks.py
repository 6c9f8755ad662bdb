"""What draw_styles.py draws with: colours, noise, lines, brush strokes, and a landscape."""

from typing import NamedTuple

import cv2
import numpy as np

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
