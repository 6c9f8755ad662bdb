"""Does an exported file compute what Stylizer does? Its own runtime and Stylizer, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from adain.export.plan import Plan
from adain.files.pixels import to_float
from adain.methods.johnson.network import StyleNetwork
from adain.networks.stats import EPSILON, ChannelStats, affine, interpolate
from adain.transfer.stylizer import Stylizer

Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]  # inputs -> outputs, by name
ALPHA = 0.8
LIMIT = 1.0  # of 255: what a file in float32 may differ by


@dataclass(frozen=True)
class Parity:
    """How far pictures of a file are from Stylizer's.

    largest: difference of a value, in 255ths; psnr: in dB, infinite where all are equal.
    """

    largest: float
    psnr: float


def compare(plan: Plan, run: Run, ours: Stylizer | StyleNetwork, content: np.ndarray,
            style: np.ndarray) -> Parity:
    """Compare pictures that a file makes with ours in float32.

    Args:
        run: Computes the file's outputs.
        ours: What computes with the same networks here.
        content, style: uint8 (rows, columns, 3), rows and columns multiples of 8.
    """
    if isinstance(ours, StyleNetwork):
        expected = ours.stylize(content, np.float32)
        found = _stylized(run, content=to_float(content)[None])
    else:
        encoded = ours.encode_style(style)
        expected = ours.stylize(content, encoded, ALPHA, dtype=np.float32)
        found = _PICTURES[plan.part.name](run, ours, content, style, encoded)
    difference = np.clip(expected, 0, 1) - np.clip(found, 0, 1)
    error = float(np.mean(np.square(difference, dtype=np.float64)))
    return Parity(float(np.abs(difference).max()) * 255,
                  float("inf") if error == 0 else -10 * float(np.log10(error)))


def _stylized(run: Run, **inputs: np.ndarray | float) -> np.ndarray:
    """Return the picture that a file makes of these inputs."""
    made: np.ndarray = run({name: np.asarray(value, np.float32)
                            for name, value in inputs.items()})["stylized"][0]
    return made


def _stylize(run: Run, ours: Stylizer, content: np.ndarray, style: np.ndarray,
             encoded: ChannelStats) -> np.ndarray:
    return _stylized(run, content=to_float(content)[None], style=to_float(style)[None],
                     alpha=ALPHA)


def _style(run: Run, ours: Stylizer, content: np.ndarray, style: np.ndarray,
           encoded: ChannelStats) -> np.ndarray:
    found = run({"style": to_float(style)[None]})
    stats = ChannelStats(found["style_mean"], found["style_std"])
    return ours.stylize(content, stats, ALPHA, dtype=np.float32)


def _transfer(run: Run, ours: Stylizer, content: np.ndarray, style: np.ndarray,
              encoded: ChannelStats) -> np.ndarray:
    return _stylized(run, content=to_float(content)[None], style_mean=encoded.mean,
                     style_std=encoded.std, alpha=ALPHA)


def _tile_statistics(run: Run, ours: Stylizer, content: np.ndarray, style: np.ndarray,
                     encoded: ChannelStats) -> np.ndarray:
    found = run({"tile": to_float(style)[None],
                 "weights": np.ones((1, *style.shape[:2]), np.float32)})
    stats = ChannelStats(found["mean"], np.sqrt(found["variance"] + np.float32(EPSILON)))
    return ours.stylize(content, stats, ALPHA, dtype=np.float32)


def _tile_regions(run: Run, ours: Stylizer, content: np.ndarray, style: np.ndarray,
                  encoded: ChannelStats) -> np.ndarray:
    """In two regions of the same style, which overlap."""
    own = ours.encode_style(content)
    scale, shift = affine(own, interpolate(own, encoded, ALPHA))
    share = np.linspace(0, 1, content.shape[1], dtype=np.float32) * np.ones(
        (content.shape[0], 1), np.float32)
    return _stylized(run, tile=to_float(content)[None], shares=np.stack([share, 1 - share]),
                     scales=np.stack([scale] * 2), shifts=np.stack([shift] * 2))


_PICTURES = {"stylize": _stylize, "style": _style, "transfer": _transfer,
             "tile-statistics": _tile_statistics, "tile-regions": _tile_regions}
