"""Stylizer: load the networks once, encode a style once, stylize many pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from adain import memory
from adain.errors import ImageError, OptionError, WeightsError
from adain.files import images
from adain.files.pixels import to_float, to_integers
from adain.networks import engine as engines
from adain.networks.architecture import DEFAULT_PRESET, STRIDE, preset
from adain.networks.networks import Networks
from adain.networks.stats import ChannelStats, join
from adain.progress import StopRequest, checked
from adain.transfer import color, load, tiling
from adain.transfer import style_file as stylefile
from adain.transfer.image_like import ImageLike, as_image
from adain.transfer.memory_plan import MemoryPlan

if TYPE_CHECKING:
    from adain.transfer.refine import Refiner
    from adain.transfer.refine_run import RefineRun
    from adain.transfer.tuning import StyleTuner

REFINE_CHANNELS = 960  # of VGG19's style layers: what encode_style(refine=True) adds
STYLE_SIZE = 512  # pixels of a style's shorter side, by default
DTYPES = (np.uint8, np.uint16, np.float32)  # of results


class Stylizer:
    """Loads the networks once and stylizes many pictures with them.

    Args:
        model: "vgg19" (default), the published system, or "compact", which is ten times faster.
        checkpoint: a folder written by train.py, or one of the checkpoints in it, to use instead of
            the shipped networks; determines the model.
        vgg_path: published weights for the model vgg19: a Keras VGG19 notop .h5 file, or the
            authors' vgg_normalised.t7, which also needs their decoder.
        decoder_path: the authors' decoder.t7, with vgg_normalised.t7 only.
        engine: "openvino" (CPU) or "keras" (any device that its backend finds, such as a GPU).
        precision: "auto", "float32", "bfloat16" or "int8". auto is bfloat16 where the device
            is faster with it; int8 is faster still, for the shipped networks on OpenVINO.
        tile_size: pixels, a multiple of 8. Larger pictures are computed in tiles, which bounds
            the memory and does not change the result in float32.
        max_memory: approximate limit in megabytes for the memory of the process; the tile size
            of each picture is chosen by it. Not together with tile_size. If neither is given, the
            tile size depends on the memory that limits of the process, its container and the
            machine leave (engine "openvino").
        style_size: pixels. Styles with a longer shorter side are shrunk to it; None: never.
        threads: number of CPU threads that compute (engine "openvino"); None: one for each core.

    Raises:
        OptionError: an argument is invalid, or arguments exclude each other.
        WeightsError: weights are missing, damaged or of another shape.

    Several threads may share one Stylizer; they take turns at computing. Pickling a Stylizer
    pickles its arguments only, so the copy, e.g. in a spawned process, loads the networks again.

    >>> stylizer = Stylizer("compact")
    >>> style = stylizer.encode_style("painting.jpg")
    >>> pictures = [stylizer.stylize(photo, style, alpha=0.8) for photo in photos]

    Source: Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance
    Normalization" (arXiv:1703.06868). Departures: pictures of any size, in tiles; the model
    compact.
    """

    def __init__(self, model: str | None = None, *, checkpoint: str | Path | None = None,
                 vgg_path: str | Path | None = None, decoder_path: str | Path | None = None,
                 engine: str = "openvino", precision: str = "auto",
                 tile_size: int | None = None, max_memory: int | None = None,
                 style_size: int | None = STYLE_SIZE, threads: int | None = None) -> None:
        if tile_size is not None and (tile_size < STRIDE or tile_size % STRIDE):
            raise OptionError(f"`tile_size` must be a multiple of {STRIDE}; received {tile_size}.")
        if tile_size is not None and max_memory is not None:
            raise OptionError("`tile_size` and `max_memory` exclude each other: give one of them.")
        if style_size is not None and style_size < 1:
            raise OptionError(f"`style_size` must be at least 1 pixel; received {style_size}.")
        if threads is not None and threads < 1:
            raise OptionError(f"`threads` must be at least 1; received {threads}.")
        self._arguments: dict[str, Any] = {
            "model": model, "checkpoint": checkpoint, "vgg_path": vgg_path,
            "decoder_path": decoder_path, "engine": engine, "precision": precision,
            "tile_size": tile_size, "max_memory": max_memory, "style_size": style_size,
            "threads": threads}
        networks = self._load_networks()
        self.model = networks.name
        self.style_size, self.tile_size, self.max_memory = style_size, tile_size, max_memory
        self.threads = threads
        self._halo = tiling.stride_multiple(2 * networks.radius)
        self._memory = MemoryPlan(self.model, self._halo, tile_size, max_memory, engine)
        try:  # before the networks are loaded
            self.tile_size_for(np.zeros((1, 1, 3), np.uint8))
        except ImageError as error:  # too little memory for any picture
            raise OptionError(str(error)) from None
        memory.reserve_little()
        self.engine = engines.create(engine, networks, precision, threads)
        self.channels, self._precision = self.engine.channels, precision
        self._encoder = networks.encoder

    def __repr__(self) -> str:
        return (f"Stylizer(model={self.model!r}, engine={self.engine.name!r}, "
                f"device={self.engine.device!r})")

    def __reduce__(self) -> tuple[partial[Stylizer], tuple[()]]:
        return partial(type(self), **self._arguments), ()

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the encoder's weights; style files and banks are for one encoder.
        """
        return stylefile.fingerprint(self._encoder)

    def _load_networks(self) -> Networks:
        model, checkpoint, *published = (self._arguments[name] for name in (
            "model", "checkpoint", "vgg_path", "decoder_path"))
        if checkpoint is not None:
            return load.from_checkpoint(checkpoint, model, *published)
        return load.from_files(model or DEFAULT_PRESET, *published)

    @cached_property
    def _tuner(self) -> StyleTuner:
        from adain.transfer import tuning

        limit, needed = self._memory.limit, preset(self.model).base_bytes + tuning.BYTES
        if limit is not None and limit < needed:
            raise OptionError(f"tuning a style needs about {needed // 1_000_000} MB, the limit is "
                              f"{limit // 1_000_000} MB: leave `tune` out.")
        return tuning.StyleTuner(self._load_networks(), self._refiner.vgg, self._precision)

    @cached_property
    def _refiner(self) -> Refiner:
        from adain.transfer.refine import Refiner  # loads VGG19, so only if something is refined

        return Refiner(self._precision, self.tile_size, self._memory.limit)

    def encode_style(self, style: ImageLike, content: ImageLike | None = None,
                     keep_colors: str | None = None, refine: bool = False, tune: int = 0,
                     stop: StopRequest | None = None) -> ChannelStats:
        """Encode a style: measure the channel means and standard deviations of its features.

        Args:
            style: a path, a Pillow image, or an array as in stylize(); or the path of a .npz file
                written by save_style().
            content: the picture whose colours the style takes; used with keep_colors only.
            keep_colors: "coral", "histogram" or "luminance", see adain.transfer.color. None:
                the colours of the style do not change.
            refine: also measure the statistics that stylize(..., refine=N) needs.
            tune: number of iterations that then optimize the statistics, so that pictures painted
                with them come nearer to the style, at the same cost; 30 take some seconds; see
                adain.transfer.tuning.
            stop: asks tuning to end early, by raising Stopped.

        Returns:
            Means and standard deviations, float32 (channels,): of relu4_1 for vgg19; of all AdaIN
            layers, concatenated, for compact. With refine, those of VGG19's style layers follow.

        Raises:
            ImageError: the picture cannot be read or used.
            OptionError: keep_colors is unknown, or given without content or with a .npz file; tune
                is negative, or given with a .npz file.
            WeightsError: the .npz file is damaged, or of another encoder.
        """
        color.check_color_mode(keep_colors)
        if tune < 0:
            raise OptionError(f"`tune` must be at least 0; received {tune}.")
        if isinstance(style, (str, Path)) and Path(style).suffix == stylefile.SUFFIX:
            _check_has_colors(style, keep_colors)
            if tune:
                raise OptionError(f"`tune` is for the picture of a style, but {style} is encoded "
                                  "already: give its picture, or tune it when you save it.")
            encoded = stylefile.load(style, self.fingerprint, self.channels, REFINE_CHANNELS)
            if refine and encoded.mean.size == self.channels:
                raise WeightsError(f"{style} was encoded without the statistics for `refine`: "
                                   "encode the painting again, with `save_style` and `refine`.")
            return encoded
        if keep_colors is not None and content is None:
            raise OptionError(f"`keep_colors={keep_colors}` needs `content`, whose colours the "
                              "style takes; received none.")
        image = self.shrink_style(as_image(style))
        if content is not None and keep_colors is not None:
            image = color.recolor_style(image, as_image(content), keep_colors)
        encoded = tiling.measure(self.engine, image, self.tile_size_for(image))
        if not (refine or tune):
            return encoded
        target = self._refiner.measure(image)
        if tune:
            tuner = self._tuner
            with self.engine.session():
                self.engine.release_memory()
            encoded = tuner.tune(encoded, target, tune, stop=stop)
            if self._memory.limit is not None:  # what it loaded would exceed it while painting
                del tuner
                for name in ("_tuner", "_refiner"):  # another thread may have removed it
                    self.__dict__.pop(name, None)
        return join(encoded, target) if refine else encoded

    def shrink_style(self, image: np.ndarray) -> np.ndarray:
        """Return a picture, uint8 (rows, columns, 3), with a shorter side of at most style_size."""
        return images.shrink(image, self.style_size)

    def save_style(self, path: str | Path, style: ImageLike | ChannelStats) -> None:
        """Write a style to a .npz file of a few kilobytes, which encode_style() reads.

        Args:
            path: the .npz file to write; an existing file is replaced.
            style: a picture as in encode_style(), or an encoded style.

        Raises:
            ImageError: the picture cannot be read or used.
            OptionError: the path does not end in .npz, or the style is of another model.
            WeightsError: the file cannot be written.
        """
        if Path(path).suffix != stylefile.SUFFIX:
            raise OptionError(f"an encoded style must be a {stylefile.SUFFIX} file; "
                              f"received {path}.")
        stylefile.save(path, self._encoded(style), self.fingerprint)

    def stylize(self, content: ImageLike, style: ImageLike | ChannelStats | Sequence[Any],
                alpha: float = 1.0, *, masks: Sequence[ImageLike] | None = None,
                keep_colors: str | None = None, passes: int = 1, coarse_size: int | None = None,
                refine: int = 0, dtype: type = np.uint8, progress: tiling.Progress = iter,
                stop: StopRequest | None = None, run: RefineRun | None = None) -> np.ndarray:
        """Return the content in the style: RGB, exactly as large as the content.

        Args:
            content: a path, a Pillow image, or an array (rows, columns), (rows, columns, 3) or
                (rows, columns, 4), of uint8, or of floats in [0, 1]; a fourth channel is dropped.
            style: a picture in the same ways, the path of a style file, or an encoded style; with
                masks, a list of these.
            alpha: strength, from 0 (the content, as the networks reproduce it) to 1.
            masks: one picture for each style: white where the style applies, grey for a blend with
                the content, which stays where all masks are black. Masks are resized to the
                content.
            keep_colors: "coral", "histogram" or "luminance" keeps the content's colours, see
                adain.transfer.color; the style must then be a picture, because its colours are
                changed.
            passes: number of times the picture is stylized, each time from the result before.
            coarse_size: pixels. First stylize the content at this shorter side, enlarge the result,
                then stylize it at full size: strokes on a large picture then have the size that
                they have on a small one.
            refine: number of iterations that then optimize the pixels of the result: 5 bring it
                nearer to the style, 15 also to the content, 40 more so; see adain.transfer.refine.
                Encoded styles must come from encode_style(refine=True). With coarse_size, the
                coarse picture is refined, too, and the one of full size in a third of the
                iterations.
            dtype: of the result: np.uint8, np.uint16, or np.float32, about [0, 1], not clipped.
            progress: called with the list of tiles of each pass; yields them, like tqdm. With
                refine, also called with the range of iterations, of which it may yield fewer to
                end early with the best picture so far.
            stop: asks the work to end early: between two tiles, by raising Stopped; between two
                iterations of refine, with the best picture so far.
            run: with refine, a state from which a stopped run continues, and a folder for
                intermediate pictures; see adain.transfer.refine_run.RefineRun.

        Returns:
            A new array (rows, columns, 3) of that dtype.

        Raises:
            ImageError: a picture cannot be read or used, or is too large for max_memory.
            OptionError: another argument is invalid, or arguments exclude each other.
            WeightsError: a style file is damaged, or of another encoder.
            Stopped: `stop` asked for it.
        """
        check_alpha(alpha)
        if passes < 1:
            raise OptionError(f"`passes` must be at least 1; received {passes}.")
        if coarse_size is not None and coarse_size < 1:
            raise OptionError(f"`coarse_size` must be at least 1 pixel; received {coarse_size}.")
        if refine < 0:
            raise OptionError(f"`refine` must be at least 0; received {refine}.")
        if np.dtype(dtype) not in DTYPES:
            names = ", ".join(kind.__name__ for kind in DTYPES)
            raise OptionError(f"`dtype` must be one of {names}; received {np.dtype(dtype)}.")
        if masks is None and isinstance(style, (list, tuple)) and not isinstance(
                style, ChannelStats):
            raise OptionError(f"a list of {len(style)} styles needs `masks`, one for each style; "
                              "merge() mixes encoded styles.")
        image = as_image(content)
        encoded: Callable[..., ChannelStats] = partial(
            self._encoded, content=image, keep_colors=keep_colors, refine=refine > 0)
        target: ChannelStats | tiling.Regions = (
            encoded(style) if masks is None else self._regions(style, masks, encoded))
        if refine:
            if run is None:
                from adain.transfer.refine_run import RefineRun

                run = RefineRun()
            if run.keeps_state:
                run.begin(self._fingerprint(image, target, alpha, passes, coarse_size, refine))
        levels = [(image, passes, refine)]
        if coarse_size is not None and min(image.shape[:2]) > coarse_size:
            small = images.resize_shorter_side(image, coarse_size)
            levels = [(small, passes, refine), (image, 1, -(-refine // 3))]
        result, first = levels[0][0], run.level if run is not None else 0
        for number, (level, passes, refine) in list(enumerate(levels))[first:]:
            if run is not None:
                run.level = number
            result = self._stylize(
                images.resize(result, *level.shape[:2]), level, target, alpha, passes, refine,
                dtype if level is image else np.uint8, progress, stop, run)
            if run is not None and run.stopped:
                break
        if result.shape != image.shape:  # stopped at the coarse size
            result = to_float(images.resize(result, *image.shape[:2]))
            result = result if dtype == np.float32 else to_integers(result, dtype)
        result = color.restore_colors(result, image, keep_colors)
        if refine and run is not None:
            run.finish(result)
        return result

    def stylize_batch(self, contents: Sequence[ImageLike],
                      styles: Sequence[ImageLike | ChannelStats],
                      alphas: float | Sequence[float] = 1.0) -> list[np.ndarray]:
        """Return each content in a style of its own; faster than calling stylize() for each.

        With the engine "openvino", each thread computes another picture; with "keras", contents
        of the same size are computed as one batch.

        Args:
            contents: pictures as in stylize(), of any sizes; all of them are in memory at once.
            styles: one for each content, as in stylize().
            alphas: strength, from 0 to 1; one for all contents, or one for each.

        Returns:
            New arrays, uint8 RGB (rows, columns, 3), each as large as its content. In float32 they
            equal the results of stylize() up to one level of 255. With "openvino" they depend
            neither on the other contents of the batch nor on the number of threads.

        Raises:
            ImageError: a picture cannot be read or used, or is too large for max_memory.
            OptionError: numbers of contents, styles and alphas differ, an alpha is out of range,
                or a style is of another model.
            WeightsError: a style file is damaged, or of another encoder.

        >>> pictures = stylizer.stylize_batch(["a.jpg", "b.jpg"], [first, second], [1.0, 0.5])
        """
        from adain.transfer import batch

        strengths = list(alphas) if isinstance(alphas, Sequence) else [alphas] * len(contents)
        if not len(contents) == len(styles) == len(strengths):
            raise OptionError(f"{len(contents)} contents need {len(contents)} styles and alphas; "
                              f"received {len(styles)} and {len(strengths)}.")
        for alpha in strengths:
            check_alpha(alpha)
        return batch.stylize(self.engine, [as_image(content) for content in contents],
                             [self._encoded(style) for style in styles], strengths,
                             self.tile_size_for, self._memory.pixels_at_once)

    def _stylize(self, image: np.ndarray, content: np.ndarray,
                 target: ChannelStats | tiling.Regions, alpha: float, passes: int, refine: int,
                 dtype: type, progress: tiling.Progress, stop: StopRequest | None,
                 run: RefineRun | None) -> np.ndarray:
        """Return `image` after the passes and the iterations of refine.

        content: the picture whose structure refine compares with; as large as `image`.
        """
        if isinstance(target, tiling.Regions):
            target = target._replace(masks=[images.resize(mask, *image.shape[:2])
                                            for mask in target.masks])
        style = tiling.channels(target, slice(self.channels))  # without those for refine
        last_dtype = np.float32 if refine else dtype
        if run is not None and run.continues:
            passes = 0
        for left in range(passes, 0, -1):
            image = tiling.stylize(self.engine, image, style, alpha, self.tile_size_for(image),
                                   dtype=last_dtype if left == 1 else np.uint8,
                                   progress=lambda tiles: checked(progress(tiles), stop))
        if refine:
            with self.engine.session():
                self.engine.release_memory()
            holder = [image]
            del image  # so that refine() can free it after padding a copy: 12 bytes a pixel
            return self._refiner.refine(holder.pop(), content, tiling.channels(
                target, slice(self.channels, None)), alpha, refine, dtype, progress, stop, run)
        return image

    def _fingerprint(self, image: np.ndarray, target: ChannelStats | tiling.Regions,
                     alpha: float, passes: int, coarse_size: int | None,
                     refine: int) -> dict[str, Any]:
        """Return what must be equal to continue from a state, see run_state.load()."""
        from adain.transfer.run_state import hash_of

        styles, masks = ((target.styles, target.masks) if isinstance(target, tiling.Regions) else
                         ([target], []))
        return {"content": hash_of(image), "style": hash_of(np.array(styles)),
                "masks": [hash_of(mask) for mask in masks],
                "model": self.model, "precision": self.engine.device, "alpha": float(alpha),
                "passes": passes, "coarse_size": coarse_size, "refine": refine}

    def check_style(self, style: ChannelStats) -> None:
        """Raise OptionError if an encoded style is of another model."""
        if np.shape(style.mean) not in ((self.channels,), (self.channels + REFINE_CHANNELS,)):
            raise OptionError(f"this style has {np.size(style.mean)} channels, the model "
                              f"{self.model} has {self.channels}: encode it with this model.")

    def tile_size_for(self, image: np.ndarray) -> int:
        """Return the tile size for a picture, uint8 (rows, columns, 3), in pixels.

        Raises:
            ImageError: the picture needs more memory than there is.
        """
        if self.tile_size is not None:
            return self.tile_size
        tile_size = self._memory.tile_size(*image.shape[:2])
        # A picture with no more pixels than such a tile and its halo becomes one tile, which needs
        # no separate pass for its statistics.
        rows, columns = map(tiling.padded_length, image.shape[:2])
        whole = rows * columns <= (tile_size + 2 * self._halo) ** 2
        return max(rows, columns) if whole else tile_size

    @property
    def picture_memory(self) -> int | None:
        """Bytes left for pictures besides networks and one tile; None if there is no limit."""
        return self._memory.picture_memory

    def _encoded(self, style: ImageLike | ChannelStats, content: ImageLike | None = None,
                 keep_colors: str | None = None, refine: bool = False) -> ChannelStats:
        if isinstance(style, ChannelStats):
            _check_has_colors("this one", keep_colors)
            encoded = style
        else:
            encoded = self.encode_style(style, content, keep_colors, refine)
        self.check_style(encoded)
        if refine and np.size(encoded.mean) == self.channels:
            raise OptionError("this style was encoded without the statistics for `refine`: encode "
                              "it with encode_style(refine=True), or give its picture.")
        return encoded

    def _regions(self, styles: Any, masks: Sequence[ImageLike],
                 encoded: Callable[[ImageLike | ChannelStats], ChannelStats]) -> tiling.Regions:
        if isinstance(styles, (str, Path, Image.Image, np.ndarray, ChannelStats)):
            raise OptionError(f"{len(masks)} masks need a list of {len(masks)} styles; received "
                              "one style that is not in a list.")
        if len(styles) != len(masks) or not len(masks):
            raise OptionError(f"`masks` must be one for each style; received {len(masks)} masks "
                              f"and {len(styles)} styles.")
        import cv2

        layers = []
        for index, mask in enumerate(masks):
            layer = cv2.cvtColor(as_image(mask), cv2.COLOR_RGB2GRAY)
            if not layer.any():
                name = mask if isinstance(mask, (str, Path)) else f"number {index + 1}"
                raise ImageError(f"mask {name} is all black: its style would apply nowhere.")
            layers.append(layer)
        return tiling.Regions([encoded(style) for style in styles], layers)


def check_alpha(alpha: float) -> None:
    """Raise OptionError unless alpha is within [0, 1]."""
    if not 0 <= alpha <= 1:
        raise OptionError(f"`alpha` must be from 0 (content) to 1 (style); received {alpha}.")


def _check_has_colors(encoded: str | Path, keep_colors: str | None) -> None:
    """Raise OptionError if an encoded style should take the content's colours."""
    if keep_colors is not None:
        raise OptionError(f"`keep_colors={keep_colors}` changes the picture of a style, but "
                          f"{encoded} is encoded already: give its picture.")
