"""Compare the pictures that an exported file computes with those of Stylizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from adain.export import openvino_file
from adain.export.parts import part_of, program
from adain.export.plan import Plan
from adain.files.pixels import to_float
from adain.methods.johnson.network import StyleNetwork
from adain.networks.stats import EPSILON, ChannelStats, affine, interpolate
from adain.transfer.stylizer import Stylizer

Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]  # inputs -> outputs, by name
ALPHA = 0.8
LIMIT = 1.0  # largest difference, in levels of 255, that is allowed for a file in float32


@dataclass(frozen=True)
class Parity:
    """The difference between a picture computed by a file and Stylizer's.

    largest: largest difference of a value, in levels of 255.
    psnr: in dB; infinite if the pictures are equal.
    """

    largest: float
    psnr: float


def compare(plan: Plan, run: Run, ours: Stylizer | StyleNetwork, content: np.ndarray,
            style: np.ndarray) -> Parity:
    """Compare a picture computed by a file with one computed here, in float32.

    Args:
        plan: what the file computes.
        run: computes the outputs of the file from inputs.
        ours: has the same networks.
        content, style: uint8 RGB (rows, columns, 3); rows and columns are multiples of 8.
    """
    if isinstance(ours, StyleNetwork):
        expected = ours.stylize(content, np.float32)
        computed = _stylized(run, content=to_float(content)[None])
    else:
        trial = _Trial(plan, run, ours, content, style, ours.encode_style(style))
        expected = trial.picture(trial.encoded)
        computed = _PICTURES[plan.part.name](trial)
    difference = np.clip(expected, 0, 1) - np.clip(computed, 0, 1)
    error = float(np.mean(np.square(difference, dtype=np.float64)))
    return Parity(float(np.abs(difference).max()) * 255,
                  float("inf") if error == 0 else -10 * float(np.log10(error)))


@dataclass(frozen=True)
class _Trial:
    """A file for any style, and the pictures with which it is compared.

    encoded: `style`, encoded by `ours`.
    """

    plan: Plan
    run: Run
    ours: Stylizer
    content: np.ndarray
    style: np.ndarray
    encoded: ChannelStats

    def picture(self, style: ChannelStats) -> np.ndarray:
        """Return the content in an encoded style, computed by `ours`."""
        return self.ours.stylize(self.content, style, ALPHA, dtype=np.float32)

    def features(self, tile: np.ndarray) -> dict[str, np.ndarray]:
        """Return the features of a tile, computed by OpenVINO, for parts that take features."""
        if self.plan.networks is None:
            raise ValueError("a network for one style has no such parts")
        part = part_of("tile-features", self.plan.networks)
        ours = replace(self.plan, part=part, program=program(part, self.plan.networks),
                       precision="float32")
        return openvino_file.run(openvino_file.graph(ours), {"tile": to_float(tile)[None]})


def _stylized(run: Run, **inputs: np.ndarray | float) -> np.ndarray:
    """Return the picture that a file computes from these inputs."""
    stylized: np.ndarray = run({name: np.asarray(value, np.float32)
                                for name, value in inputs.items()})["stylized"][0]
    return stylized


def _stylize(trial: _Trial) -> np.ndarray:
    return _stylized(trial.run, content=to_float(trial.content)[None],
                     style=to_float(trial.style)[None], alpha=ALPHA)


def _style(trial: _Trial) -> np.ndarray:
    outputs = trial.run({"style": to_float(trial.style)[None]})
    return trial.picture(ChannelStats(outputs["style_mean"], outputs["style_std"]))


def _transfer(trial: _Trial) -> np.ndarray:
    return _stylized(trial.run, content=to_float(trial.content)[None],
                     style_mean=trial.encoded.mean, style_std=trial.encoded.std, alpha=ALPHA)


def _tile_features(trial: _Trial) -> np.ndarray:
    outputs = trial.run({"tile": to_float(trial.style)[None]})
    levels = [outputs[value.name] for value in trial.plan.outputs]
    return trial.picture(_to_stats(
        np.concatenate([level.mean(axis=(0, 1, 2)) for level in levels]),
        np.concatenate([level.var(axis=(0, 1, 2)) for level in levels])))


def _tile_statistics(trial: _Trial) -> np.ndarray:
    outputs = trial.run({**trial.features(trial.style),
                       "weights": np.ones((1, *trial.style.shape[:2]), np.float32)})
    return trial.picture(_to_stats(outputs["mean"], outputs["variance"]))


def _to_stats(mean: np.ndarray, variance: np.ndarray) -> ChannelStats:
    return ChannelStats(mean, np.sqrt(variance + np.float32(EPSILON)))


def _tile_regions(trial: _Trial) -> np.ndarray:
    """Compute the picture as two overlapping regions with the same style."""
    content = trial.ours.encode_style(trial.content)
    scale, shift = affine(content, interpolate(content, trial.encoded, ALPHA))
    rows, columns = trial.content.shape[:2]
    share = np.linspace(0, 1, columns, dtype=np.float32) * np.ones((rows, 1), np.float32)
    return _stylized(trial.run, **trial.features(trial.content),
                     shares=np.stack([share, 1 - share]), scales=np.stack([scale] * 2),
                     shifts=np.stack([shift] * 2))


_PICTURES: dict[str, Callable[[_Trial], np.ndarray]] = {
    "stylize": _stylize, "style": _style, "transfer": _transfer, "tile-features": _tile_features,
    "tile-statistics": _tile_statistics, "tile-regions": _tile_regions}
