"""`stylize.py --model gatys`: the iterative method on the results that were asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from adain.commands import tell_error
from adain.errors import AdaINError, OptionError
from adain.jobs.painter import Painter
from adain.jobs.pipeline import Job, one_picture
from adain.jobs.results import Results
from adain.networks.architecture import CONTENT_LAYER, STYLE_LAYERS

MODEL = "gatys"
OPTIONS = ("iterations", "optimizer", "content_layers", "style_layers", "style_weight", "tv_weight",
           "start", "evolution", "evolution_iter", "restore")
# What optimise() has no use for; the sizes of contents, formats and so on it shares.
REFUSED = ("alpha", "style_weights", "masks", "keep_colors", "style_size", "coarse_size", "passes",
           "refine", "smoothing", "save_style", "bits", "concat", "sheet", "json", "checkpoint",
           "decoder_path", "engine", "tile_size", "max_memory")


def add_options(root: argparse.ArgumentParser) -> None:
    group = root.add_argument_group(
        "--model gatys", "optimises the pixels themselves: slow; needs pip install -e '.[train]'")
    group.add_argument("--iterations", type=int, default=500, help="default %(default)s")
    group.add_argument("--optimizer", choices=("adam", "lbfgs"), default="lbfgs",
                       help="default %(default)s")
    group.add_argument("--content-layers", nargs="+", default=[CONTENT_LAYER], metavar="LAYER",
                       help="of VGG19, relu1_1 to relu4_1 (default %(default)s)")
    group.add_argument("--style-layers", nargs="+", default=list(STYLE_LAYERS), metavar="LAYER",
                       help="default %(default)s")
    group.add_argument("--style-weight", type=float, default=1e-2, help="default %(default)s")
    group.add_argument("--tv-weight", type=float, default=10.0, help="default %(default)s")
    group.add_argument("--start", default="content", metavar="START",
                       help="content, noise or a picture (default content)")
    group.add_argument("--evolution", metavar="DIR",
                       help="write the picture every --evolution-iter iterations, and an animation")
    group.add_argument("--evolution-iter", type=int, default=50, help="default %(default)s")
    group.add_argument("--restore", action="store_true",
                       help="go on from RESULT.state.npz, which a run that was stopped leaves "
                            "beside its best picture so far")


def main(options: argparse.Namespace, jobs: Sequence[Job], painter: Painter,
         results: Results) -> int:
    """Make every result; Ctrl-C leaves the best picture so far and ends the command.

    painter: reads contents. Returns the exit code: 1 when some picture could not be made.
    """
    from adain.methods.gatys.config import STARTS, GatysConfig

    if options.evolution and len(jobs) != 1:
        raise OptionError(f"--evolution shows one result; there are {len(jobs)}.")
    if options.precision == "int8":
        raise OptionError("int8 is for the models vgg19 and compact; --model gatys takes auto, "
                          "float32 or bfloat16.")
    named = options.start in STARTS
    precision = {"bfloat16": "mixed_bfloat16"}.get(options.precision, options.precision)
    config = GatysConfig(
        content_layers=tuple(options.content_layers), style_layers=tuple(options.style_layers),
        iterations=options.iterations, optimizer=options.optimizer, precision=precision,
        style_weight=options.style_weight, tv_weight=options.tv_weight, vgg_path=options.vgg_path,
        start=options.start if named else STARTS[0], seed=options.seed)
    try:
        import keras  # noqa: F401  (optimise() imports it later, and its backend with it)

        from adain.methods.gatys.method import optimise
    except ModuleNotFoundError as error:
        raise OptionError(f"--model gatys needs {error.name}: "
                          "pip install -e '.[train]'") from None
    code = 0
    for job in jobs:
        state_path, stopped = job.out_path.with_suffix(".state.npz"), False
        try:
            with one_picture(job.content):
                restore = options.restore and (state_path.exists() or len(jobs) == 1)
                if results.existing(job.out_path) and not (options.overwrite or restore):
                    print(f"{job.out_path} exists already (--overwrite replaces it)")
                    continue
                content = painter.read(job.content)
                result = optimise(
                    content.rgb, job.style.paths[0], config,
                    start=None if named else options.start, state_path=state_path,
                    restore=restore, evolution=options.evolution,
                    evolution_iter=options.evolution_iter, report=partial(print, file=sys.stderr))
                stopped = state_path.exists()
                out_path = results.write(job.out_path, content._replace(rgb=result))
                print(f"-> {out_path}")
        except AdaINError as error:
            if len(jobs) == 1:
                raise
            tell_error(error)
            code = 1
        if stopped:
            break
    return code
