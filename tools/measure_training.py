"""Measure what averages, accumulation and a gallery add to the time of training.

    python tools/measure_training.py --model compact --steps 20

The same step, plain, with --ema, with --accumulate and with both, in turns, so that what else the
machine does meets all; the medians per batch are compared. The gallery, every photograph of inputs/
in every painting of styles/, counts as measured every 500 steps. KERAS_BACKEND chooses the backend.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from adain.files import images
from adain.files.contact_sheet import cell
from adain.networks.architecture import PRESETS
from adain.networks.keras.devices import describe_device, start_quietly
from adain.training.config import TrainConfig
from adain.training.gallery import Gallery

ROOT = Path(__file__).resolve().parents[1]
EMA, EVERY = 0.999, 500


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def step(config: TrainConfig, pairs: np.ndarray) -> Callable[[], object]:
    """Return a training step, compiled, with as many of the pairs as it takes."""
    from adain.training import any_style

    model = any_style.build(config)
    batch = np.resize(pairs, (config.effective_batch_size, *pairs.shape[1:]))

    def compute() -> float:
        model.reset_metrics()
        [losses] = model.train_on_batch(batch, return_dict=True)["losses"]
        return float(losses["loss"])  # waits for the device

    compute()
    return compute


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=PRESETS, default="compact")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-size", type=int, default=128)
    parser.add_argument("--accumulate", type=int, default=4)
    parser.add_argument("--optimizer", default="muon")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    start_quietly()
    contents, styles = (sorted(folder.glob("*.jpg")) for folder in (ROOT / "inputs",
                                                                    ROOT / "styles"))
    pairs = np.stack([[cell(images.read(content), options.crop_size),
                       cell(images.read(style), options.crop_size)]
                      for content, style in zip(contents, styles)])

    def config(**changes: object) -> TrainConfig:
        return TrainConfig(model=options.model, batch_size=options.batch_size,
                           image_size=options.crop_size, crop_size=options.crop_size,
                           optimizer=options.optimizer, **changes)

    parts = options.accumulate
    variants = {"plain": config(), "ema": config(ema=EMA), "accumulate": config(accumulate=parts),
                "both": config(ema=EMA, accumulate=parts)}
    steps = {name: step(each, pairs) for name, each in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.steps):
        for name, compute in steps.items():
            times[name].append(seconds(compute) / variants[name].accumulate)
    medians = {name: statistics.median(found) for name, found in times.items()}
    gallery = gallery_seconds(config(), Gallery(
        tuple(contents), tuple(styles), *(np.stack([cell(images.read(file), 256) for file in files])
                                          for files in (contents, styles))))
    print(f"{describe_device()}, {options.model}, {options.batch_size} pairs of "
          f"{options.crop_size} pixels a batch, {parts} batches where accumulated")
    for name, found in medians.items():
        print(f"{name:11} {found:.4f} s a batch  {found / medians['plain'] - 1:+.1%}")
    share = gallery / EVERY / (medians["both"] * parts)
    print(f"gallery     {gallery:.2f} s every {EVERY} steps  {share:+.2%}")
    total = medians["both"] / medians["plain"] * (1 + share) - 1
    print(f"everything  {total:+.1%}")


def gallery_seconds(config: TrainConfig, gallery: Gallery) -> float:
    """Return how long measuring a gallery takes, once everything is compiled."""
    from adain.training import any_style
    from adain.training.judge import Judge

    model, judge = any_style.build(config), Judge(gallery, config)
    return min(seconds(lambda: judge.measure(model.stylize)) for _ in range(2))


if __name__ == "__main__":
    main()
