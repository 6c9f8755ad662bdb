"""adain stylize: repaint photographs in the style of paintings."""

from __future__ import annotations

import gc
import os

# Before NumPy is imported: no large matrices are multiplied here, and starting OpenBLAS' threads
# would take 0.02 s.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
gc.disable()  # garbage collections would double the time of the imports, and find nothing

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from adain import memory, methods
from adain.commands import (
    check_paths,
    clips,
    print_error,
    progress,
    run,
    show_log,
    with_flags,
)
from adain.commands.stylize_options import parser, refuse
from adain.errors import ImageError, OptionError, StyleError
from adain.files import find, images
from adain.jobs import naming
from adain.jobs import pipeline as batch
from adain.jobs.memory_budget import Claim
from adain.jobs.painter import Painter
from adain.jobs.results import Results
from adain.methods.method import Method
from adain.methods.recipe import Recipe, Style, styles_of
from adain.networks.architecture import DEFAULT_PRESET
from adain.progress import StopRequest, checked, stop_on_signals
from adain.transfer import style_file as stylefile
from adain.transfer.tiling import Progress

gc.freeze()
gc.enable()


def main(arguments: list[str] | None = None) -> int:
    """Stylize; return the exit code: 1 if a picture failed."""
    root = parser()
    options = root.parse_args(arguments)
    started = time.perf_counter()
    memory.share_heaps()

    # All checks that need no networks come before the networks are loaded.
    check_paths(vars(options))
    show_log("stderr")
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                              for name, value in vars(options).items()
                              if name in Recipe.__dataclass_fields__ and value is not None}
    recipe = Recipe(**fields)
    kind = methods.choose(options.model, options.checkpoint)
    network = options.checkpoint or f"--model {options.model or DEFAULT_PRESET}"
    refuse(root, options, kind.understood(recipe), f"{network} {kind.kind}")
    learned = kind.learned_style(vars(options))
    styles, unreadable = ([learned], []) if learned else find_styles(options, recipe, kind)
    videos, skipped = clips.named(options.content_path), list[Path]()
    if not videos:
        try:
            contents, skipped = find.contents(options.content_path, written(options))
        except ImageError:
            videos, skipped = clips.below(options.content_path, written(options))
            if not videos:
                raise
    unreadable += skipped
    if videos and "smoothing" not in kind.options:
        raise OptionError(f"{network} {kind.kind}, which supports pictures, not videos or cameras.")
    if videos:
        refuse(root, options, clips.OPTIONS, f"{videos[0][0]} is a video or a camera",
               clips.REASONS)
        return clips.main(videos, options, recipe, styles) or int(bool(unreadable))
    refuse(root, options, vars(options).keys() - {"smoothing"},
           f"{options.content_path[0]} is not a video")
    results = Results(options.out_path, options.format, options.sheet)
    jobs = choose_jobs(options, results, contents, styles, kind.beside)
    method = kind.from_options(vars(options), recipe)
    method.check_results([job.out_path for job in jobs])

    with stop_on_signals() as stop:
        method.progress, method.stop = shown_steps(jobs), stop
        if options.save_style and jobs:
            method.save_style(options.save_style, jobs[0].style)
        outcomes, bad = paint(options, jobs, Painter(method, recipe, results), results, stop)
    return print_summary(options, outcomes, unreadable + bad, started, method.describe())


def shown_steps(jobs: Sequence[batch.Job]) -> Progress:
    """Return a function that shows progress bars for tiles and iterations, if there is one job."""
    def shown(steps: Sequence[Any]) -> Iterable[Any]:
        if len(jobs) > 1:
            return steps
        return progress(steps, "iterations" if isinstance(steps, range) else "tiles")

    return shown


def paint(options: argparse.Namespace, jobs: list[batch.Job], painter: Painter, results: Results,
          stop: StopRequest) -> tuple[list[batch.Outcome], list[Path]]:
    """Run the jobs; return the outcome of each, and the contents and styles that failed.

    stop: asks the batch to end between two pictures.
    """
    method = painter.method
    read: Callable[[Path, Claim], images.Picture] = painter.read
    prepare, write = method.prepare, results.write
    if options.sheet:
        from adain.jobs.sheet import Cells

        cells = Cells(painter)
        read, prepare, write = cells.read, cells.prepare, cells.write

    def existing(path: Path) -> Path | None:
        again = options.sheet or options.overwrite or method.is_unfinished(path)
        return None if again else results.existing(path)

    def whole(content: images.Picture, job: batch.Job) -> images.Picture:
        """Paint a result; of several results, one that a stop left incomplete is dropped."""
        result = painter.paint(content, job)
        if options.refine and len(jobs) > 1:
            stop.check()
        return result

    done: list[batch.Outcome] = []
    reported: dict[str, Path] = {}  # an error that several results share is printed once
    with closing(batch.run(jobs, read, whole, write, existing, prepare,
                           method.memory_limit, painter.shape)) as outcomes:
        for outcome in checked(progress(outcomes, "pictures", len(jobs)), stop):
            done.append(outcome)
            error = outcome.error
            if error and str(error) not in reported:
                print_error(error)
                reported[str(error)] = (error.path if isinstance(error, StyleError)
                                    else outcome.job.content)
            if options.json:
                print(json.dumps(as_json(outcome)), flush=True)
    if options.sheet and cells.results:
        images.write(options.sheet, cells.sheet(jobs))
    return done, list(dict.fromkeys(reported.values()))


def print_summary(options: argparse.Namespace, outcomes: list[batch.Outcome], bad: list[Path],
                  started: float, network: str) -> int:
    """Print the number of results, the time and the network; return the exit code."""
    where = options.sheet or (outcomes[0].out_path if len(outcomes) == 1 else options.out_path)
    counts = Counter(outcome.status for outcome in outcomes)
    print(f"{summary(counts)} in {time.perf_counter() - started:.1f} s -> {where} ({network})",
          file=sys.stderr if options.json or options.out_path == find.STREAM else sys.stdout)
    if bad:
        print(f"skipped {len(bad)}: {', '.join(map(str, bad))}", file=sys.stderr)
    return 1 if bad else 0


def written(options: argparse.Namespace) -> list[str]:
    """Return the files and folders that the command writes; they are not contents or styles."""
    return [path for path in (options.sheet or options.out_path, options.save_style,
                              options.evolution) if path not in (None, find.STREAM)]


def find_styles(options: argparse.Namespace, recipe: Recipe,
                kind: type[Method]) -> tuple[list[Style], list[Path]]:
    """Return the styles to paint with, and the folders that could not be read."""
    if not options.style_path:
        raise OptionError("--style-path is missing: name a picture, or a folder of pictures.")
    paths, unreadable = find_style_files(options, kind)
    if not recipe.one_result:  # a style that is given twice is used once
        paths = list({os.path.abspath(path): path for path in paths}.values())
    styles = styles_of(paths, naming.unique_names(paths), options.alpha, recipe)
    if options.save_style and (len({style.paths for style in styles}) > 1 or recipe.masks):
        raise OptionError(f"--save-style writes one style; received {len(paths)}: "
                          "--style-weights mixes them.")
    if options.save_style and recipe.keep_colors:
        raise OptionError("--save-style cannot write a style that depends on the content's "
                          "colours: leave out --keep-colors.")
    return styles, unreadable


def find_style_files(options: argparse.Namespace,
                     kind: type[Method]) -> tuple[list[Path], list[Path]]:
    """Return the files of styles, and the folders that could not be read."""
    needs_pictures = next((flag for flag, given in (
        ("--keep-colors", options.keep_colors), ("--concat", options.concat),
        (f"--model {options.model}", "save_style" not in kind.options)) if given), None)

    def fits(path: Path) -> bool:
        return path.suffix.lower() != stylefile.SUFFIX or (
            path.suffix == stylefile.SUFFIX and needs_pictures is None
            and stylefile.is_style(path))

    styles, unreadable = [], []
    for named in options.style_path:
        listing = find.list_pictures(named, (*images.READ_SUFFIXES, stylefile.SUFFIX),
                                     written(options))
        fitting = list(filter(fits, listing.files)) if os.path.isdir(named) else listing.files
        unfit = len(listing.files) - len(fitting)
        if unfit:
            find.warn(f"{named}: left out {unfit} .npz file{'' if unfit == 1 else 's'}: "
                      + (f"{needs_pictures} needs pictures" if needs_pictures else
                         "not encoded styles"))
        if not fitting:
            raise ImageError(f"{named} has no styles.")
        styles += fitting
        unreadable += listing.unreadable
    return styles, unreadable


def choose_jobs(options: argparse.Namespace, results: Results,
                contents: list[tuple[Path, Path]], styles: list[Style],
                beside: Sequence[str]) -> list[batch.Job]:
    """Return the results to make; raise OptionError if they cannot be named or written.

    beside: suffixes of files that may be written beside a result.
    """
    if options.random is not None and options.random < 1:
        raise OptionError(f"--random must be at least 1; received {options.random}.")
    # --random depends on the path below --content-path, so the folder can be moved.
    chosen = [(content, folder, style) for content, folder in contents
              for style in (styles if options.random is None else random.Random(
                  f"{options.seed} {(folder / content.name).as_posix()}".encode(
                      "utf-8", "surrogateescape")).sample(
                      styles, min(options.random, len(styles))))]
    targets = results.name([(content, folder, style.name) for content, folder, style in chosen],
                           beside)
    stems = {os.path.abspath(target.with_suffix("")) for target in targets}
    earlier = [content for content, _ in contents  # results of an earlier run in the same folder
               if os.path.abspath(content.with_suffix("")) in stems]
    if earlier and not options.sheet and len(targets) > 1:
        find.warn(f"left out {len(earlier)} content{'s that have' if earlier[1:] else ' that has'} "
                  f"the name of a result: {earlier[0]}{', ...' * bool(earlier[1:])}")
        return choose_jobs(options, results, [pair for pair in contents if pair[0] not in earlier],
                           styles, beside)
    jobs = [batch.Job(content, style, target)
            for (content, _, style), target in zip(chosen, targets)]
    if results.sheet:
        from adain.jobs.sheet import check_size

        check_size(results.sheet, jobs, options.max_pixels or images.MAX_PIXELS)
    if options.bits == 16 and (options.sheet or not results.kind.keeps_16_bits):
        received = "a contact sheet" if options.sheet else results.kind.name
        raise OptionError(f"--bits 16 needs results in png or tif (--format); received {received}.")
    results.make_folder(replace=options.overwrite or options.restore)
    return jobs


def as_json(outcome: batch.Outcome) -> dict[str, Any]:
    """Return the line that --json prints for a result."""
    job = outcome.job
    line = {"content": str(job.content), "styles": [str(path) for path in job.style.paths],
            "alpha": job.style.alpha, "out": str(outcome.out_path), "status": outcome.status,
            "seconds": round(outcome.seconds, 3)}
    return line | {"error": with_flags(str(outcome.error))} if outcome.error else line


def summary(counts: Counter[str]) -> str:
    """Return a text with the numbers of new and of existing results."""
    done = counts[batch.DONE]
    text = f"{done} picture{'' if done == 1 else 's'}"
    if counts[batch.EXISTS]:
        text += f", {counts[batch.EXISTS]} exist already (--overwrite replaces them)"
    return text


def entry_point() -> None:
    run(main, at_once=True)
