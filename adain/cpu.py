"""Whether this CPU gains from bfloat16: not all that have its instructions are fast with them."""

from __future__ import annotations

import functools
from pathlib import Path

FAST, SLOW, ABSENT, UNKNOWN = BFLOAT16 = ("fast", "slow", "absent", "unknown")


@functools.cache
def bfloat16() -> str:
    """Return one of BFLOAT16 for this machine; unknown where Linux does not tell."""
    try:
        with Path("/proc/cpuinfo").open() as file:
            return bfloat16_of(file.read(8192))  # the first core's part; the others repeat it
    except OSError:
        return UNKNOWN


def bfloat16_of(cpuinfo: str) -> str:
    """Return one of BFLOAT16 for the beginning of a /proc/cpuinfo.

    Slow: Intel's AVX-512 instruction without AMX, as on virtual machines that hide AMX. Networks
    take 1.7 times as long with it as in float32 (measured with OpenVINO and TensorFlow); AMD's
    does twice as much as float32.
    """
    flags = next((line.split(":")[1].split() for line in cpuinfo.splitlines()
                  if line.startswith("flags")), None)
    if flags is None:  # an ARM processor, say
        return UNKNOWN
    if "amx_bf16" in flags:
        return FAST
    if "avx512_bf16" not in flags:
        return ABSENT
    return SLOW if "GenuineIntel" in cpuinfo else FAST
