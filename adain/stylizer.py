"""Stylizer: load the networks once, encode a style once, stylise many pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from adain import checkpoint as checkpoints
from adain import engine as engines
from adain import images, tiling
from adain.architecture import DEFAULT_PRESET, STRIDE, conv, encoder_channels, preset
from adain.errors import ImageError, OptionError
from adain.stats import ChannelStats
from adain.weights import load_decoder, load_encoder

Picture = str | Path | Image.Image | np.ndarray


class Stylizer:
    """Repaints pictures in the style of others.

    model: "vgg19" (the published system) or "compact" (ten times faster), as shipped.
    checkpoint: a folder written by train.py, used instead; it knows its own model.
    vgg_path, decoder_path: published weights for the model vgg19: a Keras VGG19 notop .h5 or the
        authors' vgg_normalised.t7, and their decoder.t7.
    engine: "openvino" (CPU) or "keras" (any device that its backend finds, such as a GPU).
    precision: "auto", "float32" or "bfloat16"; auto is bfloat16 where an OpenVINO CPU has it.
    tile_size: pictures larger than this many pixels a side are computed in tiles, which bounds
        the memory and does not change the result.
    style_size: styles are shrunk to this shorter side; smaller ones stay. None: never shrink.

    >>> stylizer = Stylizer()
    >>> style = stylizer.encode_style("painting.jpg")
    >>> pictures = [stylizer.stylize(photo, style, alpha=0.8) for photo in photos]
    """

    def __init__(self, model: str | None = None, *, checkpoint: str | Path | None = None,
                 vgg_path: str | Path | None = None, decoder_path: str | Path | None = None,
                 engine: str = "openvino", precision: str = "auto",
                 tile_size: int | None = None, style_size: int | None = 512) -> None:
        if checkpoint is not None:
            encoder, decoder, self.model = _from_checkpoint(checkpoint, model, vgg_path,
                                                            decoder_path)
        else:
            self.model = model or DEFAULT_PRESET
            encoder, decoder = _from_files(self.model, vgg_path, decoder_path)
        self.tile_size = preset(self.model).tile_size if tile_size is None else tile_size
        if self.tile_size < STRIDE or self.tile_size % STRIDE:
            raise OptionError(f"tile size must be a multiple of {STRIDE}; received {tile_size}.")
        if style_size is not None and style_size < 1:
            raise OptionError(f"style size must be at least 1 pixel; received {style_size}.")
        self.style_size = style_size
        self._channels = sum(encoder_channels(conv(name), preset(self.model).widths)[1]
                             for name in preset(self.model).adain_layers)
        self.engine = engines.create(engine, encoder, decoder, preset(self.model).adain_layers,
                                     precision)

    def encode_style(self, style: Picture) -> ChannelStats:
        """Return the style of a picture: all that stylize() needs of it, two short vectors.

        style: a path, a Pillow image, or an array as in stylize().
        """
        image = as_image(style)
        if self.style_size is not None and min(image.shape[:2]) > self.style_size:
            image = images.resize_shorter_side(image, self.style_size)
        return tiling.measure(self.engine, tiling.pad(image), self.tile_size)

    def stylize(self, content: Picture, style: Picture | ChannelStats,
                alpha: float = 1.0) -> np.ndarray:
        """Return the content in the style: uint8 RGB, exactly as large as the content.

        content: a path, a Pillow image, or an array (rows, columns), (rows, columns, 3) or
        (rows, columns, 4) of uint8, or of floats in [0, 1]; a fourth channel is dropped.
        style: the same, or what encode_style() returned.
        alpha: strength, from 0 (the content, as the networks reproduce it) to 1.
        Raises ImageError for a picture that cannot be used, OptionError for alpha.
        """
        check_alpha(alpha)
        image = as_image(content)
        target = style if isinstance(style, ChannelStats) else self.encode_style(style)
        self.check_style(target)
        return tiling.stylize(self.engine, image, target, alpha, self.tile_size)

    def check_style(self, style: ChannelStats) -> None:
        """Raise OptionError for the style of another model."""
        if np.shape(style.mean) != (self._channels,):
            raise OptionError(f"this style has {np.size(style.mean)} channels, the model "
                              f"{self.model} has {self._channels}: encode it with this model.")


def check_alpha(alpha: float) -> None:
    """Raise OptionError unless alpha is within [0, 1]."""
    if not 0 <= alpha <= 1:
        raise OptionError(f"alpha must be from 0 (content) to 1 (style); received {alpha}.")


def as_image(picture: Picture) -> np.ndarray:
    """Return a path, Pillow image or array as uint8 RGB (rows, columns, 3)."""
    if isinstance(picture, (str, Path)):
        return images.read(picture)
    if isinstance(picture, Image.Image):
        return images.to_array(picture)
    array = np.asarray(picture)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise ImageError("an array must have shape (rows, columns), (rows, columns, 3) or "
                         f"(rows, columns, 4), at least 1 x 1; received {array.shape}.")
    array = array[..., :3]
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0 and array.max() <= 1):  # also refuses NaN
            raise ImageError("an array of floats must be within [0, 1]; received "
                             f"{array.min()} .. {array.max()}. Divide 8-bit values by 255.")
        return tiling.to_uint8(array)
    if array.dtype != np.uint8:
        raise ImageError(f"an array must be uint8 or floats in [0, 1]; received {array.dtype}.")
    return array


def _from_checkpoint(path, model, vgg_path, decoder_path):
    found = checkpoints.load(path)
    if model is not None and model != found.model:
        raise OptionError(f"{found.path} holds the model {found.model}; received --model {model}.")
    if decoder_path is not None:
        raise OptionError("--checkpoint brings its own decoder; leave out --decoder-path.")
    encoder = load_encoder(found.model, vgg_path) if vgg_path else found.encoder()
    return encoder, found.decoder(), found.model


def _from_files(model, vgg_path, decoder_path):
    if preset(model).trains_encoder and (vgg_path or decoder_path):
        raise OptionError(f"--vgg-path and --decoder-path are for --model vgg19, not {model}.")
    torch_encoder = vgg_path is not None and Path(vgg_path).suffix == ".t7"
    if torch_encoder != (decoder_path is not None):
        raise OptionError("vgg_normalised.t7 and decoder.t7 fit only each other: the shipped "
                          "networks are normalised differently. Give both --vgg-path and "
                          "--decoder-path, or neither.")
    return load_encoder(model, vgg_path), load_decoder(model, decoder_path)
