"""The formats of exported files: by ending, what writes them and what runs them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adain.errors import OptionError, WeightsError
from adain.export import parity
from adain.export.parity import Parity
from adain.export.plan import Plan
from adain.export.source import Source, drawn_picture
from adain.files.atomic import atomic_entries

# Rows and columns of the pictures that a file is tried with, where it takes any.
CONTENT_SIZE, STYLE_SIZE = (200, 264), (160, 208)


@dataclass(frozen=True)
class Format:
    """A kind of file.

    module: of this package, with write(plan, path) and run(path, inputs).
    needs: modules that it imports, and the extra of this package that installs each.
    """

    name: str
    module: str
    needs: Mapping[str, str]

    def check(self) -> None:
        """Raise OptionError where a module is missing that writes or runs such files."""
        for module, extra in self.needs.items():
            if importlib.util.find_spec(module) is None:
                raise OptionError(f"{self.name} needs {module}: pip install -e '.[{extra}]'")

    def write(self, plan: Plan, path: Path) -> None:
        importlib.import_module(self.module).write(plan, path)

    def run(self, path: Path) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
        """Return a function that computes a file's outputs with its own runtime."""
        module = importlib.import_module(self.module)
        return lambda inputs: module.run(path, inputs)


FORMATS = {
    ".onnx": Format("ONNX", "adain.export.onnx_file", {"onnx": "export", "onnxruntime": "export"}),
    ".tflite": Format("LiteRT", "adain.export.litert_file",
                      {"tensorflow": "train", "ai_edge_litert": "export"}),
    "": Format("SavedModel", "adain.export.tensorflow_file", {"tensorflow": "train"}),
    ".xml": Format("OpenVINO", "adain.export.openvino_file", {}),
}


def of(path: Path) -> Format:
    """Return the format that a file's ending names; OptionError lists the endings."""
    if path.suffix not in FORMATS:
        endings = ", ".join(filter(None, FORMATS))
        raise OptionError(f"an exported file must end in {endings}, or have no ending for a "
                          f"SavedModel; received {path}.")
    return FORMATS[path.suffix]


def export(source: Source, plan: Plan, path: Path, content: np.ndarray | None = None,
           style: np.ndarray | None = None) -> Parity:
    """Write a plan as a file, after it has been compared with Stylizer.

    Args:
        path: The file; its ending chooses the format. An existing one is replaced.
        content, style: The pictures to compare with, uint8 (rows, columns, 3), of sizes that the
            plan takes; None: drawn ones.

    Returns:
        How far the file's pictures are from Stylizer's.

    Raises:
        OptionError: for another ending, or a missing runtime.
        WeightsError: for a file that cannot be written, or that differs in float32 by more than
            one of 255; nothing is written then.
    """
    form = of(path)
    form.check()
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise OptionError(f"{path} is a folder and no SavedModel: name another, it would be "
                          "replaced.")
    pictures = (drawn_picture(*(plan.size or CONTENT_SIZE), 0) if content is None else content,
                drawn_picture(*(plan.size or STYLE_SIZE), 1) if style is None else style)
    with atomic_entries(path, WeightsError) as file:  # moves weights (.bin) before what uses them
        form.write(plan, file)
        difference = parity.compare(plan, form.run(file), source.stylizer(), *pictures)
        if plan.precision == "float32" and not difference.largest <= parity.LIMIT:
            raise WeightsError(f"{path} is not written: its pictures differ from Stylizer's by "
                               f"{difference.largest:.3f} of 255; expected at most {parity.LIMIT}.")
    return difference


def files(path: Path) -> list[Path]:
    """Return the files that an exported one consists of."""
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file()]
    weights = path.with_suffix(".bin")
    return [path, weights] if path.suffix == ".xml" else [path]
