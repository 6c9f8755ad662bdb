"""Measure what a preset's networks take: the numbers tile_bytes and start_bytes of its Preset.

    python tools/measure_memory.py compact

Each window size is computed in a process of its own, first for its statistics, then the transfer:
what both networks keep counts. A line through the peaks gives bytes for each pixel of a window and
bytes at the start. "reserved" is what `ulimit -v` counts, "resident" what --max-memory and
containers do. Linux only.
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
MEASURES = {"VmPeak": "reserved", "VmData": "data", "VmHWM": "resident"}
_CHILD = """
import resource
import sys
import numpy as np
from adain import Stylizer, memory
from adain.networks.stats import ChannelStats
resource.setrlimit(resource.RLIMIT_AS, (2**36, 2**36))
memory.reserve_little()
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
        peaks = [peak(options.model, precision, side) for side in SIDES]
        for name, meaning in MEASURES.items():
            line = [each[name] for each in peaks]
            slope, start = np.polyfit(np.square(SIDES), line, 1)
            print(f"{options.model} {precision} {meaning}: {slope:.0f} bytes a pixel, "
                  f"{start / 1e6:.0f} MB at the start ({[round(size / 1e6) for size in line]})")


def peak(model: str, precision: str, side: int) -> dict[str, int]:
    """Return the bytes that computing one window takes at most, in each measure."""
    child = subprocess.run([sys.executable, "-c", _CHILD, model, precision, str(side), str(side)],
                           capture_output=True, text=True, check=True,
                           cwd=Path(__file__).parent.parent)
    return {name: int(re.search(rf"{name}:\s*(\d+) kB", child.stdout)[1]) * 1024
            for name in MEASURES}


if __name__ == "__main__":
    main()
