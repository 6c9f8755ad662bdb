"""adain pack: write a trained network of one style as one small file."""

from __future__ import annotations

import argparse
from pathlib import Path

from adain.errors import OptionError
from adain.methods.johnson.network import export


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="adain pack",
                                     description="Write a trained network as one small file.")
    parser.add_argument("checkpoint", help="folder that train.py --method johnson wrote")
    parser.add_argument("file", help="the .npz to write")
    options = parser.parse_args(arguments)
    if Path(options.file).suffix != ".npz":
        raise OptionError(f"a network is written as .npz; received {options.file}.")
    export(options.checkpoint, options.file)
