"""Limits of memory: of the process, of control groups, of the machine."""

import platform
import subprocess
import sys

import pytest

from adain import memory

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
GIGABYTE = 10**9


def system(root, files):
    """A file system with these files; this process' own limits hold besides."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def version_2(folder, limit, used, cached=0):
    return {f"{folder}/memory.max": f"{limit}\n", f"{folder}/memory.current": f"{used}\n",
            f"{folder}/memory.stat": f"anon 5\ninactive_file {cached}\nactive_file 7\n"}


def version_1(folder, limit, used, cached=0):
    return {f"{folder}/memory.limit_in_bytes": f"{limit}\n",
            f"{folder}/memory.usage_in_bytes": f"{used}\n",
            f"{folder}/memory.stat": f"inactive_file 3\ntotal_inactive_file {cached}\n"}


MACHINE = {"proc/meminfo": "MemTotal: 9000000 kB\nMemFree: 10 kB\nMemAvailable:    3900000 kB\n"
           "SwapFree: 100000 kB\n"}


@pytest.mark.parametrize("files, expected", [
    ({}, None),
    (MACHINE, 4_096_000_000),
    # The group itself, less what is used; files in the cache do not count as used.
    (MACHINE | {"proc/self/cgroup": "0::/job\n"}
     | version_2("sys/fs/cgroup/job", 2 * GIGABYTE, 900_000_000, 100_000_000), 1_200_000_000),
    # A group that contains it is smaller.
    (MACHINE | {"proc/self/cgroup": "0::/job/step\n"}
     | version_2("sys/fs/cgroup/job/step", "max", 100_000_000)
     | version_2("sys/fs/cgroup/job", GIGABYTE, 400_000_000), 600_000_000),
    # In a container without the host's path.
    (MACHINE | {"proc/self/cgroup": "0::/../of/the/host\n"}
     | version_2("sys/fs/cgroup", GIGABYTE, 300_000_000), 700_000_000),
    (MACHINE | {"proc/self/cgroup": "4:cpu,cpuacct:/a\n9:memory:/job\n1:name=systemd:/\n0::/\n"}
     | version_1("sys/fs/cgroup/memory/job", GIGABYTE, 800_000_000, 50_000_000)
     | version_1("sys/fs/cgroup/memory", 9223372036854771712, 5_000_000_000), 250_000_000),
    # More is used than there may be.
    ({"proc/self/cgroup": "0::/\n"} | version_2("sys/fs/cgroup", 5, 10), 0),
])
def test_the_smallest_limit_counts(tmp_path, files, expected):
    assert memory.available(system(tmp_path, files)) == expected


@LINUX
@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_limits_of_the_process_count(kind):
    program = f"""if True:
        import resource
        from adain import memory
        print(memory.reserved_counts())
        resource.setrlimit(resource.{kind}, (300_000_000, 400_000_000))
        before = memory.available()
        block = bytearray(50_000_000)
        print(memory.reserved_counts(), 200_000_000 < before < 300_000_000,
              49_000_000 < before - memory.available() < 55_000_000)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\nTrue True True\n", done.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs GNU's C library")
def test_threads_share_heaps_that_are_given_back():
    """A heap of its own starts for each thread within its 64 MB of address space."""
    program = """if True:
        import threading
        from adain import memory
        memory.share_heaps()
        wait = threading.Barrier(9)
        for _ in range(8):
            threading.Thread(target=lambda: (list(map(bytearray, 100 * [1000])), wait.wait(),
                                             wait.wait()), daemon=True).start()
        wait.wait()
        with open("/proc/self/maps") as file:
            spans = [[int(end, 16) for end in line.split()[0].split("-")] for line in file]
        print(sum(start % 2**26 == 0 and end - start < 2**25 for start, end in spans))
        wait.wait()
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert int(done.stdout) <= 2, done.stderr


@LINUX
def test_this_machine_tells():
    assert memory.available() > 0
