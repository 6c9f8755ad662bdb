"""The errors a user can cause. The commands print them as one line; anything else is a bug.

Messages name parameters in backquotes, `max_memory` or `bits=16`: adain.commands prints the options
that set them instead, --max-memory and --bits 16.
"""

from __future__ import annotations

from pathlib import Path


class AdaINError(Exception):
    """Base of every error that this package raises on purpose.

    The message is for users: what is wrong, what was expected and received, and what to do.
    """


class ImageError(AdaINError):
    """A picture that cannot be read, used or written: a file, a Pillow image or an array."""


class StyleError(ImageError):
    """A style file that cannot be used; every result that needs it fails.

    Args:
        path: the file, also the attribute of that name.
        message: what is wrong; if it does not contain the path, the path is put before it.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message if str(path) in message else f"{path}: {message}")
        self.path = path

    def __reduce__(self) -> tuple[type[StyleError], tuple[Path, str]]:
        return StyleError, (self.path, str(self))


class WeightsError(AdaINError):
    """A file of weights, a style file, a bank or a checkpoint that cannot be used or written.

    It is missing, damaged, or of another network; or the disk is full.
    """


class OptionError(AdaINError, ValueError):
    """An invalid argument, or arguments that exclude each other; also a ValueError."""


class NetworkMemoryError(MemoryError):
    """The networks ran out of memory, and later results may be wrong: start a new process."""
