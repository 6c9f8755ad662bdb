"""adain metrics: measure content loss, style loss and SSIM of stylized pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from adain.commands import progress
from adain.files.atomic import atomic
from adain.measuring import metrics


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain metrics",
        description="Measure content loss, style loss and SSIM of stylized pictures.")
    root.add_argument("content_dir", help="folder of content pictures")
    root.add_argument("style_dir", help="folder of style pictures")
    root.add_argument("out_dir", nargs="+",
                      help="folders of stylized pictures, named CONTENT__STYLE")
    root.add_argument("--size", type=int, default=512, metavar="PIXELS",
                      help="resize styles to this shorter side (default %(default)s)")
    root.add_argument("--json", metavar="FILE",
                      help="also write the scores of every picture to this file")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    contents, styles = metrics.by_name(options.content_dir), metrics.by_name(options.style_dir)
    meter, report = metrics.Meter(options.size), {}
    print("| folder | pictures | content | style | SSIM |\n| --- | --- | --- | --- | --- |")
    for folder in options.out_dir:
        scores = metrics.measure_folder(meter, contents, styles, Path(folder),
                                        lambda files: progress(files, "pictures"))
        total = metrics.mean(scores)
        print(f"| {folder} | {len(scores)} | {total.content:.2f} | {total.style:.2f} | "
              f"{total.ssim:.2f} |", flush=True)
        report[folder] = {"mean": total._asdict(),
                          "pictures": {name: one._asdict() for name, one in scores.items()}}
    if options.json:
        with atomic(options.json) as beside:
            beside.write_text(json.dumps(report, indent=2) + "\n")
