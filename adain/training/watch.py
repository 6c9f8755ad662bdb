"""What a training run looks at besides the batches that it trains on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adain.training.gallery import Gallery

# batches(first_step, last_step): what Keras' fit() takes and yields the batches of those steps;
# where several devices train, called with a tf.distribute.InputContext, too.
Batches = Callable[..., Iterable[Any]]


@dataclass
class Watch:
    """What a run looks at besides its batches.

    Args:
        previews: what the model's preview() takes: stylized at step 1 and every checkpoint.
        validation: a batch of any size that is never trained on, or None.
        arrivals: arrivals(index) returns the time.monotonic() at which item number `index` of the
            stream was ready, or None.
        command: what was typed to start the run.
        data: what the batches come from, see resume.describe_pictures.
        gallery: pictures that are never trained on, to measure the networks with.
        arguments: those of train() that args.yaml has, besides the run's TrainConfig.
        profile: the first and the last step to trace, or None.
        tracker: one of trackers.TRACKERS, or None.
        callbacks: Observers of what is recorded, and callbacks for Keras' fit().
    """

    previews: np.ndarray
    validation: np.ndarray | None = None
    arrivals: Callable[[int], float | None] | None = None
    command: str | None = None
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    gallery: Gallery | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    profile: tuple[int, int] | None = None
    tracker: str | None = None
    callbacks: Sequence[Any] = ()
