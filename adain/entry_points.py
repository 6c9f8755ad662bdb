"""What the commands start with: while their modules load, Ctrl-C ends them without a traceback."""

from __future__ import annotations

import signal


def stylize() -> None:
    """Run stylize.py, or adain-stylize."""
    _end_quietly()
    from adain.commands.stylize import entry_point

    entry_point()


def train() -> None:
    """Run train.py, or adain-train."""
    _end_quietly()
    from adain.commands.train import entry_point

    entry_point()


def _end_quietly() -> None:
    """Let SIGINT end the process at once, until `commands.run` handles it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
