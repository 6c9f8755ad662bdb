"""The errors a user can cause. The commands print them as one line; anything else is a bug.

Messages name parameters in backquotes, `max_memory` or `bits=16`: adain.commands prints the options
that set them instead, --max-memory and --bits 16.
"""

from __future__ import annotations

from pathlib import Path


class AdaINError(Exception):
    """Base of every error that this package raises on purpose."""


class ImageError(AdaINError):
    """A picture file that cannot be read, or cannot be written."""


class StyleError(ImageError):
    """A style file that cannot be used; every result that needs it fails."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message if str(path) in message else f"{path}: {message}")
        self.path = path


class WeightsError(AdaINError):
    """A weights file or checkpoint that is missing, unreadable or of the wrong shape."""


class OptionError(AdaINError, ValueError):
    """An option, argument or combination of them that makes no sense."""


class NetworkMemoryError(MemoryError):
    """The networks ran out of memory: they cannot be used any more, in this process."""
