"""Iterative style transfer (Gatys, Ecker & Bethge 2016): optimize the pixels of one picture.

It is slow, but minimizes the losses directly, without a trained network, so that other methods are
compared with it. Large pictures are optimized from coarse to fine (Gatys et al. 2017) and computed
in tiles, see `loss`.

Departures from the paper: VGG19 is shipped up to relu4_1 only, so content is compared at relu4_1
instead of relu4_2, and style at relu1_1 .. relu4_1 without relu5_1.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adain.errors import AdaINError, OptionError, WeightsError
from adain.files import images
from adain.files.pixels import to_float, to_integers
from adain.methods.gatys.config import LEARNING_RATES, GatysConfig, Level, levels
from adain.methods.gatys.optimizers import LBFGS, OPTIMIZERS, Adam
from adain.networks.openvino import cpu
from adain.progress import StopRequest, duration, stop_on_signals
from adain.transfer import run_state
from adain.transfer.evolution import Evolution
from adain.transfer.image_like import ImageLike, as_image
from adain.transfer.refine import pad

if TYPE_CHECKING:
    from adain.methods.gatys.loss import Objective

logger = logging.getLogger(__name__)

_PREFIX = "optimizer/"  # before the names of the optimizer's arrays in a state


@dataclass
class State:
    """The state of a run: everything that the next iteration depends on.

    step: number of iterations so far, at all sizes.
    picture: float32 (rows, columns, 3) in [0, 1], padded to multiples of 8.
    best: the picture with the lowest loss at this size; best_loss: its loss.
    optimizer: with its state.
    """

    step: int
    picture: np.ndarray
    best: np.ndarray
    best_loss: float
    optimizer: Adam | LBFGS


def optimise(content: ImageLike, style: ImageLike, config: GatysConfig | None = None, *,
             start: ImageLike | None = None, state_path: str | Path | None = None,
             restore: bool = False, evolution: str | Path | None = None,
             evolution_iter: int = 50, report_iter: int = 10,
             stop: StopRequest | None = None) -> np.ndarray:
    """Optimize the pixels of a picture until it has the content's objects and the style's texture.

    Args:
        content: a path, a Pillow image or an array, as in Stylizer.stylize().
        style: the same; its size may differ.
        config: losses, optimizer and number of iterations; None: the defaults.
        start: a picture to start from, of any size, instead of config.start.
        state_path: a .npz file, written every five minutes and on a stop, removed at the end.
        restore: continue from state_path, exactly as if there had been no stop.
        evolution: a folder for a picture every evolution_iter iterations and, at the end, an
            animation of them.
        evolution_iter: iterations between these pictures.
        report_iter: iterations between two lines of progress, logged as INFO.
        stop: ends the run after the current iteration, with the best picture so far; None: SIGINT
            (Ctrl-C), SIGTERM and SIGHUP do.

    Returns:
        The picture of the lowest loss: uint8 RGB (rows, columns, 3), as large as the content.

    Raises:
        ImageError: a picture cannot be read, or a file cannot be written.
        OptionError: the state is of other pictures or settings, or an argument cannot work.
        AdaINError: the losses became infinite.

    Source: Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks";
    coarse to fine as Gatys et al. 2017. Departures are listed in this module's docstring.
    """
    config = config or GatysConfig()
    content, style = as_image(content), as_image(style)
    start = None if start is None else as_image(start)
    fingerprint = describe(content, style, start, config)
    if restore and state_path is None:
        raise OptionError("`restore` needs the `state_path` of the run to continue.")
    state = load(Path(state_path), fingerprint) if restore and state_path else None
    frames = Evolution(evolution, evolution_iter, resumes=restore) if evolution else None
    if state:
        logger.info("continues at iteration %d of %d", state.step, config.iterations)

    from adain.methods.gatys.loss import Objective, compiled  # loads OpenVINO or Keras

    progress = Progress(config, report_iter)
    rows, columns = content.shape[:2]
    plan = levels(rows, columns, config.coarse_size, config.iterations)
    if state is None:
        state = first_state(plan[0], content if start is None else start, config,
                            given=start is not None)
    saved = time.monotonic()
    with stop_on_signals(stop) as stop:
        for index, level in enumerate(plan):
            if state.step >= level.stop:
                continue
            size = level.rows, level.columns
            objective = Objective(compiled(config), prepare(content, *size),
                                  prepare(shrink_style(style, max(size), config.style_scale)))
            if index and state.step == level.start:
                state = enter(level, state, config)
            if frames and state.step == 0:
                frames.add(0, partial(crop, state.picture, level))
            while state.step < level.stop and not stop.reason:
                progress.update(state.step + 1, iterate(state, objective, level, config),
                              plan[index:])
                if frames:
                    frames.add(state.step, partial(crop, state.picture, level))
                if state_path and time.monotonic() - saved > run_state.SAVE_SECONDS:
                    save(Path(state_path), state, fingerprint)
                    saved = time.monotonic()
            if stop.reason:
                break
    finished = state.step == config.iterations
    if state_path and finished:
        Path(state_path).unlink(missing_ok=True)
    elif state_path:
        save(Path(state_path), state, fingerprint)
    result = images.resize(crop(state.best, level), rows, columns)
    if frames:
        frames.finish(state.step, result)
    if not finished:
        logger.info("%s: stopped at iteration %d of %d%s", stop.reason, state.step,
                    config.iterations, f"; {state_path} continues it." if state_path else ".")
    return result


def iterate(state: State, objective: Objective, level: Level,
            config: GatysConfig) -> dict[str, float]:
    """Advance the state by one iteration; return the losses of the picture before it."""
    evaluation = objective(state.picture)
    if not np.isfinite(evaluation.total):
        raise AdaINError(f"the losses became {evaluation.losses} at iteration {state.step}; lower "
                         "the learning rate or the style weight.")
    if evaluation.total < state.best_loss:
        state.best, state.best_loss = state.picture, evaluation.total
    moved = state.optimizer.update(state.picture, evaluation.gradient,
                                   learning_rate(config, level, state.step))
    state.picture, state.step = np.clip(moved, 0, 1), state.step + 1
    return evaluation.losses


def prepare(image: np.ndarray, *size: int) -> np.ndarray:
    """Return a picture resized to rows and columns, if given, padded, as float32 in [0, 1]."""
    return to_float(pad(images.resize(image, *(size or image.shape[:2]))))


def shrink_style(style: np.ndarray, longer_side: int, style_scale: float) -> np.ndarray:
    """Return the style with a longer side of longer_side * style_scale, but never enlarged."""
    factor = min(1.0, longer_side * style_scale / max(style.shape[:2]))
    return images.resize(style, *(max(1, round(side * factor)) for side in style.shape[:2]))


def crop(picture: np.ndarray, level: Level) -> np.ndarray:
    """Return a picture of this level as uint8, without the padding."""
    return to_integers(picture[:level.rows, :level.columns])


def first_state(level: Level, start: np.ndarray, config: GatysConfig, given: bool) -> State:
    """Return the state before the first iteration.

    start: the first picture; the content unless `given`.
    given: whether a first picture was given, which then replaces config.start.
    """
    if config.start == "noise" and not given:
        shape = *pad(np.empty((level.rows, level.columns))).shape, 3
        picture = np.random.default_rng(config.seed).uniform(0, 1, shape).astype(np.float32)
    else:
        picture = prepare(start, level.rows, level.columns)
    return State(level.start, picture, picture, math.inf, OPTIMIZERS[config.optimizer]())


def enter(level: Level, before: State, config: GatysConfig) -> State:
    """Return the state before the first iteration of a level, from that after the level before."""
    rows, columns = pad(np.empty((level.rows, level.columns))).shape
    picture = np.clip(images.resize(before.picture, rows, columns), 0, 1)
    return State(level.start, picture, picture, math.inf, OPTIMIZERS[config.optimizer]())


def learning_rate(config: GatysConfig, level: Level, step: int) -> float:
    """Return the learning rate of a step; Adam's falls to a tenth within each level (cosine)."""
    rate = config.learning_rate or LEARNING_RATES[config.optimizer]
    if config.optimizer != "adam":
        return rate
    progress = (step - level.start) / max(1, level.stop - level.start)
    return rate * (0.1 + 0.9 * (1 + math.cos(math.pi * progress)) / 2)


class Progress:
    """Logs the losses, the time of an iteration, and an estimate of the remaining time."""

    def __init__(self, config: GatysConfig, every: int) -> None:
        self.config, self.every = config, every
        self._then, self._step, self._size = time.monotonic(), 0, (0, 0)

    def update(self, step: int, losses: dict[str, float], plan: list[Level]) -> None:
        """Count an iteration; log every `every`-th and the last one of a level.

        plan: the current level and the following ones.
        """
        level = plan[0]
        if self._size != (level.rows, level.columns):  # not timed: it also compiles
            self._then, self._step, self._size = time.monotonic(), step, (level.rows, level.columns)
        elif step % self.every == 0 or step == level.stop:
            now = time.monotonic()
            pace = (now - self._then) / (step - self._step)
            self._then, self._step = now, step
            left = sum((other.stop - max(step, other.start)) * other.rows * other.columns
                       for other in plan) * pace / (level.rows * level.columns)
            logger.info("iteration %d/%d  %d x %d  %s  %.2f s each  %s left", step,
                        self.config.iterations, level.columns, level.rows,
                        "  ".join(f"{name} {value:.4g}" for name, value in losses.items()), pace,
                        duration(left))


# --- the state file ------------------------------------------------------------------------------

def describe(content: np.ndarray, style: np.ndarray, start: np.ndarray | None,
             config: GatysConfig) -> dict[str, Any]:
    """Return what must be equal to continue from a state: hashes of the pictures, all settings."""
    pictures = {"content": content, "style": style, "start picture": start}
    hashes = {name: run_state.hash_of(picture) for name, picture in pictures.items()}
    return hashes | dataclasses.asdict(config) | {"precision": _precision(config)}


def _precision(config: GatysConfig) -> str:
    """Return the precision that "auto" stands for on this machine, as results depend on it."""
    if config.engine == "keras":
        from adain.networks.keras.devices import choose_precision

        return choose_precision(config.precision)
    if config.precision != "auto":
        return config.precision
    return "mixed_bfloat16" if cpu.bfloat16() == cpu.FAST else "float32"


def save(path: Path, state: State, fingerprint: dict[str, Any]) -> None:
    """Write the state."""
    arrays = {_PREFIX + name: array for name, array in state.optimizer.state().items()}
    if math.isfinite(state.best_loss):  # not before the first iteration of a level
        arrays["best_loss"] = np.array(state.best_loss)
    run_state.save(path, fingerprint, {"step": state.step, "picture": state.picture,
                                       "best": state.best, **arrays})


def load(path: Path, fingerprint: dict[str, Any]) -> State:
    """Return the state at `path`.

    Raises:
        OptionError: there is no state, or it is of other pictures or settings.
        WeightsError: it is damaged.
    """
    stored = run_state.load(path, fingerprint)
    optimizer = run_state.pop_prefixed(stored, _PREFIX)
    expected = {"adam": {"mean", "square", "step"},
                "lbfgs": {"x", "gradient", "steps", "changes"}}[fingerprint["optimizer"]]
    numbers = [stored.get("step"), stored.get("best_loss", np.array(np.inf)),
               optimizer.get("step", np.array(0))]
    picture = stored.get("picture", np.empty(0))
    pictures = [picture, stored.get("best", np.empty(0)),
                *(array for name, array in optimizer.items() if name != "step")]
    if (optimizer.keys() not in (set(), expected)
            or any(array is None or array.shape for array in numbers)
            or any(array.ndim < 3 or array.shape[-1] != 3 or array.shape[-3:] != picture.shape
                   for array in pictures)):
        raise WeightsError(f"{path} is not {run_state.KIND}: its arrays do not belong together.")
    return State(int(stored["step"]), stored["picture"], stored["best"],
                 float(stored.get("best_loss", np.inf)),
                 OPTIMIZERS[fingerprint["optimizer"]](optimizer))
