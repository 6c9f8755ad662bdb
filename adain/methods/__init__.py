"""Methods of repainting pictures: a network for any style, one per style, an optimisation."""

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
    """Return a method by its name; only its own module is imported."""
    module, attribute = _CLASSES[name]
    method: type[Method] = getattr(import_module(module), attribute)
    return method


def choose(model: str | None = None, checkpoint: str | None = None) -> type[Method]:
    """Return the method that a model, or else a trained network, belongs to."""
    if checkpoint is not None:
        from adain.methods.johnson import network

        if network.is_network(checkpoint):
            return named(JOHNSON)
    return named(GATYS if model == GATYS else ADAIN)
