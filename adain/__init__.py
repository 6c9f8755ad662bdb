"""Arbitrary style transfer: repaint any photograph in the style of any painting.

    from adain import Stylizer
    Stylizer().stylize("photo.jpg", "painting.jpg", alpha=0.8)   # uint8 RGB array

Importing this package starts no framework: names load when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from adain.errors import AdaINError, ImageError, OptionError, WeightsError

__version__ = "0.1.0"
_LAZY = {"Stylizer": "adain.transfer.stylizer", "ChannelStats": "adain.networks.stats",
         "interpolate": "adain.networks.stats", "merge": "adain.networks.stats",
         "stylize_video": "adain.video.stylize", "StopRequest": "adain.progress",
         "TrainConfig": "adain.training.config", "train": "adain.training.run",
         "Observer": "adain.training.observers",
         "train_style": "adain.methods.johnson.training",
         "StyleNetwork": "adain.methods.johnson.network",
         "GatysConfig": "adain.methods.gatys.config", "optimise": "adain.methods.gatys.method",
         "Dataset": "adain.jobs.dataset.make", "DatasetConfig": "adain.jobs.dataset.config"}
# Keras classes: not in __all__, because help() would import Keras.
_LAZY_OF_KERAS = {"RandomStyle": "adain.transfer.random_style"}
__all__ = ["AdaINError", "ImageError", "OptionError", "WeightsError", "__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name) or _LAZY_OF_KERAS.get(name)
    if module is not None:
        return getattr(import_module(module), name)
    raise AttributeError(f"module 'adain' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
