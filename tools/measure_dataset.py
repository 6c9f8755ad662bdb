"""Measure adain dataset: memory, and time of a core for each picture.

    python tools/measure_dataset.py 2000 200000
    python tools/measure_dataset.py --content-path PHOTOS --style-path BANK --content-size 256
    python tools/measure_dataset.py --ray --content-path PHOTOS --style-path BANK --content-size 256

With numbers: the memory of a run that finds all of so many results there already, which lists and
names them, and writes their manifest. Else the options are those of adain dataset, whose results go
to a temporary folder. With --ray first, one process is compared with workers of one core each on
a Ray cluster of this machine that runs already, and their results are compared.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
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


def on_ray(options: list[str], folder: str) -> None:
    """Print what one process takes, and what a cluster of this machine takes."""
    from ray.cluster_utils import Cluster

    one = run([*options, "--out-path", f"{folder}/one"])
    report(*one)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    cluster = Cluster(initialize_head=True,
                      head_node_args={"num_cpus": len(os.sched_getaffinity(0))})
    printed, seconds, *_ = run([*options, "--out-path", f"{folder}/ray",
                                "--ray", cluster.address])
    cluster.shutdown()
    print(f"{printed.strip()}\non Ray {seconds:.1f} s, {seconds / one[1] - 1:+.0%} of one process")
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
