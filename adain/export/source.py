"""The networks to export: a shipped model, a checkpoint, or a network for one style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adain.errors import OptionError, WeightsError
from adain.export.parts import ONE_STYLE, PARTS, one_style, part_of, program
from adain.export.plan import PRECISIONS, Plan, Size
from adain.methods.johnson import network as johnson
from adain.networks import checkpoint, weights
from adain.networks.architecture import PRESETS, STRIDE
from adain.networks.networks import Networks
from adain.transfer.stylizer import Stylizer
from adain.transfer.tiling import SMALLEST


@dataclass(frozen=True)
class Source:
    """Networks to export.

    name: name of the networks, for messages and metadata.
    networks: networks for any style, or None.
    arrays: arrays of a network for one style, or None.
    stylizer: returns a Stylizer or StyleNetwork with these networks, in float32.
    """

    name: str
    networks: Networks | None
    arrays: johnson.Arrays | None
    stylizer: Callable[[], Stylizer | johnson.StyleNetwork]

    def plan(self, part: str | None = None, precision: str = "float32",
             size: Size | None = None) -> Plan:
        """Return the plan for a file of these networks.

        Args:
            part: one of PARTS; None: the first one, which stylizes a picture.
            precision: one of PRECISIONS. float16 stores weights in 16 bits and computes in 32;
                int8 computes in 8 bits if the format can.
            size: rows and columns of pictures, multiples of 8, at least 16; None: any.

        Raises:
            OptionError: an argument is invalid, or these networks do not support it.
        """
        if precision not in PRECISIONS:
            raise OptionError(f"`precision` must be one of {', '.join(PRECISIONS)}; received "
                              f"{precision}.")
        if size and any(side < SMALLEST or side % STRIDE for side in size):
            raise OptionError(f"`size` must be multiples of {STRIDE}, at least {SMALLEST}; "
                              f"received {size[0]} {size[1]}.")
        if self.networks is None:
            if part not in (None, ONE_STYLE.name):
                raise OptionError(f"a network for one style has only the part {ONE_STYLE.name}; "
                                  f"received `part={part}`.")
            if precision == "int8":
                raise OptionError("`precision=int8` is for networks for any style; a network of "
                                  "one style takes float32 or float16.")
            return Plan(self.name, ONE_STYLE, one_style(self.arrays or {}), None, precision, size)
        if part is not None and part not in PARTS:
            raise OptionError(f"`part` must be one of {', '.join(PARTS)}; received {part}.")
        if precision == "int8" and self.networks.ranges is None:
            raise OptionError("`precision=int8` needs value ranges, which only the shipped "
                              "networks have; use float32 or float16.")
        chosen = part_of(part or PARTS[0], self.networks)
        return Plan(self.name, chosen, program(chosen, self.networks), self.networks, precision,
                    size)


def load(model: str, vgg_path: str | Path | None = None) -> Source:
    """Return the networks for a name or a path.

    Args:
        model: "compact" or "vgg19", or the path of a folder of checkpoints, of one checkpoint, or
            of a network for one style.
        vgg_path: see Stylizer.

    Raises:
        WeightsError: there are no networks at the path, or they are damaged.
    """
    if model in PRESETS:
        return Source(model, weights.load(model, vgg_path), None, lambda: Stylizer(
            model, vgg_path=vgg_path, precision="float32", style_size=None))
    path = Path(model)
    if not path.exists():
        raise WeightsError(f"{model} does not exist: expected a model ({', '.join(PRESETS)}), a "
                           "folder of checkpoints or a network for one style (.npz).")
    if johnson.is_network(path):
        arrays, _ = johnson.load(path)
        return Source(f"one style, {johnson.style_name(path)}", None, arrays,
                      lambda: johnson.StyleNetwork(path, "float32"))
    saved = checkpoint.load(path)
    return Source(f"{saved.model}, step {saved.step}", saved.networks(vgg_path), None,
                  lambda: Stylizer(checkpoint=saved.path, vgg_path=vgg_path, precision="float32",
                                   style_size=None))


def synthetic_picture(rows: int, columns: int, seed: int) -> np.ndarray:
    """Return coloured noise of several scales, uint8 RGB (rows, columns, 3)."""
    import cv2

    generator = np.random.default_rng(seed)
    layers = [cv2.resize(generator.random((max(2, rows // grain), max(2, columns // grain), 3)),
                         (columns, rows), interpolation=cv2.INTER_CUBIC) for grain in (64, 16, 3)]
    mixed = 0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]
    return np.asarray(np.clip(mixed, 0, 1) * 255, np.uint8)
