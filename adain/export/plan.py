"""Plan: everything that a format needs to write a file."""

from __future__ import annotations

import json
from dataclasses import dataclass

from adain import __version__
from adain.export.parts import CHANNELS, COLUMNS, ROWS, Part, Program, Value
from adain.networks.architecture import STRIDE
from adain.networks.networks import Networks, Ranges
from adain.transfer import style_file
from adain.transfer.tiling import SMALLEST

PRECISIONS = ("float32", "float16", "int8")
Size = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """What to write to a file.

    name: name of the networks, for the metadata.
    part: its inputs and outputs.
    program: how outputs are computed from inputs.
    networks: None for a network for one style, whose arrays only `program` has.
    precision: one of PRECISIONS.
    size: rows and columns of pictures; None: the file accepts any size.
    """

    name: str
    part: Part
    program: Program
    networks: Networks | None
    precision: str
    size: Size | None

    @property
    def inputs(self) -> tuple[Value, ...]:
        return self.part.inputs

    @property
    def outputs(self) -> tuple[Value, ...]:
        return self.part.outputs

    @property
    def ranges(self) -> Ranges | None:
        """Value ranges of the inputs of convolutions if they are computed in 8 bits, else None."""
        return self.networks.ranges if self.networks and self.precision == "int8" else None

    def shape(self, value: Value) -> tuple[int | None, ...]:
        """Return the shape of a value in this plan; None for sizes that are not fixed."""
        rows, columns = self.size or (None, None)
        known = {ROWS: rows, COLUMNS: columns,
                 CHANNELS: self.networks.channels if self.networks else None}

        def resolved(size: int | str) -> int | None:
            if isinstance(size, int):
                return size
            name, _, divisor = size.partition("/")
            whole = known.get(name)
            return None if whole is None else whole // int(divisor or 1)

        return tuple(map(resolved, value.shape))

    @property
    def metadata(self) -> dict[str, str]:
        """Metadata of the file, as texts by name."""
        about = {"model": self.name, "part": self.part.name, "precision": self.precision,
                 "version": __version__, "layout": "float32; pictures NHWC, RGB from 0 to 1"}
        if self.size is None:
            about["sizes"] = f"rows and columns: multiples of {STRIDE}, at least {SMALLEST}"
        if self.networks:
            about["encoder"] = style_file.fingerprint(self.networks.encoder)
        for kind, values in (("inputs", self.inputs), ("outputs", self.outputs)):
            about[kind] = json.dumps({value.name: {"shape": self.shape(value), "is": value.meaning}
                                      for value in values})
        return about
