"""Weights files -> {layer: (kernel, bias)}, ready for RGB pictures in [0, 1].

Three formats are read, none of which can run code: our own .npz (plain arrays), and through
`published_weights` the Keras VGG19 "notop" .h5 and the .t7 files of the paper's authors. Whatever a
file expects of its input (BGR order, values up to 255, a mean subtracted) is folded into its first
convolution here, once: a matrix and a bias applied to every pixel commute with reflect padding,
which only copies pixels.
So nothing outside this module knows of it, and the networks see RGB in [0, 1] only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adain.errors import WeightsError
from adain.files.arrays import check_regular, read_arrays
from adain.networks.architecture import (
    PRESETS,
    VGG19_DEPTHS,
    VGG19_LAYERS,
    convolutions,
    decoder_channels,
    decoder_plan,
    encoder_channels,
    encoder_plan,
    preset,
    relu,
)
from adain.networks.networks import Networks, Ranges, Weights

# What the ImageNet VGG19 of Caffe and Keras expects: BGR, 0..255, minus the mean of ImageNet.
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
MODELS = Path(__file__).parent.parent / "models"


def load(model: str = "vgg19", vgg_path: str | Path | None = None,
         decoder_path: str | Path | None = None) -> Networks:
    """Return the networks of a preset as shipped, or of published files; see below."""
    shipped = vgg_path is None and decoder_path is None
    return assemble(model, load_encoder(model, vgg_path), load_decoder(model, decoder_path),
                    load_ranges(model) if shipped else None)


def assemble(model: str, encoder: Weights, decoder: Weights,
             ranges: Ranges | None = None) -> Networks:
    """Return the networks of a preset that have these weights."""
    plan = preset(model)
    return Networks(encoder, decoder, plan.adain_layers, plan.negative_slope, ranges, model)


def load_encoder(model: str = "vgg19", vgg_path: str | Path | None = None) -> Weights:
    """Return the encoder of a preset as shipped, or VGG19 from a .h5 or .t7 file.

    The Keras file is normalised with the shipped channel means, so a decoder that was trained on
    the shipped encoder fits it; the authors' vgg_normalised.t7 carries a normalisation of its own.
    """
    if vgg_path is not None:
        weights = _read_vgg(Path(vgg_path))
    elif preset(model).trains_encoder:
        weights = read_npz(MODELS / f"{model}.npz", "encoder")
    else:
        weights = normalise(fold_preprocessing(read_npz(MODELS / "vgg19_encoder.npz", "encoder")),
                            read_means())
    check(weights, "encoder", model, vgg_path or "shipped weights")
    return weights


def load_decoder(model: str = "vgg19", decoder_path: str | Path | None = None) -> Weights:
    """Return the decoder of a preset as shipped, or one from the authors' decoder.t7."""
    if decoder_path is not None:
        from adain.networks.published_weights import read_t7

        layers_read = read_t7(Path(decoder_path))
        layers = convolutions(decoder_plan(VGG19_DEPTHS))
        if len(layers_read) != len(layers):
            raise WeightsError(f"{decoder_path} has {len(layers_read)} convolutions; a decoder has "
                               f"{len(layers)}. Is it the authors' decoder.t7?")
        weights = dict(zip(layers, layers_read))
    else:
        name = f"{model}.npz" if preset(model).trains_encoder else f"{model}_decoder.npz"
        weights = read_npz(MODELS / name, "decoder")
    check(weights, "decoder", model, decoder_path or "shipped weights")
    return weights


def load_ranges(model: str) -> Ranges:
    """Return the ranges that a preset's shipped networks compute in 8 bits with."""
    arrays = read_arrays(MODELS / f"{model}_ranges.npz", "a file of ranges")
    return {name: (float(low), float(high)) for name, (low, high) in arrays.items()}


def check(weights: Weights, part: str, model: str, source: str | Path) -> None:
    """Raise WeightsError unless these are the layers and shapes of a preset's part, and finite."""
    widths, depths = preset(model).widths, preset(model).depths
    plan, channels = ((encoder_plan, encoder_channels) if part == "encoder"
                      else (decoder_plan, decoder_channels))
    layers = convolutions(plan(depths))
    for layer in [layer for layer in layers if layer in weights]:
        expected = (3, 3, *channels(layer, widths))
        kernel, bias = weights[layer]
        if kernel.shape != expected or bias.shape != expected[-1:]:
            fitting = [name for name, other in PRESETS.items()
                       if kernel.shape == (3, 3, *channels(layer, other.widths))]
            hint = f" Use `model={fitting[0]}`." if fitting and kernel.shape != expected else ""
            raise WeightsError(f"{source}: the {part}'s {layer} has kernel {kernel.shape} and bias "
                               f"{bias.shape}, preset {model} expects {expected} and "
                               f"{expected[-1:]}.{hint}")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise WeightsError(f"{source}: the {part}'s {layer} has NaN or infinite values.")
    missing = [layer for layer in layers if layer not in weights]
    more = [layer for layer in weights if layer not in layers]
    if missing:
        raise WeightsError(f"{source}: the {part} has no {', '.join(missing)}.")
    if more:
        raise WeightsError(f"{source}: the {part} has {', '.join(more)}, which the preset {model} "
                           "has not.")


# --- our own files -------------------------------------------------------------------------------

def read_npz(path: Path, part: str) -> Weights:
    """Read the encoder or the decoder of an .npz file written by `write_npz`."""
    kind = "a readable weights file"
    stored = {name.removeprefix(f"{part}/"): array for name, array in
              read_arrays(path, kind, prefix=f"{part}/").items()}
    weights = {}
    try:
        for layer in dict.fromkeys(name.split("/")[0] for name in stored):
            if f"{layer}/codes" in stored:
                codes, table = stored[f"{layer}/codes"], stored[f"{layer}/table"]
                if codes.dtype != np.uint8 or table.shape != (256,):
                    raise WeightsError(f"{path} is not {kind}: {part}/{layer} has not 8-bit codes "
                                       "into a table of 256.")
                kernel = table[codes]
            else:
                kernel = stored[f"{layer}/kernel"]
            weights[layer] = (kernel.astype(np.float32), stored[f"{layer}/bias"].astype(np.float32))
    except KeyError as error:
        raise WeightsError(f"{path} is not {kind}: it has no {part}/{error.args[0]}.") from None
    return weights


def to_arrays(weights: Weights, part: str, dtype: type = np.float32) -> dict[str, np.ndarray]:
    """Return named arrays for an .npz file, kernels in the given dtype."""
    arrays: dict[str, np.ndarray] = {}
    for layer, (kernel, bias) in weights.items():
        arrays[f"{part}/{layer}/kernel"] = kernel.astype(dtype)
        arrays[f"{part}/{layer}/bias"] = bias.astype(np.float32)
    return arrays


# --- VGG19 as others publish it ------------------------------------------------------------------

def fold_preprocessing(weights: Weights, scale: float = 255.0,
                       mean_bgr: tuple[float, ...] = CAFFE_MEAN_BGR) -> Weights:
    """Return weights for RGB in [0, 1] from those for BGR in [0, scale] minus a mean."""
    matrix = np.eye(3, dtype=np.float32)[::-1] * scale
    return _fold_pixel_map(weights, matrix, -np.asarray(mean_bgr, np.float32))


def _fold_pixel_map(weights: Weights, matrix: np.ndarray, offset: np.ndarray) -> Weights:
    """Let conv1_1 apply `pixel @ matrix + offset` to every pixel first."""
    kernel, bias = weights["conv1_1"]
    folded = np.einsum("rm,hwmo->hwro", matrix, kernel)
    shifted = bias + np.einsum("m,hwmo->o", offset, kernel)
    return {**weights, "conv1_1": (folded.astype(np.float32), shifted.astype(np.float32))}


def normalise(weights: Weights, means: dict[str, np.ndarray]) -> Weights:
    """Scale every channel so that its mean activation over photographs is 1 (Gatys 2016).

    Exact: ReLU and max pooling commute with positive factors, so each layer divides its outputs by
    their means and multiplies its inputs back. means: relu name -> (channels,), all positive.
    """
    result, before = {}, np.ones(3, np.float32)
    for layer in VGG19_LAYERS:
        kernel, bias = weights[layer]
        after = means[relu(layer)]
        if after.shape != bias.shape:
            raise WeightsError(f"the means of {relu(layer)} have shape {after.shape}, its layer "
                               f"has {bias.shape}.")
        result[layer] = (kernel * before[:, None] / after, bias / after)
        before = after
    return result


def read_means(path: Path = MODELS / "vgg19_means.npz") -> dict[str, np.ndarray]:
    """Return the mean activation of every VGG19 channel, measured by `tools/measure_means.py`."""
    return read_arrays(path, "a file of means")


def _read_vgg(path: Path) -> Weights:
    from adain.networks.published_weights import read_keras_h5, read_t7

    check_regular(path)
    if path.suffix in (".h5", ".hdf5"):
        weights = read_keras_h5(path)
        check(weights, "encoder", "vgg19", path)
        return normalise(fold_preprocessing(weights), read_means())
    if path.suffix == ".t7":
        arrays = read_t7(path)
        matrix, offset = arrays[0] if arrays else (np.empty(0), np.empty(0))
        if matrix.shape != (1, 1, 3, 3) or offset.shape != (3,) or len(arrays) <= len(VGG19_LAYERS):
            raise WeightsError(f"{path} is not vgg_normalised.t7: expected a 1 x 1 convolution of "
                               f"3 channels and {len(VGG19_LAYERS)} more; found "
                               f"{len(arrays)} convolutions, the first with a kernel of "
                               f"{matrix.shape}.")
        weights = dict(zip(VGG19_LAYERS, arrays[1:]))
        check(weights, "encoder", "vgg19", path)
        return _fold_pixel_map(weights, matrix[0, 0], offset)
    raise WeightsError(f"`vgg_path` takes a Keras VGG19 notop .h5 file or the authors' "
                       f"vgg_normalised.t7; received {path}.")
