"""Methods of repainting: networks for any style, networks for one style, optimization of pixels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adain.methods.method import Method

ADAIN, JOHNSON, GATYS = "adain", "johnson", "gatys"
TRAINABLE = (ADAIN, JOHNSON)
_CLASSES = {ADAIN: ("adain.methods.adain", "AdaIN"),
            JOHNSON: ("adain.methods.johnson.method", "Johnson"),
            GATYS: ("adain.methods.gatys.painter", "Gatys")}


def named(name: str) -> type[Method]:
    """Return the class of a method by its name; no other method is imported."""
    module, attribute = _CLASSES[name]
    method: type[Method] = getattr(import_module(module), attribute)
    return method


def choose(model: str | None = None, checkpoint: str | None = None) -> type[Method]:
    """Return the method for the options --model and --checkpoint."""
    if checkpoint is not None:
        from adain.methods.johnson import network

        if network.is_network(checkpoint):
            return named(JOHNSON)
    return named(GATYS if model == GATYS else ADAIN)
