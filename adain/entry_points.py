"""Start the commands; while their modules load, Ctrl-C ends them without a traceback."""

from __future__ import annotations

import importlib
import signal
import sys

# The subcommands of `adain`, each a module of adain.commands with a parser() and a main().
COMMANDS = {
    "stylize": "repaint pictures and videos in the style of paintings",
    "dataset": "stylize whole data sets",
    "styles": "encode many paintings once, for data sets",
    "train": "train networks on photographs and paintings",
    "prepare": "shrink a collection of pictures once, for training",
    "report": "write a page about a training run",
    "pack": "write a trained network for one style to a single file",
    "export": "write networks as files for other programs, such as ONNX",
    "calibrate": "measure the value ranges that --precision int8 needs",
    "metrics": "measure content loss, style loss and SSIM of stylized pictures",
    "flicker": "measure how much stylized videos flicker",
    "web": "open a page that repaints photographs, on this machine",
    "benchmark": "measure how fast this machine stylizes; compare all methods",
}


def main() -> None:
    """Run `adain SUBCOMMAND ...`."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print("usage: adain COMMAND ...      (adain COMMAND --help lists its options)\n")
        print("\n".join(f"  {command:10} {text}" for command, text in COMMANDS.items()))
        sys.exit(0)
    if name == "--version":
        from adain import __version__

        print(f"adain {__version__}")
        sys.exit(0)
    if name not in COMMANDS:
        print(f"adain: COMMAND must be one of {', '.join(COMMANDS)}; received {name}.",
              file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"adain {name}", *sys.argv[2:]]
    if name == "stylize":
        stylize()
    elif name == "train":
        train()
    else:
        _end_quietly()
        from adain.commands import run

        run(importlib.import_module(f"adain.commands.{name}").main)


def stylize() -> None:
    """Run `adain stylize`, which is stylize.py, too."""
    _end_quietly()
    from adain.commands.stylize import entry_point

    entry_point()


def train() -> None:
    """Run `adain train`, which is train.py, too."""
    _end_quietly()
    from adain.commands.train import entry_point

    entry_point()


def _end_quietly() -> None:
    """Let SIGINT end the process at once, until `commands.run` handles it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
