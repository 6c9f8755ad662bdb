"""What holds for the package as a whole: its layers, its style, what it ships."""

import ast
import re
import subprocess
import sys

import pytest
from conftest import ROOT

import adain
from adain.networks import weights
from adain.networks.architecture import PRESETS

FILES = sorted((ROOT / "adain").rglob("*.py"))
# A module imports, also within functions, only from its own room and those before it.
ROOMS = ("errors", "options", "progress", "memory", "recently_used", "files", "networks",
         "transfer", "video", "training", "methods", "jobs", "export", "web", "measuring",
         "commands", "entry_points", "__main__")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_to_lower_rooms(path):
    room = path.relative_to(ROOT / "adain").parts[0].removesuffix(".py")
    for module in re.findall(r"^ *(?:from|import) adain\.(\w+)", path.read_text(), re.M):
        assert room == "__init__" or ROOMS.index(module) <= ROOMS.index(room), module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_assert_and_no_pickle_in_the_package(path):
    text = path.read_text()
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(text)))
    assert "allow_pickle=True" not in text and "import pickle" not in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_errors_of_the_library_name_parameters_not_flags(path):
    if "commands" not in path.parts:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise):
                assert not re.search(r"(?<![-\w])--[a-z]", ast.unparse(node)), ast.unparse(node)


def test_public_names_load():
    for name in adain.__all__:
        assert getattr(adain, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Stylist'"):
        getattr(adain, "Stylist")  # noqa: B009


def test_help_loads_no_framework():
    """help() looks at every public name."""
    code = ("import pydoc, sys, adain\n"
            "assert 'class Stylizer' in pydoc.plain(pydoc.render_doc(adain))\n"
            "print([name for name in ('tensorflow', 'keras', 'torch', 'jax', 'tensorboard', 'h5py',"
            "'openvino') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
