"""adain train: fit a decoder (vgg19) or the slim pair (compact) on photographs and paintings.

`--method johnson` fits a network for the style of one painting instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from adain import __version__
from adain.commands import check_paths, run, with_flags
from adain.commands.options import add
from adain.errors import OptionError
from adain.files.bad_files import BadFiles
from adain.networks.keras import devices
from adain.networks.keras.devices import DEVICES, hide_gpus
from adain.networks.weights import load_encoder
from adain.training import data, distribution, features
from adain.training.config import TrainConfig
from adain.training.picture_cache import PictureCache
from adain.training.resume import describe_pictures

PREVIEW_PAIRS = 4
ADAIN, JOHNSON = METHODS = ("adain", "johnson")
# Where --method johnson departs from TrainConfig's defaults, which are the AdaIN paper's.
JOHNSON_DEFAULTS = {"batch_size": 4, "style_weight": 5e-4, "tv_weight": 10.0, "learning_rate": 1e-3,
                    "lr_schedule": "cosine", "max_iter": 20_000}
# What it has no use for.
ADAIN_ONLY = ("model", "validation_split", "cached_crops", "style_layer_weights", "gram",
              "content_target", "identity_share", "initialization", "hue_rotation",
              "lightening", "tinting", "structure_weight", "style_crop_size", "style_knee")
EPILOG = """\
Running the same command again resumes at the newest checkpoint in --checkpoint.
Watch a run with: tensorboard --logdir CHECKPOINT/logs
Use the result: python stylize.py --checkpoint CHECKPOINT --content-path ... --style-path ...
"""


def parser(method: str = ADAIN) -> argparse.ArgumentParser:
    """Return the parser, which shows a method's defaults.

    What main() does not take out of its result are TrainConfig's fields.
    """
    root = argparse.ArgumentParser(
        prog="train.py", epilog=EPILOG,
        description="Train a decoder (vgg19), a slim encoder and decoder (compact), or a network "
                    "for one style.",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    root.add_argument("--version", action="version", version=f"adain {__version__}")

    root.add_argument("--method", choices=METHODS, default=method,
                      help="adain: one network for any style; johnson: one network for the style "
                           "of one painting, --style-path, with defaults of its own, listed by "
                           "--method johnson --help (default adain)")

    files = root.add_argument_group("files")
    files.add_argument("--content-path", required=True, metavar="DIR",
                       help="folder of photographs, e.g. COCO, subfolders included")
    files.add_argument("--style-path", required=True, metavar="PATH",
                       help="folder of paintings, e.g. WikiArt, subfolders included; one picture "
                            "with --method johnson")
    files.add_argument("--continue-from", metavar="PATH",
                       help="start a new run from the networks in this checkpoint folder, for "
                            "example with larger crops, or from the shipped ones: compact or "
                            "vgg19; with --method johnson also from a .npz file, for example to "
                            "raise --style-weight")
    files.add_argument("--checkpoint", default="checkpoints", metavar="DIR",
                       help="folder for checkpoints and previews (default %(default)s)")
    files.add_argument("--log-path", metavar="DIR",
                       help="folder for TensorBoard (default CHECKPOINT/logs)")
    add(files, TrainConfig, "vgg_path")

    add(root.add_argument_group("model and data"), TrainConfig,
        "model", "initialization", "batch_size", "image_size", "crop_size", "style_crop_size",
        "validation_split", "hue_rotation", "lightening", "tinting", "cached_crops")
    add(root.add_argument_group("losses"), TrainConfig,
        "content_weight", "style_weight", "style_layer_weights", "style_knee", "tv_weight",
        "structure_weight", "gram", "content_target", "reconstruction_iter", "identity_share",
        "style_weight_ramp")
    add(root.add_argument_group("optimizer"), TrainConfig,
        "optimizer", "learning_rate", "lr_decay", "lr_schedule", "beta_2", "clip_norm", "max_iter")

    running = root.add_argument_group("running")
    add(running, TrainConfig, "save_iter", "summary_iter", "keep")
    running.add_argument("--picture-cache", type=float, default=0.0, metavar="GB",
                         help="keep decoded pictures in this much memory: where all of them fit, a "
                              "fast GPU does not wait for them (default 0)")
    add(running, TrainConfig, "precision", "jit")
    running.add_argument("--device", choices=DEVICES, default="auto",
                         help="auto: a GPU if there is one; gpu: fail without one (default auto)")
    running.add_argument("--allow-changes", action="store_true",
                         help="resume although options or pictures differ from the checkpoint's "
                              "(default: refuse, and list the differences)")
    add(running, TrainConfig, "seed")
    if method == JOHNSON:
        root.set_defaults(**JOHNSON_DEFAULTS)
    return root


def main(arguments: list[str] | None = None) -> None:
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--method", choices=METHODS, default=ADAIN)
    method = first.parse_known_args(arguments)[0].method
    options = vars(parser(method).parse_args(arguments))
    check_paths(options)
    options["style_layer_weights"] = tuple(options["style_layer_weights"])
    config = TrainConfig(**{field.name: options[field.name]
                            for field in dataclasses.fields(TrainConfig)})
    folder = Path(options["checkpoint"])
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--checkpoint {folder} is not a folder.")
    train = train_style if method == JOHNSON else train_any_style
    train(config, options, folder, command(arguments))


def train_any_style(config: TrainConfig, options: dict[str, Any], folder: Path,
                    typed: str) -> None:
    """Train for --method adain."""
    if not 0 <= options["picture_cache"] < math.inf:
        raise OptionError("--picture-cache must be 0 gigabytes or more; received "
                          f"{options['picture_cache']}.")
    bad_files = BadFiles(folder / "bad_files.txt", say)
    source = data.PairSource(options["content_path"], options["style_path"], config.seed,
                             config.image_size, config.crop_size, bad_files,
                             config.cached_crops or None, config.validation_split,
                             data.Recoloring(config.hue_rotation, config.lightening,
                                             config.tinting),
                             config.style_crop_size,
                             PictureCache(int(options["picture_cache"] * 1e9)),
                             leave_out=(folder, options["log_path"] or folder))
    seen = source.held_out or source
    previews = np.stack([seen.pair(index) for index in range(PREVIEW_PAIRS)])
    validation = source.validation_pairs(config.batch_size)

    strategy = start_framework(options["device"])
    from adain.training import trainer

    if strategy is not None and config.cached_crops:
        raise OptionError("--cached-crops works on one device only: leave it out, or hide the "
                          "others with CUDA_VISIBLE_DEVICES=0.")
    distribution.check_batch(strategy, config.batch_size)
    say(f"trains {config.model} on {describe(config)}: "
        f"{len(source.content.files)} photographs, {len(source.style.files)} paintings, "
        + (f"{strategy.num_replicas_in_sync} devices share " if strategy else "")
        + f"{config.batch_size} pairs of {config.crop_size} x {config.crop_size} a step")
    if config.cached_crops:
        cache = features.FeatureCache(source, load_encoder("vgg19", config.vgg_path), say)
        batches = functools.partial(features.dataset, cache, config.batch_size)
    else:
        batches = functools.partial(data.dataset, source, config.batch_size)
    everything = [source, source.held_out] if source.held_out else [source]
    pictures = {name: describe_pictures(options[name], [
        file for each in everything for file in getattr(each, name.removesuffix("_path")).files])
        for name in ("content_path", "style_path")}
    watch = trainer.Watch(previews, validation, source.arrived, typed, pictures)
    try:
        trainer.train(config, batches, watch, folder, options["log_path"], say, strategy,
                      options["continue_from"], options["allow_changes"])
    except Exception:
        if source.failure is not None:  # came through TensorFlow, which made it an error of its own
            raise source.failure from None
        raise
    finally:
        if bad_files.count:
            say(f"{bad_files.count} pictures could not be read: {bad_files.path} names them")
    bad_files.check()


def train_style(config: TrainConfig, options: dict[str, Any], folder: Path, typed: str) -> None:
    """Train for --method johnson."""
    for name in ADAIN_ONLY:
        if getattr(config, name) != getattr(TrainConfig(), name):
            raise OptionError(f"--method johnson has no --{name.replace('_', '-')}: leave it out.")
    if options["picture_cache"]:
        raise OptionError("--method johnson has no --picture-cache: leave it out.")
    if Path(options["style_path"]).is_dir():
        raise OptionError(f"--method johnson learns the style of one picture; --style-path "
                          f"{options['style_path']} is a folder: name a picture in it.")
    if distribution.worker_count() > 1:
        raise OptionError("--method johnson trains on one machine: leave out TF_CONFIG.")
    start_framework(options["device"])
    from adain.methods.johnson import training as johnson_training

    say(f"trains the style of {options['style_path']} on {describe(config)}: "
        f"{config.batch_size} photographs of {config.crop_size} x {config.crop_size} a step")
    johnson_training.train(config, options["content_path"], options["style_path"], folder,
                           options["log_path"], options["continue_from"], typed, say,
                           options["allow_changes"])


def start_framework(device: str) -> Any | None:
    """Start Keras, and warn where it does not find the device that was hoped for.

    Returns what distribution.choose() does.
    """
    if device == "cpu":
        hide_gpus()
    try:
        with hidden_native_stderr():
            import tensorboard  # noqa: F401

            strategy = distribution.choose()
            devices.gpus()
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow", "tensorboard", "jax"):
            raise
        extra = "jax" if error.name == "jax" else "train"
        raise OptionError(f"training needs {error.name}: pip install -e '.[{extra}]'") from None
    warning = devices.warning(device)
    if warning:
        print(f"\n{'!' * 79}\n{warning}\n{'!' * 79}\n", file=sys.stderr, flush=True)
    return strategy


def describe(config: TrainConfig) -> str:
    """Return what a run computes with: device, precision and backend."""
    return (f"{devices.describe_device()}, {devices.choose_precision(config.precision)}, "
            f"keras on {keras_backend()}")


def command(arguments: list[str] | None) -> str:
    """Return what was typed to start this run, for a shell."""
    program = sys.argv[0]
    start = ["python", program] if program.endswith(".py") else [Path(program).name]
    return shlex.join([*start, *(sys.argv[1:] if arguments is None else arguments)])


@contextmanager
def hidden_native_stderr() -> Iterator[None]:
    """Hide what C++ code prints on stderr, unless an error is raised.

    TensorFlow's start prints a page of notices there that no setting of it turns off; they would
    bury the lines that say where this run trains.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(kept, hidden.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def keras_backend() -> str:
    import keras

    return keras.backend.backend()


def say(line: str) -> None:
    """Print a line at once: a log file of a night's run must not lag behind.

    Where nobody can read it any more, as in a terminal that was closed, training goes on without.
    """
    try:
        print(with_flags(line), flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def entry_point() -> None:
    run(main)
