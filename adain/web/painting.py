"""Make the pictures that requests ask for; encoded styles are cached."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from adain.errors import OptionError
from adain.files import images
from adain.files.images import Picture
from adain.networks.stats import ChannelStats, merge
from adain.progress import StopRequest
from adain.recently_used import RecentlyUsed
from adain.transfer import color, tiling
from adain.transfer.stylizer import Stylizer
from adain.web.limits import TooLargeError
from adain.web.settings import FORMATS, Settings
from adain.web.store import PREVIEW_SIZE, Result, Source, Spool, largest_screen_size, to_jpeg

_CACHED_STYLES = 256  # encoded styles, a few kB each
_CACHED_PICTURES = 24  # pictures of styles, 1 MB each
_LONGEST_NAME = 120  # characters of a result's name
_REFINE_COST = 20  # cost of an iteration in passes through the networks; for progress bars only


@dataclass(frozen=True)
class StylizeRequest:
    """A picture that a request asks for.

    content: the photograph.
    styles: the paintings, at least one.
    masks: one picture for each style, or none.

    Raises:
        OptionError: numbers of styles, masks and weights do not agree.
    """

    content: Source
    styles: tuple[Source, ...]
    masks: tuple[Source, ...]
    settings: Settings

    def __post_init__(self) -> None:
        count, weights = len(self.styles), self.settings.style_weights
        if not count:
            raise OptionError("`style` is missing: name one of GET /api/styles, or send a picture.")
        if self.masks and weights:
            raise OptionError("`style_weights` mixes styles everywhere, `mask` gives each style a "
                              "region: use one of the two.")
        if self.masks and len(self.masks) != count:
            raise OptionError(f"{count} styles need {count} `mask`; received {len(self.masks)}.")
        if weights is not None:
            merge([ChannelStats(0.0, 0.0)] * count, weights)  # raises for invalid weights


class Painter:
    """Makes pictures with one Stylizer, which may still be loading.

    Args:
        stylizer: a future of the Stylizer.
        max_pixels: results with more pixels are refused.
    """

    def __init__(self, stylizer: Future[Stylizer], max_pixels: int) -> None:
        self._stylizer, self._max_pixels = stylizer, max_pixels
        self._encoded = RecentlyUsed[ChannelStats](_CACHED_STYLES)
        self._pictures = RecentlyUsed[np.ndarray](_CACHED_PICTURES)

    @property
    def stylizer(self) -> Stylizer:
        """The Stylizer; waits until it is loaded."""
        return self._stylizer.result()

    def preview(self, request: StylizeRequest, stop: StopRequest) -> bytes:
        """Return a JPEG of the stylized content at the size of a preview, without refinement."""
        screen = request.content.screen
        rows, columns = request.content.shape
        size = min(request.settings.preview or PREVIEW_SIZE, largest_screen_size(rows, columns))
        rgb = images.resize_shorter_side(screen, size)
        request = replace(request, settings=replace(request.settings, refine=0))
        return to_jpeg(self._paint(rgb, f"{request.content.id} {size}", request, iter, stop))

    def picture(self, request: StylizeRequest, stop: StopRequest,
                share: Callable[[float], None]) -> Result:
        """Return the finished picture as a file.

        Args:
            share: called with the share of the work that is done, from 0 to 1.
        """
        content, settings = request.content.read(), request.settings
        resized = self._resized(content, settings.content_size)
        painted = self._paint(resized.rgb, f"{request.content.id} full {settings.content_size}",
                              request, self._progress(resized.rgb, request, share), stop)
        stop.check()
        share(1.0)
        file = io.BytesIO()
        images.write(file, painted, opacity=resized.opacity, exif=resized.exif,
                     format=settings.format)
        styles = "+".join(PurePath(style.name).stem for style in request.styles)
        name = f"{PurePath(request.content.name).stem}_{styles}"[:_LONGEST_NAME]
        rows, columns = painted.shape[:2]
        return Result(f"{name}.{settings.format}", FORMATS[settings.format],
                      Spool(file.getbuffer()), (rows, columns))

    def _resized(self, content: Picture, size: int | None) -> Picture:
        if size is None:
            return content
        rows, columns = images.shape_of_shorter_side(
            content.rgb.shape[0], content.rgb.shape[1], size)
        if rows * columns > self._max_pixels:
            raise TooLargeError(f"`content_size={size}` would make {columns} x {rows} = "
                                f"{rows * columns / 1e6:.0f} megapixels; the limit is "
                                f"{self._max_pixels / 1e6:.0f}.")
        opacity = content.opacity
        return content._replace(
            rgb=images.resize(content.rgb, rows, columns),
            opacity=None if opacity is None else images.resize(opacity, rows, columns))

    def _paint(self, content: np.ndarray, key: str, request: StylizeRequest,
               progress: tiling.Progress, stop: StopRequest) -> np.ndarray:
        """Return the content in the styles of a request.

        key: identifies the content in the cache of styles that take its colours.
        """
        settings = request.settings
        encoded = []
        for style in request.styles:
            stop.check()
            encoded.append(self._style(style, content, key, settings))
        stop.check()
        single = None if request.masks else (encoded[0] if len(encoded) == 1 else merge(
            encoded, settings.style_weights or (1.0,) * len(encoded)))
        masks = [mask.read().rgb for mask in request.masks] or None
        result = self.stylizer.stylize(
            content, encoded if single is None else single, settings.alpha, masks=masks,
            passes=settings.passes, coarse_size=settings.coarse_size, refine=settings.refine,
            progress=progress, stop=stop)
        return color.restore_colors(result, content, settings.keep_colors)

    def _style(self, style: Source, content: np.ndarray, key: str,
               settings: Settings) -> ChannelStats:
        """Return an encoded style, from the cache if it was encoded before."""
        mode, refine = settings.keep_colors, settings.refine > 0

        def encode() -> ChannelStats:
            image = self._pictures.get(
                style.id, lambda: self.stylizer.shrink_style(style.read().rgb))
            return self.stylizer.encode_style(image, content, mode, refine)

        return self._encoded.get((style.id, mode and key, mode, refine), encode)

    def _progress(self, content: np.ndarray, request: StylizeRequest,
                  share: Callable[[float], None]) -> tiling.Progress:
        """Return the argument `progress` of Stylizer.stylize(), which calls `share`."""
        total = self._cost(content.shape[:2], request)
        done = 0.0

        def progress(steps: Sequence[Any]) -> Iterable[Any]:
            nonlocal done
            for step in steps:
                yield step
                # Steps that are not tiles are iterations of refine, all counted at full size.
                done += (_area(step) if isinstance(step, tiling.Tile)
                         else _REFINE_COST * math.prod(content.shape[:2]))
                share(min(done / total, 1.0))

        return progress

    def _cost(self, shape: tuple[int, ...], request: StylizeRequest) -> float:
        """Return an estimate of the number of pixels that pass through the networks."""
        settings, pixels = request.settings, math.prod(shape)
        whole = np.broadcast_to(np.uint8(0), (*shape, 3))
        one_tile = self.stylizer.tile_size_for(whole) >= max(shape)
        passes = 1 + (len(request.masks) or (0 if one_tile else 1))
        coarse = settings.coarse_size
        if coarse is None or coarse >= min(shape):
            return pixels * (passes * settings.passes + _REFINE_COST * settings.refine)
        small = pixels * (coarse / min(shape)) ** 2 * (1 + len(request.masks)) * settings.passes
        refined = settings.refine + -(-settings.refine // 3)
        return small + pixels * (passes + _REFINE_COST * refined)


def _area(tile: tiling.Tile) -> int:
    return (tile.down.stop - tile.down.start) * (tile.across.stop - tile.across.start)
