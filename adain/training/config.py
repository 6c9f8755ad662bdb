"""TrainConfig: everything that a training run depends on, checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass

from adain.errors import OptionError
from adain.networks.architecture import DEFAULT_PRESET, STYLE_LAYERS, preset

CONTENT_TARGETS = ("adain", "content")
OPTIMIZERS = ("adam", "muon")
INITIALIZATIONS = ("random", "inversion")
SCHEDULES = ("inverse", "cosine")
JIT = ("auto", "on", "off")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a run depends on; written into each checkpoint's config.json.

    The defaults are the paper's. `style_layer_weights`, `content_target`, `initialization`,
    `reconstruction_iter`, `identity_share` and `style_weight_ramp` are departures from it that
    make short runs converge sooner: see docs/training.md.
    """

    model: str = DEFAULT_PRESET
    vgg_path: str | None = None
    batch_size: int = 8
    image_size: int = 512
    crop_size: int = 256
    style_crop_size: int | None = None  # of styles, whose features are cached; None: crop_size
    validation_split: float = 0.0  # share of both folders that is never trained on
    hue_rotation: float = 0.0  # share of the style crops whose colours are turned at random
    lightening: float = 0.0  # share of the style crops that are lightened at random
    tinting: float = 0.0  # share of the style crops that get a random mean colour
    cached_crops: int = 0  # so many fixed places in a picture, whose features are kept; 0: any
    content_weight: float = 1.0
    style_weight: float = 1e-2
    style_layer_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)  # factors of STYLE_LAYERS
    style_knee: float = 0.0  # above, a pair's style loss counts with its square root; 0: never
    tv_weight: float = 0.0
    structure_weight: float = 0.0  # of 1 - SSIM against the content picture
    gram: bool = False
    content_target: str = "adain"  # or "content": the photograph's own features
    initialization: str = "random"  # or "inversion" of the encoder by least squares
    reconstruction_iter: int = 0  # steps that only learn to reproduce the content picture
    identity_share: float = 0.0  # of each batch, that does so afterwards, too
    style_weight_ramp: int = 0  # steps after those, over which the style weight rises from 0
    optimizer: str = "adam"
    learning_rate: float = 1e-4
    lr_decay: float = 5e-5
    lr_schedule: str = "inverse"
    beta_2: float = 0.999
    clip_norm: float | None = None
    max_iter: int = 160_000
    save_iter: int = 1000
    summary_iter: int = 20
    keep: int = 5
    precision: str = "auto"
    jit: str = "auto"  # compile with XLA; auto: where Keras does
    seed: int = 0

    def __post_init__(self) -> None:
        preset(self.model)
        for name, minimum in (("batch_size", 1), ("max_iter", 1), ("save_iter", 1),
                              ("summary_iter", 1), ("keep", 1), ("content_weight", 0),
                              ("style_weight", 0), ("style_knee", 0), ("tv_weight", 0),
                              ("structure_weight", 0), ("lr_decay", 0),
                              ("reconstruction_iter", 0), ("style_weight_ramp", 0),
                              ("seed", 0), ("cached_crops", 0)):
            if not getattr(self, name) >= minimum:
                raise OptionError(f"`{name}` must be at least {minimum}; "
                                  f"received {getattr(self, name)}.")
        layers = self.style_layer_weights
        if len(layers) != len(STYLE_LAYERS) or min(layers) < 0 or not max(layers) > 0:
            raise OptionError("`style_layer_weights` must be one number from 0 up for each of "
                              f"{', '.join(STYLE_LAYERS)}, not all 0; received "
                              f"{' '.join(map(str, layers))}.")
        if self.gram and self.cached_crops:
            raise OptionError("`cached_crops` keeps means and deviations, which `gram` does not "
                              "use: leave out one of the two.")
        if self.style_crop_size and not self.cached_crops:
            raise OptionError("`style_crop_size` needs `cached_crops`, which keep the styles' "
                              "statistics: add `cached_crops=1` or more.")
        if self.style_crop_size and preset(self.model).trains_encoder:
            raise OptionError("`style_crop_size` is for `model=vgg19`, whose encoder is not "
                              f"trained: leave it out for `model={self.model}`.")
        if not 0 <= self.validation_split < 1:
            raise OptionError("`validation_split` must be from 0 to below 1; "
                              f"received {self.validation_split}.")
        for name in ("hue_rotation", "lightening", "tinting"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"`{name}` must be from 0 to 1; "
                                  f"received {getattr(self, name)}.")
        if not 0 <= self.identity_share < 1:
            raise OptionError("`identity_share` must be from 0 to below 1; "
                              f"received {self.identity_share}.")
        if not self.learning_rate > 0:
            raise OptionError(f"`learning_rate` must be above 0; received {self.learning_rate}.")
        for name, choices in (("content_target", CONTENT_TARGETS), ("optimizer", OPTIMIZERS),
                              ("initialization", INITIALIZATIONS), ("lr_schedule", SCHEDULES),
                              ("jit", JIT)):
            if getattr(self, name) not in choices:
                raise OptionError(f"`{name}` must be one of {', '.join(choices)}; "
                                  f"received {getattr(self, name)}.")
        if self.initialization == "inversion" and preset(self.model).trains_encoder:
            raise OptionError(f"`initialization=inversion` undoes a frozen encoder; that of "
                              f"`model={self.model}` is trained: use random.")

    @property
    def jit_compile(self) -> bool | str:
        """Return `jit` as Keras' compile() takes it."""
        return {"auto": "auto", "on": True, "off": False}[self.jit]
