"""The tensor operations of the method, on keras.ops: they run on every Keras backend."""

from __future__ import annotations

from typing import Any

from keras import KerasTensor, layers, ops

from adain.networks.stats import EPSILON, ChannelStats

Tensor = Any


def channel_stats(features: Tensor) -> ChannelStats:
    """Return the mean and deviation of every channel over rows and columns.

    features: (batch, rows, columns, channels); the statistics have shape (batch, 1, 1, channels)
    and are always float32, because squares overflow float16 and drown in bfloat16.
    """
    batch, rows, columns, channels = ops.shape(features)
    flat = ops.reshape(ops.cast(features, "float32"), (batch, rows * columns, channels))
    average = ops.ones((1, 1, rows * columns)) / (rows * columns)
    mean = ops.matmul(average, flat)
    variance = ops.maximum(ops.matmul(average, ops.square(flat)) - ops.square(mean), 0.0)
    return ChannelStats(mean[:, None], ops.sqrt(variance + EPSILON)[:, None])


def gram_matrix(features: Tensor) -> Tensor:
    """Return the channels' mean products, (batch, channels, channels), in float32 (Gatys 2016).

    Divided by rows * columns, so pictures of different sizes compare.
    """
    batch, rows, columns, channels = ops.shape(features)
    flat = ops.reshape(ops.cast(features, "float32"), (batch, rows * columns, channels))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / ops.cast(rows * columns, "float32")


def reflect_pad(x: Tensor, border: int = 1) -> Tensor:
    """Return x (batch, rows, columns, channels) with a border mirrored around it.

    The border pixel itself is not repeated; rows and columns must be larger than the border.
    """
    sides = [border, border]
    return ops.pad(x, [[0, 0], sides, sides, [0, 0]], mode="reflect")


def upsample(x: Tensor) -> Tensor:
    """Return x with every row and column twice (nearest neighbour)."""
    return ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)


class ReflectConv2D(layers.Conv2D):
    """A convolution with reflect padding: same size out as in, no dark frame.

    With strides it is that size divided by them, rounded up.
    """

    def __init__(self, filters: int, kernel_size: int = 3, **options: Any) -> None:
        super().__init__(filters, kernel_size, padding="valid", **options)

    def call(self, x: Tensor) -> Tensor:
        return super().call(reflect_pad(x, self.kernel_size[0] // 2))

    def compute_output_spec(self, x: KerasTensor) -> KerasTensor:
        rows, columns = (side and -(-side // step) for side, step in zip(x.shape[1:3],
                                                                         self.strides))
        return KerasTensor((x.shape[0], rows, columns, self.filters), dtype=self.compute_dtype)
