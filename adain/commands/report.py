"""adain report: write a page about a training run."""

from __future__ import annotations

import argparse
from pathlib import Path

from adain.errors import OptionError
from adain.training import report


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain report",
        description="Write a page about a training run: results, times and losses.")
    root.add_argument("folder", type=Path, help="the --checkpoint folder of the run")
    root.add_argument("--columns", type=int, default=6, metavar="N",
                      help="number of results to show, from the first to the last (default "
                           "%(default)s)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if options.columns < 2:
        raise OptionError(f"--columns must be at least 2; received {options.columns}.")
    print(report.write(options.folder, options.columns))
