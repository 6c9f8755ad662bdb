"""What holds for the package as a whole: its layers, its style, what it ships."""

import ast
import re

import pytest
from conftest import ROOT

import adain
from adain import weights
from adain.architecture import PRESETS

FILES = sorted((ROOT / "adain").rglob("*.py"))
# From the ground up; a module may import, at its top level, only from the layers below its own.
LAYERS = [
    {"room", "errors", "runtime", "energy", "cpu", "memory", "hdr", "keras_h5"},
    {"atomic", "sample_range"},
    {"float_tiff", "image_formats", "image_metadata"},
    {"image_reader", "image_writer"},
    {"stats", "architecture", "images", "color", "clips", "bad_files", "naming", "array_files",
     "folder_lock"},
    {"torch7"},
    {"published_weights"},
    {"find", "weights", "ops", "config", "optimizers", "progress", "evolution", "deinterlace",
     "clip_file", "webm_alpha"},
    {"convolutions", "network_cache", "clip_source", "devices", "picture_cache"},
    {"graphs", "compiled", "loader"},
    {"engine", "model", "losses", "muon", "data", "checkpoint", "events", "history",
     "distribution"},
    {"gatys_config", "clip_sink", "resume"},
    {"tiling", "stylefile"},
    {"features", "recorder", "inversion", "training_model"},
    {"stylizer", "trainer", "batch", "gatys_loss"},
    {"steady", "gatys", "johnson", "style_reader"},
    {"video", "webcam", "johnson_training"},
    {"recipe", "comparison"},
    {"sheet"},
    {"commands", "normalisation", "metrics", "flicker", "prepare", "report"},
    {"comparison_page"},
    {"benchmark"},
]
# These have a main().
PROGRAMS = {"johnson", "normalisation", "metrics", "flicker", "benchmark", "prepare", "report"}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imported(tree):
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "adain":
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports_go_downwards(path):
    name = path.relative_to(ROOT / "adain").parts[0].removesuffix(".py")
    if name in ("__init__", "models"):  # the public names; scripts
        return
    for other in imported(ast.parse(path.read_text())):
        if other in LEVEL and other != name:
            below = LEVEL[other] < LEVEL[name] or name in PROGRAMS
            assert below, f"{name} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_assert_and_no_pickle_in_the_package(path):
    text = path.read_text()
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(text)))
    assert "allow_pickle=True" not in text and "import pickle" not in text


def test_public_names_load():
    for name in adain.__all__:
        assert getattr(adain, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Stylist'"):
        getattr(adain, "Stylist")  # noqa: B009


@pytest.mark.parametrize("model", PRESETS)
def test_shipped_weights_have_the_preset_s_shapes(model):
    weights.load_encoder(model)
    weights.load_decoder(model)


def test_shipped_weights_are_small():
    sizes = {path.name: path.stat().st_size / 1e6 for path in weights.MODELS.glob("*.npz")}
    assert sizes["vgg19_encoder.npz"] < 4 and sizes["vgg19_decoder.npz"] < 4
    assert sizes["compact.npz"] < 2


@pytest.mark.parametrize("folder", ["inputs", "styles"])
def test_every_sample_picture_has_its_source_stated(folder):
    pictures = {path.name for path in (ROOT / folder).glob("*.jpg")}
    named = set(re.findall(r"[a-z0-9_]+\.jpg", (ROOT / folder / "SOURCES.md").read_text()))
    assert pictures and pictures == named & pictures
