"""Exported files compute what Stylizer does, in their own runtimes."""

import dataclasses
import importlib
import json

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain import Stylizer, TrainConfig, train
from adain.commands import export as command
from adain.errors import OptionError, WeightsError
from adain.export import formats, source
from adain.export.parity import LIMIT
from adain.export.parts import PARTS
from adain.methods.johnson import network as johnson
from adain.networks import checkpoint, weights

ENDINGS = [ending or "folder" for ending in formats.FORMATS]


def each_format(*quick):
    """Run a test for each format; those that are not named take seconds, and are slow tests."""
    return pytest.mark.parametrize("ending", [
        pytest.param(ending, marks=() if ending in quick else pytest.mark.slow)
        for ending in ENDINGS])


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


@each_format(*ENDINGS)
def test_pictures_of_a_file_equal_stylizer(compact, tmp_path, ending):
    path = target(tmp_path, ending)
    found = formats.export(compact, compact.plan(), path)
    assert found.largest <= LIMIT and path.exists()
    assert {file.name for file in tmp_path.iterdir()} <= {path.name, "model.bin"}


@pytest.mark.parametrize("part", [part for part in PARTS if part != "stylize"])
@each_format(".onnx", ".xml")
def test_every_part_equals_stylizer(compact, tmp_path, ending, part):
    path = target(tmp_path, ending)
    assert formats.export(compact, compact.plan(part), path).largest <= LIMIT


@each_format(".onnx", ".tflite")
def test_a_network_of_one_style_equals_itself_here(johnson_file, tmp_path, ending):
    path, network = target(tmp_path, ending), source.load(str(johnson_file))
    assert formats.export(network, network.plan(), path).largest <= LIMIT
    with pytest.raises(OptionError, match="only the part stylize; received `part=style`"):
        network.plan("style")
    with pytest.raises(OptionError, match="int8.*float32 or float16"):
        network.plan(precision="int8")


@each_format(".onnx", ".xml")
def test_a_checkpoint_equals_itself_here(tmp_path, ending):
    path, networks = target(tmp_path, ending), weights.load("compact")
    altered = {layer: (kernel * 1.1, bias) for layer, (kernel, bias) in networks.encoder.items()}
    checkpoint.save(tmp_path / "run", {"step": 7, "options": {"model": "compact"}}, altered,
                    networks.decoder, [], keep=1)
    found = source.load(str(tmp_path / "run"))
    assert "step 7" in found.name
    assert formats.export(found, found.plan(), path).largest <= LIMIT
    with pytest.raises(OptionError, match="int8.*only the shipped networks have"):
        formats.export(found, found.plan(precision="int8"), path)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_checkpoint_that_was_just_trained_equals_itself_here(folders, tmp_path, ending):
    pytest.importorskip("keras")
    path = target(tmp_path / "exported", ending)
    config = TrainConfig(model="compact", batch_size=2, image_size=40, crop_size=32, max_iter=2,
                         save_iter=2)
    train(config, folders / "content", folders / "style", tmp_path / "run")
    found = source.load(str(tmp_path / "run"))
    assert formats.export(found, found.plan(), path).largest <= LIMIT


@each_format(".onnx")
def test_vgg19_with_one_size_equals_stylizer(tmp_path, ending):
    path, vgg19 = target(tmp_path, ending), source.load("vgg19")
    assert formats.export(vgg19, vgg19.plan("transfer", size=(48, 64)), path).largest <= LIMIT


@each_format(".onnx", ".xml")
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


@each_format(".onnx", ".xml")
def test_a_file_that_differs_is_not_written(compact, tmp_path, ending):
    path = target(tmp_path, ending)
    decoder = {layer: (kernel * 1.1, bias)
               for layer, (kernel, bias) in compact.networks.decoder.items()}
    other = dataclasses.replace(compact,
                                networks=dataclasses.replace(compact.networks, decoder=decoder))
    with pytest.raises(WeightsError, match="was not written: its picture differs .* by [0-9.]+ of"):
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


def test_each_format_carries_the_metadata(compact, tmp_path):
    plan = compact.plan("style", size=(16, 24))
    formats.export(compact, plan, path := target(tmp_path, ".xml"))
    model = importlib.import_module("openvino").Core().read_model(path)
    assert {name: model.get_rt_info(["adain", name]).astype(str)
            for name in plan.metadata} == plan.metadata
    formats.export(compact, plan, path := target(tmp_path, "folder"))
    assert json.loads((path / "assets.extra" / "adain.json").read_text()) == plan.metadata
    formats.export(compact, plan, path := target(tmp_path, ".tflite"))
    schema = importlib.import_module("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    [entry] = [entry for entry in model.metadata if entry.name == b"adain"]
    assert json.loads(bytes(model.buffers[entry.buffer].data)) == plan.metadata


def test_a_litert_file_has_built_in_operations_only(compact, tmp_path):
    path = target(tmp_path, ".tflite")
    formats.export(compact, compact.plan(), path)
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(str(path))
    names = {each["op_name"] for each in interpreter._get_ops_details()}
    assert "MIRROR_PAD" in names and not [name for name in names if "Flex" in name]


def test_a_folder_is_replaced_only_by_a_savedmodel_that_it_was(compact, tmp_path):
    path = target(tmp_path, "folder")
    path.mkdir()
    (path / "holiday.jpg").write_text("")
    with pytest.raises(OptionError, match="is a folder that is not a SavedModel"):
        formats.export(compact, compact.plan("style"), path)
    (path / "saved_model.pb").write_text("old")
    formats.export(compact, compact.plan("style"), path)
    assert not (path / "holiday.jpg").exists() and (path / "variables").is_dir()


def test_the_command_prints_difference_and_size(tmp_path, capsys):
    path = target(tmp_path, ".onnx")
    Image.fromarray(picture(37, 51)).save(tmp_path / "cat.png")
    command.main(["compact", str(path), "--content-path", str(tmp_path / "cat.png")])
    assert "MB); differs from Stylizer in float32 by at most 0.0" in capsys.readouterr().out


def test_impossible_exports_are_refused(compact, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"one of \.onnx.*SavedModel; received .*model\.pb"):
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
