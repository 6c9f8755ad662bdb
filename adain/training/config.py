"""TrainConfig: everything that a training run depends on, checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass

from adain.errors import OptionError
from adain.networks.architecture import DEFAULT_PRESET, PRESETS, STYLE_LAYERS, preset
from adain.networks.keras import TRAIN_PRECISIONS
from adain.options import check, option

CONTENT_TARGETS = ("adain", "content")
OPTIMIZERS = ("adam", "muon")
INITIALIZATIONS = ("random", "inversion")
SCHEDULES = ("inverse", "cosine")
JIT = ("auto", "on", "off")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run; each checkpoint's config.json has them.

    Each field is an option of `adain train`, whose help states its meaning and range; see
    docs/training.md. The defaults are those of the paper. `style_layer_weights`, `content_target`,
    `initialization`, `reconstruction_iter`, `identity_share`, `style_weight_ramp` and `ema` are
    departures that make short runs converge faster.

    Raises:
        OptionError: a value is outside of its range, or two options exclude each other.
    """

    model: str = option(DEFAULT_PRESET, "architecture to train", choices=tuple(PRESETS))
    vgg_path: str | None = option(
        None, "VGG19 from a Keras notop .h5 file or vgg_normalised.t7 (default: the shipped one)",
        metavar="FILE")
    batch_size: int = option(8, "pairs of crops per step", minimum=1, metavar="N")
    accumulate: int = option(
        1, "accumulate gradients over N batches for each step: the step of a batch N times as "
        "large, in the memory of one", minimum=1, metavar="N")
    image_size: int = option(512, "resize pictures to this shorter side", metavar="PIXELS")
    crop_size: int = option(256, "crop them at random to a square of this size", metavar="PIXELS")
    style_crop_size: int | None = option(
        None, "crop styles to a square of this size instead: with small content crops, more pairs "
        "are seen in the same time; large style crops have the colours of the whole painting; "
        "needs `cached_crops` (default: `crop_size`)", metavar="PIXELS")
    validation_split: float = option(
        0.0, "share of both collections to hold out, e.g. 0.01; its loss is measured at every "
        "checkpoint, and the best checkpoint is kept", minimum=0, below=1, metavar="SHARE")
    gallery_size: int = option(
        256, "measure the pictures of `gallery` as squares of this size", minimum=16,
        metavar="PIXELS")
    evaluate_every: int | None = option(
        None, "steps between measurements of `gallery`, in addition to those at each checkpoint "
        "(default: checkpoints only)", minimum=1, metavar="STEPS")
    hue_rotation: float = option(
        0.0, "rotate the hue of this share of the style crops by a random angle, for more colours "
        "than the paintings have", minimum=0, maximum=1, metavar="SHARE")
    lightening: float = option(
        0.0, "lighten this share of the style crops by a random amount, for collections of dark "
        "paintings", minimum=0, maximum=1, metavar="SHARE")
    tinting: float = option(
        0.0, "give this share of the style crops a random mean colour and contrast, to learn flat, "
        "bright paintings", minimum=0, maximum=1, metavar="SHARE")
    cached_crops: int = option(
        0, "use N fixed crops of every picture and keep their VGG19 features in memory, 0.4 MB "
        "for each crop of 128 x 128; halves the time of a step on a CPU (default 0: random crops)",
        minimum=0, metavar="N")
    content_weight: float = option(1.0, "factor of the content loss", minimum=0, metavar="W")
    style_weight: float = option(1e-2, "factor of the style loss", minimum=0, metavar="W")
    style_layer_weights: tuple[float, ...] = option(
        (1.0, 1.0, 1.0, 1.0), f"factors of the style losses at {' '.join(STYLE_LAYERS)} (default "
        "1 1 1 1); 8 4 2 1 balances the layers, whose losses are sums over 64 to 512 channels, and "
        "transfers more of the style's colours", minimum=0, metavar="W")
    style_knee: float = option(
        0.0, "style loss of a pair above which it grows only like a square root, so that a few "
        "pairs do not dominate the gradient (default 0: off)", minimum=0, metavar="LOSS")
    tv_weight: float = option(0.0, "factor of the total variation, which smooths", minimum=0,
                              metavar="W")
    structure_weight: float = option(
        0.0, "factor of 1 - SSIM between result and photograph, which preserves light and shade",
        minimum=0, metavar="W")
    gram: bool = option(False, "compare Gram matrices instead of means and standard deviations in "
                        "the style loss")
    content_target: str = option(
        "adain", "target of the content loss: the AdaIN output (adain), as in the paper, or the "
        "features of the photograph (content)", choices=CONTENT_TARGETS)
    initialization: str = option(
        "random", "initial weights of the decoder; inversion computes them by least squares as the "
        "inverse of the encoder, which takes a minute and saves hours; with `continue_from` only "
        "channels that are always 0 get new weights", choices=INITIALIZATIONS)
    reconstruction_iter: int = option(
        0, "first train only to reproduce photographs, for this many steps", minimum=0,
        metavar="STEPS")
    identity_share: float = option(
        0.0, "share of every batch in which the photograph is also the style and must be "
        "reproduced; improves colours", minimum=0, below=1, metavar="SHARE")
    style_weight_ramp: int = option(
        0, "then raise the style weight linearly from 0 over this many steps", minimum=0,
        metavar="STEPS")
    optimizer: str = option(
        "adam", "muon learns faster at high rates, and fewer ReLUs become and stay 0",
        choices=OPTIMIZERS)
    learning_rate: float = option(1e-4, "learning rate of the first step", above=0, metavar="RATE")
    lr_decay: float = option(5e-5, "rate of a step = learning rate / (1 + decay * step)", minimum=0,
                             metavar="DECAY")
    lr_schedule: str = option("inverse", "inverse uses `lr_decay`; cosine falls to 1 percent at "
                              "`max_iter`", choices=SCHEDULES)
    beta_2: float = option(0.999, "decay of Adam's second moment", metavar="BETA")
    clip_norm: float | None = option(None, "clip the gradient to this norm (default: off)",
                                     metavar="NORM")
    ema: float = option(
        0.0, "keep an exponential moving average of the weights with this momentum, e.g. 0.999, "
        "and stylize with it (default 0: off)", minimum=0, below=1, metavar="MOMENTUM")
    max_iter: int = option(160_000, "number of steps", minimum=1, metavar="STEPS")
    save_iter: int = option(1000, "steps between checkpoints", minimum=1, metavar="STEPS")
    summary_iter: int = option(20, "steps between summaries", minimum=1, metavar="STEPS")
    keep: int = option(5, "number of checkpoints to keep", minimum=1, metavar="N")
    precision: str = option("auto", "auto: mixed_bfloat16 if the hardware supports it, else "
                            "float32", choices=TRAIN_PRECISIONS)
    jit: str = option("auto", "compile steps with XLA; auto: as Keras decides", choices=JIT,
                      const="on")
    seed: int = option(0, "seed of all random numbers", minimum=0, metavar="N")

    def __post_init__(self) -> None:
        check(self)
        layers = self.style_layer_weights
        if len(layers) != len(STYLE_LAYERS) or not max(layers) > 0:
            raise OptionError("`style_layer_weights` must be one number of at least 0 for each of "
                              f"{', '.join(STYLE_LAYERS)}, not all 0; received "
                              f"{' '.join(map(str, layers))}.")
        if self.gallery_size % 8:
            raise OptionError("`gallery_size` must be a multiple of 8; received "
                              f"{self.gallery_size}.")
        trains_encoder = preset(self.model).trains_encoder
        if self.gram and self.cached_crops:
            raise OptionError("`cached_crops` stores means and standard deviations, but `gram` "
                              "needs Gram matrices: leave out one of the two.")
        if self.style_crop_size and not self.cached_crops:
            raise OptionError("`style_crop_size` needs `cached_crops`, which store the statistics "
                              "of styles: add `cached_crops=1` or more.")
        if self.style_crop_size and trains_encoder:
            raise OptionError("`style_crop_size` is for `model=vgg19`, whose encoder is not "
                              f"trained: leave it out for `model={self.model}`.")
        if self.initialization == "inversion" and trains_encoder:
            raise OptionError("`initialization=inversion` needs a frozen encoder, but that of "
                              f"`model={self.model}` is trained: use random.")

    @property
    def effective_batch_size(self) -> int:
        """The number of pairs in a step."""
        return self.batch_size * self.accumulate

    @property
    def jit_compile(self) -> bool | str:
        """The argument jit_compile of Keras' compile()."""
        return "auto" if self.jit == "auto" else self.jit == "on"
