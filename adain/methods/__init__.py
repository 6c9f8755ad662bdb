"""Methods of repainting pictures: a network for any style, one per style, an optimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adain.methods.method import Method

GATYS = "gatys"  # of --model, beside the networks


def choose(model: str | None = None, checkpoint: str | None = None) -> type[Method]:
    """Return the method that a model, or a trained network, belongs to.

    Its module is imported here: each takes time that the others need not wait for.
    """
    if checkpoint is not None:
        from adain.methods.johnson import network

        if network.is_network(checkpoint):
            from adain.methods.johnson.method import Johnson

            return Johnson
    if model == GATYS:
        from adain.methods.gatys.painter import Gatys

        return Gatys
    from adain.methods.adain import AdaIN

    return AdaIN
