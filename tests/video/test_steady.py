"""Smoothing over time: what is removed from each frame, and when it starts again."""

from concurrent.futures import ThreadPoolExecutor
from math import exp

import numpy as np
import pytest
from conftest import picture

from adain import Stylizer
from adain.measuring import flicker
from adain.networks.stats import interpolate
from adain.video import steady


def own(stylizer, style, image):
    return stylizer.engine.transfer(image.astype(np.float32) / 255, style, 1.0)[1]


def darker(image, factor):
    return (image * factor).astype(np.uint8)


def test_without_smoothing_every_frame_is_on_its_own(stylizer, style):
    single = steady.SteadyStylizer(stylizer, style, 0.7, smoothing=0)
    for index in range(3):
        image = picture(50, 60, index)
        np.testing.assert_array_equal(single.stylize(image, index / 25),
                                      stylizer.stylize(image, style, 0.7))


def test_what_is_removed_is_the_exponential_mean(stylizer, style, monkeypatch):
    monkeypatch.setattr(steady, "STILL", -1.0)  # all pixels move: the frames are seen as they are
    monkeypatch.setattr(steady, "MOVING", -0.5)
    monkeypatch.setattr(steady, "CUT", 9.0)
    first, second = picture(48, 64), darker(picture(48, 64), 0.7)
    smooth = steady.SteadyStylizer(stylizer, style, smoothing=2.0)
    np.testing.assert_array_equal(smooth.stylize(first, 10.0), stylizer.stylize(first, style))
    shown = smooth.stylize(second, 10.5)
    share = 1 - exp(-0.5 / 2.0)
    mean = interpolate(own(stylizer, style, first), own(stylizer, style, second), share)
    expected = steady.tiling.stylize(stylizer.engine, second, style, 1.0, 1536, content=mean)
    assert abs(shown.astype(int) - expected).max() <= 1  # rounding
    assert abs(shown.astype(int) - stylizer.stylize(second, style)).max() > 5


def test_the_rate_of_the_frames_does_not_matter(stylizer, style):
    """Half a second in five steps or in fifty: the same share of the past is left."""
    remains = []
    for steps in (5, 50):
        share = steady._share(0.5 / steps, 1.0)
        remains.append((1 - share) ** steps)
    assert remains == pytest.approx([exp(-0.5)] * 2)


def test_a_cut_starts_again(stylizer, style):
    smooth = steady.SteadyStylizer(stylizer, style)
    before, after = picture(64, 96, 0), np.full((64, 96, 3), (20, 30, 90), np.uint8)
    after[20:30] = 200
    smooth.stylize(before, 0.0)
    smooth.stylize(before, 0.04)
    assert smooth.cuts == 0
    np.testing.assert_array_equal(smooth.stylize(after, 0.08), stylizer.stylize(after, style))
    assert smooth.cuts == 1


def test_motion_and_light_are_no_cuts(stylizer, style):
    image = picture(200, 300)
    smooth = steady.SteadyStylizer(stylizer, style)
    for index in range(6):
        smooth.stylize(darker(image[:128, 8 * index:8 * index + 160], 1 - index / 20), index / 25)
    assert smooth.cuts == 0


def test_large_frames_are_smoothed_in_tiles_as_in_one(style):
    """4K needs tiles; what comes out is the same."""
    results = []
    for tile_size in (1536, 64):
        stylizer = Stylizer("compact", precision="float32", tile_size=tile_size)
        smooth = steady.SteadyStylizer(stylizer, style)
        results.append([smooth.stylize(darker(picture(120, 200), level), index / 25).astype(int)
                        for index, level in enumerate((1, 0.9, 0.5, 0.6))])
        assert smooth.cuts == 1  # at half the light
    # 1: values near the border between two levels
    assert max(abs(one - other).max() for one, other in zip(*results)) <= 1


def test_pixels_that_stay_lose_their_noise_and_those_that_move_do_not_lag():
    generator = np.random.default_rng(0)
    scene = picture(64, 96).astype(np.float32) / 255

    def shot():
        return scene + generator.normal(0, 5 / 255, scene.shape).astype(np.float32)

    seen = shot()
    for _ in range(20):
        seen = steady.calm(seen, shot(), 0.2)
    # the mean with share s has s / (2 - s) of the variance: a third of the deviation
    assert (seen - scene).std() == pytest.approx(5 / 255 / 3, rel=0.1)
    moved = shot()
    moved[20:50, 30:60] = 1 - moved[20:50, 30:60]
    after = steady.calm(seen, moved, 0.2)
    clear = abs(moved - seen).mean(axis=2) > 0.2
    assert clear.sum() > 300 and abs(after - moved)[clear].max() < 0.02
    assert abs(after - moved)[:10].mean() > 0.01  # elsewhere still the mean


def test_threads_share_a_stylizer(style):
    """Two videos at once, beside single pictures: each gives what it gives alone."""
    stylizer = Stylizer("compact", precision="float32")

    def video(seed):
        smooth = steady.SteadyStylizer(stylizer, style)
        return [smooth.stylize(picture(64 + 8 * seed, 96, seed), index / 25) for index in range(12)]

    def pictures(seed):
        return [stylizer.stylize(picture(64 + 8 * seed, 96, seed + index), style)
                for index in range(12)]

    tasks = [(video, 0), (video, 1), (pictures, 2)]
    alone = [task(seed) for task, seed in tasks]
    with ThreadPoolExecutor(3) as executor:
        together = [executor.submit(task, seed) for task, seed in tasks]
    for ours, shown in zip(alone, together):
        # 1: rounding, as sums may go in another order
        assert max(abs(one.astype(int) - other).max()
                   for one, other in zip(ours, shown.result())) <= 1


def test_frames_are_not_modified(stylizer, style):
    smooth = steady.SteadyStylizer(stylizer, style)
    image = picture(48, 64)
    for index in range(3):
        smooth.stylize(image, index / 25)
    np.testing.assert_array_equal(image, picture(48, 64))


def test_flicker_of_known_changes():
    black = np.zeros((80, 80, 3), np.uint8)
    assert flicker.flicker([black, black + 3, black + 1]) == (2.5, 2.5)  # |3| and |-2|
    checks = np.indices((80, 80)).sum(axis=0)[..., None] % 2 * np.full(3, 10)
    assert flicker.flicker([black, checks]) == (5, 5)
    assert flicker.flicker([checks, 10 - checks]) == (10, 0)  # no block changes its mean


def test_known_motion_is_no_flicker():
    image = picture(120, 200)
    views = [image[2 * index:80 + 2 * index, 5 * index:100 + 5 * index] for index in range(4)]
    assert flicker.flicker(views, (2, 5)) == (0, 0)
    assert flicker.flicker(views, (5, 2)).pixels > 10


# In the pan the strokes move with the grid of the networks: smoothing must not make it worse.
@pytest.mark.parametrize("name, gain", [("noise", 3), ("passer", 1.4), ("pan", 0.99)])
def test_smoothing_lessens_flicker(stylizer, style, name, gain):
    alone, smooth = (flicker.measure(stylizer, picture(400, 680), style, name, seconds, 6)
                     for seconds in (0, 1))
    assert smooth.pixels < alone.pixels / gain and smooth.blocks < alone.blocks * 1.05
