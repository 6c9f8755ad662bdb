"""What a child process takes: seconds, memory, energy; and what that energy costs.

Energy comes from the RAPL counters of the processor packages where Linux shows them (as a rule to
root only); they count all that the machine does, so nothing else should run. Elsewhere it is
estimated from the seconds that the cores computed.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RAPL = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Use:
    """What one command took. joules: None where there is no counter; error: why it failed."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int | None
    joules: float | None = None
    error: str | None = None

    def __add__(self, other: Use) -> Use:
        """Return what both took, one after the other."""
        peaks = [peak for peak in (self.peak_bytes, other.peak_bytes) if peak is not None]
        counted = self.joules is not None and other.joules is not None
        return Use(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds,
                   max(peaks, default=None), self.joules + other.joules if counted else None,
                   self.error or other.error)

    def energy(self, watts: float) -> float:
        """Return joules: counted, or those of cores that take so many watts each."""
        return self.cpu_seconds * watts if self.joules is None else self.joules


def run(command: Sequence[str]) -> Use:
    """Run a command to its end and return what it took.

    The peak of a process that starts others is its own. Linux counts the memory of this process at
    the start of the child as the child's, so keep it small until all is measured.
    """
    counters, started = read_counters(), time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        message = child.stderr.read().decode(errors="replace").strip()
        if hasattr(os, "wait4"):
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
        else:  # Windows
            child.wait()
            cpu, peak = 0.0, None
    seconds = time.perf_counter() - started
    error = None
    if child.returncode:
        error = message.splitlines()[-1] if message else f"exit code {child.returncode}"
    return Use(seconds, cpu, peak, joules(counters, read_counters()), error)


def read_counters(folder: Path = RAPL) -> dict[str, tuple[int, int]]:
    """Return {package: (energy counter, where it wraps around)} in microjoules."""
    found = {}
    for package in sorted(folder.glob("intel-rapl:[0-9]*")):
        if package.name.count(":") == 1:  # those with two are parts of a package
            try:
                found[package.name] = tuple(int((package / name).read_text())
                                            for name in ("energy_uj", "max_energy_range_uj"))
            except (OSError, ValueError):
                continue
    return found


def joules(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> float | None:
    """Return what the packages took between two readings; None without counters."""
    if not before or before.keys() != after.keys():
        return None
    return sum((after[name][0] - count) % wraps_at
               for name, (count, wraps_at) in before.items()) / 1e6


def price(joule: float, tariff: float) -> float:
    """Return the price of an energy at a tariff for a kilowatt-hour."""
    return joule / 3_600_000 * tariff
