"""OpenVINO and its operations `op`: import this where a network is made, for it takes 0.05 s.

Without its model converter, which would take as long again and start its telemetry, for nothing
here. A program that uses both packages still finds openvino.convert_model: it loads when it is
first used.
"""

import sys

_CONVERTER = "openvino.tools.ovc"
_postponed = "openvino" not in sys.modules
if _postponed:
    sys.modules[_CONVERTER] = None  # an import of it now fails, which openvino allows for

import openvino  # noqa: E402
from openvino import opset13 as op  # noqa: E402, F401

if _postponed:
    del sys.modules[_CONVERTER]

    def _load(name: str):
        if name != "convert_model":
            raise AttributeError(f"module 'openvino' has no attribute '{name}'")
        from openvino.tools.ovc import convert_model

        return convert_model

    openvino.__getattr__ = _load
