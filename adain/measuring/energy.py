"""What a child process takes: seconds, memory, energy; and what that energy costs.

Energy comes from the RAPL counters of the processor packages where Linux shows them (as a rule to
root only); they count all that the machine does, so nothing else should run. Elsewhere it is
estimated from the seconds that the cores computed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RAPL = Path("/sys/class/powercap")
# Linux counts what the process that starts a child has in memory as the child's, so that a small
# one has to do it.
_LAUNCHER = """
import json, os, sys, time
started = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, used = os.wait4(child, 0)
unit = 1 if sys.platform == "darwin" else 1024
json.dump([time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss * unit,
           os.waitstatus_to_exitcode(status)], sys.stdout)
"""


@dataclass(frozen=True)
class Use:
    """What one command took. joules: None where there is no counter; error: why it failed."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int | None
    joules: float | None = None
    error: str | None = None

    def __add__(self, other: Use) -> Use:
        """Return the sum of two runs, one after the other."""
        peaks = [peak for peak in (self.peak_bytes, other.peak_bytes) if peak is not None]
        joules = (None if self.joules is None or other.joules is None
                  else self.joules + other.joules)
        return Use(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds,
                   max(peaks, default=None), joules,
                   self.error or other.error)

    def energy(self, watts: float) -> float:
        """Return joules: as counted, or estimated from `watts`, the power of one busy core."""
        return self.cpu_seconds * watts if self.joules is None else self.joules


def run(command: Sequence[str]) -> Use:
    """Run a command, whose program is a whole path, to its end and return what it took.

    The peak of a process that starts others is its own.
    """
    counters, started = read_counters(), time.perf_counter()
    launched = hasattr(os, "wait4")  # not on Windows
    if launched:
        command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    child = subprocess.run(command, capture_output=True)
    seconds, cpu, peak, code = time.perf_counter() - started, 0.0, None, child.returncode
    message = child.stderr.decode(errors="replace").strip()
    if launched and not code:
        seconds, cpu, peak, code = json.loads(child.stdout)
    error = (message.splitlines()[-1] if message else f"exit code {code}") if code else None
    return Use(seconds, cpu, peak, joules(counters, read_counters()), error)


def read_counters(folder: Path = RAPL) -> dict[str, tuple[int, int]]:
    """Return {package: (energy counter, where it wraps around)} in microjoules."""
    counters = {}
    for package in sorted(folder.glob("intel-rapl:[0-9]*")):
        if package.name.count(":") == 1:  # those with two are parts of a package
            try:
                counters[package.name] = (int((package / "energy_uj").read_text()),
                                          int((package / "max_energy_range_uj").read_text()))
            except (OSError, ValueError):
                continue
    return counters


def joules(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> float | None:
    """Return what the packages took between two readings; None without counters."""
    if not before or before.keys() != after.keys():
        return None
    return sum((after[name][0] - count) % wraps_at
               for name, (count, wraps_at) in before.items()) / 1e6


def price(joule: float, tariff: float) -> float:
    """Return the price of an energy at a tariff for a kilowatt-hour."""
    return joule / 3_600_000 * tariff
