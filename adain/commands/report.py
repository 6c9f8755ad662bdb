"""adain report: write a page about a training run, or one that compares several."""

from __future__ import annotations

import argparse
from pathlib import Path

from adain.errors import OptionError
from adain.training import report, report_comparison


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain report",
        description="Write a page with the results, times and losses of a training run, or a page "
                    "that compares several runs.")
    root.add_argument("folder", type=Path, nargs="+",
                      help="the --checkpoint folder of a run; several folders are compared")
    root.add_argument("--out-path", type=Path, metavar="DIR",
                      help="folder for a comparison (default: FOLDER/comparison in the first "
                           "folder)")
    root.add_argument("--columns", type=int, default=6, metavar="N",
                      help="number of previews to show, spread over the run (default "
                           "%(default)s)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if options.columns < 2:
        raise OptionError(f"--columns must be at least 2; received {options.columns}.")
    first, *others = options.folder
    if others:
        print(report_comparison.write(options.folder, options.out_path or first / "comparison"))
        return
    if options.out_path is not None:
        raise OptionError("--out-path is for comparisons: the report of one run is written to its "
                          "folder.")
    print(report.write(first, options.columns))
