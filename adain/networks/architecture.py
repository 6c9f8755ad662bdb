"""The plan of the two networks, as data: which layers follow each other, and how wide they are.

The encoder is VGG19 up to relu4_1, the decoder its mirror. `forward` runs a plan; Keras models,
OpenVINO graphs and the inversion of the encoder all come there with layers of their own, and
`weights` checks files against the plan. Every "conv" is a 3 x 3 convolution with reflect padding
followed by a ReLU, plain or leaky (except the decoder's last, which makes the picture); "pool" is
2 x 2 max pooling; "upsample" doubles rows and columns by repeating them.

AdaIN stands between the two: encoder activations such as relu4_1, with the style's statistics, are
added to the input of the decoder layer that undoes theirs, conv4_1.

To add a kind of layer, touch
* this file: a plan has its name, `forward` calls it, `radius` and `scale` know how far it sees;
* keras/model.py and openvino/graphs.py: both compute it, and tests/networks/test_engine.py compares
  them; openvino/gradients.py has its adjoint, where it is a layer of VGG19;
* weights.py, if it has weights: `check` knows their shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from adain.errors import OptionError

BLOCKS = (1, 2, 3, 4)  # at whole, half, quarter and eighth resolution
Four = tuple[int, int, int, int]  # a number for each block


def encoder_plan(depths: Four) -> tuple[str, ...]:
    """Return the encoder's steps; depths: convolutions in each block, at least one."""
    steps = []
    for block, depth in zip(BLOCKS, depths):
        steps += [f"conv{block}_{index + 1}" for index in range(depth)] + ["pool"]
    return tuple(steps[:-1])


def decoder_plan(depths: Four) -> tuple[str, ...]:
    """Return the decoder's steps: its conv3_1 undoes the encoder's conv3_1."""
    return tuple("upsample" if step == "pool" else step for step in reversed(encoder_plan(depths)))


def convolutions(plan: Iterable[str]) -> tuple[str, ...]:
    """Return the steps that are convolutions."""
    return tuple(step for step in plan if step.startswith("conv"))


def forward(plan: Sequence[str], x: Any, convolve: Callable[[Any, str], Any],
            resample: Callable[[Any, str], Any],
            restyled: Mapping[str, Any] | None = None) -> Iterator[tuple[str, Any]]:
    """Run a network: yield the name of each step and what comes out of it.

    x: what goes into the first step, a tensor of any framework.
    convolve(x, layer): the convolution of that name and its ReLU, if it has one.
    resample(x, layer): the pooling or the upsampling before the convolution of that name.
    restyled: {activation: tensor}, added to the input of the convolution that undoes it; where x is
        None, the first is the input.
    """
    restyled = restyled or {}
    for step, following in zip(plan, [*plan[1:], ""]):
        if relu(step) in restyled:
            x = restyled[relu(step)] if x is None else x + restyled[relu(step)]
        x = resample(x, following) if step in ("pool", "upsample") else convolve(x, step)
        yield step, x


def depths_of(layers: Iterable[str]) -> Four:
    """Return the depths of the network that has these convolutions."""
    blocks = [int(layer[4]) for layer in layers]
    return blocks.count(1), blocks.count(2), blocks.count(3), blocks.count(4)


def radius(depths: Four) -> int:
    """Return how far the encoder sees, in pixels; the decoder sees as far again.

    A 3 x 3 convolution sees one feature further, which is 1, 2, 4 or 8 pixels; pooling sees no
    further than its own block. 30 px for VGG19.
    """
    return sum(depth * 2 ** (block - 1) for block, depth in zip(BLOCKS, depths))


DECODER_OUTPUT = "conv1_1"  # the decoder's last step, without a ReLU
VGG19_DEPTHS = (2, 2, 4, 1)  # VGG19 as far as it is used
VGG19_LAYERS = convolutions(encoder_plan(VGG19_DEPTHS))

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")  # where the style loss is measured
CONTENT_LAYER = "relu4_1"

# Three poolings: features exist for blocks of 8 x 8 pixels.
STRIDE = 8


class Preset(NamedTuple):
    """A named size of the architecture."""

    widths: Four  # channels in each block
    depths: Four  # convolutions in each block
    adain_layers: tuple[str, ...]  # encoder activations that go through AdaIN to the decoder
    negative_slope: float  # of the ReLUs: the share of a negative value that passes
    trains_encoder: bool  # False: the encoder is the frozen ImageNet VGG19
    tuning_weight: float  # of the style loss when a style is tuned; content losses do not rise
    tile_size: int  # pixels; larger pictures are computed in tiles, which bounds the memory
    # Memory, measured in float32 by tools/measure_memory.py:
    tile_bytes: int  # for each pixel of a tile and its halo
    base_bytes: int  # before the first pixel: interpreter, libraries, weights
    start_bytes: int  # reserved when libraries, threads and networks start


PRESETS = {
    # The published system.
    "vgg19": Preset((64, 128, 256, 512), VGG19_DEPTHS, ("relu4_1",), negative_slope=0.0,
                    trains_encoder=False, tuning_weight=4e-3, tile_size=768, tile_bytes=1300,
                    base_bytes=300_000_000, start_bytes=450_000_000),
    # A quarter to a half of the width, fewer convolutions: those left out are slow, being at high
    # resolution, and learnt no faster. What so few channels lose at an eighth of the resolution
    # comes back from finer activations, which go through AdaIN too and are added where the decoder
    # has reached their size. With plain ReLUs most channels died at the learning rates that a short
    # run needs; a leaky one always has a gradient. Of two wider networks that take 1.6 times as
    # long, this one learnt faster than (16, 32, 64, 224) with two convolutions in the last block.
    "compact": Preset((16, 32, 96, 256), (1, 2, 3, 1), ("relu2_2", "relu3_3", "relu4_1"),
                      negative_slope=0.2, trains_encoder=True, tuning_weight=7e-3, tile_size=640,
                      tile_bytes=400, base_bytes=200_000_000, start_bytes=300_000_000),
}
DEFAULT_PRESET = "vgg19"


def preset(name: str) -> Preset:
    """Return the preset of that name; OptionError lists the names there are."""
    if name not in PRESETS:
        raise OptionError(f"`model` must be one of {', '.join(PRESETS)}; received {name}.")
    return PRESETS[name]


def relu(layer: str) -> str:
    """Return the name of a convolution's activation: relu4_1 for conv4_1."""
    return layer.replace("conv", "relu")


def conv(activation: str) -> str:
    """Return the name of an activation's convolution: conv4_1 for relu4_1."""
    return activation.replace("relu", "conv")


def scale(activation: str) -> int:
    """Return how many pixels wide one feature of an activation is: 8 for relu4_1."""
    return 1 << (int(activation[4]) - 1)


def encoder_channels(layer: str, widths: Four) -> tuple[int, int]:
    """Return (input channels, output channels) of an encoder convolution such as conv3_1."""
    block, index = int(layer[4]), int(layer[6])
    before = (3, *widths)[block - 1]
    return (before if index == 1 else widths[block - 1]), widths[block - 1]


def decoder_channels(layer: str, widths: Four) -> tuple[int, int]:
    """Return (input channels, output channels) of a decoder convolution: the encoder's, swapped."""
    inputs, outputs = encoder_channels(layer, widths)
    return outputs, inputs
