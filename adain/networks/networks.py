"""Networks: an encoder and its decoder, with everything needed to compute with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from adain.networks.architecture import conv, depths_of, radius

# layer name -> kernel (3, 3, input channels, output channels) and bias (output channels,), float32
Weights = dict[str, tuple[np.ndarray, np.ndarray]]
# "encoder/conv1_2" -> the lowest and the highest number that goes into that convolution
Ranges = dict[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Networks:
    """The two networks of a model; files and checkpoints give them, engines compute with them.

    encoder, decoder: their weights; the decoder is empty where only the encoder is needed.
    adain_layers: encoder activations, in order, whose statistics AdaIN changes.
    negative_slope: factor of negative values in the ReLUs; 0 for plain ones.
    ranges: of the inputs of convolutions, which the precision "int8" needs; None where unknown.
    name: of the preset.
    """

    encoder: Weights = field(repr=False)
    decoder: Weights = field(repr=False)
    adain_layers: tuple[str, ...]
    negative_slope: float = 0.0
    ranges: Ranges | None = field(default=None, repr=False)
    name: str = ""

    @property
    def radius(self) -> int:
        """How far the encoder sees, in pixels; the decoder sees as far again."""
        return radius(depths_of(self.encoder))

    @property
    def widths(self) -> list[int]:
        """The number of channels of each AdaIN layer."""
        return [self.encoder[conv(name)][1].size for name in self.adain_layers]

    @property
    def channels(self) -> int:
        """The number of channels of all AdaIN layers together."""
        return sum(self.widths)
