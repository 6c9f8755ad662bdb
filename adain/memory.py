"""How much memory this process may take: limits of the process, of its container, of the machine.

All answers are in bytes that may still be allocated, so that different measures compare: address
space (`ulimit -v`), data (`ulimit -d`), the control groups of containers and batch systems
(versions 1 and 2), and what the machine has free.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_ROOT = Path("/")
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # of mallopt, from GNU's malloc.h
_PAGE = resource.getpagesize() if resource else 4096
# Control groups, version 2 and 1: their folder, limit, use, and the name in memory.stat of the
# files in the cache, which the kernel gives up first.
_GROUPS = {"": ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
           "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                      "total_inactive_file")}


def available(root: Path = _ROOT) -> int | None:
    """Return how many bytes this process may still allocate; None where the system does not tell.

    root: of the file system that holds proc and sys.
    """
    free = [*_process_limits(root), *_group_limits(root), *_machine(root)]
    return max(0, min(free)) if free else None


def reserved_counts() -> bool:
    """Return whether memory counts that is only reserved, as it does for `ulimit -v` and `-d`."""
    return bool(resource) and any(resource.getrlimit(kind)[0] != resource.RLIM_INFINITY
                                  for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))


def share_heaps() -> None:
    """Give all threads two heaps instead of one each, which keep more of what was let go of.

    Only GNU's C library has these settings; call it before threads start.
    """
    _set_malloc((_ARENA_MAX, 2))


def reserve_little() -> None:
    """Make the C library reserve little, where that counts; call it before threads start.

    They share one heap, instead of 64 MB or more for each; and large arrays are given back when
    they are let go of, else it soon keeps them between others.
    """
    if reserved_counts():
        _set_malloc((_ARENA_MAX, 1), (_MMAP_THRESHOLD, 1_000_000))


def _set_malloc(*settings: tuple[int, int]) -> None:
    if not resource:
        return
    import ctypes

    with suppress(AttributeError, OSError):
        set_option = ctypes.CDLL(None).mallopt
        for setting in settings:
            set_option(*setting)


def _process_limits(root: Path) -> Iterator[int]:
    sizes = _read(root / "proc/self/statm").split()
    if not resource or len(sizes) < 6:
        return
    for kind, pages in ((resource.RLIMIT_AS, sizes[0]), (resource.RLIMIT_DATA, sizes[5])):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            yield limit - int(pages) * _PAGE


def _group_limits(root: Path) -> Iterator[int]:
    """Yield what is left in this process' control group, and in those that contain it."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if controller not in _GROUPS:
                continue
            folder, limit, use, cache = _GROUPS[controller]
            # Inside of a container the path may be the host's: then only the root is there.
            for inner in (PurePosixPath(path), *PurePosixPath(path).parents):
                group = root / folder / inner.relative_to("/")
                numbers = [_read(group / name).strip() for name in (limit, use)]
                if all(number.isdigit() for number in numbers):  # no limit is "max" in version 2
                    yield int(numbers[0]) - int(numbers[1]) + _entry(group / "memory.stat", cache)


def _machine(root: Path) -> Iterator[int]:
    free, swap = (_entry(root / "proc/meminfo", name) for name in ("MemAvailable:", "SwapFree:"))
    if free:
        yield (free + swap) * 1024


def _entry(path: Path, name: str) -> int:
    """Return the number after a name in a table; 0 if it is not there."""
    return next((int(line.split()[1]) for line in _read(path).splitlines()
                 if line.startswith(f"{name} ")), 0)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
