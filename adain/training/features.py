"""Training pairs together with their VGG19 features, each computed once.

Two thirds of a training step's arithmetic is VGG19 on content and style pictures, which never
change. Where every picture is cropped at a few fixed places only (`fixed_crops` of
`data.PairSource`), the same crops recur, and their features can be kept: about 0.3 MB a content
crop and 0.06 MB a style crop of 128 x 128, four times that at 256 x 256.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from adain.files.pixels import to_float
from adain.networks.architecture import CONTENT_LAYER, STYLE_LAYERS
from adain.networks.networks import Networks, Weights
from adain.networks.openvino.compiled import compile_graph
from adain.networks.openvino.graphs import activations_graph, statistics_graph
from adain.networks.stats import EPSILON
from adain.progress import StopRequest, checked, duration
from adain.training import loader
from adain.training.data import PairSource, Pictures, Place

logger = logging.getLogger(__name__)

Compute = Callable[[np.ndarray], np.ndarray]  # from a crop to its features


class FeatureCache:
    """Computes what the losses need of a pair, once for every place that a crop is cut at.

    stop: ends fill() early, with Stopped.
    """

    def __init__(self, source: PairSource, vgg: Weights, stop: StopRequest | None = None) -> None:
        self.source, self._stop = source, stop
        self._content_network = compile_graph(activations_graph(vgg, [CONTENT_LAYER]))
        self._style_network = compile_graph(statistics_graph(Networks(vgg, {}, STYLE_LAYERS)))
        self._cached: dict[Place, tuple[np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()  # a network computes one picture at a time, on all cores

    def pair(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return pair number `index` with its features.

        The pair is uint8 (2, size, size, 3); the content's relu4_1 float16 (size/8, size/8, 512);
        the style's means and deviations of all STYLE_LAYERS in a row float32 (2, 960).
        """
        (content, content_features), (style, style_stats) = (
            self._crop(pictures, index, compute) for pictures, compute in self._parts())
        self.source.mark_arrival(index)
        return self.source.stack(content, style), content_features, style_stats

    def fill(self, first: int, last: int) -> None:
        """Compute the features of pairs first .. last - 1 that are not known yet.

        Done before the training, which would compete for the cores: that costs twice the time.
        """
        missing: dict[Place, tuple[Pictures, int, Compute]] = {}
        for pictures, compute in self._parts():
            for index in range(first, last):
                place = pictures.place(index)
                if place not in self._cached:
                    missing.setdefault(place, (pictures, index, compute))
        if not missing:
            return
        began, shown = time.monotonic(), time.monotonic()
        logger.info("computes the features of %d crops, once", len(missing))
        with ThreadPoolExecutor(2) as executor:  # one reads a picture while the other computes
            work = [executor.submit(self._crop, *crop) for crop in missing.values()]
            try:
                for done, crop in enumerate(checked(work, self._stop), 1):
                    crop.result()
                    if time.monotonic() - shown > 60:
                        shown = time.monotonic()
                        left = duration((shown - began) / done * (len(work) - done))
                        logger.info("features of %d of %d crops, %s left", done, len(work), left)
            except BaseException:
                executor.shutdown(cancel_futures=True)
                raise

    def _parts(self) -> tuple[tuple[Pictures, Compute], tuple[Pictures, Compute]]:
        """Return the sources of content and style crops, each with what is computed of it."""
        return (self.source.content, self._relu4_1), (self.source.style, self._stats)

    def _crop(self, pictures: Pictures, index: int,
              compute: Compute) -> tuple[np.ndarray, np.ndarray]:
        known = self._cached.get(pictures.place(index))
        if known is not None:
            return known
        place, crop = pictures.draw(index)
        if place not in self._cached:
            with self._lock:
                self._cached[place] = crop.copy(), compute(crop)
        return self._cached[place]

    def _relu4_1(self, crop: np.ndarray) -> np.ndarray:
        [activations] = self._content_network(to_float(crop)[None])
        relu4_1: np.ndarray = activations[0].astype(np.float16)
        return relu4_1

    def _stats(self, crop: np.ndarray) -> np.ndarray:
        everywhere = np.ones((1, *crop.shape[:2]), np.float32)
        mean, variance = self._style_network(to_float(crop)[None], everywhere)
        return np.stack([mean, np.sqrt(variance + EPSILON)]).astype(np.float32)


def dataset(cache: FeatureCache, batch_size: int, start_step: int, stop_step: int,
            context: Any = None) -> Iterable[Any]:
    """Return the batches of data.dataset, with the features beside the pairs.

    All features are computed before it returns.
    """
    cache.fill(start_step * batch_size, stop_step * batch_size)

    def read(index: int) -> dict[str, np.ndarray]:
        return dict(zip(("pairs", "content_features", "style_stats"), cache.pair(index)))

    return loader.batches(read, batch_size, start_step, stop_step, context)
