"""The losses, as pure functions of tensors; each returns a float32 scalar, the mean over the batch.

But those of style return one value for each picture, (batch,).

Their scale is that of the original Torch code, so that its `--style-weight 1e-2` means the same:
content is a mean over everything, style a *sum* over channels.
"""

from __future__ import annotations

import numpy as np
from keras import ops

from adain.networks.keras.ops import Tensor, gram_matrix
from adain.networks.stats import ChannelStats


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of features (Huang & Belongie 2017, equation 12)."""
    return ops.mean(ops.square(ops.cast(features, "float32") - ops.cast(target, "float32")))


def style_loss(stylized: ChannelStats, style: ChannelStats) -> Tensor:
    """Squared differences of one layer's means and deviations (equation 13), summed over channels.

    Each statistic is (batch, 1, 1, channels).
    """
    squares = ops.square(stylized.mean - style.mean) + ops.square(stylized.std - style.std)
    return ops.sum(squares, axis=(1, 2, 3))


def gram_loss(stylized: Tensor, style: Tensor) -> Tensor:
    """Squared difference of one layer's Gram matrices (Gatys 2016), summed over its entries.

    Divided by the number of channels, which brings it near style_loss in size. The features are
    (batch, rows, columns, channels) and may differ in rows and columns.
    """
    return gram_distance(gram_matrix(stylized), gram_matrix(style))


def gram_distance(stylized: Tensor, style: Tensor) -> Tensor:
    """The gram_loss of two Gram matrices, each (batch, channels, channels)."""
    return ops.sum(ops.square(stylized - style), axis=(1, 2)) / style.shape[-1]


def soften(losses: Tensor, knee: float) -> Tensor:
    """Return losses (0 or more) as they are far below the knee, as 2 sqrt(knee loss) far above.

    The pseudo-Huber loss of their square roots (Charbonnier et al. 1997): few large ones do not
    drown the many small ones' gradients.
    """
    return 2 * (ops.sqrt(knee * (losses + knee)) - knee)


def total_variation_loss(images: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, down plus across."""
    down = ops.mean(ops.square(images[:, 1:] - images[:, :-1]))
    across = ops.mean(ops.square(images[:, :, 1:] - images[:, :, :-1]))
    return down + across


def pixel_loss(images: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean squared error of pictures in [0, 1]. Those not counted, bool (batch,), count as 0."""
    errors = ops.mean(ops.square(images - target), axis=(1, 2, 3))
    return ops.mean(errors if counted is None else ops.where(counted, errors, 0.0))


def structure_loss(images: Tensor, target: Tensor) -> Tensor:
    """1 - the structural similarity of luminances (Wang et al. 2004), of pictures in [0, 1].

    0 for equal pictures, at most 2; the windows are those of `adain.measuring.metrics`. The
    pictures are (batch, rows, columns, 3), at least 11 x 11.
    """
    offsets = np.arange(-5, 6)
    window = np.exp(-offsets**2 / (2 * 1.5**2))
    window = (window / window.sum()).astype(np.float32)

    def blur(values: Tensor) -> Tensor:
        values = ops.conv(values, window[:, None, None, None], padding="valid")
        return ops.conv(values, window[None, :, None, None], padding="valid")

    luma = np.array([0.299, 0.587, 0.114], np.float32)
    left, right = (ops.sum(ops.cast(each, "float32") * luma, axis=-1, keepdims=True)
                   for each in (images, target))
    moments = blur(ops.concatenate([left, right, left * left, right * right, left * right]))
    left, right, left_square, right_square, product = ops.split(moments, 5)
    similarity = ((2 * left * right + 0.01**2) * (2 * (product - left * right) + 0.03**2)
                  / ((left**2 + right**2 + 0.01**2)
                     * (left_square - left**2 + right_square - right**2 + 0.03**2)))
    return 1 - ops.mean(similarity)
