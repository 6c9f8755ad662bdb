"""Networks for any style, as the AdaIN paper trains them: what the training loop needs of them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from adain.errors import OptionError
from adain.networks import checkpoint
from adain.networks.architecture import PRESETS, STYLE_LAYERS, preset
from adain.networks.checkpoint import Checkpoint, Shipped
from adain.networks.keras.devices import choose_precision
from adain.networks.keras.model import Decoder, Encoder, set_weights
from adain.networks.weights import load_encoder
from adain.training import distribution, inversion
from adain.training.config import TrainConfig
from adain.training.loop import compile_model
from adain.training.model import TrainingModel
from adain.training.watch import Batches

logger = logging.getLogger(__name__)


class AnyStyle:
    """The method adain: one pair of networks for all styles; see loop.Method.

    continue_from: a folder or checkpoint whose networks a new run begins with, at step 0, or the
    name of a preset, for those that ship.
    """

    name, usage = "adain", "--content-path ... --style-path ..."

    def __init__(self, config: TrainConfig, continue_from: str | Path | None = None) -> None:
        self.config, self.continue_from = config, continue_from

    def check_resumed(self, resumed: Checkpoint) -> None:
        _check_model(self.config, resumed, "Use another `checkpoint` folder.")

    def build(self, resumed: Checkpoint | None) -> TrainingModel:
        if resumed is not None:
            return build(self.config, resumed)
        if self.config.initialization == "inversion" and distribution.worker_count() > 1:
            raise OptionError("`initialization=inversion` works on one machine: take its first "
                              "step there, then `continue_from` it on all.")
        start = starting_point(self.continue_from) if self.continue_from else None
        return build(self.config, start)

    def initialize(self, model: TrainingModel, batches: Batches) -> None:
        config = self.config
        if config.initialization != "inversion":
            return
        pictures = first_pictures(batches, config.effective_batch_size, config.crop_size)
        networks = model.vgg, model.transfer.decoder, pictures, config.seed
        if self.continue_from:
            logger.info("reinitialized %d dead channels of the decoder",
                        inversion.revive(*networks))
        else:
            logger.info("initializes the decoder by least squares")
            inversion.invert(*networks)

    def about(self) -> dict[str, Any]:
        return {}


def build(config: TrainConfig, start: Checkpoint | Shipped | None = None) -> TrainingModel:
    """Return a compiled model with fresh weights, or with the networks of `start`."""
    if start is not None:
        _check_model(config, start, "Continue from another.")
    keras.utils.set_random_seed(config.seed)
    policy = choose_precision(config.precision)
    plan = preset(config.model)
    vgg = Encoder.from_weights(load_encoder("vgg19", config.vgg_path), STYLE_LAYERS, dtype=policy)
    network = plan.widths, plan.depths, plan.adain_layers, plan.negative_slope
    encoder = Encoder(*network, dtype=policy) if plan.trains_encoder else vgg
    decoder = Decoder(*network, dtype=policy)
    model = TrainingModel(config, vgg, encoder, decoder)
    compile_model(model, config)
    if start is not None:
        set_weights(decoder, start.decoder())
        if encoder is not vgg:
            set_weights(encoder, start.encoder())
    return model


def _check_model(config: TrainConfig, start: Checkpoint | Shipped, way_out: str) -> None:
    if start.model != config.model:
        raise OptionError(f"{start.path} holds the model {start.model}, this run trains "
                          f"{config.model}. {way_out}")


def first_pictures(batches: Batches, batch_size: int, crop_size: int) -> np.ndarray:
    """Return the contents and styles of a run's first steps: as many as inversion needs."""
    steps = -(-inversion.PIXELS // (2 * batch_size * crop_size**2))
    inputs = (batch[0] if isinstance(batch, tuple) else batch for batch in batches(0, steps))
    pairs = [batch["pairs"] if isinstance(batch, dict) else batch for batch in inputs]
    return np.concatenate([ops.convert_to_numpy(each) for each in pairs]
                          ).reshape(-1, crop_size, crop_size, 3)


def starting_point(name: str | Path) -> Checkpoint | Shipped:
    """Return the networks of a preset's shipped weights, or else those of a checkpoint."""
    return Shipped(name) if name in PRESETS else checkpoint.load(name)
