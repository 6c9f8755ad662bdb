"""The convolutions of OpenVINO graphs: reflect-padded, after upsampling, in float32 or 8-bit.

In 8 bits, a kernel becomes integers from -127 to 127 with a factor for each output channel, and
its input integers from 0 to 255 that stand for a range found beforehand (`adain calibrate`):
OpenVINO computes a convolution between two such FakeQuantize-like patterns in integers, which
CPUs with VNNI instructions do two to three times as fast as in float32 (Jacob et al. 2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adain.networks.networks import Ranges, Weights

if TYPE_CHECKING:
    from adain.networks.openvino.runtime import Tensor

_VECTOR = 16  # float32 numbers that a CPU with AVX-512 multiplies at once


class Convolutions:
    """The convolutions of one network, by layer name.

    weights: of its layers; part: "encoder" or "decoder"; ranges: of the inputs of those layers that
    are computed in 8 bits, {"part/layer": (lowest, highest)}.
    """

    def __init__(self, weights: Weights, part: str, ranges: Ranges | None = None) -> None:
        self.weights, self.part, self._ranges = weights, part, ranges or {}
        self._quantised: set[str] = set()  # the inputs of these layers are so already

    def __call__(self, x: Tensor, layer: str) -> Tensor:
        """Return the layer's convolution of x (1, channels, rows, columns)."""
        kernel, bias = self.weights[layer]
        return self._convolve(self._input(x, layer), self._filters(layer, kernel), bias, (1, 1),
                              (1, 1), "reflect")

    def after_upsampling(self, x: Tensor, layer: str) -> Tensor:
        """Return the layer's convolution of upsample(x), for 4/9 of the multiplications.

        Where rows come in equal pairs, two of a kernel's three rows meet the same values: their
        sum, computed once, does for both. Which two depends on whether the result's row is even or
        odd, so there is a kernel of 2 x 2 for each of the four kinds of pixels. The pixel that
        reflect padding mirrors is the border pixel's twin, so it becomes edge padding. Where all
        four kinds fit in one vector, one convolution of 3 x 3, partly zeros, is faster than four.
        """
        from adain.networks.openvino.runtime import op

        x, (kernel, bias) = self._input(x, layer), self.weights[layer]
        kinds = {(row, column): sum_pairs(sum_pairs(kernel, 0, row), 1, column)
                 for row in (0, 1) for column in (0, 1)}
        if len(kinds) * bias.size <= _VECTOR:
            whole = np.zeros((3, 3, kernel.shape[2], len(kinds) * bias.size), np.float32)
            for index, ((row, column), part) in enumerate(kinds.items()):
                whole[row:row + 2, column:column + 2, :,
                      index * bias.size:(index + 1) * bias.size] = part
            x = self._convolve(x, self._filters(layer, whole), np.tile(bias, len(kinds)),
                               (1, 1), (1, 1), "edge")
        else:
            x = op.concat([self._convolve(x, self._filters(layer, part), bias,
                                          (1 - row, 1 - column), (row, column), "edge")
                           for (row, column), part in kinds.items()], 1)
        return op.depth_to_space(x, "blocks_first", 2)

    def quantise(self, x: Tensor, layer: str) -> Tensor:
        """Return x, quantized for this layer if its range is known, before a pooling.

        Rounding and max pooling commute, and comparing bytes is faster than comparing floats.
        """
        x = self._input(x, layer)
        self._quantised.add(layer)
        return x

    def _name(self, layer: str) -> str:
        return f"{self.part}/{layer}"

    def _input(self, x: Tensor, layer: str) -> Tensor:
        """Return x, quantized to 256 steps if its range is known."""
        from adain.networks.openvino.runtime import op

        name = self._name(layer)
        if name not in self._ranges or layer in self._quantised:
            return x
        low, high = (op.constant(limit) for limit in with_zero(*self._ranges[name]))
        return op.fake_quantize(x, low, high, low, high, 256)

    def _filters(self, layer: str, kernel: np.ndarray) -> Tensor:
        """Return a kernel (3, 3, inputs, outputs), in integers where its input is."""
        from adain.networks.openvino.runtime import op

        filters = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        if self._name(layer) not in self._ranges:
            return op.constant(filters)
        integers, factors = quantise_kernel(filters)
        return op.multiply(op.convert(op.constant(integers), "f32"), op.constant(factors))

    @staticmethod
    def _convolve(x: Tensor, filters: Tensor, bias: np.ndarray, before: tuple[int, int],
                  after: tuple[int, int], padding: str) -> Tensor:
        """Return the convolution of x, padded by (rows, columns) before and after."""
        from adain.networks.openvino.runtime import op

        x = op.pad(x, np.array([0, 0, *before]), np.array([0, 0, *after]), padding)
        x = op.convolution(x, filters, [1, 1], [0, 0], [0, 0], [1, 1])
        return op.add(x, op.constant(bias.reshape(1, -1, 1, 1)))


def max_pool(x: Tensor) -> Tensor:
    """Return the maximum of every 2 x 2 places of x (1, channels, rows, columns)."""
    from adain.networks.openvino.runtime import op

    return op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor").output(0)


def upsample(x: Tensor) -> Tensor:
    """Return x (1, channels, rows, columns) with every row and column twice."""
    from adain.networks.openvino.runtime import op

    return op.interpolate(x, np.array([2, 2], np.float32), "nearest", "scales",
                          axes=np.array([2, 3]), coordinate_transformation_mode="asymmetric",
                          nearest_mode="floor")


def sum_pairs(kernel: np.ndarray, axis: int, odd: int) -> np.ndarray:
    """Return a kernel of 2 instead of 3 along an axis, for the even or odd rows of a result."""
    first, middle, last = np.split(kernel, 3, axis)
    return np.concatenate([first + middle, last] if odd else [first, middle + last], axis)


def quantise_kernel(filters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 filters (outputs, inputs, rows, columns) and each output's float32 factor."""
    factors = np.abs(filters).max(axis=(1, 2, 3), keepdims=True) / 127
    factors = np.maximum(factors, np.float32(1e-12))  # of an output without weights
    return np.rint(filters / factors).astype(np.int8), factors.astype(np.float32)


def with_zero(low: float, high: float) -> tuple[np.float32, np.float32]:
    """Return a range in which 0 is one of the 256 steps, so that zeros stay zeros."""
    low, high = min(low, 0.0), max(high, 1e-6)
    step = (high - low) / 255
    below = round(-low / step)
    return np.float32(-below * step), np.float32((255 - below) * step)
