"""adain pack: write a trained network for one style to a single small file."""

from __future__ import annotations

import argparse
from pathlib import Path

from adain.errors import OptionError
from adain.methods.johnson.network import export


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain pack", description="Write a trained network for one style to a single file.")
    root.add_argument("checkpoint", help="folder written by adain train --method johnson")
    root.add_argument("file", help=".npz file to write")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if Path(options.file).suffix != ".npz":
        raise OptionError(f"the file to write must end in .npz; received {options.file}.")
    export(options.checkpoint, options.file)
