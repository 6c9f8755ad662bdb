"""adain report: write a page about a training run."""

from __future__ import annotations

import argparse
from pathlib import Path

from adain.errors import OptionError
from adain.training import report, report_comparison


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain report",
        description="Write a page about a training run: results, times and losses; or one that "
                    "compares several.")
    root.add_argument("folder", type=Path, nargs="+",
                      help="the --checkpoint folder of the run; of several: compare them")
    root.add_argument("--out-path", type=Path, metavar="DIR",
                      help="where a comparison is written (default FOLDER/comparison of the first)")
    root.add_argument("--columns", type=int, default=6, metavar="N",
                      help="number of results to show, from the first to the last (default "
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
        raise OptionError("--out-path is for comparisons: the report of one run stands beside it.")
    print(report.write(first, options.columns))
