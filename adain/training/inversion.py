"""Initialize a decoder as the inverse of the encoder: least squares, layer by layer.

Each convolution of the decoder shall return the input of the same convolution of the encoder. For
a few pictures its input and the wanted output are both known, so its kernel is the solution of a
linear system. That takes a minute where gradient descent takes thousands of steps, and leaves no
ReLU dead. A decoder with random weights loses most of its channels in the first steps: every
feature has a mean of 1, so a step of Adam moves all outputs of a layer far in one direction, and a
ReLU that is 0 everywhere has no gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from keras import ops

from adain.networks.architecture import DECODER_OUTPUT, forward
from adain.networks.keras.model import Decoder, Encoder
from adain.networks.keras.ops import ReflectConv2D, Tensor, reflect_pad, upsample

PIXELS = 2**20  # of all pictures together; more do not help
SAMPLES = 40_000  # equations of each layer, about nine for each unknown of the largest
RIDGE = 1e-2  # of the mean square of the inputs: keeps kernels small where the pictures say nothing


def invert(encoder: Encoder, decoder: Decoder, pictures: np.ndarray, seed: int = 0) -> None:
    """Set a decoder's weights so that it reproduces pictures from an encoder's features.

    pictures: uint8 (n, rows, columns, 3). The decoder must take relu4_1 alone, have plain ReLUs
    and mirror the encoder.
    """
    generator = np.random.default_rng(seed)

    def fit(layer: str, x: np.ndarray, target: np.ndarray) -> None:
        _set(decoder.convs[layer], *least_squares(x, target, generator))

    _each_layer(encoder, decoder, pictures, fit)


def revive(encoder: Encoder, decoder: Decoder, pictures: np.ndarray, seed: int = 0) -> int:
    """Reinitialize the dead channels of a trained decoder; return their number.

    They get the weights of invert(), scaled to the layer's other channels. The next layer ignores
    them at first, so the decoder's pictures do not change.
    """
    generator = np.random.default_rng(seed)
    count, unread = 0, None

    def fit(name: str, x: np.ndarray, target: np.ndarray) -> None:
        nonlocal count, unread
        layer = decoder.convs[name]
        kernel, bias = (np.array(ops.convert_to_numpy(variable))
                        for variable in (layer.kernel, layer.bias))
        if unread is not None:
            kernel[:, :, unread] = 0
            _set(layer, kernel, bias)
        if name == DECODER_OUTPUT:
            return
        largest = _each(layer, x).max(axis=(1, 2))
        unread = largest.max(axis=0) <= 0
        if unread.any():
            wanted = target[..., unread]
            size = (largest[:, ~unread].mean() if not unread.all() else 1) / max(
                wanted.max(axis=(1, 2)).mean(), 1e-6)
            kernel[..., unread], bias[unread] = least_squares(x, size * wanted, generator)
            _set(layer, kernel, bias)
            count += int(unread.sum())

    _each_layer(encoder, decoder, pictures, fit)
    return count


def least_squares(x: np.ndarray, target: np.ndarray,
                  generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel (3, 3, inputs, outputs) and bias of the convolution nearest to x -> target.

    x, target: float32 (n, rows, columns, channels).
    """
    count, rows, columns, channels = x.shape
    padded = ops.convert_to_numpy(reflect_pad(x))
    chosen = generator.choice(count * rows * columns, min(SAMPLES, count * rows * columns),
                              replace=False)
    picture, row, column = np.unravel_index(chosen, (count, rows, columns))
    patches = np.concatenate([padded[picture, row + down, column + right]
                              for down in range(3) for right in range(3)], axis=1)
    wanted = target[picture, row, column]
    mean, wanted_mean = patches.mean(axis=0), wanted.mean(axis=0)
    kernel = _ridge(patches - mean, wanted - wanted_mean)
    bias = wanted_mean - mean @ kernel
    return kernel.reshape(3, 3, channels, -1).astype(np.float32), bias.astype(np.float32)


def _ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the ridge regression of y on x, both of mean 0.

    Of the two systems of equations that give it, (x'x + p) k = x'y and k = x' (xx' + p)^-1 y, the
    smaller one is solved.
    """
    few = len(x) < x.shape[1]
    system = x @ x.T if few else x.T @ x
    system[np.diag_indices_from(system)] += RIDGE * np.trace(system) / x.shape[1]
    solution: np.ndarray = np.linalg.solve(system.astype(np.float64), y if few else x.T @ y)
    return x.T @ solution if few else solution


def _each_layer(encoder: Encoder, decoder: Decoder, pictures: np.ndarray,
                fit: Callable[[str, np.ndarray, np.ndarray], None]) -> None:
    """Call fit(name, input, wanted output) for the decoder's convolutions in order.

    The input is computed with the weights that the layers before have by then.
    """
    wanted = {}

    def encode(x: np.ndarray, layer: str) -> np.ndarray:
        wanted[layer] = x
        return _each(encoder.convs[layer], x)

    def decode(x: np.ndarray, layer: str) -> np.ndarray:
        fit(layer, x, wanted.pop(layer))
        return _each(decoder.convs[layer], x)

    *_, (_, features) = forward(encoder.plan, pictures.astype(np.float32) / 255, encode,
                                lambda x, _: _each(encoder.pool, x))
    for _ in forward(decoder.plan, features, decode, lambda x, _: _each(upsample, x)):
        pass


def _set(layer: ReflectConv2D, kernel: np.ndarray, bias: np.ndarray) -> None:
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)


def _each(function: Callable[[Tensor], Tensor], pictures: np.ndarray) -> np.ndarray:
    """Return the function of one picture after the other: all at once would need gigabytes."""
    return np.concatenate([ops.convert_to_numpy(ops.cast(function(picture[None]), "float32"))
                           for picture in pictures])
