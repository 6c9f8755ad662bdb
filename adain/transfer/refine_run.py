"""RefineRun: the state from which a refinement continues, and its intermediate pictures."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adain.errors import OptionError, WeightsError
from adain.files.pixels import to_integers
from adain.transfer import run_state
from adain.transfer.descent import Descent, checked_copy
from adain.transfer.evolution import Evolution

logger = logging.getLogger(__name__)

_PREFIX = "descent/"  # before the names of the optimizer's arrays


class Position(NamedTuple):
    """Everything that the next iteration at a level depends on.

    step: number of iterations so far.
    picture: float32 (rows, columns, 3) in [0, 1], padded.
    best: the picture with the lowest loss, uint16; None if it is `picture`.
    least: the lowest loss.
    descent: the optimizer.
    """

    step: int
    picture: np.ndarray
    best: np.ndarray | None
    least: float
    descent: Descent


class RefineRun:
    """A refinement that can be stopped and continued; one for each result.

    Args:
        state_path: an .npz file, written every five minutes and on a stop, removed at the end;
            None for no state.
        restore: continue from the state, with the same result as without the stop.
        evolution: a folder for a picture every evolution_iter iterations and, at the end, an
            animation of them; None for no pictures.
        evolution_iter: number of iterations between these pictures.

    Raises:
        OptionError: restore is given without state_path, or the folder has pictures of another run.
    """

    def __init__(self, state_path: str | Path | None = None, restore: bool = False,
                 evolution: str | Path | None = None, evolution_iter: int = 50) -> None:
        if restore and state_path is None:
            raise OptionError("`restore` needs the `state_path` of the run to continue.")
        self._state_path = None if state_path is None else Path(state_path)
        self._restore = restore
        self._frames = Evolution(evolution, evolution_iter, restore) if evolution else None
        self._fingerprint: dict[str, Any] = {}
        self._stored: run_state.Arrays | None = None
        self._saved = time.monotonic()
        self._steps = 0  # in all levels
        self.level = 0  # of the current size, from coarse to fine
        self.stopped = False

    def begin(self, fingerprint: Mapping[str, Any]) -> None:
        """Read the state from which to continue.

        Args:
            fingerprint: see run_state.load().

        Raises:
            OptionError: there is no state, or it is of another run.
            WeightsError: the state is damaged.
        """
        self._fingerprint = dict(fingerprint)
        if self._restore and self._state_path is not None:
            self._stored = run_state.load(self._state_path, self._fingerprint)
            self.level, self._steps = self._number("level"), self._number("steps")

    @property
    def keeps_state(self) -> bool:
        """Whether the run writes states; begin() must then be called with its fingerprint."""
        return self._state_path is not None

    @property
    def continues(self) -> bool:
        """Whether the current level has a position to continue from."""
        return self._stored is not None

    def position(self, shape: tuple[int, ...], history: int) -> Position | None:
        """Return the position from which to continue, or None; shape: of the padded picture."""
        if self._stored is None:
            return None
        stored, self._stored = self._stored, None
        try:  # arrays are removed from `stored` as they are copied, to save memory
            picture = checked_copy(stored.pop("picture"), shape, np.float32)
            best = None
            if "best" in stored:
                best = checked_copy(stored.pop("best"), shape, np.uint16)
            step, least = int(stored["step"]), float(stored["least"])
            arrays = run_state.pop_prefixed(stored, _PREFIX)
            descent = Descent(history, state=arrays, size=math.prod(shape))
        except (KeyError, TypeError, ValueError):
            raise self._damaged() from None
        return Position(step, picture, best, least, descent)

    def show(self, picture: np.ndarray, rows: int, columns: int) -> None:
        """Record the picture before an iteration; rows and columns are without its padding."""
        if self._frames:
            self._frames.add(self._steps, lambda: to_integers(picture[:rows, :columns]))
        self._steps += 1

    def save(self, position: Position, due: bool = False) -> None:
        """Write the state of a run that stops now; with `due`, only every five minutes."""
        self.stopped = not due
        if self._state_path is None or (
                due and time.monotonic() - self._saved < run_state.SAVE_SECONDS):
            return
        arrays: dict[str, Any] = {"level": self.level, "steps": self._steps, "step": position.step,
                                  "picture": position.picture, "least": position.least}
        if position.best is not None:
            arrays["best"] = position.best
        for name, array in position.descent.state().items():
            arrays[_PREFIX + name] = array
        run_state.save(self._state_path, self._fingerprint, arrays)
        self._saved = time.monotonic()
        if not due:
            logger.info("%s continues it", self._state_path)

    def finish(self, result: np.ndarray) -> None:
        """Write the animation; remove the state if the run is complete."""
        if self._frames:
            self._frames.finish(self._steps, result if result.dtype == np.uint8 else to_integers(
                result if result.dtype == np.float32 else result / np.float32(65535)))
        if self._state_path is not None and not self.stopped:
            self._state_path.unlink(missing_ok=True)

    def _number(self, name: str) -> int:
        array = (self._stored or {}).get(name)
        if array is None or array.shape or array.dtype.kind not in "iu" or array < 0:
            raise self._damaged()
        return int(array)

    def _damaged(self) -> WeightsError:
        return WeightsError(f"{self._state_path} is not {run_state.KIND}: its arrays do not belong "
                            "together.")
