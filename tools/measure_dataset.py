"""Measure adain dataset: memory, and time of a core for each picture.

    python tools/measure_dataset.py 2000 200000
    python tools/measure_dataset.py --content-path PHOTOS --style-path BANK --content-size 256
    python tools/measure_dataset.py --ray --content-path PHOTOS --style-path BANK --content-size 256

With numbers: the memory of a run that finds all of so many results there already, which lists and
names them, and writes their manifest. Else the options are those of adain dataset, whose results go
to a temporary folder. With --ray first, one process is compared with workers of one core each on
a Ray cluster of this machine that runs already, and their results are compared. On a machine with
other work compare seconds of a core, not seconds.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
LINKS = 50_000  # of one file: more than 65 000 are too many for ext4


def run(options: list[str]) -> tuple[str, float, float, int]:
    """Run adain dataset; return what it printed, seconds, seconds of all cores, and peak kB."""
    command = [sys.executable, "-m", "adain", "dataset", *options]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        printed = process.stdout.read()
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        sys.exit(f"exit code {process.returncode}")
    return (printed, time.perf_counter() - started, usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss)


def entries(count: int, folder: Path) -> None:
    """Print the memory of a run of so many contents whose results are there."""
    folder.mkdir()
    for kind in ("contents", "results"):
        for index in range(count):
            path = folder / kind / f"{index // 1000:04d}" / f"{index:09d}.jpg"
            source = folder / f"{index // LINKS}_{kind}.jpg"
            if index % LINKS == 0:
                Image.new("RGB", (16, 16)).save(source)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, path)
    (folder / "styles").mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "styles" / "a.png")
    printed, seconds, _, memory = run([
        "--content-path", f"{folder}/contents", "--style-path", f"{folder}/styles",
        "--out-path", f"{folder}/results", "--model", "compact"])
    with open(folder / "results" / "manifest.jsonl") as manifest:
        lines = sum(1 for _ in manifest) - 1
    print(f"{count} entries, {lines} lines of the manifest: {memory / 1000:.0f} MB, "
          f"{seconds:.0f} s")


def report(printed: str, seconds: float, cores: float, memory: int) -> None:
    """Print what a run took."""
    made = int(re.search(r"(\d+) picture", printed)[1])
    print(f"{printed.strip()}\n{cores / made * 1000:.1f} ms of a core a picture, "
          f"{memory / 1000:.0f} MB, cores busy "
          f"{cores / seconds / len(os.sched_getaffinity(0)):.0%}", flush=True)


class Usage(threading.Thread):
    """Counts seconds of a core of this process's children and theirs, by what they are."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._found: dict[int, tuple[str, float]] = {}
        self._before: dict[int, float] = {}
        self._ends = threading.Event()
        self._sample()
        self._before = {process: seconds for process, (_, seconds) in self._found.items()}
        self.start()

    def run(self) -> None:
        while not self._ends.wait(0.1):
            self._sample()

    def end(self) -> Counter[str]:
        """Return {what a process is, and how many there were: seconds since the beginning}."""
        self._sample()
        self._ends.set()
        self.join()
        seconds: Counter[str] = Counter()
        processes: Counter[str] = Counter()
        for process, (kind, used) in self._found.items():
            seconds[kind] += used - self._before.get(process, 0)
            processes[kind] += 1
        return Counter({f"{kind} ({processes[kind]})": used for kind, used in seconds.items()})

    def _sample(self) -> None:
        found: dict[int, tuple[int, str, float]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                words = (folder / "cmdline").read_text().replace("\0", " ").split()
            except OSError:  # it has ended
                continue
            ticks = int(fields[11]) + int(fields[12])
            found[int(folder.name)] = int(fields[1]), _kind(words), ticks / os.sysconf("SC_CLK_TCK")
        family = {os.getpid()}
        while new := {process for process, (parent, *_) in found.items()
                      if parent in family} - family:
            family |= new
        for process in family - {os.getpid()}:
            _, kind, seconds = found[process]
            before = self._found.get(process, ("", 0))[0]
            # A worker has the name of its task, or of none; a process that has ended has no name.
            self._found[process] = max(kind, before, key=len), seconds


def _kind(words: list[str]) -> str:
    """Return what a process is, from the words of its command."""
    if "dataset" in words:
        return "adain dataset"
    if not words:
        return ""
    return words[0] if words[0].startswith("ray::") else next(
        (os.path.basename(word) for word in words if word.endswith((".py", "raylet", "server"))),
        os.path.basename(words[0]))


def on_ray(options: list[str], folder: str) -> None:
    """Print what one process takes, and what a cluster of this machine takes."""
    from ray.cluster_utils import Cluster

    one = run([*options, "--out-path", f"{folder}/one"])
    report(*one)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    cluster = Cluster(initialize_head=True,
                      head_node_args={"num_cpus": len(os.sched_getaffinity(0))})
    usage = Usage()
    printed, seconds, *_ = run([*options, "--out-path", f"{folder}/ray",
                                "--ray", cluster.address])
    cores = usage.end()
    cluster.shutdown()
    print(f"{printed.strip()}\non Ray {seconds:.1f} s, {seconds / one[1] - 1:+.0%} of one process; "
          f"{cores.total():.1f} s of a core, {cores.total() / one[2] - 1:+.0%}")
    for kind, used in cores.most_common():
        print(f"{used:8.1f} s of a core: {kind}")
    subprocess.run(["diff", "-rq", f"{folder}/one", f"{folder}/ray"], check=True)


def main() -> None:
    given = sys.argv[1:]
    if not given:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        if given[0].isdecimal():
            for count in map(int, given):
                entries(count, Path(folder) / str(count))
        elif given[0] == "--ray":
            on_ray(given[1:], folder)
        else:
            report(*run([*given, "--out-path", f"{folder}/out"]))


if __name__ == "__main__":
    main()
