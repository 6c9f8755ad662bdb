"""Measure what a preset's networks take: the numbers tile_bytes and start_bytes of its Preset.

    python tools/measure_memory.py compact

Each window size is computed in a process of its own, first for its statistics, then the transfer. A
line through the peaks gives bytes for each pixel of a window, and bytes at the start. "resident" is
what --max-memory and containers count, "reserved" what `ulimit -v` does, measured under such a
limit, where only one of the networks keeps its activations. tile_bytes is the resident number in
float32, rounded up. start_bytes is what "reserved" has at the start, less the 120 to 180 MB that
Python, NumPy and the weights have taken before, plus 40 MB for the threads of a batch; for vgg19
another 110 MB, without which runs at 650 to 680 MB failed. Linux only.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from adain.networks.architecture import PRESETS

SIDES = (320, 512, 704, 896)  # of windows, in pixels
MEASURES = {"VmHWM": "resident", "VmPeak": "reserved"}
_CHILD = """
import resource
import sys
import numpy as np
from adain import Stylizer
from adain.networks.stats import ChannelStats
if sys.argv[5] == "reserved":
    resource.setrlimit(resource.RLIMIT_AS, (2**36, 2**36))
stylizer = Stylizer(sys.argv[1], precision=sys.argv[2])
image = np.zeros((*map(int, sys.argv[3:5]), 3), np.float32)
engine = stylizer.engine
engine.measure(image, np.ones(image.shape[:2], np.float32))
style = ChannelStats(*np.ones((2, stylizer.channels), np.float32))
engine.transfer(image, style, 1.0, style)
print(open("/proc/self/status").read())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=PRESETS)
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16", "int8"])
    options = parser.parse_args()
    for precision in options.precision:
        for name, meaning in MEASURES.items():
            peaks = [peak(options.model, precision, side, name) for side in SIDES]
            slope, start = np.polyfit(np.square(SIDES), peaks, 1)
            print(f"{options.model} {precision} {meaning}: {slope:.0f} bytes a pixel, "
                  f"{start / 1e6:.0f} MB at the start ({[round(size / 1e6) for size in peaks]})")


def peak(model: str, precision: str, side: int, name: str) -> int:
    """Return the bytes that computing one window takes at most; name: of a line of MEASURES."""
    child = subprocess.run([sys.executable, "-c", _CHILD, model, precision, str(side), str(side),
                            MEASURES[name]], capture_output=True, text=True, check=True,
                           cwd=Path(__file__).parent.parent)
    return int(re.search(rf"{name}:\s*(\d+) kB", child.stdout)[1]) * 1024


if __name__ == "__main__":
    main()
