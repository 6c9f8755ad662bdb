"""The options of adain dataset."""

from __future__ import annotations

import argparse

from adain.commands.options import add, add_engine, add_max_memory
from adain.errors import OptionError
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.run import KINDS, SHARD_PICTURES
from adain.jobs.dataset.tasks import Shard
from adain.networks.architecture import DEFAULT_PRESET, PRESETS
from adain.transfer.stylizer import STYLE_SIZE


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="adain dataset",
        description="Stylize a whole data set in random styles. Results keep the names, folders, "
                    "labels and annotations of the contents. Running an interrupted command again "
                    "continues it.")
    root.add_argument("--content-path", nargs="+", action="extend", required=True, metavar="PATH",
                      help="folders (subfolders included), zip and tar files, tar files like "
                           "shard-{000000..000146}.tar, or URLs of these")
    root.add_argument("--style-path", nargs="+", action="extend", required=True, metavar="PATH",
                      help="a bank written by adain styles, or pictures, given as for "
                           "--content-path")
    root.add_argument("--annotations", metavar="FILE",
                      help="file of COCO annotations: stylize the pictures that it lists, and "
                           "write a copy of it with the names, ids and styles of the results")

    style = root.add_argument_group("style")
    add(style, DatasetConfig, "styles_per_picture")
    add(style, DatasetConfig, "alpha", type=str, nargs=None, default="1")
    add(style, DatasetConfig, "mix", "region", "seed")
    style.add_argument("--style-size", type=int, default=STYLE_SIZE, metavar="PIXELS",
                       help="shrink styles that are pictures to this shorter side (default "
                            "%(default)s; 0: never shrink)")
    style.add_argument("--from", dest="manifest", metavar="PATH",
                       help="repeat the results of a manifest.jsonl, or of a folder with the parts "
                            "of one: use its styles, strengths and settings")

    content = root.add_argument_group("content")
    add(content, DatasetConfig, "content_size", "max_pixels")

    result = root.add_argument_group("results")
    result.add_argument("--out-path", required=True, metavar="PATH",
                        help="folder or URL for the results and manifest.jsonl, which lists "
                             "content, styles and strength of each result")
    result.add_argument("--out-kind", choices=KINDS,
                        help="folder: one file per result; tar: tar files, named like those of "
                             "the contents, or else shard-000000.tar ... (default: tar if all "
                             "contents are in tar files, else folder)")
    result.add_argument("--shard-pictures", type=int, default=SHARD_PICTURES, metavar="N",
                        help="number of contents for each tar file, if contents are not in tar "
                             "files themselves (default %(default)s)")
    add(result, DatasetConfig, "names", "format")
    result.add_argument("--overwrite", action="store_true",
                        help="replace existing results (default: keep them, so that running an "
                             "interrupted command again makes only those missing)")

    job = root.add_argument_group("jobs")
    job.add_argument("--shard", default="0/1", metavar="I/N",
                     help="make only part I of N, from 0 to N - 1; N jobs on any machines make all "
                          "parts")
    job.add_argument("--ray", nargs="?", const="", metavar="ADDRESS",
                     help="compute on a Ray cluster: HOST:PORT; auto for the one that this machine "
                          "belongs to; without a value, a new one on all cores of this machine")
    job.add_argument("--ray-cpus", type=int, default=1, metavar="N",
                     help="cores of each worker of the cluster (default %(default)s)")
    job.add_argument("--ray-gpus", type=float, default=0, metavar="N",
                     help="GPUs of each worker, with --engine keras; with 0.25 four workers share "
                          "a GPU (default %(default)s)")
    job.add_argument("--max-bad", type=float, default=0.1, metavar="SHARE",
                     help="end the run when more than this share of the results failed, and at "
                          "least ten (default %(default)s)")

    network = root.add_argument_group("networks")
    network.add_argument("--model", choices=tuple(PRESETS),
                         help=f"networks to use (default {DEFAULT_PRESET})")
    network.add_argument("--checkpoint", metavar="PATH",
                         help="use the networks in this folder written by train.py")
    add_engine(network)
    add_max_memory(network)
    return root


def shard_of(text: str) -> Shard:
    """Return the shard that --shard I/N names; raise OptionError for another format."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise OptionError(f"`shard` must be I/N with I from 0 to N - 1; received {text}.")
    return Shard(int(index), int(count))


def alpha_of(text: str) -> tuple[float, float]:
    """Return the lowest and the highest strength that --alpha names: a number, or LOW:HIGH."""
    try:
        numbers = tuple(map(float, text.split(":")))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 2):
        raise OptionError("`alpha` must be a number from 0 to 1, or LOW:HIGH such as 0.3:1; "
                          f"received {text}.")
    return numbers[0], numbers[-1]
