"""The errors a user can cause. The commands print them as one line; anything else is a bug.

Messages name parameters in backquotes, `max_memory` or `bits=16`: adain.commands prints the options
that set them instead, --max-memory and --bits 16.
"""

from __future__ import annotations

from pathlib import Path


class AdaINError(Exception):
    """Base of every error that this package raises on purpose.

    Its text is for the user: what is wrong, what was expected and received, and the way out.
    """


class ImageError(AdaINError):
    """A picture that cannot be read, used or written: a file, a Pillow image or an array."""


class StyleError(ImageError):
    """A style file that cannot be used; every result that needs it fails.

    Args:
        path: the file, also the attribute of that name.
        message: what is wrong; the path is put before it where it does not name it.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message if str(path) in message else f"{path}: {message}")
        self.path = path

    def __reduce__(self) -> tuple[type[StyleError], tuple[Path, str]]:
        return StyleError, (self.path, str(self))


class WeightsError(AdaINError):
    """A file of weights, an encoded style or a checkpoint: missing, damaged or of another network.

    Also where one cannot be written.
    """


class OptionError(AdaINError, ValueError):
    """An argument, or a combination of them, that makes no sense; also a ValueError."""


class NetworkMemoryError(MemoryError):
    """The networks ran out of memory and may compute nonsense: start a new process."""
