"""`stylize.py --model gatys`: the iterative method on the results that were asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from adain import images
from adain.batch import Job
from adain.errors import OptionError
from adain.gatys_config import STARTS, GatysConfig
from adain.optimizers import OPTIMIZERS
from adain.recipe import Recipe

MODEL = "gatys"


def add_options(root: argparse.ArgumentParser) -> None:
    group = root.add_argument_group(
        "--model gatys", "optimises the pixels themselves: slow; needs pip install -e '.[train]'")
    group.add_argument("--iterations", type=int, default=500, help="default %(default)s")
    group.add_argument("--optimizer", choices=tuple(OPTIMIZERS), default="lbfgs",
                       help="default %(default)s")
    group.add_argument("--style-weight", type=float, default=1e-2, help="default %(default)s")
    group.add_argument("--tv-weight", type=float, default=10.0, help="default %(default)s")
    group.add_argument("--start", default="content", metavar="START",
                       help=f"{', '.join(STARTS)} or a picture (default content)")
    group.add_argument("--evolution", metavar="DIR",
                       help="write the picture every --evolution-iter iterations, and an animation")
    group.add_argument("--evolution-iter", type=int, default=50, help="default %(default)s")
    group.add_argument("--restore", action="store_true",
                       help="go on from RESULT.state.npz, which a run that was stopped leaves")


def main(options: argparse.Namespace, recipe: Recipe, jobs: Sequence[Job]) -> int:
    """Make every result; Ctrl-C leaves the best picture so far and ends the command."""
    if recipe != Recipe(max_pixels=recipe.max_pixels) or options.alpha != [1.0] or options.sheet:
        raise OptionError("--model gatys takes contents, styles and its own options; leave out "
                          "those of the other models.")
    if options.evolution and len(jobs) != 1:
        raise OptionError(f"--evolution shows one result; there are {len(jobs)}.")
    try:
        from adain.gatys import optimise
    except ModuleNotFoundError as error:
        raise OptionError(f"--model gatys needs {error.name}: "
                          "pip install -e '.[train]'") from None
    named = options.start in STARTS
    precision = {"bfloat16": "mixed_bfloat16"}.get(options.precision, options.precision)
    config = GatysConfig(
        iterations=options.iterations, optimizer=options.optimizer, precision=precision,
        style_weight=options.style_weight, tv_weight=options.tv_weight, vgg_path=options.vgg_path,
        start=options.start if named else STARTS[0], seed=options.seed)
    for job in jobs:
        if job.out_path.exists() and not options.overwrite:
            print(f"{job.out_path} exists already (--overwrite replaces it)")
            continue
        state_path = job.out_path.with_suffix(".state.npz")
        result = optimise(
            images.read(job.content, max_pixels=recipe.max_pixels), job.style.paths[0], config,
            start=None if named else options.start, state_path=state_path,
            restore=options.restore, evolution=options.evolution,
            evolution_iter=options.evolution_iter,
            report=partial(print, file=sys.stderr))
        images.write(job.out_path, result)
        print(f"-> {job.out_path}")
        if state_path.exists():  # it was stopped
            break
    return 0
