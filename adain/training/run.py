"""train(): a whole training run, from two folders of pictures to checkpoints.

Keras starts only after everything was checked that can be checked without it.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from adain.errors import ImageError, OptionError
from adain.files.bad_files import BadFiles
from adain.networks import checkpoint
from adain.networks.weights import load_encoder
from adain.progress import StopRequest, stop_on_signals
from adain.training import data, distribution, features, framework, trackers
from adain.training.config import TrainConfig
from adain.training.gallery import Gallery, overlap
from adain.training.gallery import read as read_gallery
from adain.training.picture_cache import PictureCache
from adain.training.resume import describe_pictures
from adain.training.watch import Watch

logger = logging.getLogger(__name__)

PREVIEWS = 4  # examples that are stylized at every checkpoint


def train(config: TrainConfig, content_path: str | Path, style_path: str | Path,
          folder: str | Path, *, log_path: str | Path | None = None,
          continue_from: str | Path | None = None, device: str = "auto",
          picture_cache: float = 0.0, gallery: str | Path | None = None,
          profile: tuple[int, int] | None = None, tracker: str | None = None,
          callbacks: Sequence[Any] = (), allow_changes: bool = False,
          command: str | None = None, stop: StopRequest | None = None) -> Path:
    """Train networks for any style, or resume at the newest checkpoint in `folder`.

    The run writes checkpoints, previews, history.jsonl, args.yaml (its settings as a recipe),
    TensorBoard logs and the list of unreadable pictures to `folder`. It logs its progress as INFO
    with the logger "adain". A run that is stopped saves a checkpoint; called again with the same
    arguments, the function continues it, with the same result as without the stop.

    Args:
        config: the model, its losses and the optimizer.
        content_path: photographs: a folder (subfolders included), a .zip or .tar file, a pattern
            such as "shard-{000..146}.tar", or a URL of one.
        style_path: paintings, in the same ways.
        folder: folder for checkpoints; created if it does not exist.
        log_path: folder for TensorBoard; None: `folder`/logs.
        continue_from: a checkpoint folder with whose networks a new run starts, or "compact" or
            "vgg19" for the shipped networks; None: random weights.
        device: "auto" (a GPU if there is one), "cpu", or "gpu" (an error without one).
        picture_cache: gigabytes of decoded pictures to keep in memory.
        gallery: a folder with photographs in content/ and paintings in style/ on which the run is
            evaluated but not trained; the checkpoint with the lowest loss on them is kept.
        profile: the first and the last step to trace for TensorBoard, e.g. (100, 110).
        tracker: "mlflow" or "wandb" to log there, too; into `folder`, unless MLFLOW_TRACKING_URI or
            WANDB_MODE=online is set.
        callbacks: Observer objects, which get everything that is recorded, and
            keras.callbacks.Callback objects for fit().
        allow_changes: resume even if `config` or the pictures differ from those of the checkpoint.
        command: the command line, stored in the checkpoints and logged after a stop.
        stop: asks the run to end early; None: SIGINT (Ctrl-C), SIGTERM and SIGHUP do.

    Returns:
        The path of the newest checkpoint, for Stylizer(checkpoint=...), which also accepts
        `folder`. If the run was stopped before the first step, there is no checkpoint, and this is
        `folder`.

    Raises:
        OptionError: an argument is invalid, or another run trains in `folder`.
        ImageError: there are no photographs or no paintings that can be read.
        AdaINError: a loss became NaN or infinite, the disk is full, or a worker was lost.

    >>> import logging
    >>> logging.basicConfig(level=logging.INFO, format="%(message)s")
    >>> train(TrainConfig(model="compact", max_iter=20_000), "photographs", "paintings", "run")
    >>> Stylizer(checkpoint="run").stylize("photo.jpg", "painting.jpg")
    """
    check_watching(config, profile, tracker)
    folder = checked_folder(folder)
    bad_files = BadFiles(folder / "bad_files.txt")
    source = data.PairSource(content_path, style_path, config.seed, config.image_size,
                             config.crop_size, bad_files, config.cached_crops or None,
                             config.validation_split,
                             data.Recoloring(config.hue_rotation, config.lightening,
                                             config.tinting),
                             config.style_crop_size, PictureCache(cache_bytes(picture_cache)),
                             leave_out=(folder, log_path or folder))
    seen = source.held_out or source
    previews = np.stack([seen.pair(index) for index in range(PREVIEWS)])
    validation = source.validation_pairs(config.batch_size)

    shown = _gallery(gallery, config, source)

    strategy = framework.start(device)
    from adain.training import any_style, loop  # import Keras

    if strategy is not None and config.cached_crops:
        raise OptionError("`cached_crops` works on one device only: leave it out, or hide the "
                          "others with CUDA_VISIBLE_DEVICES=0.")
    distribution.check_batch(strategy, config.batch_size)
    logger.info("trains %s on %s: %d photographs, %d paintings, %s%d pairs of %d x %d a step",
                config.model, framework.describe(config), len(source.content.files),
                len(source.style.files),
                f"{distribution.device_count(strategy)} devices share " if strategy else "",
                config.effective_batch_size, config.crop_size, config.crop_size)
    everything = [source, source.held_out] if source.held_out else [source]
    pictures = {name: describe_pictures(path, [
        file for each in everything for file in getattr(each, name.removesuffix("_path")).files])
        for name, path in (("content_path", content_path), ("style_path", style_path))}
    arguments = {"content_path": content_path, "style_path": style_path, "log_path": log_path,
                 "continue_from": continue_from, "device": device,
                 "picture_cache": picture_cache, "gallery": gallery,
                 "tracker": tracker}
    with reporting_bad_files(bad_files, source), stop_on_signals(stop) as stop:
        if config.cached_crops:
            cache = features.FeatureCache(source, load_encoder("vgg19", config.vgg_path), stop)
            batches = functools.partial(features.dataset, cache, config.effective_batch_size)
        else:
            batches = functools.partial(data.dataset, source, config.effective_batch_size)
        loop.fit(any_style.AnyStyle(config, continue_from), config, batches,
                 Watch(previews, validation, source.arrived, command, pictures, shown, arguments,
                       profile, tracker, callbacks),
                 folder, log_path=log_path, strategy=strategy, allow_changes=allow_changes,
                 stop=stop)
    return newest_checkpoint(folder)


def _gallery(folder: str | Path | None, config: TrainConfig,
             source: data.PairSource) -> Gallery | None:
    """Return the gallery in a folder; warn of its pictures that the run trains on."""
    if folder is None:
        if config.evaluate_every:
            raise OptionError("`evaluate_every` measures a `gallery`: name its folder.")
        return None
    gallery = read_gallery(folder, config.gallery_size)
    same = overlap(gallery, source.content.files, source.style.files)
    if same:
        logger.warning("WARNING: the gallery measures less than it seems to, as the run trains on "
                       "%d of its pictures: %s", len(same), ", ".join(same))
    return gallery


class Source(Protocol):
    """Where pictures come from, by number."""

    @property
    def failure(self) -> ImageError | None:
        """The error that ended the stream, or None."""


@contextmanager
def reporting_bad_files(bad_files: BadFiles, source: Source) -> Iterator[None]:
    """At the end of a run, log the number of bad files; raise the error that ended its pictures."""
    try:
        yield
    except Exception:
        if source.failure is not None:  # came through TensorFlow, which made it an error of its own
            raise source.failure from None
        raise
    finally:
        if bad_files.count:
            logger.info("%d pictures could not be read: %s names them", bad_files.count,
                        bad_files.path)
    bad_files.check()


def checked_folder(folder: str | Path) -> Path:
    """Return the folder of a run; OptionError for a file."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"`checkpoint={folder}` is not a folder.")
    return folder


def check_watching(config: TrainConfig, profile: tuple[int, int] | None,
                   tracker: str | None) -> None:
    """Raise OptionError for steps that cannot be traced, or a tracker that is not there."""
    if profile and not 1 <= profile[0] <= profile[1] <= config.max_iter:
        raise OptionError(f"`profile` must be two of the steps 1 to `max_iter={config.max_iter}`, "
                          f"first and last; received {profile[0]}:{profile[1]}.")
    trackers.check(tracker)


def cache_bytes(gigabytes: float) -> int:
    """Return the size of a PictureCache; OptionError for a number that is none."""
    if not 0 <= gigabytes < math.inf:
        raise OptionError(f"`picture_cache` must be 0 gigabytes or more; received {gigabytes}.")
    return int(gigabytes * 1e9)


def newest_checkpoint(folder: Path) -> Path:
    """Return a run's newest checkpoint, or its folder where there is none."""
    return next(reversed(checkpoint.list_all(folder)), folder)
