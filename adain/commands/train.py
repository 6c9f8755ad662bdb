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
from adain.errors import OptionError
from adain.files.bad_files import BadFiles
from adain.networks.architecture import PRESETS
from adain.networks.keras import devices
from adain.networks.keras.devices import DEVICES, TRAIN_PRECISIONS, hide_gpus
from adain.networks.weights import load_encoder
from adain.training import data, distribution, features
from adain.training.config import (
    CONTENT_TARGETS,
    INITIALIZATIONS,
    JIT,
    OPTIMIZERS,
    SCHEDULES,
    TrainConfig,
)
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
        prog="train.py", description=__doc__.partition(": ")[2].splitlines()[0], epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    root.add_argument("--version", action="version", version=f"adain {__version__}")

    root.add_argument("--method", choices=METHODS, default=method,
                      help="adain (default): any style at once; johnson: one network for the style "
                           "of one painting, --style-path (see its own defaults with "
                           "--method johnson --help)")

    files = root.add_argument_group("files")
    files.add_argument("--content-path", required=True, metavar="DIR",
                       help="folder of photographs, e.g. COCO; subfolders count")
    files.add_argument("--style-path", required=True, metavar="DIR",
                       help="folder of paintings, e.g. WikiArt; subfolders count; with --method "
                            "johnson one picture")
    files.add_argument("--continue-from", metavar="PATH",
                       help="begin a new run with the networks of this checkpoint folder, for "
                            "example with larger crops, or with the shipped ones: compact or "
                            "vgg19; with --method johnson also of its .npz, to "
                            "raise its --style-weight")
    files.add_argument("--checkpoint", default="checkpoints", metavar="DIR",
                       help="folder for checkpoints and previews (default checkpoints)")
    files.add_argument("--log-path", metavar="DIR",
                       help="folder for TensorBoard (default CHECKPOINT/logs)")
    files.add_argument("--vgg-path", metavar="FILE",
                       help="VGG19 from a Keras notop .h5 or vgg_normalised.t7 (default: shipped)")

    model = root.add_argument_group("model and data")
    model.add_argument("--model", choices=PRESETS, help="what to train (default %(default)s)")
    model.add_argument("--initialization", choices=INITIALIZATIONS,
                       help="the decoder's first weights: random (default), or inversion of the "
                            "encoder by least squares, which takes a minute and saves hours; "
                            "with --continue-from only dead channels get new weights")
    model.add_argument("--batch-size", type=int, help="pairs a step (default %(default)s)")
    model.add_argument("--image-size", type=int,
                       help="pictures are resized to this shorter side (default %(default)s)")
    model.add_argument("--crop-size", type=int,
                       help="and cropped at random to this square (default %(default)s)")
    model.add_argument("--style-crop-size", type=int, metavar="SIZE",
                       help="crop styles to this square instead: small content crops show more "
                            "pairs in the same time, large style crops have the whole painting's "
                            "colours; needs --cached-crops (default: --crop-size)")
    model.add_argument("--validation-split", type=float, metavar="SHARE",
                       help="share of both folders, e.g. 0.01, that is never trained on; its loss "
                            "is measured at every checkpoint, and the best one is kept "
                            "(default %(default)s)")
    model.add_argument("--hue-rotation", type=float, metavar="SHARE",
                       help="turn the hue of this share of the style crops by a random angle: "
                            "more colours than the paintings have (default %(default)s)")
    model.add_argument("--lightening", type=float, metavar="SHARE",
                       help="lighten this share of the style crops, by a random amount: for "
                            "collections of dark paintings (default %(default)s)")
    model.add_argument("--tinting", type=float, metavar="SHARE",
                       help="give this share of the style crops a random mean colour and contrast: "
                            "for flat, bright paintings (default %(default)s)")
    model.add_argument("--cached-crops", type=int, metavar="N",
                       help="crop every picture at N fixed places and keep their VGG19 features in "
                            "memory: steps take half the time on a CPU, but need some 0.4 MB for "
                            "each crop of 128 x 128 (default 0: crop anywhere)")

    loss = root.add_argument_group("losses")
    loss.add_argument("--content-weight", type=float, help="default %(default)s")
    loss.add_argument("--style-weight", type=float, help="default %(default)s")
    loss.add_argument("--style-layer-weights", type=float, nargs=4, metavar="W",
                      help="factors of the style losses at relu1_1 relu2_1 relu3_1 relu4_1 "
                           "(default: all 1); 8 4 2 1 counts every layer alike, though they sum "
                           "over 64 to 512 channels, and brings more of the style's colours")
    loss.add_argument("--style-knee", type=float, metavar="LOSS",
                      help="a pair whose style loss is far above this counts only with its square "
                           "root, so that few cannot rule the steps (default 0: all count fully)")
    loss.add_argument("--tv-weight", type=float,
                      help="total variation, smooths (default %(default)s)")
    loss.add_argument("--structure-weight", type=float,
                      help="of 1 - SSIM against the photograph, keeps its light and shade "
                           "(default %(default)s)")
    loss.add_argument("--gram", action="store_true",
                      help="style loss of Gram matrices instead of means and deviations")
    loss.add_argument("--content-target", choices=CONTENT_TARGETS,
                      help="compare content with the AdaIN output as in the paper (default), "
                           "or with the photograph's own features")
    loss.add_argument("--reconstruction-iter", type=int, metavar="STEPS",
                      help="first learn to reproduce photographs for so many steps "
                           "(default %(default)s)")
    loss.add_argument("--identity-share", type=float, metavar="SHARE",
                      help="this share of every batch learns to reproduce its photograph, which "
                           "is its own style there; teaches colours (default %(default)s)")
    loss.add_argument("--style-weight-ramp", type=int, metavar="STEPS",
                      help="then raise the style weight from 0 over so many steps "
                           "(default %(default)s)")

    optimizer = root.add_argument_group("optimizer")
    optimizer.add_argument("--optimizer", choices=OPTIMIZERS,
                           help="adam (default), or muon, which learns faster at high rates and "
                                "leaves fewer ReLUs dead")
    optimizer.add_argument("--learning-rate", type=float, help="default %(default)s")
    optimizer.add_argument("--lr-decay", type=float,
                           help="rate = learning rate / (1 + decay * step) (default %(default)s)")
    optimizer.add_argument("--lr-schedule", choices=SCHEDULES,
                           help="inverse (default) uses --lr-decay; cosine falls to 1%% at "
                                "--max-iter")
    optimizer.add_argument("--beta-2", type=float, help="of Adam (default %(default)s)")
    optimizer.add_argument("--clip-norm", type=float, metavar="NORM",
                           help="clip the gradient's norm (default: not)")
    optimizer.add_argument("--max-iter", type=int, help="steps (default %(default)s)")

    running = root.add_argument_group("running")
    running.add_argument("--save-iter", type=int,
                         help="steps between checkpoints (default %(default)s)")
    running.add_argument("--summary-iter", type=int,
                         help="steps between summaries (default %(default)s)")
    running.add_argument("--keep", type=int, help="checkpoints to keep (default %(default)s)")
    running.add_argument("--picture-cache", type=float, default=0.0, metavar="GB",
                         help="keep decoded pictures in so much memory (default 0): where all of "
                              "them fit, a fast GPU does not wait for them")
    running.add_argument("--precision", choices=TRAIN_PRECISIONS,
                         help="auto (default): mixed_bfloat16 where the hardware has it, else "
                              "float32")
    running.add_argument("--jit", nargs="?", choices=JIT, const="on",
                         help="compile steps with XLA; auto (default): where Keras does")
    running.add_argument("--device", choices=DEVICES, default="auto",
                         help="auto (default): a GPU if there is one; gpu: fail without one")
    running.add_argument("--allow-changes", action="store_true",
                         help="resume although options or pictures are others than the "
                              "checkpoint's were (default: refuse, and say which)")
    running.add_argument("--seed", type=int, help="default %(default)s")
    root.set_defaults(**dataclasses.asdict(TrainConfig())
                      | (JOHNSON_DEFAULTS if method == JOHNSON else {}))
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
