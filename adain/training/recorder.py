"""What a training run records: summaries, validation, gallery, previews, checkpoints."""

from __future__ import annotations

import dataclasses
import logging
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from adain import __version__
from adain.errors import AdaINError, ImageError, WeightsError
from adain.files import images
from adain.networks import checkpoint
from adain.networks.keras.devices import describe_device
from adain.progress import StopRequest, duration
from adain.training.averages import averaged
from adain.training.config import TrainConfig
from adain.training.history import History
from adain.training.judge import GalleryRecorder, Judge
from adain.training.observers import Observer
from adain.training.watch import Batches, Watch

logger = logging.getLogger(__name__)


class Recorder(keras.callbacks.Callback):
    """Records a run while fit() runs; saves and ends it when `stop` asks for that.

    config: the model's, which is not asked at each step: Keras would fetch all weights from JAX.
    events: None on all but the first of several machines, which write nothing. batches: what the
    run is fed from, to find the batch again that led to losses that are not numbers. about: what
    the method adds to each checkpoint's config.json.
    """

    def __init__(self, config: TrainConfig, folder: Path, events: Observer | None,
                 watch: Watch, batches: Batches, first_step: int, seconds_before: float,
                 about: dict[str, Any], stop: StopRequest) -> None:
        super().__init__()
        self.config = config
        self.folder, self.events, self.watch, self.about = folder, events, watch, about
        self.batches = batches
        self.history: History | None = History(folder, first_step) if events else None
        self.step, self._compiles = first_step, first_step + 1
        self.gallery = None
        if events and self.history and watch.gallery is not None:
            self.gallery = GalleryRecorder(Judge(watch.gallery, config), folder, events,
                                           self.history)
        self.stop = stop
        self.losses: dict[str, float] = {}
        self._unchecked: tuple[int, dict[str, Any]] | None = None  # a step and its logs
        self._seconds_before, self._started = seconds_before, time.monotonic()
        self._summary = (first_step, self._started)
        self._step_began = self._waited = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of training, with those of the runs that this one resumed."""
        return round(self._seconds_before + time.monotonic() - self._started, 1)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._step_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        config, self.step = self.config, self.step + 1
        before = time.monotonic()
        self.check()
        self._unchecked = self.step, logs or {}
        self.measure_wait(time.monotonic() - before)
        stop = self.stop.reason is not None
        last = self.step == config.max_iter or stop
        saves = last or self.step % config.save_iter == 0
        if stop:
            logger.info("%s: saving at step %d", self.stop.reason, self.step)
        # Before each save too: validation uses the same running means.
        if saves or self.step % config.summary_iter == 0:
            self.check()
            self.summarise()
        if saves:
            with averaged(self.model):
                self.save()
        else:
            if self.step == 1:
                self.preview()
            if config.evaluate_every and self.step % config.evaluate_every == 0:
                self.check()
                with averaged(self.model):
                    self.evaluate()
        if stop:
            self.model.stop_training = True

    def check(self) -> None:
        """Fetch the losses of the newest step that was not checked; fail() unless finite.

        Usually one step late: the device has the next step to work on while they are fetched.
        """
        if self._unchecked is None:
            return
        (step, logs), self._unchecked = self._unchecked, None
        self.losses = scalars(logs)
        # All of them: the ReLUs of VGG19 can turn a picture of NaN into a finite total loss.
        if not all(np.isfinite(value) for value in self.losses.values()):
            self.fail(f"the losses became {self.losses}", step)

    def measure_wait(self, busy: float) -> None:
        """Add up the time from a step's begin until the last of its pairs was there.

        The first step of a run does not count: the backend compiles it before it asks for data.

        busy: seconds for which the device worked on the step before even then.
        """
        if self.watch.arrivals is None:
            return
        size = self.config.effective_batch_size
        times = [self.watch.arrivals(index)
                 for index in range((self.step - 1) * size, self.step * size)]
        arrived = max((time for time in times if time is not None), default=0.0)
        if self.step != self._compiles:
            self._waited += max(0.0, arrived - self._step_began - busy)

    def summarise(self) -> None:
        """Log and print the means since the last summary."""
        config, now = self.config, time.monotonic()
        (step, then), self._summary = self._summary, (self.step, now)
        if step == self.step:
            return
        per_step = (now - then) / (self.step - step)
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        speed = config.effective_batch_size / per_step
        waited, self._waited = self._waited / (now - then), 0.0
        if self.events and self.history:
            values = {("loss/total" if name == "loss" else f"loss/{name}"): value
                      for name, value in self.losses.items()}
            self.events.scalars(self.step, {**values, "learning_rate": rate,
                                            "images_per_second": speed,
                                            "share_of_time_waited_for_data": waited})
            self.history.append(self.step, seconds=self.seconds, losses=self.losses,
                                learning_rate=rate, images_per_second=round(speed, 3),
                                waited=round(waited, 4))
        left = (config.max_iter - self.step) * per_step
        logger.info("step %d/%d  total %.4g  content %.4g  style %.4g  %.1f images/s  %s left%s",
                    self.step, config.max_iter, self.losses["loss"], self.losses["content"],
                    self.losses["style"], speed, duration(left),
                    f"  waited {waited:.0%} for data" if waited > 0.1 else "")
        self.model.reset_metrics()

    def validate(self) -> dict[str, float] | None:
        """Return the losses on the held-out pairs, total by the config's final weights."""
        pairs, config = self.watch.validation, self.config
        # Workers validate together, but a signal may have reached this one alone.
        if pairs is None or (self.stop.reason and self.model.workers > 1):
            return None
        if self.model.workers > 1:
            pairs = pairs.astype(np.float16)  # exact; Keras cannot add up uint8 over workers
        values = scalars(self.model.evaluate(pairs, batch_size=config.batch_size, verbose=0,
                                             return_dict=True))
        self.model.reset_metrics()
        # Not the total that training has, whose style weight may still rise with the step.
        values["loss"] = (config.content_weight * values["content"]
                          + config.style_weight * values["style"]
                          + config.tv_weight * values["tv"]
                          + config.structure_weight * values.get("structure", 0.0))
        if self.events and self.history:
            self.events.scalars(self.step, {f"validation/{name}": values[name]
                                            for name in ("loss", "content", "style", "tv")})
            self.history.append(self.step, seconds=self.seconds, validation=values)
            logger.info("step %d  validation: total %.4g  content %.4g  style %.4g", self.step,
                        values["loss"], values["content"], values["style"])
        return values

    def evaluate(self) -> dict[str, float] | None:
        """Measure the gallery and return the scores; None where there is no gallery."""
        if self.gallery is None:
            return None
        scores = self.gallery.record(self.step, self.seconds, self.model.stylize)
        step, began = self._summary
        self._summary = step, began + scores["seconds"]  # measuring is no training time
        return scores

    def save(self) -> None:
        """Write a checkpoint and a preview named by its step."""
        arrays = self.model.networks()
        optimizer = [ops.convert_to_numpy(v) for v in self.model.optimizer.variables]
        # A finite loss can have a gradient that is not: the step would be saved as a good one.
        if not all(np.isfinite(array).all() for array in arrays.values()):
            self.fail("weights became infinite or NaN", self.step)
        config = {"step": self.step, "seconds": self.seconds, "losses": self.losses,
                  "validation": self.validate(), "gallery": self.evaluate(),
                  "options": dataclasses.asdict(self.config),
                  "data": self.watch.data, "command": self.watch.command,
                  "device": describe_device(),
                  "versions": {"adain": __version__, "keras": keras.__version__,
                               keras.backend.backend(): _backend_version()},
                  **self.about}
        if not self.events:
            return
        try:
            path = checkpoint.write(self.folder, config, arrays, optimizer, self.config.keep)
        except WeightsError as error:
            raise WeightsError(f"{error} Make room, then run the same command to go on."
                               + self._command()) from None
        self.preview()
        self.events.saved(self.step, path)
        self._summary = (self.step, time.monotonic())  # saving is no training time

    def preview(self) -> None:
        """Write rows of content | style | stylized."""
        if not self.events:
            return
        strip = self.model.preview(self.watch.previews)
        images.write(self.folder / "previews" / f"{checkpoint.name(self.step)}.jpg", strip)
        self.events.image(self.step, "content_style_stylized", strip)

    def fail(self, reason: str, step: int) -> None:
        """Save the batch of a step and raise AdaINError."""
        saved = checkpoint.list_all(self.folder)
        good = f"the last good checkpoint is {saved[-1]}" if saved else "there is no checkpoint yet"
        path = self.folder / f"failed_{checkpoint.name(step)}.npz"
        raise AdaINError(f"{reason} at step {step}; {good}; {self._keep_batch(path, step)}. "
                         "Lower `learning_rate` or `style_weight`, or use `precision=float32`.")

    def _keep_batch(self, path: Path, step: int) -> str:
        batch = next(iter(self.batches(step - 1, step)))
        batch = batch[0] if isinstance(batch, tuple) else batch
        if not isinstance(batch, dict):
            batch = {"pairs" if len(batch.shape) == 5 else "pictures": batch}
        try:
            with images.atomic_file(path) as file:
                np.savez(file, **{name: ops.convert_to_numpy(array)
                                  for name, array in batch.items()})
        except ImageError as error:
            return f"its batch is lost: {str(error).rstrip('.')}"
        return f"its batch is in {path}"

    def _command(self) -> str:
        return f"\n  {self.watch.command}" if self.watch.command else ""


def scalars(logs: dict[str, Any]) -> dict[str, float]:
    """Return a RecordedModel's logs as floats; with several machines they are arrays of one."""
    (losses,) = logs["losses"]
    return {name: float(np.mean(ops.convert_to_numpy(value))) for name, value in losses.items()}


def _backend_version() -> str:
    return getattr(sys.modules.get(keras.backend.backend()), "__version__", "unknown")
