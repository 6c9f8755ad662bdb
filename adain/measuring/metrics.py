"""Measure stylised pictures: content loss, style loss and SSIM against their sources.

    adain metrics CONTENT_DIR STYLE_DIR OUT_DIR [OUT_DIR ...] [--size 512] [--json FILE]

Each OUT_DIR holds pictures named CONTENT__STYLE.png (or .jpg ...). Published numbers in this field
cannot be compared because their definitions differ, so here they are in full:

* All pictures are 8-bit sRGB in RGB order, divided by 255. The style is resized to `--size` pixels
  on its shorter side (area means to shrink, cubic to enlarge), the content to the size of the
  stylised picture, which is measured as it is; all three then lose up to 7 rows and columns at the
  bottom and right to become multiples of 8.
* Features are those of the shipped VGG19 with reflect padding and max pooling, every channel
  divided by its mean activation over photographs (`tools/measure_means.py`), in float32.
* content: mean squared difference of relu4_1 between stylised and content picture.
* style: for relu1_1, relu2_1, relu3_1 and relu4_1, the mean over channels of the squared difference
  of the channel means plus the same of the deviations; the sum of the four layers.
* ssim: structural similarity (Wang et al. 2004: Gaussian window of 11 pixels, deviation 1.5,
  K1 0.01, K2 0.03) of stylised and content luminance (ITU-R 601), mean over the picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from adain.errors import ImageError, OptionError
from adain.files import find, images
from adain.files.pixels import to_float
from adain.networks.architecture import STRIDE, STYLE_LAYERS
from adain.networks.openvino.compiled import compile_graph
from adain.networks.openvino.graphs import activations_graph
from adain.networks.stats import EPSILON, ChannelStats
from adain.networks.weights import load_encoder
from adain.transfer.tiling import Progress


class Scores(NamedTuple):
    """The metrics of one stylised picture; for losses less is better, for ssim more."""

    content: float
    style: float
    ssim: float


class Meter:
    """Measures pictures; keeps the features of the last content and the statistics of all styles.

    size: what styles are resized to on their shorter side.
    """

    def __init__(self, size: int = 512) -> None:
        if size < 16:
            raise OptionError(f"`size` must be at least 16; received {size}.")
        self._size = size
        self._network = compile_graph(activations_graph(load_encoder("vgg19"), STYLE_LAYERS),
                                      "float32")
        self._styles: dict[Path, list[ChannelStats]] = {}
        self._content: tuple[tuple[Path, tuple[int, ...]], np.ndarray, np.ndarray] | None = None

    def measure(self, content_path: Path, style_path: Path, stylized: np.ndarray) -> Scores:
        """Return the scores of one picture: uint8 (rows, columns, 3), at least 16 x 16."""
        if style_path not in self._styles:
            style = images.resize_shorter_side(images.read(style_path), self._size)
            self._styles[style_path] = [_stats(layer) for layer in self.features(style)]
        key = (content_path, stylized.shape)
        if self._content is None or self._content[0] != key:
            content = images.resize(images.read(content_path), *stylized.shape[:2])
            self._content = (key, content, self.features(content)[-1])
        _, content, content_features = self._content
        features = self.features(stylized)
        style_losses = [
            np.mean((ours.mean - theirs.mean) ** 2) + np.mean((ours.std - theirs.std) ** 2)
            for ours, theirs in zip(map(_stats, features), self._styles[style_path])]
        return Scores(float(np.mean((features[-1] - content_features) ** 2)),
                      float(sum(style_losses)), ssim(luminance(stylized), luminance(content)))

    def features(self, image: np.ndarray) -> list[np.ndarray]:
        """Return STYLE_LAYERS of a uint8 picture; the last, relu4_1, measures the content."""
        rows, columns = (side // STRIDE * STRIDE for side in image.shape[:2])
        if min(rows, columns) < 2 * STRIDE:
            raise ImageError(f"metrics need pictures of 16 x 16 or more; received {image.shape}.")
        return [layer[0].copy() for layer in
                self._network(to_float(image[:rows, :columns])[None])]


def _stats(features: np.ndarray) -> ChannelStats:
    flat = features.reshape(-1, features.shape[-1]).astype(np.float64)
    return ChannelStats(flat.mean(axis=0), np.sqrt(flat.var(axis=0) + EPSILON))


def luminance(image: np.ndarray) -> np.ndarray:
    """Return the luma of an RGB picture by ITU-R 601, float64 (rows, columns), 0..255."""
    luma: np.ndarray = image.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return luma


def ssim(left: np.ndarray, right: np.ndarray) -> float:
    """Return the mean structural similarity of two pictures (rows, columns), 0..255.

    Positions whose window leaves the picture are not counted (Wang et al. 2004, section III).
    """
    import cv2

    def blur(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)[5:-5, 5:-5]

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    left_mean, right_mean = blur(left), blur(right)
    left_variance = blur(left * left) - left_mean**2
    right_variance = blur(right * right) - right_mean**2
    covariance = blur(left * right) - left_mean * right_mean
    similarity = ((2 * left_mean * right_mean + c1) * (2 * covariance + c2)
                  / ((left_mean**2 + right_mean**2 + c1) * (left_variance + right_variance + c2)))
    return float(similarity.mean())


def measure_folder(meter: Meter, contents: dict[str, Path], styles: dict[str, Path],
                   folder: Path, progress: Progress = iter) -> dict[str, Scores]:
    """Return {CONTENT__STYLE: scores} of a folder's pictures; progress: shows how far it is."""
    scores = {}
    for path in progress(find.pictures(folder)):
        content, separator, style = path.stem.partition("__")
        if content not in contents or style not in styles:
            raise ImageError(f"{path} is not named CONTENT__STYLE after a content and a style "
                             "picture of the two folders.")
        scores[path.stem] = meter.measure(contents[content], styles[style], images.read(path))
    return scores


def by_name(folder: str | Path) -> dict[str, Path]:
    """Return {name without ending: file} of a folder's pictures; ImageError where two share one."""
    files: dict[str, Path] = {}
    for path in find.pictures(folder):
        if files.setdefault(path.stem, path) != path:
            raise ImageError(f"{files[path.stem]} and {path} have the same name, so results "
                             "cannot be matched to them: rename one of them.")
    return files


def mean(scores: dict[str, Scores]) -> Scores:
    return Scores(*np.mean(list(scores.values()), axis=0).tolist())
