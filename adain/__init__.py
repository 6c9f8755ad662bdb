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
         "TrainConfig": "adain.training.config", "train": "adain.training.run"}
__all__ = ["AdaINError", "ImageError", "OptionError", "WeightsError", "__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'adain' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
