"""The options of `stylize.py --model gatys`."""

from __future__ import annotations

import argparse

from adain.commands.options import add
from adain.methods.gatys.config import GatysConfig


def add_options(root: argparse.ArgumentParser) -> None:
    group = root.add_argument_group(
        "--model gatys", "Optimizes the pixels themselves: slow.")
    add(group, GatysConfig, "iterations", "optimizer", "content_layers", "style_layers",
        "style_weight", "tv_weight")
    group.add_argument("--start", default="content", metavar="START",
                       help="start from content, noise, or a picture file (default content)")
    group.add_argument("--evolution", metavar="DIR",
                       help="write intermediate pictures and an animation to this folder")
    group.add_argument("--evolution-iter", type=int, default=50, metavar="N",
                       help="iterations between these pictures (default 50)")
    group.add_argument("--restore", action="store_true",
                       help="continue an interrupted run, which leaves RESULT.state.npz beside its "
                            "best picture")
