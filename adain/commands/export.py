"""adain export: write networks as files for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from adain.commands import check_paths
from adain.export import formats, source
from adain.export.parts import PARTS
from adain.export.plan import PRECISIONS, Plan
from adain.files import images
from adain.networks.architecture import PRESETS, STRIDE


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain export",
        description="Write networks as a file for other programs, and compare its pictures with "
                    "those made here.")
    root.add_argument("model", help=f"{', '.join(PRESETS)}, a folder of checkpoints, or a network "
                                    "of one style")
    root.add_argument("file", help="file to write; .onnx, .tflite (LiteRT) or .xml (OpenVINO) "
                                   "choose the format, no ending a folder with a SavedModel")
    root.add_argument("--part", choices=PARTS, metavar="PART",
                      help=f"{', '.join(PARTS)}: what it computes, see docs/export.md (default "
                           f"{PARTS[0]})")
    root.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0],
                      help="float16 stores weights in 16 bits; int8 stores them in 8, and computes "
                           "in 8 where the format can (default %(default)s)")
    root.add_argument("--size", type=int, nargs=2, metavar=("ROWS", "COLUMNS"),
                      help=f"size of pictures, multiples of {STRIDE} (default: any)")
    root.add_argument("--vgg-path", metavar="FILE",
                      help="VGG19 that a checkpoint of vgg19 was trained with")
    for name in "content", "style":
        root.add_argument(f"--{name}-path", metavar="FILE",
                          help=f"{name} to compare pictures with (default: a drawn one)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    check_paths(vars(options))
    path = Path(options.file)
    formats.of(path).check()  # before networks are read
    found = source.load(options.model, options.vgg_path)
    plan = found.plan(options.part, options.precision, options.size and tuple(options.size))
    result = formats.export(found, plan, path, _picture(options.content_path, plan),
                            _picture(options.style_path, plan))
    size = sum(file.stat().st_size for file in formats.files(path))
    print(f"{plan.part.name} of {plan.name}, {plan.precision} -> {path} ({size / 1e6:.2f} MB); "
          f"differs from Stylizer in float32 by at most {result.largest:.3f} of 255, PSNR "
          f"{result.psnr:.1f} dB")


def _picture(path: str | None, plan: Plan) -> np.ndarray | None:
    """Return a picture of the plan's size, or cropped to multiples of 8."""
    if path is None:
        return None
    image = images.read(path)
    if plan.size:
        return images.resize(image, *plan.size)
    rows, columns = (max(side // STRIDE, 2) * STRIDE for side in image.shape[:2])
    return (image[:rows, :columns] if min(image.shape[:2]) >= 2 * STRIDE
            else images.resize(image, rows, columns))
