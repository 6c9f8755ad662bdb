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
        description="Write networks to a file for other programs, and compare a picture that it "
                    "computes with that of adain stylize.")
    root.add_argument("model", help=f"{', '.join(PRESETS)}, a folder of checkpoints, or a network "
                                    "for one style")
    root.add_argument("file", help="file to write; .onnx, .tflite (LiteRT) or .xml (OpenVINO) "
                                   "choose the format; without a suffix, it is the folder of a "
                                   "SavedModel")
    root.add_argument("--part", choices=PARTS, metavar="PART",
                      help=f"what the file computes: {', '.join(PARTS)}; see docs/export.md "
                           f"(default {PARTS[0]})")
    root.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0],
                      help="float16 stores weights in 16 bits; int8 stores them in 8 bits, and "
                           "computes in 8 bits if the format can (default %(default)s)")
    root.add_argument("--size", type=int, nargs=2, metavar=("ROWS", "COLUMNS"),
                      help=f"fix the size of pictures, multiples of {STRIDE} (default: any size)")
    root.add_argument("--vgg-path", metavar="FILE",
                      help="VGG19 with which a checkpoint of vgg19 was trained")
    for name in "content", "style":
        root.add_argument(f"--{name}-path", metavar="FILE",
                          help=f"{name} picture for the comparison (default: a synthetic one)")
    return root


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    check_paths(vars(options))
    path = Path(options.file)
    formats.of(path).check()  # before the networks are loaded
    networks = source.load(options.model, options.vgg_path)
    plan = networks.plan(options.part, options.precision, options.size and tuple(options.size))
    result = formats.export(networks, plan, path, _picture(options.content_path, plan),
                            _picture(options.style_path, plan))
    size = sum(file.stat().st_size for file in formats.files(path))
    print(f"{plan.part.name} of {plan.name}, {plan.precision} -> {path} ({size / 1e6:.2f} MB); "
          f"differs from Stylizer in float32 by at most {result.largest:.3f} of 255, PSNR "
          f"{result.psnr:.1f} dB")


def _picture(path: str | None, plan: Plan) -> np.ndarray | None:
    """Return the picture in a file, resized to the plan's size or cropped to multiples of 8."""
    if path is None:
        return None
    image = images.read(path)
    if plan.size:
        return images.resize(image, *plan.size)
    rows, columns = (max(side // STRIDE, 2) * STRIDE for side in image.shape[:2])
    return (image[:rows, :columns] if min(image.shape[:2]) >= 2 * STRIDE
            else images.resize(image, rows, columns))
