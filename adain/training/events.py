"""TensorBoard files: scalars and pictures, written with the tensorboard package alone.

So the same training logs on every Keras backend, TensorFlow installed or not.
"""

from __future__ import annotations

import io
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from adain.files.atomic import append
from adain.training import settings
from adain.training.observers import Observer


class EventWriter(Observer):
    """Appends to a log folder; what an earlier run wrote there after `step` is hidden.

    Every event is in the file at once, whole; AdaINError where there is no room for it.
    """

    def __init__(self, path: str | Path, step: int) -> None:
        # The name that TensorBoard looks for; later files follow earlier ones.
        self._path = Path(path) / (f"events.out.tfevents.{time.time():017.6f}.{platform.node()}."
                                   f"{os.getpid()}")
        self._add(Event(file_version="brain.Event:2"))
        # TensorBoard drops events of later steps when it sees a START: those of a run that was
        # killed after its last checkpoint and is now being repeated.
        self._add(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Log numbers under their names."""
        self._add(Event(step=step, summary=Summary(value=[
            Summary.Value(tag=name, simple_value=value) for name, value in values.items()])))

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Log a picture, uint8 RGB (rows, columns, 3)."""
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        picture = Summary.Image(height=image.shape[0], width=image.shape[1], colorspace=3,
                                encoded_image_string=file.getvalue())
        self._add(Event(step=step, summary=Summary(value=[
            Summary.Value(tag=name, image=picture)])))

    def settings(self, step: int, values: dict[str, Any]) -> None:
        """Log the settings of a run as a table and as hyperparameters."""
        for summary in (text_pb("settings", settings.as_table(values)),
                        hparams_pb(settings.as_hyperparameters(values))):
            self._add(Event(step=step, summary=summary))

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        record = io.BytesIO()
        RecordWriter(record).write(event.SerializeToString())
        append(self._path, record.getvalue())
