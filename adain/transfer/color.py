"""Keep the content's colours: three methods of Gatys et al. 2016 (arXiv:1606.05897).

    style = recolor_style(style, content, mode)        # before the style is encoded
    stylized = restore_colors(stylized, content, mode)  # afterwards, pixel by pixel

Each function returns its input unchanged for modes that it does not handle, so both can always be
called. `coral` and `histogram` give the style the content's colours ("color histogram matching");
results then have the palette of the content, but not the colour of each of its pixels. `luminance`
("luminance-only transfer") keeps the chrominance of each pixel. One departure: in the paper the
content is also made grey before it is stylized.
"""

from __future__ import annotations

import numpy as np

from adain.errors import OptionError

COLOR_MODES = ("coral", "histogram", "luminance")

# Variance, in squared levels of 255, below which a principal component of the style's colours is
# only rounding and JPEG noise, which must not be amplified to the content's variance.
_NOISE_VARIANCE = 1.0
_BAND = 256  # rows converted to floats at a time
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # Y of YIQ, ITU-R BT.601
_YIQ = np.array([_LUMINANCE, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def check_color_mode(mode: str | None) -> None:
    """Raise OptionError unless `mode` is one of COLOR_MODES or None."""
    if mode is not None and mode not in COLOR_MODES:
        raise OptionError(f"`keep_colors` must be one of {', '.join(COLOR_MODES)}; "
                          f"received {mode}.")


def recolor_style(style: np.ndarray, content: np.ndarray, mode: str | None) -> np.ndarray:
    """Return the style picture to encode for this content.

    Args:
        style, content: uint8 RGB (rows, columns, 3), in any sizes.
        mode: "coral" gives the style the mean and covariance of the content's colours; "histogram"
            gives it the histogram of each channel; "luminance" makes it grey, with the mean and
            standard deviation of the content's luminance; None returns `style`.

    Returns:
        uint8 RGB (rows, columns, 3), as large as `style`.

    Raises:
        OptionError: the mode is unknown.
    """
    check_color_mode(mode)
    if mode == "coral":
        return _match_covariance(style, content)
    if mode == "histogram":
        return np.dstack([_matched_levels(style, content, channel)[style[..., channel]]
                          for channel in range(3)])
    if mode == "luminance":
        return _match_luminance(style, content)
    return style


def restore_colors(stylized: np.ndarray, content: np.ndarray, mode: str | None) -> np.ndarray:
    """Return the stylized picture with the content's chrominance for "luminance", else unchanged.

    Each pixel becomes the content's, lighter or darker by the same amount in red, green and blue,
    which changes Y in YIQ but not I and Q. Integers are clipped to their range. The function works
    on single pixels, so it can be applied to parts of a picture.

    Args:
        stylized: uint8, uint16, or float32 with white at 1, (rows, columns, 3); the result has the
            same type.
        content: uint8 RGB (rows, columns, 3).
        mode: see recolor_style().

    Raises:
        OptionError: the mode is unknown.
    """
    check_color_mode(mode)
    if mode != "luminance":
        return stylized
    import cv2

    depth, signed = cv2.CV_8U, cv2.CV_16S
    if stylized.dtype == np.uint16:
        content, depth, signed = content.astype(np.uint16) * 257, cv2.CV_16U, cv2.CV_32S
    elif stylized.dtype == np.float32:
        content, depth, signed = content.astype(np.float32) / 255, cv2.CV_32F, cv2.CV_32F
    change = cv2.subtract(cv2.cvtColor(stylized, cv2.COLOR_RGB2GRAY),
                          cv2.cvtColor(content, cv2.COLOR_RGB2GRAY), dtype=signed)
    return cv2.add(content, cv2.merge([change] * 3), dtype=depth)


def rotate_hue(image: np.ndarray, angle: float) -> np.ndarray:
    """Rotate the hue of a uint8 RGB picture by an angle in radians, in YIQ.

    Greys and luminance do not change, except where colours are clipped.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return _transform(image, np.linalg.inv(_YIQ) @ turn @ _YIQ, np.zeros(3))


def lighten(image: np.ndarray, gamma: float) -> np.ndarray:
    """Apply the curve x ** gamma to a uint8 picture: gamma below 1 lightens it, above 1 darkens."""
    import cv2

    curve = 255 * (np.arange(256) / 255) ** gamma
    return cv2.LUT(image, np.rint(curve).astype(np.uint8))


def tint(image: np.ndarray, color: np.ndarray, contrast: float) -> np.ndarray:
    """Return a uint8 RGB picture with another mean colour and contrast.

    Args:
        color: the new mean colour, (3,), from 0 to 255.
        contrast: factor of the differences from the mean.
    """
    mean, _ = _mean_and_covariance(image)
    return _transform(image, contrast * np.eye(3), color - contrast * mean)


def _mean_and_covariance(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (3,) and covariance (3, 3) of the colours, in float64."""
    import cv2

    mean = np.array(cv2.mean(image)[:3])
    colours = image.reshape(-1, 3)
    squares = cv2.mulTransposed(colours, True, dtype=cv2.CV_64F) / len(colours)
    return mean, squares - np.outer(mean, mean)


def _match_covariance(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Apply the paper's linear transfer, with symmetric square roots of the covariances."""
    style_mean, style_covariance = _mean_and_covariance(style)
    mean, covariance = _mean_and_covariance(content)
    matrix = _power(covariance, 0.5, 0) @ _power(style_covariance, -0.5, _NOISE_VARIANCE)
    return _transform(style, matrix, mean - matrix @ style_mean)


def _power(covariance: np.ndarray, exponent: float, least: float) -> np.ndarray:
    """Return a power of a symmetric matrix after raising its eigenvalues to at least `least`."""
    values, vectors = np.linalg.eigh(covariance)
    power: np.ndarray = vectors * np.maximum(values, least) ** exponent @ vectors.T
    return power


def _match_luminance(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Return the style as grey, with mean and standard deviation of the content's luminance Y."""
    style_mean, style_covariance = _mean_and_covariance(style)
    mean, covariance = _mean_and_covariance(content)
    variance, style_variance = (_LUMINANCE @ matrix @ _LUMINANCE
                                for matrix in (covariance, style_covariance))
    scale = np.sqrt(max(variance, 0) / max(style_variance, _NOISE_VARIANCE))
    matrix = np.tile(scale * _LUMINANCE, (3, 1))
    return _transform(style, matrix, _LUMINANCE @ mean - matrix @ style_mean)


def _transform(image: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return matrix @ colour + offset for each pixel, rounded and clipped to uint8."""
    import cv2

    # In float32, because OpenCV rounds the matrix to 10 bits for uint8.
    affine = np.column_stack([matrix, offset]).astype(np.float32)
    result = np.empty_like(image)
    for top in range(0, len(image), _BAND):
        moved = cv2.transform(image[top:top + _BAND].astype(np.float32), affine)
        result[top:top + _BAND] = np.clip(np.rint(moved), 0, 255)
    return result


def _matched_levels(style: np.ndarray, content: np.ndarray, channel: int) -> np.ndarray:
    """Return the lookup table, uint8 (256,), that matches a channel's histogram to the content's.

    A level of the style is mapped to the level at which the content's cumulative distribution
    reaches the middle of the step that the style's distribution makes there. So equal pictures do
    not change, and a picture of one colour gets the content's median.
    """
    import cv2

    counts, target = (
        cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel().astype(np.float64)
        for image in (style, content))
    middles = (np.cumsum(counts) - counts / 2) / counts.sum()
    levels = np.searchsorted(np.cumsum(target) / target.sum(), middles)
    table: np.ndarray = np.minimum(levels, 255).astype(np.uint8)
    return table
