"""The options --restore, --evolution and --evolution-iter, for methods that optimize pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from adain.files.find import STREAM
from adain.methods.recipe import Recipe
from adain.transfer import run_state

if TYPE_CHECKING:
    from adain.transfer.refine_run import RefineRun

OPTIONS = frozenset({"restore", "evolution", "evolution_iter"})


@dataclass(frozen=True)
class Runs:
    """How the optimizations of a batch are continued and recorded; run() returns a RefineRun.

    keeps_states: whether a stopped run leaves a state beside its result.
    restore, evolution, evolution_iter: see RefineRun.
    """

    keeps_states: bool = False
    restore: bool = False
    evolution: str | None = None
    evolution_iter: int = 50

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the Runs for options of `adain stylize`.

        A result in a stream or in a contact sheet has no path beside which a state could be.
        """
        return cls(not options["sheet"] and options["out_path"] != STREAM,
                   **{name: options[name] for name in OPTIONS})

    @staticmethod
    def understood(recipe: Recipe) -> frozenset[str]:
        """Return the options that a recipe supports: all three if it refines, else none."""
        return OPTIONS if recipe.refine else frozenset()

    def check_results(self, paths: Sequence[Path]) -> None:
        """Raise OptionError if the options cannot be used for results at these paths."""
        run_state.check_results(paths, self.restore, self.evolution, self.evolution_iter)

    def is_unfinished(self, path: Path) -> bool:
        """Return whether an existing result comes from a stopped run that should continue."""
        return self.restore and run_state.path_beside(path).exists()

    def run(self, path: Path) -> RefineRun:
        """Return the run that makes the result at `path`."""
        from adain.transfer.refine_run import RefineRun

        return RefineRun(run_state.path_beside(path) if self.keeps_states else None,
                         self.is_unfinished(path), self.evolution, self.evolution_iter)
