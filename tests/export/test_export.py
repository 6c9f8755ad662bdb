"""Exported files compute what Stylizer does, in their own runtimes."""

import dataclasses
import importlib
import json

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain import Stylizer
from adain.commands import export as command
from adain.errors import OptionError, WeightsError
from adain.export import formats, source
from adain.export.parity import LIMIT
from adain.export.parts import PARTS
from adain.methods.johnson import network as johnson
from adain.networks import checkpoint, weights

ENDINGS = [ending or "folder" for ending in formats.FORMATS]


def target(tmp_path, ending):
    """Return a path of that format, where what writes and runs it is installed."""
    path = tmp_path / ("model" if ending == "folder" else f"model{ending}")
    for module in formats.of(path).needs:
        pytest.importorskip(module)
    return path


@pytest.fixture(scope="module")
def compact():
    return source.load("compact")


@pytest.fixture(scope="module")
def johnson_file(tmp_path_factory):
    path, generator = tmp_path_factory.mktemp("johnson") / "network.npz", np.random.default_rng(0)
    johnson.save(path, {name: generator.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape)
                        for name, shape in johnson.shapes().items()}, {"style_name": "red.png"})
    return path


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_part_equals_stylizer(compact, tmp_path, ending, part):
    path = target(tmp_path, ending)
    found = formats.export(compact, compact.plan(part), path)
    assert found.largest <= LIMIT and path.exists()
    assert {file.name for file in tmp_path.iterdir()} <= {path.name, "model.bin"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_network_of_one_style_equals_itself_here(johnson_file, tmp_path, ending):
    path, network = target(tmp_path, ending), source.load(str(johnson_file))
    assert formats.export(network, network.plan(), path).largest <= LIMIT
    with pytest.raises(OptionError, match="only the part stylize; received `part=style`"):
        network.plan("style")
    with pytest.raises(OptionError, match="int8.*float32 or float16"):
        network.plan(precision="int8")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_checkpoint_equals_itself_here(tmp_path, ending):
    path, networks = target(tmp_path, ending), weights.load("compact")
    altered = {layer: (kernel * 1.1, bias) for layer, (kernel, bias) in networks.encoder.items()}
    checkpoint.save(tmp_path / "run", {"step": 7, "options": {"model": "compact"}}, altered,
                    networks.decoder, [], keep=1)
    found = source.load(str(tmp_path / "run"))
    assert "step 7" in found.name
    assert formats.export(found, found.plan(), path).largest <= LIMIT
    with pytest.raises(OptionError, match="int8.*whose ranges are known"):
        formats.export(found, found.plan(precision="int8"), path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_vgg19_with_one_size_equals_stylizer(tmp_path, ending):
    path, vgg19 = target(tmp_path, ending), source.load("vgg19")
    assert formats.export(vgg19, vgg19.plan("transfer", size=(48, 64)), path).largest <= LIMIT


@pytest.mark.parametrize("ending", ENDINGS)
def test_fewer_bits_make_smaller_files(compact, tmp_path, ending):
    path, sizes = target(tmp_path, ending), []
    for precision, least in (("float32", 80), ("float16", 40), ("int8", 20)):
        try:
            plan = compact.plan(precision=precision, size=(96, 128))
            found = formats.export(compact, plan, path)
        except OptionError as error:
            assert "int8" in str(error) and ending == "folder"
            continue
        assert found.psnr > least
        sizes.append(sum(file.stat().st_size for file in formats.files(path)))
    assert all(after < 0.6 * before for before, after in zip(sizes, sizes[1:]))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_differs_is_not_written(compact, tmp_path, ending):
    path = target(tmp_path, ending)
    decoder = {layer: (kernel * 1.1, bias)
               for layer, (kernel, bias) in compact.networks.decoder.items()}
    other = dataclasses.replace(compact,
                                networks=dataclasses.replace(compact.networks, decoder=decoder))
    with pytest.raises(WeightsError, match="is not written: its pictures differ .* by [0-9.]+ of"):
        formats.export(other, other.plan(), path)
    assert list(tmp_path.iterdir()) == []


def test_an_onnx_file_says_what_it_takes_and_has_standard_operators_only(compact, tmp_path):
    onnx = pytest.importorskip("onnx")
    path = target(tmp_path, ".onnx")
    formats.export(compact, compact.plan("transfer"), path)
    model = onnx.load(path)
    assert {node.domain for node in model.graph.node} == {""}
    assert [entry.version for entry in model.opset_import] == [18]
    about = {entry.key: entry.value for entry in model.metadata_props}
    inputs = json.loads(about["inputs"])
    assert list(inputs) == ["content", "style_mean", "style_std", "alpha"]
    assert inputs["content"] == {"shape": [1, None, None, 3],
                                 "is": "photograph, RGB from 0 to 1"}
    assert inputs["style_mean"]["shape"] == [Stylizer("compact").channels]
    assert about["encoder"] == Stylizer("compact").fingerprint  # as style files name it


def test_the_command_prints_difference_and_size(tmp_path, capsys):
    path = target(tmp_path, ".onnx")
    Image.fromarray(picture(37, 51)).save(tmp_path / "cat.png")
    command.main(["compact", str(path), "--content-path", str(tmp_path / "cat.png")])
    assert "MB); differs from Stylizer in float32 by at most 0.0" in capsys.readouterr().out


def test_impossible_exports_are_refused(compact, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"must end in \.onnx.*received .*model\.pb"):
        command.main(["compact", str(tmp_path / "model.pb")])
    with pytest.raises(WeightsError, match="nowhere does not exist: expected a model"):
        command.main(["nowhere", str(target(tmp_path, ".onnx"))])
    with pytest.raises(OptionError, match="multiples of 8, at least 16; received 8 20"):
        compact.plan(size=(8, 20))
    with pytest.raises(OptionError, match="`part` must be one of stylize, style"):
        compact.plan("encoder")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"ONNX needs onnx: pip install -e '\.\[export\]'"):
        command.main(["compact", str(tmp_path / "model.onnx")])


def test_a_file_that_cannot_be_written_is_named(compact, tmp_path):
    path = target(tmp_path, ".onnx")
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="model.onnx cannot be written"):
        formats.export(compact, compact.plan("style"), tmp_path / "file" / path.name)
