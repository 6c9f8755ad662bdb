"""The iterative method on pictures of a few pixels, with the shipped VGG19, in float32."""

import dataclasses
import os
import signal

import numpy as np
import pytest
from conftest import logged, picture
from PIL import Image

from adain.errors import OptionError, WeightsError
from adain.files.pixels import to_float
from adain.methods.gatys import method as gatys
from adain.methods.gatys.config import GatysConfig, levels
from adain.methods.gatys.loss import Objective, compiled
from adain.methods.gatys.method import optimise

CONFIG = GatysConfig(iterations=6, precision="float32")
CONTENT, STYLE = picture(32, 40), picture(48, 32, seed=5)


@pytest.fixture(scope="module")
def tile_losses():
    return compiled(CONFIG)


@pytest.fixture(scope="module")
def objective(tile_losses):
    return Objective(tile_losses, to_float(CONTENT), to_float(STYLE))


def test_keras_computes_the_same():
    pytest.importorskip("tensorflow")
    layers = {"content_layers": ("relu3_1", "relu4_1"), "style_layers": ("relu1_1", "relu3_1")}
    x, found = to_float(picture(48, 64, seed=1)), []
    for engine in ("openvino", "keras"):
        config = dataclasses.replace(CONFIG, engine=engine, tile_size=32, **layers)
        found.append(Objective(compiled(config), to_float(picture(48, 64)), to_float(STYLE))(x))
    ours, theirs = found
    assert ours.losses == pytest.approx(theirs.losses, rel=1e-4)
    np.testing.assert_allclose(ours.gradient, theirs.gradient,
                               atol=1e-4 * np.abs(theirs.gradient).max())


def test_gradient_equals_finite_differences(objective):
    x = to_float(picture(32, 40, seed=1))
    gradient = objective(x).gradient
    # One value at a time, the steepest ones, where the change is large against float32's rounding;
    # then all of them at once, by a step so short that few ReLUs and poolings switch.
    directions = [(np.zeros_like(x), 1e-3) for _ in range(3)]
    for (one, _), index in zip(directions, np.argsort(-np.abs(gradient).ravel())):
        one.ravel()[index] = 1
    for direction, step in [*directions, (np.sign(gradient), 3e-5)]:
        step = np.float32(step)
        change = objective(x + step * direction).total - objective(x - step * direction).total
        assert change / (2 * step) == pytest.approx(np.vdot(gradient, direction), rel=0.01)


def test_losses_of_the_content_and_of_the_style_itself(objective, tile_losses):
    of_content = objective(to_float(CONTENT)).losses
    assert of_content["content"] == 0 and of_content["style"] > 1
    of_style = Objective(tile_losses, to_float(STYLE), to_float(STYLE))(to_float(STYLE)).losses
    assert of_style["style"] == pytest.approx(0, abs=1e-6)
    total = (CONFIG.content_weight * of_content["content"]
             + CONFIG.style_weight * of_content["style"] + CONFIG.tv_weight * of_content["tv"])
    assert of_content["total"] == pytest.approx(total)


def test_tiles_equal_the_whole_picture(tile_losses, monkeypatch):
    content, style = to_float(picture(96, 80)), to_float(picture(64, 104, seed=3))
    x = to_float(picture(96, 80, seed=9))
    whole = Objective(tile_losses, content, style)(x)
    monkeypatch.setattr(tile_losses, "config", dataclasses.replace(CONFIG, tile_size=48))
    tiled = Objective(tile_losses, content, style)(x)
    assert tiled.losses == pytest.approx(whole.losses, rel=1e-4)  # sums in another order
    largest = np.abs(whole.gradient).max()
    np.testing.assert_allclose(tiled.gradient, whole.gradient, atol=1e-4 * largest)
    monkeypatch.setattr("adain.methods.gatys.loss.ENCODER_HALO", 8)  # too little
    narrow = Objective(tile_losses, content, style)(x)
    assert np.abs(narrow.gradient - whole.gradient).max() > 1e-2 * largest


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_loss_falls(optimizer):
    with logged() as lines:
        optimise(CONTENT, STYLE, dataclasses.replace(CONFIG, optimizer=optimizer, iterations=30),
                 report_iter=1)
    totals = [float(line.split("total ")[1].split()[0]) for line in lines]
    thirds = [np.mean(part) for part in np.array_split(totals, 3)]
    assert thirds[0] > thirds[1] > thirds[2] and totals[-1] < 0.5 * totals[0]


@pytest.mark.parametrize("start", ["content", "noise", "picture"])
def test_result_is_as_large_as_the_content_whatever_the_style(start):
    content, style = picture(21, 35), picture(50, 19, seed=2)
    given = picture(10, 60) if start == "picture" else None
    config = dataclasses.replace(CONFIG, start="content" if given is not None else start,
                                 iterations=2, coarse_size=16)
    result = optimise(content, style, config, start=given)
    assert result.shape == content.shape and result.dtype == np.uint8


def stop_at_iteration(number, config, state_path):
    """Return the picture of a run that Ctrl-C ends there."""
    class Interrupt(list):
        def append(self, line):
            if line.startswith(f"iteration {number}/"):
                os.kill(os.getpid(), signal.SIGINT)

    with logged(Interrupt()):
        return optimise(CONTENT, STYLE, config, state_path=state_path, report_iter=1)


@pytest.mark.parametrize("optimizer, stops", [("adam", [11]), ("lbfgs", [3, 11])])
def test_stop_and_restore_equals_uninterrupted(tmp_path, optimizer, stops):
    config = dataclasses.replace(CONFIG, optimizer=optimizer, iterations=12, coarse_size=16)
    assert len(levels(32, 40, 16, 12)) == 2
    whole = optimise(CONTENT, STYLE, config)
    for stop_at in stops:  # in the first level, and in the second
        path = tmp_path / f"{stop_at}.npz"

        stopped = stop_at_iteration(stop_at, config, path)
        assert stopped.shape == CONTENT.shape and (stopped != whole).any()
        restored = optimise(CONTENT, STYLE, config, state_path=path, restore=True)
        np.testing.assert_array_equal(restored, whole)
        assert not path.exists()  # it is finished


def test_restore_refuses_another_run_and_says_what_differs(tmp_path):
    path = tmp_path / "state.npz"
    config = dataclasses.replace(CONFIG, iterations=3)
    stop_at_iteration(2, config, path)
    again = {"state_path": path, "restore": True}
    with pytest.raises(OptionError, match="with another style. Use"):
        optimise(CONTENT, CONTENT, config, **again)
    with pytest.raises(OptionError, match="another content; style_weight 0.01 .now 1.0."):
        optimise(STYLE, STYLE, dataclasses.replace(config, style_weight=1.0), **again)
    with pytest.raises(OptionError, match="no state"):
        optimise(CONTENT, STYLE, config, state_path=tmp_path / "none.npz", restore=True)
    with np.load(path) as file:
        stored = dict(file)
    for spoilt in ({"picture": np.zeros((8, 8, 3))}, {"best": np.full(CONTENT.shape, np.nan)},
                   {"step": np.zeros(3)}, {"optimizer/x": np.zeros(3)}, {"optimizer/y": 1}):
        np.savez(path, **stored | spoilt)
        with pytest.raises(WeightsError, match="not a readable state"):
            optimise(CONTENT, STYLE, config, **again)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(WeightsError, match="not a readable state"):
        optimise(CONTENT, STYLE, config, **again)


def test_evolution_is_pictures_and_an_animation(tmp_path):
    config = dataclasses.replace(CONFIG, iterations=4, coarse_size=16)
    result = optimise(CONTENT, STYLE, config, evolution=tmp_path / "e", evolution_iter=2)
    names = sorted(path.name for path in (tmp_path / "e").iterdir())
    assert names == ["evolution.gif", *(f"iteration_000000{step}.jpg" for step in (0, 2, 4))]
    with Image.open(tmp_path / "e" / "evolution.gif") as animation:
        assert animation.n_frames == 3 and animation.size == (40, 32)
    last = np.asarray(Image.open(tmp_path / "e" / "iteration_0000004.jpg")).astype(float)
    assert np.abs(last - result).mean() < 4  # JPEG
    with pytest.raises(OptionError, match="already has the pictures"):
        optimise(CONTENT, STYLE, config, evolution=tmp_path / "e")


def test_levels_double_up_to_the_picture_and_share_the_iterations():
    plan = levels(1080, 1920, 512, 1000)
    assert [(level.rows, level.columns) for level in plan] == [(270, 480), (540, 960), (1080, 1920)]
    assert [level.stop - level.start for level in plan] == [692, 231, 77]
    assert [level.columns for level in levels(400, 533, 512, 10)] == [533]
    for iterations in range(1, 60):
        plan = levels(1000, 4096, 512, iterations)
        assert min(level.stop - level.start for level in plan) >= 1
        assert len(plan) == min(4, iterations)
        assert plan[-1].columns == 4096 and plan[-1].stop == iterations


def test_the_style_is_shrunk_to_the_picture_but_never_enlarged():
    style = picture(60, 120)
    assert gatys.shrink_style(style, 40, 1.0).shape == (20, 40, 3)
    assert gatys.shrink_style(style, 40, 0.5).shape == (10, 20, 3)
    assert gatys.shrink_style(style, 400, 1.0) is style


@pytest.mark.parametrize("change", [{"iterations": 0}, {"style_weight": -1}, {"optimizer": "sgd"},
                                    {"start": "sky"}, {"content_layers": ("relu5_1",)},
                                    {"style_layers": ()}, {"learning_rate": 0}, {"tile_size": 20},
                                    {"engine": "torch"}, {"precision": "int8"}])
def test_impossible_settings_are_refused(change):
    with pytest.raises(OptionError, match="received"):
        dataclasses.replace(CONFIG, **change)
