"""Convert high dynamic range (PQ, HLG) to the standard range of 8-bit pictures and networks.

Light is computed in cd/m2 for a display with a peak of 1000 cd/m2 (ITU-R BT.2100), converted from
BT.2020 to BT.709 primaries, and shown on a display whose white is the reference white of HDR
video, 203 cd/m2 (BT.2408), with the gamma of 2.4 of BT.1886. To make room for highlights, light
above about 90 cd/m2 is compressed with the curve of BT.2390 (section 5.4.1), by the same factor in
all three channels, which preserves hues.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

PQ, HLG = 16, 18  # transfer characteristics of ITU-T H.273
PEAK, WHITE = 1000.0, 203.0  # cd/m2
GAMMA = 2.4
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
_TO_709 = np.array([[1.6605, -0.5876, -0.0728],
                    [-0.1246, 1.1329, -0.0083],
                    [-0.0182, -0.1006, 1.1187]], np.float32)  # BT.2087
_LEVELS = 1 << 16


def to_standard(image: np.ndarray, transfer: int) -> np.ndarray:
    """Return uint8 (rows, columns, 3) with BT.709 primaries, for BT.1886 displays.

    Args:
        image: uint16 (rows, columns, 3), full range, BT.2020 primaries.
        transfer: PQ or HLG.
    """
    light = _decoding(transfer)[image]
    if transfer == HLG:  # scene light -> display light
        light *= PEAK * np.maximum(light @ _LUMINANCE_2020, 1e-9)[..., None] ** 0.2
    light = light @ _TO_709.T
    brightest = light.max(axis=-1)
    nodes, gains = _gains()
    light *= np.interp(brightest, nodes, gains).astype(np.float32)[..., None]
    # A table over square roots has fine steps in the shadows.
    roots = np.sqrt(np.clip(light, 0, 1, out=light), out=light)
    levels: np.ndarray = _encoding()[(roots * (_LEVELS - 1) + 0.5).astype(np.uint16)]
    return levels


def pq_to_light(signal: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084: signal in [0, 1] -> cd/m2."""
    power = signal ** (32 / 2523)
    light: np.ndarray = 10000 * (np.maximum(power - 3424 / 4096, 0)
                    / (2413 / 128 - 2392 / 128 * power)) ** (16384 / 2610)
    return light


def light_to_pq(light: np.ndarray | float) -> np.ndarray:
    """cd/m2 -> signal in [0, 1]."""
    power = (np.asarray(light) / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg_to_light(signal: np.ndarray) -> np.ndarray:
    """ARIB STD-B67: signal in [0, 1] -> scene light in [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def compress(light: np.ndarray) -> np.ndarray:
    """cd/m2 up to PEAK -> cd/m2 up to WHITE, by the curve of BT.2390, defined on PQ signals."""
    most = light_to_pq(PEAK)
    signal = np.minimum(light_to_pq(light) / most, 1)
    white = light_to_pq(WHITE) / most
    knee = 1.5 * white - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    bent = ((2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
            + (3 * t**2 - 2 * t**3) * white)
    return pq_to_light(np.where(signal < knee, signal, bent) * most)


@lru_cache(2)
def _decoding(transfer: int) -> np.ndarray:
    """Return the table from signals to light, in cd/m2 (scene light for HLG)."""
    signals = np.arange(_LEVELS) / (_LEVELS - 1)
    return (pq_to_light if transfer == PQ else hlg_to_light)(signals).astype(np.float32)


@lru_cache(1)
def _gains() -> tuple[np.ndarray, np.ndarray]:
    """Return the factors for light as a function of the brightest channel, in units of WHITE."""
    nodes = np.concatenate([np.linspace(1, PEAK, 1000), np.geomspace(PEAK, 10000, 100)[1:]])
    return nodes, compress(nodes) / nodes / WHITE


@lru_cache(1)
def _encoding() -> np.ndarray:
    """Return the table from square roots of light to levels."""
    roots = np.arange(_LEVELS) / (_LEVELS - 1)
    return (roots ** (2 / GAMMA) * 255 + 0.5).astype(np.uint8)
