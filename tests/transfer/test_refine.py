"""stylize(..., refine=N): pixels optimised from the result of one pass."""

import tracemalloc
import weakref

import numpy as np
import pytest
from conftest import logged, picture

from adain import ImageError, OptionError, WeightsError, merge
from adain.commands import stylize
from adain.files import images
from adain.files.pixels import to_float
from adain.progress import Stopped
from adain.transfer import refine, tiling
from adain.transfer.descent import Descent
from adain.transfer.objective import LossWeights, Objective, Perception, Region, total_variation
from adain.transfer.refine import pad, tile_size

CONTENT, STYLE = picture(50, 70), picture(64, 64, 9)


@pytest.fixture(scope="module")
def vgg():
    return Perception("float32")


@pytest.fixture(scope="module")
def encoded(stylizer):
    return stylizer.encode_style(STYLE, refine=True)


def losses(vgg, made, style=STYLE, content=CONTENT):
    """Return the content's and the style's loss of a picture."""
    made, target = to_float(pad(made)), tiling.measure(vgg, style, 512)
    return [Objective(vgg, to_float(pad(content)), [Region(target, None)],
                      LossWeights(*weights), 512)(made, np.empty_like(made))
            for weights in ((1, 0, 0), (0, 1, 0))]


def test_iterations_bring_a_picture_nearer_to_the_style_than_one_pass(stylizer, encoded, vgg):
    before, few, many = (losses(vgg, stylizer.stylize(CONTENT, encoded, refine=count))
                         for count in (0, 3, 10))
    assert few[1] < 0.8 * before[1] and many[1] < 0.8 * few[1]
    assert many[0] < 1.1 * before[0]


def test_no_iterations_change_nothing_and_encoded_styles_are_as_good_as_pictures(stylizer, encoded):
    once = stylizer.stylize(CONTENT, STYLE)
    np.testing.assert_array_equal(stylizer.stylize(CONTENT, encoded), once)
    np.testing.assert_array_equal(stylizer.stylize(CONTENT, STYLE, refine=2),
                                  stylizer.stylize(CONTENT, encoded, refine=2))


def test_the_gradients_of_a_picture_in_tiles_with_regions_are_exact(vgg):
    content, made = (to_float(picture(104, 136, seed)) for seed in (0, 3))
    mask = np.float32(np.tile(np.linspace(0, 1, 136), (104, 1)))
    everywhere = Region(tiling.measure(vgg, STYLE, 512), None)
    halves = [Region(everywhere.target, mask), Region(everywhere.target, 1 - mask)]
    for regions in ([everywhere], halves):
        results = []
        for size in (136, 48):
            gradient = np.empty_like(made)
            results.append((Objective(vgg, content, regions, LossWeights(), size)(made, gradient),
                          gradient))
        (whole, expected), (tiles, gradient) = results
        assert tiles == pytest.approx(whole, rel=1e-3)  # the content's activations are float16
        np.testing.assert_allclose(gradient, expected, atol=2e-3 * np.abs(expected).max())


def test_alpha_moves_the_statistics_wanted(stylizer, encoded, vgg):
    to_content, half, to_style = (
        losses(vgg, stylizer.stylize(CONTENT, encoded, alpha, refine=5)) for alpha in (0, 0.5, 1))
    assert to_content[0] < half[0] < to_style[0]
    assert to_content[1] > half[1] > to_style[1]


def test_styles_mix(stylizer, encoded, vgg):
    other = stylizer.encode_style(CONTENT[::-1], refine=True)
    mixed = stylizer.stylize(CONTENT, merge([encoded, other], [1, 1]), refine=5)
    pure = stylizer.stylize(CONTENT, encoded, refine=5)
    assert losses(vgg, mixed)[1] > losses(vgg, pure)[1]
    assert losses(vgg, mixed, CONTENT[::-1])[1] < losses(vgg, pure, CONTENT[::-1])[1]


def test_each_region_takes_its_style_and_where_none_is_the_content_stays(stylizer, encoded, vgg):
    content, other = picture(64, 128), stylizer.encode_style(CONTENT[::-1], refine=True)
    masks = [np.zeros((64, 128), np.uint8) for _ in range(2)]
    masks[0][:, :56], masks[1][:, 72:] = 255, 255
    once, refined = (stylizer.stylize(content, [encoded, other], masks=masks, refine=count)
                     for count in (0, 6))
    np.testing.assert_array_equal(refined[:, 56:72], content[:, 56:72])
    for style, part in ((STYLE, slice(0, 48)), (CONTENT[::-1], slice(80, 128))):
        before, after = (losses(vgg, made[:, part], style, content[:, part])[1]
                         for made in (once, refined))
        assert after < 0.9 * before


@pytest.mark.parametrize("shape", [(1, 1), (7, 40), (33, 16)])
def test_pictures_of_any_size_are_refined(stylizer, encoded, shape):
    made = stylizer.stylize(picture(64, 64)[:shape[0], :shape[1]], encoded, refine=2)
    assert made.shape == (*shape, 3) and made.dtype == np.uint8


def test_colours_are_kept_levels_are_16_bit_and_coarse_pictures_refined(stylizer, encoded):
    kept = stylizer.stylize(CONTENT, STYLE, keep_colors="luminance", refine=2).astype(int)
    change = kept - CONTENT
    inside = (kept > 0).all(axis=2) & (kept < 255).all(axis=2)
    assert np.ptp(change[inside], axis=1).max() <= 1 and np.abs(change).max() > 10
    deep = stylizer.stylize(CONTENT, encoded, refine=2, dtype=np.uint16)
    exact = stylizer.stylize(CONTENT, encoded, refine=2, dtype=np.float32)
    assert np.abs(deep / 65535 - exact).max() < 1e-5
    counts = []

    def progress(steps):
        counts.extend([len(steps)] if isinstance(steps, range) else [])
        return steps

    stylizer.stylize(CONTENT, encoded, refine=4, coarse_size=32, progress=progress)
    assert counts == [4, 2]


def test_the_picture_before_its_padding_is_let_go(stylizer, encoded, monkeypatch):
    pictures, pad = [], refine.pad

    def padded(image):
        if image.dtype == np.float32:
            pictures.append(weakref.ref(image))
        return pad(image)

    def iterations(indices):
        yield from indices
        held.extend(each() is not None for each in pictures)

    held = []
    monkeypatch.setattr(refine, "pad", padded)
    stylizer.stylize(CONTENT[:-3], encoded, refine=1,
                     progress=lambda plan: iterations(plan) if plan == range(1) else plan)
    assert held == [False]


def test_a_progress_that_ends_early_ends_the_iterations(stylizer, encoded):
    def two(steps):
        return list(steps)[:2] if isinstance(steps, range) else steps

    np.testing.assert_array_equal(stylizer.stylize(CONTENT, encoded, refine=9, progress=two),
                                  stylizer.stylize(CONTENT, encoded, refine=2))


def test_the_last_good_picture_is_kept_where_the_loss_is_no_number(stylizer, encoded,
                                                                   monkeypatch):
    expected, call, calls = stylizer.stylize(CONTENT, encoded, refine=2), Objective.__call__, []

    def broken(self, picture, gradient):
        calls.append(0)
        loss = call(self, picture, gradient)
        return loss if len(calls) < 4 else float("nan")

    monkeypatch.setattr(Objective, "__call__", broken)
    with logged() as lines:
        made = stylizer.stylize(CONTENT, encoded, refine=9)
    assert len(calls) == 4
    assert "stopped at iteration 3, because the loss became nan" in lines[-1]
    assert np.abs(made.astype(int) - expected).max() <= 1  # undone, from float16


def test_styles_that_were_encoded_without_it_are_refused(stylizer, encoded, style, tmp_path):
    stylizer.save_style(tmp_path / "plain.npz", style)
    stylizer.save_style(tmp_path / "more.npz", encoded)
    np.testing.assert_array_equal(stylizer.encode_style(tmp_path / "more.npz", refine=True).std,
                                  encoded.std)
    np.testing.assert_array_equal(stylizer.stylize(CONTENT, tmp_path / "more.npz"),
                                  stylizer.stylize(CONTENT, tmp_path / "plain.npz"))
    with pytest.raises(OptionError, match="without the statistics for `refine`: encode it with"):
        stylizer.stylize(CONTENT, style, refine=1)
    with pytest.raises(WeightsError, match="plain.npz was encoded .*`save_style` and `refine`"):
        stylizer.stylize(CONTENT, tmp_path / "plain.npz", refine=1)
    with pytest.raises(OptionError, match="`refine` must be at least 0; received -1"):
        stylizer.stylize(CONTENT, encoded, refine=-1)


def test_tiles_are_smaller_where_memory_is_short():
    assert tile_size(512, 512, True) == 512  # at once
    assert 200 < tile_size(4500, 6000, True) < 800
    assert tile_size(1500, 2000, True, 1_200_000_000) < tile_size(1500, 2000, True)
    with pytest.raises(ImageError, match="6000 x 4500 needs .* MB; the limit is 1000"):
        tile_size(4500, 6000, True, 1_000_000_000)


def test_total_variation_is_that_of_losses_and_its_gradient_the_quotient():
    made, gradient = to_float(picture(300, 20)), np.empty((300, 20, 3), np.float32)
    loss = total_variation(made, gradient, 2.0)
    expected = sum(np.mean(np.diff(made.astype(np.float64), axis=axis)**2) for axis in (0, 1))
    assert loss == pytest.approx(expected, rel=1e-5)
    moved = np.random.default_rng(0).normal(size=made.shape).astype(np.float32) * 1e-2
    ahead, behind = (total_variation(made + sign * moved, np.empty_like(gradient), 1.0)
                     for sign in (1, -1))
    assert np.vdot(gradient, moved) == pytest.approx(ahead - behind, rel=1e-3)


def test_descent_reaches_the_minimum_inside_the_range_of_pixels():
    stiffness = np.geomspace(1, 100, 300).reshape(10, 10, 3)
    target = np.random.default_rng(0).uniform(-0.2, 0.9, stiffness.shape)
    x, descent = np.full(stiffness.shape, 0.5, np.float32), Descent(history=10)
    for _ in range(60):
        before = x.copy()
        descent.move(x, np.float32(1e-7 * stiffness * (x - target)))  # as small as of pictures
    np.testing.assert_allclose(x, np.clip(target, 0, 1), atol=0.02)
    np.testing.assert_allclose(descent.undo(x), 65535 * before, atol=2)


def test_the_state_of_a_descent_takes_no_memory_to_write_and_a_vector_to_continue():
    size = 300_000
    x, generator = np.full((100, 1000, 3), 0.5, np.float32), np.random.default_rng(0)
    descent = Descent(history=10)
    for _ in range(8):
        descent.move(x, np.float32(generator.normal(size=x.shape) + 100 * x))
    tracemalloc.start()
    try:
        state = descent.state()
        assert tracemalloc.get_traced_memory()[1] < size
        state = {name: array.copy() for name, array in state.items()}
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        Descent(10, state=state, size=size)
        assert tracemalloc.get_traced_memory()[1] - before < 2 * 2 * size
    finally:
        tracemalloc.stop()
    assert not state


@pytest.fixture
def place(tmp_path):
    images.write(tmp_path / "content" / "a.png", CONTENT)
    images.write(tmp_path / "content" / "b.png", CONTENT[::-1])
    images.write(tmp_path / "style.png", STYLE)
    return tmp_path


def paint(place, *options, content="content/a.png", model="compact"):
    return stylize.main(list(map(str, (
        "--content-path", place / content, "--style-path", place / "style.png", "--out-path",
        place / "out", "--model", model, "--precision", "float32", "--format", "png", *options))))


def test_the_command_refines_folders(place, stylizer, encoded):
    assert paint(place, "--refine", 2, content="content") == 0
    for name, content in (("a", CONTENT), ("b", CONTENT[::-1])):
        np.testing.assert_array_equal(images.read(place / "out" / f"{name}__style.png"),
                                      stylizer.stylize(content, encoded, refine=2))


@pytest.mark.parametrize("options, model, message", [
    (["--refine", "-1"], "compact", "`refine` must be at least 0; received -1"),
    (["--refine", "5"], "gatys", "--refine is not supported, because --model gatys optimizes")])
def test_what_cannot_be_refined_is_refused(place, options, model, message):
    with pytest.raises(OptionError, match=message):
        paint(place, *options, model=model)
    assert not (place / "out").exists()


def test_videos_are_not_refined(place):
    (place / "clip.mp4").write_bytes(b"")
    with pytest.raises(OptionError, match="--refine is not .*clip.mp4 is a video .*flicker"):
        paint(place, "--refine", 5, content="clip.mp4")


def test_a_stop_leaves_the_best_picture_so_far(place, monkeypatch, capsys, stylizer, encoded):
    import os
    import signal

    call, calls = Objective.__call__, []

    def interrupted(self, picture, gradient):
        calls.append(0)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return call(self, picture, gradient)

    monkeypatch.setattr(Objective, "__call__", interrupted)
    with pytest.raises(Stopped):
        paint(place, "--refine", 30)
    monkeypatch.undo()
    assert "stopped at iteration 2 of 30: the result is the best so far" in capsys.readouterr().err
    np.testing.assert_array_equal(images.read(place / "out" / "a__style.png"),
                                  stylizer.stylize(CONTENT, encoded, refine=2))
