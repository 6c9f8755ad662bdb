"""adain report: write a page about a training run."""

from __future__ import annotations

import argparse
from pathlib import Path

from adain.errors import OptionError
from adain.training import report


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="adain report",
                                     description="Write a page about a training run.")
    parser.add_argument("folder", type=Path, help="the --checkpoint folder of train.py")
    parser.add_argument("--columns", type=int, default=6, metavar="N",
                        help="results to show, from first to last (default %(default)s)")
    options = parser.parse_args(arguments)
    if options.columns < 2:
        raise OptionError(f"--columns must be at least 2; received {options.columns}.")
    print(report.write(options.folder, options.columns))
