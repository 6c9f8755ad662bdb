"""Measure how much stylised videos flicker, by the smoothing of their statistics.

    adain flicker CONTENT_PATH STYLE_PATH [--model compact] [--smoothing 0 0.5 1 2]

Smoothing 0 stylizes every frame alone. Three clips of 640 x 360 at 25 frames a second are made
of each content picture, so that the true motion is known:

* noise: nothing moves, every pixel has Gaussian noise of its own in every frame (deviation 5 of
  255 levels), like a camera in a room.
* passer: the same, and a dark figure walks through the lower half, a quarter of the picture wide;
  measured where the networks see nothing of it, from 64 rows above it on.
* pan: a window moves over the picture by 3 columns and 1 row a frame, with noise (deviation 2).

`flicker` is the mean absolute difference of consecutive frames, moved by the known motion, in
levels of 255. It is given as such, and of the frames' means over blocks of 40 x 40 pixels: these
are what one sees as flicker of flat areas, without the shimmer of noise and brush strokes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from adain.files import images
from adain.networks.stats import ChannelStats
from adain.transfer.stylizer import Stylizer
from adain.video.steady import SteadyStylizer

ROWS, COLUMNS, RATE = 360, 640, 25
HALO = 64  # pixels: further than that no network of ours sees
BLOCK = 40
PAN = (1, 3)
Motion = tuple[int, int]


class Flicker(NamedTuple):
    """Mean absolute difference of consecutive frames, in levels of 255."""

    pixels: float
    blocks: float  # of means over blocks


def flicker(frames: Iterable[np.ndarray], motion: Motion = (0, 0), block: int = BLOCK) -> Flicker:
    """Return how much consecutive frames differ where they show the same.

    frames: two or more, (rows, columns, 3) of 0..255, at least one block large; motion: by how many
    rows and columns, 0 or more, the view moves down and to the right from frame to frame.
    """
    down, across = motion
    changes = []
    for before, after in pairwise(frames):
        rows, columns = before.shape[0] - down, before.shape[1] - across
        change = (after[:rows, :columns].astype(np.float32)
                  - before[down:, across:].astype(np.float32))
        rows, columns = rows // block * block, columns // block * block
        means = change[:rows, :columns].reshape(rows // block, block, columns // block, block, 3)
        changes.append((np.abs(change).mean(), np.abs(means.mean(axis=(1, 3))).mean()))
    return Flicker(*np.mean(changes, axis=0).tolist())


def noise(image: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Give the top left of the picture, uint8, `count` times, with noise."""
    for index in range(count):
        yield _noisy(image[:ROWS, :COLUMNS], 5, index)


def passer(image: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Give the same, and a dark figure that walks through the lower half."""
    width = COLUMNS // 4
    for index in range(count):
        frame = image[:ROWS, :COLUMNS].copy()
        left = round((COLUMNS + width) * index / count) - width
        frame[ROWS // 2:, max(left, 0):left + width] //= 5
        yield _noisy(frame, 5, index)


def pan(image: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Give a window that moves over the picture by PAN a frame."""
    down, across = PAN
    for index in range(count):
        top, left = down * index, across * index
        yield _noisy(image[top:top + ROWS, left:left + COLUMNS], 2, index)


# Name: the clip, its motion, and the top rows that are measured.
CLIPS = {"noise": (noise, (0, 0), ROWS), "passer": (passer, (0, 0), ROWS // 2 - HALO),
         "pan": (pan, PAN, ROWS)}


def _noisy(image: np.ndarray, deviation: float, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.clip(image + values + 0.5, 0, 255).astype(np.uint8)


def measure(stylizer: Stylizer, image: np.ndarray, style: ChannelStats, name: str,
            smoothing: float, count: int) -> Flicker:
    """Return the flicker of one clip of a picture when it is stylised with that smoothing."""
    clip, motion, rows = CLIPS[name]
    # Room for the pan.
    room = [side + step * count for side, step in zip((ROWS, COLUMNS), PAN)]
    scale = max((needed + 1) / side for needed, side in zip(room, image.shape))
    image = images.resize(image, *(round(side * scale) for side in image.shape[:2]))
    steady = SteadyStylizer(stylizer, style, smoothing=smoothing)
    return flicker((steady.stylize(frame, index / RATE)[:rows]
                    for index, frame in enumerate(clip(image, count))), motion)
