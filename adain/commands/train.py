"""adain train: train networks on photographs and paintings.

A decoder for vgg19, or an encoder and a decoder for compact; with `--method johnson` a network for
the style of one painting.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

from adain import __version__, methods
from adain.commands import check_paths, program, run, show_log
from adain.commands.options import add
from adain.errors import OptionError
from adain.networks.keras.devices import DEVICES
from adain.training import phases, recipe_file
from adain.training.config import TrainConfig
from adain.training.trackers import TRACKERS

EPILOG = """\
Running the same command again resumes at the newest checkpoint in --checkpoint.
Watch a run with: tensorboard --logdir CHECKPOINT/logs
Use the result: python stylize.py --checkpoint CHECKPOINT --content-path ... --style-path ...
"""


def parser(method: str = methods.ADAIN, needs_paths: bool = True) -> argparse.ArgumentParser:
    """Return the parser, with the defaults of a method.

    needs_paths: whether --content-path and --style-path are required; a recipe may have them.
    """
    root = argparse.ArgumentParser(
        prog=program(), epilog=EPILOG,
        description="Train a decoder (vgg19), a small encoder and decoder (compact), or a network "
                    "for one style.",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    root.add_argument("--version", action="version", version=f"adain {__version__}")

    root.add_argument("--method", choices=methods.TRAINABLE, default=method,
                      help="adain: networks for any style; johnson: a network for the style of the "
                           "painting --style-path, with other defaults, which --method johnson "
                           "--help lists (default adain)")

    root.add_argument("--config", metavar="FILE",
                      help="recipe, e.g. recipes/compact.yaml: a YAML file whose keys are these "
                           "options, such as batch_size: 8; options of the command override those "
                           "of the recipe, in each phase")

    files = root.add_argument_group("files")
    files.add_argument("--content-path", required=needs_paths, metavar="PATH",
                       help="photographs, e.g. COCO: a folder (subfolders included); a .zip or "
                            ".tar file, which is not unpacked; tar files like "
                            "shard-{000..146}.tar; or a URL of these")
    files.add_argument("--style-path", required=needs_paths, metavar="PATH",
                       help="paintings, e.g. WikiArt, in the same ways; with --method johnson, one "
                            "picture")
    files.add_argument("--continue-from", metavar="PATH",
                       help="start a new run from the networks in this checkpoint folder, e.g. "
                            "with larger crops, or from the shipped networks compact or vgg19; "
                            "with --method johnson also from a .npz file, e.g. to raise "
                            "--style-weight")
    files.add_argument("--checkpoint", default="checkpoints", metavar="DIR",
                       help="folder for checkpoints and previews (default %(default)s)")
    files.add_argument("--log-path", metavar="DIR",
                       help="folder for TensorBoard (default CHECKPOINT/logs)")
    add(files, TrainConfig, "vgg_path")

    add(root.add_argument_group("model and data"), TrainConfig,
        "model", "initialization", "batch_size", "accumulate", "image_size", "crop_size",
        "style_crop_size", "validation_split", "hue_rotation", "lightening", "tinting",
        "cached_crops")
    add(root.add_argument_group("losses"), TrainConfig,
        "content_weight", "style_weight", "style_layer_weights", "style_knee", "tv_weight",
        "structure_weight", "gram", "content_target", "reconstruction_iter", "identity_share",
        "style_weight_ramp")
    add(root.add_argument_group("optimizer"), TrainConfig,
        "optimizer", "learning_rate", "lr_decay", "lr_schedule", "beta_2", "clip_norm", "ema",
        "max_iter")

    running = root.add_argument_group("running")
    add(running, TrainConfig, "save_iter", "summary_iter", "keep")
    running.add_argument("--picture-cache", type=float, default=0.0, metavar="GB",
                         help="gigabytes of memory in which decoded pictures are kept; if all fit, "
                              "a fast GPU does not wait for them (default 0)")
    running.add_argument("--gallery", metavar="DIR",
                         help="folder with photographs in content/ and paintings in style/ that "
                              "are not trained on: record their content loss, style loss, SSIM "
                              "and a contact sheet, and keep the best checkpoint")
    running.add_argument("--profile", type=steps, metavar="FIRST:LAST",
                         help="trace these steps for TensorBoard's profile page, e.g. 100:110")
    running.add_argument("--tracker", choices=TRACKERS,
                         help="also log to MLflow or Weights & Biases: into CHECKPOINT, unless "
                              "MLFLOW_TRACKING_URI or WANDB_MODE=online is set")
    add(running, TrainConfig, "evaluate_every", "gallery_size", "precision", "jit")
    running.add_argument("--device", choices=DEVICES, default="auto",
                         help="auto: a GPU if there is one; gpu: fail without one (default auto)")
    running.add_argument("--allow-changes", action="store_true",
                         help="resume even if options or pictures differ from those of the "
                              "checkpoint (default: refuse, and list the differences)")
    add(running, TrainConfig, "seed")
    root.set_defaults(**methods.named(method).train_defaults)
    return root


def steps(text: str) -> tuple[int, int]:
    """Return the two steps of --profile FIRST:LAST."""
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected FIRST:LAST, e.g. 100:110; received {text}")
    return int(first), int(last)


def main(arguments: list[str] | None = None) -> None:
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--method", choices=methods.TRAINABLE)
    first.add_argument("--config")
    given = first.parse_known_args(arguments)[0]
    recipe = recipe_file.read(given.config) if given.config else None
    method = given.method or (recipe and recipe.method) or methods.ADAIN
    if method not in methods.TRAINABLE:
        raise OptionError(f"{given.config}: method must be one of {', '.join(methods.TRAINABLE)}; "
                          f"received {method}.")
    wanted = recipe.phases if recipe else (recipe_file.Phase("", {}),)
    runs, folder = [], ""
    for phase in wanted:
        try:
            options = vars(parser(method, recipe is None).parse_args(
                arguments, argparse.Namespace(**phase.settings)))
            check_paths(options, urls=("content_path", "style_path"))
            runs.append(_phase_run(phase, options, command(arguments)))
        except OptionError as error:
            if not phase.name:
                raise
            raise OptionError(f"phase {phase.name}: {error}") from None
        folder = options["checkpoint"]
    show_log()
    train = methods.named(method).trainer()
    if not runs[0].name:
        train(runs[0].config, folder=folder, **runs[0].arguments)
    else:
        phases.run(train, runs, folder)


def _phase_run(phase: recipe_file.Phase, options: dict[str, Any], typed: str) -> phases.PhaseRun:
    """Return the settings of a phase from the options of the command."""
    for name in ("content_path", "style_path"):
        if options[name] is None:
            raise OptionError(f"`{name}` is missing: name it in the recipe or as an option.")
    config = {field.name: options[field.name] for field in dataclasses.fields(TrainConfig)}
    config["style_layer_weights"] = tuple(config["style_layer_weights"])
    others = {name: options[name] for name in recipe_file.settings() if name not in config}
    if phase.name and others["log_path"]:
        others["log_path"] = Path(others["log_path"]) / phase.name
    return phases.PhaseRun(phase.name, TrainConfig(**config), {
        **others, "allow_changes": options["allow_changes"], "command": typed}, phase.average)


def command(arguments: list[str] | None) -> str:
    """Return the command line that started this run, quoted for a shell."""
    program = sys.argv[0]
    start = ["python", program] if program.endswith(".py") else [Path(program).name]
    return shlex.join([*start, *(sys.argv[1:] if arguments is None else arguments)])


def entry_point() -> None:
    run(main)
