"""OpenVINO and its operations `op`. Import it in functions only: it takes 0.05 s.

OpenVINO's model converter, which would take another 0.05 s and start telemetry, is not imported.
For programs that use it besides this package, openvino.convert_model loads at its first use.
"""

from __future__ import annotations

import sys
from typing import TypeAlias

_CONVERTER = "openvino.tools.ovc"
_postponed = "openvino" not in sys.modules
if _postponed:
    # An import of it now fails, which openvino allows for. (None is documented; typeshed lacks it.)
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]

import openvino  # noqa: E402
from openvino import opset13 as op  # noqa: E402

__all__ = ["Tensor", "op", "openvino"]

# What operations take and return.
Tensor: TypeAlias = "openvino.Node | openvino.Output"

if _postponed:
    del sys.modules[_CONVERTER]

    def _load(name: str) -> object:
        if name != "convert_model":
            raise AttributeError(f"module 'openvino' has no attribute '{name}'")
        from openvino.tools.ovc import convert_model

        return convert_model

    openvino.__getattr__ = _load
