"""A decoder that undoes the encoder before it was ever trained: least squares, layer by layer.

Each convolution of the decoder is to give back what went into the same convolution of the encoder.
Over a few pictures, what comes in and what should come out are both known, so its kernel is the
solution of a linear system, as in the layer-wise training of autoencoders. It takes a minute where
gradient descent takes thousands of steps, and it leaves no ReLU dead: a decoder with random weights
loses most of its channels in the first steps, since the mean of every feature is 1 and a step moves
all weights the same way.
"""

from __future__ import annotations

import numpy as np
from keras import ops

from adain.model import Decoder, Encoder
from adain.ops import reflect_pad, upsample

PIXELS = 2**20  # of all pictures together that are enough
SAMPLES = 40_000  # equations of each layer, about nine for each unknown of the largest
RIDGE = 1e-2  # of the mean square of the inputs: keeps kernels small where the pictures say nothing


def invert(encoder: Encoder, decoder: Decoder, pictures: np.ndarray, seed: int = 0) -> None:
    """Set a decoder's weights so that it gives back the pictures an encoder has seen.

    pictures: uint8 (n, rows, columns, 3). The decoder must take relu4_1 alone, have plain ReLUs
    and mirror the encoder.
    """
    generator = np.random.default_rng(seed)
    targets, x = _inputs_of_convolutions(encoder, pictures)
    for step in decoder.plan:
        if step == "upsample":
            x = _each(upsample, x)
            continue
        layer = decoder.convs[step]
        kernel, bias = least_squares(x, targets.pop(step), generator)
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)
        x = _each(layer, x)


def _inputs_of_convolutions(encoder: Encoder, pictures: np.ndarray):
    """Return {layer: what it gets} for the encoder's convolutions, and its last activation."""
    x, found = pictures.astype(np.float32) / 255, {}
    for step in encoder.plan:
        if step == "pool":
            x = _each(encoder.pool, x)
        else:
            found[step] = x
            x = _each(encoder.convs[step], x)
    return found, x


def _each(function, pictures: np.ndarray) -> np.ndarray:
    """Return the function of one picture after the other: all at once would need gigabytes."""
    return np.concatenate([ops.convert_to_numpy(ops.cast(function(picture[None]), "float32"))
                           for picture in pictures])


def least_squares(x: np.ndarray, target: np.ndarray, generator: np.random.Generator):
    """Return kernel (3, 3, inputs, outputs) and bias of the convolution nearest to x -> target."""
    count, rows, columns, channels = x.shape
    padded = ops.convert_to_numpy(reflect_pad(x))
    chosen = generator.choice(count * rows * columns, min(SAMPLES, count * rows * columns),
                              replace=False)
    picture, row, column = np.unravel_index(chosen, (count, rows, columns))
    patches = np.concatenate([padded[picture, row + down, column + right]
                              for down in range(3) for right in range(3)], axis=1)
    wanted = target[picture, row, column]
    mean, wanted_mean = patches.mean(axis=0), wanted.mean(axis=0)
    patches -= mean
    system = patches.T @ patches
    system[np.diag_indices_from(system)] += RIDGE * np.trace(system) / len(system)
    kernel = np.linalg.solve(system.astype(np.float64), patches.T @ (wanted - wanted_mean))
    bias = wanted_mean - mean @ kernel
    return kernel.reshape(3, 3, channels, -1).astype(np.float32), bias.astype(np.float32)
