"""The iterative method as a subclass of Method, with runs that can be stopped and continued."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from adain.errors import ImageError, OptionError, StyleError
from adain.files import images
from adain.files.sources import open_source
from adain.methods.gatys.config import SMALLEST_COARSE_SIZE, STARTS, GatysConfig
from adain.methods.method import Method
from adain.methods.recipe import Recipe, Style
from adain.methods.runs import Runs
from adain.networks.keras.devices import describe_device, start_quietly
from adain.transfer import run_state


class Gatys(Method):
    """Repaints pictures by optimizing their pixels, see optimise().

    Args:
        config: losses, optimizer and number of iterations.
        recipe: max_pixels and coarse_size are used.
        start: path of a picture to start from instead of config.start.
        restore: continue results that have a state beside them.
        evolution, evolution_iter: see optimise().
    """

    kind = "optimizes pixels"
    options = frozenset({
        "style_path", "random", "coarse_size", "model", "vgg_path", "engine", "iterations",
        "optimizer", "content_layers", "style_layers", "style_weight", "tv_weight", "start",
        "evolution", "evolution_iter", "restore"})
    beside = (run_state.SUFFIX,)

    def __init__(self, config: GatysConfig, recipe: Recipe, *, start: str | None = None,
                 restore: bool = False, evolution: str | None = None,
                 evolution_iter: int = 50) -> None:
        from adain.methods.gatys.method import optimise

        try:
            if config.engine == "keras":
                start_quietly()  # else optimise() starts Keras, which prints notices
        except ModuleNotFoundError as error:
            raise OptionError(f"`engine=keras` needs {error.name}: "
                              "pip install -e '.[train]'") from None
        self._config = config
        self._max_pixels, self._coarse_size = recipe.max_pixels, recipe.coarse_size
        self.runs = Runs(True, restore, evolution, evolution_iter)
        self._optimise = partial(optimise, start=start, evolution=evolution,
                                 evolution_iter=evolution_iter)

    @classmethod
    def from_options(cls, options: Mapping[str, Any], recipe: Recipe) -> Self:
        if options["precision"] == "int8":
            raise OptionError("`precision=int8` is for the models vgg19 and compact; `model=gatys` "
                              "takes auto, float32 or bfloat16.")
        precision = {"bfloat16": "mixed_bfloat16"}.get(options["precision"], options["precision"])
        named = options["start"] in STARTS
        config = GatysConfig(
            content_layers=tuple(options["content_layers"]),
            style_layers=tuple(options["style_layers"]), precision=precision,
            start=options["start"] if named else STARTS[0],
            **{name: options[name] for name in (
                "iterations", "optimizer", "style_weight", "tv_weight", "vgg_path", "engine",
                "seed")})
        return cls(config, recipe, start=None if named else options["start"],
                   **{name: options[name] for name in ("restore", "evolution", "evolution_iter")})

    def describe(self) -> str:
        if self._config.engine == "openvino":
            return "gatys, openvino on CPU"
        return f"gatys, keras on {describe_device()}"

    def paint(self, content: np.ndarray, style: Style, path: Path) -> np.ndarray:
        if self.stop is not None:
            self.stop.check()  # after a stop during the picture before
        return self._optimise(content, self._read(style.paths[0]), self._config_for(content),
                              state_path=run_state.path_beside(path),
                              restore=self.is_unfinished(path), stop=self.stop)

    def _config_for(self, content: np.ndarray) -> GatysConfig:
        """Return the settings for a content.

        The recipe's coarse_size is a shorter side, that of GatysConfig a longer one.
        """
        if self._coarse_size is None:
            return self._config
        rows, columns = content.shape[:2]
        longer = round(self._coarse_size * max(rows, columns) / min(rows, columns))
        return dataclasses.replace(self._config, coarse_size=max(SMALLEST_COARSE_SIZE, longer))

    def _read(self, path: Path) -> np.ndarray:
        try:
            picture = open_source(path, self._max_pixels, stop=self.stop)
        except ImageError as error:
            raise StyleError(path, str(error)) from None
        return images.fill_transparent(picture.rgb, picture.opacity)
