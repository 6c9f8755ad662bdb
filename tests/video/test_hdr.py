"""High dynamic range: curves against their standards, hues against a way there and back."""

import numpy as np
import pytest

from adain.video import hdr


def test_curves_have_their_standards_values():
    # ST 2084; BT.2408, table 1: white and 18 % grey of PQ are 58 % and 38 %; HLG 75 % and 38 %
    np.testing.assert_allclose(hdr.pq_to_light(np.array([0, 0.58, 0.38, 1])),
                               [0, 203, 26, 10000], rtol=0.02)
    np.testing.assert_allclose(hdr.hlg_to_light(np.array([0, 0.5, 1])), [0, 1 / 12, 1], atol=1e-6)
    np.testing.assert_allclose(1000 * hdr.hlg_to_light(np.array([0.75, 0.38])) ** 1.2, [203, 26],
                               rtol=0.02)
    light = np.geomspace(0.01, 10000, 50)
    np.testing.assert_allclose(hdr.pq_to_light(hdr.light_to_pq(light)), light, rtol=1e-6)


def test_compression_keeps_the_shadows_and_reaches_white_at_the_peak():
    dark = np.linspace(0.01, 85, 30)
    np.testing.assert_allclose(hdr.compress(dark), dark, rtol=1e-6)
    bright = hdr.compress(np.linspace(85, 1000, 200))
    assert (np.diff(bright) > 0).all() and bright[-1] == pytest.approx(203, rel=1e-3)
    assert hdr.compress(np.array([4000.0]))[0] == pytest.approx(203, rel=1e-3)


@pytest.mark.parametrize("transfer", [hdr.PQ, hdr.HLG])
def test_dim_colours_come_back_and_bright_ones_keep_their_hue(transfer):
    colours = np.array([(128, 128, 128), (150, 30, 20), (20, 120, 60), (25, 35, 140)])
    for brighter in (1, 3):
        light = brighter * 203 * (colours / 255) ** 2.4 @ np.linalg.inv(hdr._TO_709).T
        if transfer == hdr.PQ:
            signals = hdr.light_to_pq(light)
        else:
            luminance = (light / 1000) @ hdr._LUMINANCE_2020
            scene = light / 1000 / luminance[:, None] ** (1 - 1 / 1.2)
            signals = np.interp(scene, hdr.hlg_to_light(np.linspace(0, 1, 9999)),
                                np.linspace(0, 1, 9999))
        image = np.round(signals * 65535).astype(np.uint16)[None]
        found = hdr.to_standard(image, transfer)[0]
        if brighter == 1:
            np.testing.assert_allclose(found, colours, atol=2)
        else:
            ratio = (found / 255) ** 2.4 / (colours / 255) ** 2.4
            assert (ratio > 1.4).all()
            np.testing.assert_allclose(ratio / ratio.max(axis=1, keepdims=True), 1, atol=0.08)
