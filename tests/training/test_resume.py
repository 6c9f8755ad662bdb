"""A run that is resumed is the same run, or says what differs."""

import dataclasses
import json

import pytest
from conftest import logged

from adain.errors import OptionError
from adain.networks.checkpoint import Checkpoint
from adain.training.config import TrainConfig
from adain.training.resume import check_changes, describe_pictures

CONFIG = TrainConfig(model="compact")


def changes(before, now, allowed=False, data_before=None, data=None):
    """Return what is said when a run with some options is resumed with others."""
    options = json.loads(json.dumps(dataclasses.asdict(dataclasses.replace(CONFIG, **before))))
    with logged() as lines:
        check_changes(Checkpoint("run/step_0000004", {"options": options,
                                                      "data": data_before or {}}),
                      dataclasses.replace(CONFIG, **now), data or {}, allowed)
    return lines


@pytest.mark.parametrize("name, value", [
    ("batch_size", 4), ("seed", 1), ("learning_rate", 1e-3), ("style_weight", 0.5),
    ("crop_size", 128), ("gram", True), ("precision", "float32"), ("vgg_path", "x.h5"),
    ("style_layer_weights", (8.0, 4.0, 2.0, 1.0)), ("validation_split", 0.1),
    ("optimizer", "muon"), ("clip_norm", 1.0), ("reconstruction_iter", 5)])
def test_what_would_make_it_another_run_is_refused_unless_allowed(name, value):
    with pytest.raises(OptionError, match=rf"was trained with `{name}=.*\(now .*`allow_changes`"):
        changes({}, {name: value})
    assert changes({name: value}, {name: value}) == []
    [line] = changes({}, {name: value}, allowed=True)
    assert f"`{name}=" in line


def test_all_that_differs_is_named_at_once():
    with pytest.raises(OptionError, match=r"`batch_size=8` \(now 4\), .*`seed=0` \(now 3\)"):
        changes({}, {"batch_size": 4, "seed": 3})


def test_going_on_longer_and_saving_more_often_is_free():
    assert changes({}, {"max_iter": 9, "save_iter": 9, "summary_iter": 9, "keep": 9}) == []


def test_more_steps_of_a_cosine_are_said_to_change_the_rates():
    [line] = changes({"lr_schedule": "cosine"}, {"lr_schedule": "cosine", "max_iter": 9})
    assert "`max_iter=160000` (now 9): with `lr_schedule=cosine` this changes the lea" in line


def test_what_changes_only_the_rounding_is_said():
    [line] = changes({}, {"jit": "on"})
    assert "`jit=auto` (now on)" in line


def test_checkpoints_that_lack_a_new_option_have_its_default():
    with pytest.raises(OptionError, match=r"trained with `ema=0.0` \(now 0.9\)"):
        check_changes(Checkpoint("run", {"options": {"model": "compact"}}),
                      dataclasses.replace(CONFIG, ema=0.9), {}, False)


def test_checkpoints_that_lack_an_option_are_resumed():
    check_changes(Checkpoint("run", {"options": {"model": "compact"}}), CONFIG, {}, False)


def test_pictures_are_compared_wherever_their_folder_is(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place / "sub").mkdir(parents=True)

    def describe(place, *names):
        return {"content_path": describe_pictures(tmp_path / place,
                                                  [tmp_path / place / name for name in names])}

    before = describe("one", "a.jpg", "sub/b.jpg")
    assert changes({}, {}, data_before=before, data=describe("two", "sub/b.jpg", "a.jpg")) == []
    for names in (("a.jpg",), ("a.jpg", "b.jpg")):
        with pytest.raises(OptionError, match=r"2 pictures in `content_path` \(now"):
            changes({}, {}, data_before=before, data=describe("one", *names))
