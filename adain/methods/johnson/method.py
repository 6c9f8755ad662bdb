"""A network for one style as a subclass of Method, see network.StyleNetwork."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from adain.errors import OptionError
from adain.files import images
from adain.files.sources import open_source
from adain.methods.johnson.network import StyleNetwork, style_name
from adain.methods.method import Method
from adain.methods.recipe import Recipe, Shape, Style
from adain.methods.runs import Runs
from adain.transfer import color, run_state, style_file
from adain.transfer.stylizer import STYLE_SIZE


class Johnson(Method):
    """Repaints pictures in the style that a network was trained on.

    Args:
        network: the trained network.
        recipe: how results are made.
        painting: path of the picture that the network was trained on; needed if recipe.refine is
            not 0.
        runs: how refinements are continued and recorded.

    Raises:
        OptionError: the recipe has options that need a network for any style, or no painting.
    """

    kind = "is a network for one style"
    options = frozenset({"checkpoint", "refine", "keep_colors", "bits", "sheet", "max_memory"})
    beside = (run_state.SUFFIX,)
    train_defaults = {"batch_size": 4, "style_weight": 5e-4, "tv_weight": 10.0,
                      "learning_rate": 1e-3, "lr_schedule": "cosine", "max_iter": 20_000}

    def __init__(self, network: StyleNetwork, recipe: Recipe,
                 painting: Path | None = None, runs: Runs | None = None) -> None:
        if recipe.keep_colors not in (None, "luminance"):
            raise OptionError("`keep_colors` must be luminance for a network for one style; "
                              f"received {recipe.keep_colors}.")
        self._network, self._recipe, self.runs = network, recipe, runs or Runs()
        self.pixel_bytes = network.pixel_bytes
        self.memory_limit = network.max_memory and network.max_memory * 1_000_000
        if recipe.refine:
            if painting is None:
                raise OptionError("`refine` needs the picture that the network was trained on.")
            from adain.transfer.refine import Refiner

            self._refiner = Refiner(network.precision, limit=self.memory_limit)
            picture = open_source(painting, recipe.max_pixels)
            rgb = images.fill_transparent(picture.rgb, picture.opacity)
            self._target = self._refiner.measure(images.shrink(rgb, STYLE_SIZE))

    @classmethod
    def from_options(cls, options: Mapping[str, Any], recipe: Recipe) -> Self:
        network = StyleNetwork(options["checkpoint"], options["precision"], options["max_memory"])
        paintings = cls._paintings(options)
        return cls(network, recipe, paintings[0] if paintings else None,
                   Runs.from_options(options))

    @classmethod
    def understood(cls, recipe: Recipe) -> frozenset[str]:
        # The painting is needed again only if results are refined.
        return super().understood(recipe) | Runs.understood(recipe) | (
            {"style_path"} if recipe.refine else set())

    @classmethod
    def learned_style(cls, options: Mapping[str, Any]) -> Style:
        return Style(style_name(options["checkpoint"]), cls._paintings(options))

    @staticmethod
    def _paintings(options: Mapping[str, Any]) -> tuple[Path, ...]:
        """Return the path of the painting, or nothing if it is not needed."""
        if not options["refine"]:
            return ()
        paths = tuple(map(Path, options["style_path"] or ()))
        if len(paths) != 1 or paths[0].suffix.lower() == style_file.SUFFIX:
            raise OptionError("`refine` with a network for one style needs one `style_path`: the "
                              "picture that the network was trained on.")
        return paths

    @staticmethod
    def trainer() -> Callable[..., Path]:
        from adain.methods.johnson.training import train_style

        return train_style

    def describe(self) -> str:
        return (f"johnson, openvino on {self._network.device}, without tiles because of instance "
                "normalization")

    def check_size(self, stored: Shape, shape: Shape) -> None:
        self._network.check_size(*shape)

    def paint(self, content: np.ndarray, style: Style, path: Path) -> np.ndarray:
        refine, dtype = self._recipe.refine, self._recipe.dtype
        if not refine:
            stylized = self._network.stylize(content, dtype)
            return color.restore_colors(stylized, content, self._recipe.keep_colors)
        run = self.runs.run(path)
        if run.keeps_state:
            run.begin({"content": run_state.hash_of(content),
                       "style": run_state.hash_of(np.array(self._target)), "model": self.describe(),
                       "alpha": style.alpha, "refine": refine})
        start = None if run.continues else self._network.stylize(content, np.float32)
        self._network.release_memory()
        refined = self._refiner.refine(start, content, self._target, style.alpha, refine, dtype,
                                       self.progress, self.stop, run)
        refined = color.restore_colors(refined, content, self._recipe.keep_colors)
        run.finish(refined)
        return refined
