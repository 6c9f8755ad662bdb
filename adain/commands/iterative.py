"""The options of `stylize.py --model gatys`."""

from __future__ import annotations

import argparse

from adain.networks.architecture import CONTENT_LAYER, STYLE_LAYERS


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
