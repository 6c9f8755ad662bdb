"""The formats of exported files by suffix, with the modules that write and run them."""

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
from adain.export.source import Source, synthetic_picture
from adain.files.atomic import atomic_entries

# Rows and columns of the pictures with which a file is checked if its size is not fixed.
CONTENT_SIZE, STYLE_SIZE = (200, 264), (160, 208)


@dataclass(frozen=True)
class Format:
    """A file format.

    name: for messages.
    module: a module of this package with write(plan, path) and run(path, inputs).
    needs: third-party modules that it imports, each with the extra that installs it.
    """

    name: str
    module: str
    needs: Mapping[str, str]

    def check(self) -> None:
        """Raise OptionError if a third-party module that the format needs is missing."""
        for module, extra in self.needs.items():
            if importlib.util.find_spec(module) is None:
                raise OptionError(f"{self.name} needs {module}: pip install -e '.[{extra}]'")

    def write(self, plan: Plan, path: Path) -> None:
        importlib.import_module(self.module).write(plan, path)

    def run(self, path: Path) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
        """Return a function from inputs to outputs of a file, computed by the format's runtime."""
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
    """Return the format for the suffix of a path; raise OptionError if there is none."""
    if path.suffix not in FORMATS:
        suffixes = ", ".join(filter(None, FORMATS))
        raise OptionError(f"the suffix of an exported file must be one of {suffixes}, or none for "
                          f"a SavedModel; received {path}.")
    return FORMATS[path.suffix]


def export(source: Source, plan: Plan, path: Path, content: np.ndarray | None = None,
           style: np.ndarray | None = None) -> Parity:
    """Write networks to a file, and compare a picture that the file computes with Stylizer's.

    Args:
        source: where the networks come from.
        plan: what to write, see Source.plan().
        path: the file; its suffix chooses the format. An existing file is replaced.
        content, style: pictures for the comparison, uint8 RGB (rows, columns, 3), of a size that
            the plan accepts; None: synthetic ones.

    Returns:
        The differences between the file's picture and Stylizer's in float32.

    Raises:
        OptionError: the suffix is unknown, a module is missing, or the path is another folder.
        WeightsError: the file cannot be written, or its picture in float32 differs by more than
            one level of 255; nothing is written then.
    """
    form = of(path)
    form.check()
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise OptionError(f"{path} is a folder that is not a SavedModel, and would be replaced: "
                          "name another path.")
    pictures = (synthetic_picture(*(plan.size or CONTENT_SIZE), 0) if content is None else content,
                synthetic_picture(*(plan.size or STYLE_SIZE), 1) if style is None else style)
    with atomic_entries(path, WeightsError) as file:  # moves .bin before the .xml that needs it
        form.write(plan, file)
        difference = parity.compare(plan, form.run(file), source.stylizer(), *pictures)
        if plan.precision == "float32" and not difference.largest <= parity.LIMIT:
            raise WeightsError(f"{path} was not written: its picture differs from Stylizer's by "
                               f"{difference.largest:.3f} of 255; expected at most {parity.LIMIT}.")
    return difference


def files(path: Path) -> list[Path]:
    """Return the files that an exported model consists of."""
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file()]
    weights = path.with_suffix(".bin")
    return [path, weights] if path.suffix == ".xml" else [path]
