"""Train a network for one style: train_style(), with the loop and the settings of adain.train().

reconstruction_iter and style_weight_ramp raise the style weight gradually, because a network that
is trained with the full weight from the start never learns to preserve the photograph. Training can
also continue with a higher weight, which gives the best pictures.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adain.errors import OptionError
from adain.files import images
from adain.files.bad_files import BadFiles
from adain.methods.johnson.network import METHOD
from adain.networks.checkpoint import Checkpoint
from adain.progress import StopRequest
from adain.training import data, distribution, framework, loader
from adain.training.config import TrainConfig
from adain.training.picture_cache import PictureCache
from adain.training.picture_files import list_files
from adain.training.resume import describe_pictures
from adain.training.run import (
    PREVIEWS,
    cache_bytes,
    check_watching,
    checked_folder,
    newest_checkpoint,
    reporting_bad_files,
)
from adain.training.watch import Batches, Watch

if TYPE_CHECKING:
    from adain.methods.johnson.model import TrainingModel

logger = logging.getLogger(__name__)

MOST_HELD_OUT = 64  # maximum number of photographs in the validation batch
# Fields of TrainConfig that do not apply to this method.
UNUSED = ("model", "cached_crops", "style_layer_weights", "gram", "content_target",
          "identity_share", "initialization", "hue_rotation", "lightening", "tinting",
          "structure_weight", "style_crop_size", "style_knee", "gallery_size", "evaluate_every")


def train_style(config: TrainConfig, content_path: str | Path, style_path: str | Path,
                folder: str | Path, *, log_path: str | Path | None = None,
                continue_from: str | Path | None = None, device: str = "auto",
                picture_cache: float = 0.0, gallery: str | Path | None = None,
                profile: tuple[int, int] | None = None, tracker: str | None = None,
                callbacks: Sequence[Any] = (), allow_changes: bool = False,
                command: str | None = None, stop: StopRequest | None = None) -> Path:
    """Train a network for the style of one picture, or resume at the newest checkpoint in `folder`.

    The style loss always compares Gram matrices. Files, logging and signals are as in
    adain.train().

    Args:
        config: the losses and the optimizer. The defaults of TrainConfig are for adain.train();
            for this method use batch_size=4, style_weight=5e-4, tv_weight=10, learning_rate=1e-3,
            lr_schedule="cosine" and max_iter=20_000.
        content_path: photographs, as in adain.train().
        style_path: one picture, which is shrunk to a shorter side of config.image_size.
        folder: folder for checkpoints; created if it does not exist.
        continue_from: the folder or .npz file of a trained network with which a new run starts; the
            style weight rises from that network's to config.style_weight over
            config.style_weight_ramp steps.
        gallery: not supported; use config.validation_split.
        log_path, device, picture_cache, profile, tracker, callbacks, allow_changes, command, stop:
            see adain.train().

    Returns:
        The path of the newest checkpoint, for StyleNetwork(), which also accepts `folder`. If the
        run was stopped before the first step, there is no checkpoint, and this is `folder`.

    Raises:
        OptionError, ImageError, AdaINError: see adain.train().

    >>> train_style(TrainConfig(batch_size=4, style_weight=5e-4, tv_weight=10, max_iter=20_000,
    ...                         learning_rate=1e-3), "photographs", "mosaic.jpg", "run")
    >>> StyleNetwork("run").stylize("photo.jpg")
    """
    _check(config, style_path)
    check_watching(config, profile, tracker)
    if gallery is not None:
        raise OptionError("`method=johnson` has no `gallery`: `validation_split` holds photographs "
                          "out.")
    folder = checked_folder(folder)
    style = images.shrink(images.read(style_path), config.image_size)
    bad_files = BadFiles(folder / "bad_files.txt")
    files = list_files(content_path, (folder, log_path or folder))
    trained_on, held_out = data.hold_out(files, config.validation_split, config.seed)
    pictures = functools.partial(data.Pictures, content_path, config.seed, config.image_size,
                                 config.crop_size, bad_files,
                                 cache=PictureCache(cache_bytes(picture_cache)))
    source, validation = pictures(files=trained_on), None
    seen = pictures(files=held_out, fixed_crops=1) if held_out else source
    previews = np.stack([seen.crop(index) for index in range(PREVIEWS)])
    if held_out:
        count = min(len(held_out), MOST_HELD_OUT)
        count = max(config.batch_size, count - count % config.batch_size)
        validation = np.stack([seen.crop(index) for index in range(count)])
    batches, arrived = _batches(source, config)

    framework.start(device)
    from adain.training import loop

    logger.info("trains the style of %s on %s: %d photographs of %d x %d a step", style_path,
                framework.describe(config), config.effective_batch_size, config.crop_size,
                config.crop_size)
    watch = Watch(previews, validation, arrived, command,
                  {"content_path": describe_pictures(content_path, files)},
                  arguments={"content_path": content_path, "style_path": style_path,
                             "log_path": log_path, "continue_from": continue_from,
                             "device": device, "picture_cache": picture_cache,
                             "tracker": tracker},
                  profile=profile, tracker=tracker, callbacks=callbacks)
    with reporting_bad_files(bad_files, source):
        loop.fit(OneStyle(config, style, Path(style_path).name, continue_from), config, batches,
                 watch, folder, log_path=log_path, allow_changes=allow_changes, stop=stop)
    return newest_checkpoint(folder)


def _check(config: TrainConfig, style_path: str | Path) -> None:
    """Raise OptionError for settings that this method does not support."""
    for name in UNUSED:
        if getattr(config, name) != getattr(TrainConfig(), name):
            raise OptionError(f"`method=johnson` has no `{name}`: leave it out.")
    if Path(style_path).is_dir():
        raise OptionError("`method=johnson` learns the style of one picture, but "
                          f"`style_path={style_path}` is a folder: name a picture in it.")
    if distribution.worker_count() > 1:
        raise OptionError("`method=johnson` trains on one machine: leave out TF_CONFIG.")
    data.check_crop("crop_size", config.crop_size, config.image_size)


class OneStyle:
    """The method johnson: a network for the style of one picture; see loop.Method."""

    name, usage = METHOD, "--content-path ..."

    def __init__(self, config: TrainConfig, style: np.ndarray, style_name: str,
                 continue_from: str | Path | None = None) -> None:
        self.config, self.style, self.continue_from = config, style, continue_from
        self._about: dict[str, Any] = {
            "method": METHOD, "style_name": style_name,
            "style": hashlib.sha256(repr(style.shape).encode() + style.tobytes()).hexdigest(),
            "options": dataclasses.asdict(config) | {"model": METHOD}}

    def check_resumed(self, resumed: Checkpoint) -> None:
        if resumed.config.get("style") != self._about["style"]:
            raise OptionError(f"{resumed.path} was trained with another style or `image_size` than "
                              f"{self._about['style_name']}; use another `checkpoint` folder.")

    def build(self, resumed: Checkpoint | None) -> TrainingModel:
        from adain.methods.johnson.model import build

        model = build(self.config, self.style, resumed, self.continue_from)
        self._about["first_weight"] = model.first_weight
        return model

    def initialize(self, model: TrainingModel, batches: Batches) -> None:
        pass

    def about(self) -> dict[str, Any]:
        return self._about


def _batches(source: data.Pictures, config: TrainConfig) -> tuple[Batches, Any]:
    """Return the batches, uint8 (batch, crop_size, crop_size, 3), and arrivals() for Watch."""
    arrived: dict[int, float] = {}

    def read(index: int) -> np.ndarray:
        crop = source.crop(index)
        arrived[index] = time.monotonic()
        return crop

    def batches(first_step: int, last_step: int) -> Iterable[Any]:
        return loader.batches(read, config.effective_batch_size, first_step, last_step,
                              readers=source.readers)

    return batches, lambda index: arrived.pop(index, None)
