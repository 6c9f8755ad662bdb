"""Recipes are read with the types of the options they set, or refused in one line."""

import pytest
from conftest import ROOT

pytest.importorskip("yaml")
from adain.errors import OptionError
from adain.training import recipe_file
from adain.training.config import TrainConfig

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def read(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    return recipe_file.read(tmp_path / "a.yaml")


def test_values_have_the_types_of_their_options(tmp_path):
    [phase] = read(tmp_path, "version: 1\nlearning_rate: 1e-4\nstyle_weight: 2\njit: on\n"
                             "gram: true\nclip_norm: null\nstyle_layer_weights: [8, 4.5, 2, 1e0]\n"
                             "batch_size: 4\nvgg_path: 'true'\npicture_cache: 4\n").phases
    assert phase.name == "" and phase.settings == {
        "learning_rate": 1e-4, "style_weight": 2.0, "jit": "on", "gram": True, "clip_norm": None,
        "style_layer_weights": (8.0, 4.5, 2.0, 1.0), "batch_size": 4, "vgg_path": "true",
        "picture_cache": 4.0}
    assert {type(phase.settings[name]) for name in ("style_weight", "picture_cache")} == {float}


def test_phases_have_what_all_share_and_their_own(tmp_path):
    recipe = read(tmp_path, """
version: 1
method: johnson
checkpoint: runs/a
log_path: logs
continue_from: compact
batch_size: 4
phases:
- {name: first, max_iter: 3}
- {name: second, batch_size: 2}
- {name: mean, average: {first: 0.25, second: 0.75}}
""")
    first, second, mean = recipe.phases
    assert recipe.method == "johnson"
    assert first.settings == {"checkpoint": "runs/a", "batch_size": 4, "max_iter": 3,
                              "log_path": "logs", "continue_from": "compact"}
    assert second.settings == {"checkpoint": "runs/a", "batch_size": 2, "log_path": "logs"}
    assert mean.average == {"first": 0.25, "second": 0.75}


@pytest.mark.parametrize("text, message", [
    ("batch_size: 4", "needs the key version: 1, .* received none"),
    ("version: 2", "needs the key version: 1, which this program reads; received 2"),
    ("version: 1\nbatchsize: 4", "a.yaml: there is no key batchsize; the nearest is batch_size"),
    ("version: 1\nallow_changes: true", "there is no key allow_changes"),
    ("version: 1\nbatch_size: four", "batch_size must be a whole number; received 'four'"),
    ("version: 1\nbatch_size: true", "batch_size must be a whole number; received True"),
    ("version: 1\nbatch_size: 4.0", "batch_size must be a whole number; received 4.0"),
    ("version: 1\nbatch_size: null", "batch_size must be a whole number; received None"),
    ("version: 1\nlearning_rate: fast", "learning_rate must be a number; received 'fast'"),
    ("version: 1\ngram: on", "gram must be true or false; received 'on'"),
    ("version: 1\ncontent_path: [a, b]", "content_path must be a text"),
    ("version: 1\nstyle_layer_weights: 8", "style_layer_weights must be a list; received 8"),
    ("version: 1\nbatch_size: 4\nbatch_size: 5", "the key batch_size is there twice, line 3"),
    ("version: 1\nbatch_size: [", "is no YAML: .*, line 2"),
    ("version: 1\ngram: !!python/object/apply:os.system [ls]", "is no YAML: could not determine"),
    ("- a", "a.yaml is no recipe"), ("", "a.yaml is no recipe"),
    ("version: 1\nphases: 3", "phases must be a list"),
    ("version: 1\nphases: [3]", "phase 1 must have keys and values"),
    ("version: 1\nphases: [{max_iter: 3}]", "phase 1 needs a name .* received None"),
    ("version: 1\nphases: [{name: ../x}]", "phase 1 needs a name of letters"),
    ("version: 1\nphases: [{name: a}, {name: a}]", "phase 2: the name a is taken"),
    ("version: 1\nphases: [{name: a, phase: b}]", r"phase 1 \(a\): there is no key phase"),
    ("version: 1\nphases: [{name: a, checkpoint: b}]", r"\(a\): there is no key checkpoint"),
    ("version: 1\nphases: [{name: a}, {name: b, continue_from: c}]", "leave out continue_from"),
    ("version: 1\nphases: [{name: a}, {name: b, average: {a: 1}}]", "share of two earlier phases"),
    ("version: 1\nphases: [{name: a}, {name: b, average: {a: 0.5, b: 0.5}}]",
     "b is no earlier phase"),
    ("version: 1\nphases: [{name: one}, {name: b}, {name: c, average: {on: 0.5, b: 0.5}}]",
     "on is no earlier phase; the nearest is one"),
    ("version: 1\nphases: [{name: a}, {name: b}, {name: c, average: {a: 0.5, b: 0.4}}]",
     "must add up to 1; received 0.5, 0.4"),
    ("version: 1\nphases: [{name: a}, {name: b}, {name: c, average: {a: 1, b: 0}, seed: 3}]",
     "averages weights, for which seed has no meaning")])
def test_what_is_not_understood_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(OptionError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        recipe_file.read(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_shipped_recipes_are_trainings(path):
    recipe = recipe_file.read(path)
    fields = TrainConfig.__dataclass_fields__
    for phase in recipe.phases:
        TrainConfig(**{name: value for name, value in phase.settings.items() if name in fields})
    assert {"published", "vgg19", "compact", "johnson"} == {path.stem for path in RECIPES}


def test_the_published_recipe_has_the_defaults():
    [phase] = recipe_file.read(ROOT / "recipes" / "published.yaml").phases
    for name, value in phase.settings.items():
        assert name == "checkpoint" or value == getattr(TrainConfig(), name), name
