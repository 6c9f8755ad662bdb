"""How many cores there are, and whether they gain from bfloat16 and from 8-bit integers.

Not all that have instructions for bfloat16 are fast with them.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

FAST, SLOW, ABSENT, UNKNOWN = BFLOAT16 = ("fast", "slow", "absent", "unknown")


def usable_cores() -> int:
    """Return how many cores this process may use, which a container can limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def bfloat16() -> str:
    """Return one of BFLOAT16 for this machine; unknown where Linux does not report it."""
    return bfloat16_of(_cpuinfo())


def lacks_int8() -> bool:
    """Return whether this machine is known to have no instructions for 8-bit products."""
    return lacks_int8_of(_cpuinfo())


def _cpuinfo() -> str:
    try:
        with Path("/proc/cpuinfo").open() as file:
            return file.read(8192)  # the first core's part; the others repeat it
    except OSError:
        return ""


def description() -> str:
    """Return what this machine's instructions depend on; empty where Linux does not report it."""
    info = _cpuinfo()
    model = [line for line in info.splitlines() if line.startswith(("vendor_id", "model name"))]
    return " ".join([*model, *(_flags(info) or ())])


def bfloat16_of(cpuinfo: str) -> str:
    """Return one of BFLOAT16 for the beginning of a /proc/cpuinfo.

    Slow: Intel's AVX-512 instruction without AMX, as on virtual machines that hide AMX. Networks
    take 1.7 times as long with it as in float32 (measured with OpenVINO and TensorFlow); AMD's
    does twice as much as float32.
    """
    flags = _flags(cpuinfo)
    if flags is None:  # for example of an ARM processor
        return UNKNOWN
    if "amx_bf16" in flags:
        return FAST
    if "avx512_bf16" not in flags:
        return ABSENT
    return SLOW if "GenuineIntel" in cpuinfo else FAST


def lacks_int8_of(cpuinfo: str) -> bool:
    """Return the same as lacks_int8() for the beginning of a /proc/cpuinfo.

    Without VNNI, sums of products of 8-bit integers may overflow 16 bits.
    """
    flags = _flags(cpuinfo)
    return flags is not None and not {"avx512_vnni", "avx_vnni", "amx_int8"} & set(flags)


def _flags(cpuinfo: str) -> list[str] | None:
    return next((line.split(":")[1].split() for line in cpuinfo.splitlines()
                 if line.startswith("flags")), None)
