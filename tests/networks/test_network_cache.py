"""Compiled networks that outlive the process."""

import hashlib
import os
import stat
from dataclasses import replace

import numpy as np
import pytest
from conftest import NARROW, logged, picture, random_decoder, random_encoder, random_networks

from adain import Stylizer
from adain.networks.networks import Networks
from adain.networks.openvino import cache as network_cache
from adain.networks.openvino import cpu
from adain.networks.openvino.compiled import REPEATED, CompiledGraph
from adain.networks.openvino.engine import OpenVINOEngine
from adain.networks.stats import ChannelStats

LAYERS = ("relu3_1", "relu4_1")
CHANNELS = sum(NARROW[2:])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(network_cache.VARIABLE, str(tmp_path / "new" / "networks"))
    return tmp_path / "new" / "networks"


@pytest.fixture
def nothing_compiles(monkeypatch):
    """From when it is called on: a network that is not read fails."""
    def compiles(self):
        raise AssertionError("a network was compiled")

    return lambda: monkeypatch.setattr(CompiledGraph, "_model", property(compiles))


def engine(precision="float32", negative_slope=0.0):
    return OpenVINOEngine(random_networks(LAYERS, negative_slope), precision)


def results(networks):
    """Everything that a network gives, of all three graphs."""
    image, ones = picture(32, 48).astype(np.float32) / 255, np.ones((32, 48), np.float32)
    style = ChannelStats(*np.ones((2, CHANNELS), np.float32))
    regions = np.stack([ones / 4, ones * 3 / 4])
    tables = [np.linspace(low, 1, 2 * CHANNELS, dtype=np.float32).reshape(2, -1)
              for low in (0.5, -1)]
    painted, content = networks.transfer(image, style, 0.5)
    return [*networks.measure(image, ones), painted.copy(), *content,
            networks.transfer_regions(image, regions, *tables).copy()]


def same(first, second):
    return all(np.array_equal(*pair) for pair in zip(first, second, strict=True))


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
def test_a_network_that_is_read_gives_the_same(folder, nothing_compiles, precision):
    made = results(engine(precision, negative_slope=0.2))
    assert len(list(folder.iterdir())) == 3
    nothing_compiles()
    networks = engine(precision, negative_slope=0.2)
    assert same(made, results(networks))
    assert networks.device == f"CPU, {networks._transfer.result().precision}"


@pytest.mark.skipif(cpu.lacks_int8(), reason="this CPU has no 8-bit products")
def test_the_compact_model_in_8_bits_is_read_too(folder, nothing_compiles):
    def stylized():
        stylizer = Stylizer("compact", precision="int8")
        return stylizer.stylize(picture(48, 64), picture(seed=1), dtype=np.float32)

    made = stylized()
    nothing_compiles()
    assert np.array_equal(made, stylized())


def test_repeated_shapes_work(folder):
    made = results(engine())
    networks = engine()
    for _ in range(REPEATED):  # the last one is computed by a network for just this shape
        repeated = results(networks)
    assert all(np.allclose(*pair, atol=1e-5) for pair in zip(made, repeated, strict=True))


def flipped(content):
    return content[:500] + bytes([content[500] ^ 1]) + content[501:]


def of_something_else(content):
    return hashlib.sha256(b"no network").digest() + b"no network"


@pytest.mark.parametrize("damage", [flipped, of_something_else, lambda content: content[:2000],
                                    lambda content: b""])
def test_a_broken_file_is_made_anew(folder, damage):
    made = results(engine())
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for path, content in before.items():
        path.write_bytes(damage(content))
    assert same(made, results(engine()))
    assert {path.name for path in folder.iterdir()} == {path.name for path in before}
    assert all(network_cache.read(path.stem) for path in before)


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(network_cache.VARIABLE, str(tmp_path / "file" / "folder"))
    assert same(results(engine()), results(engine()))


def test_only_this_user_can_read_or_write_the_folder(folder):
    before = os.umask(0)
    try:
        engine()
        results(engine())
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def open_to_others(path):
    path.chmod(0o770)


def of_another_user(path):
    os.chown(path, 12345, -1)


def linked(path):
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def too_large(path):
    os.truncate(path, network_cache.LARGEST_FILE + 1)


POSIX = pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows has no modes")
ROOT_ONLY = pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="gives files away")


@POSIX
@pytest.mark.parametrize("change", [
    open_to_others, pytest.param(of_another_user, marks=ROOT_ONLY)])
def test_a_folder_that_others_can_change_is_not_used(folder, change):
    network_cache.write("one", b"network")
    assert network_cache.read("one") == b"network"
    change(folder)
    with logged() as lines:
        assert network_cache.read("one") is None
        network_cache.write("two", b"network")
    assert [path.stem for path in folder.iterdir()] == ["one"]
    assert len(lines) == 1 and f"{folder} is not used" in lines[0]


@POSIX
@pytest.mark.parametrize("change", [open_to_others, linked, a_pipe, too_large, pytest.param(
    of_another_user, marks=ROOT_ONLY)])
def test_a_file_that_others_can_have_written_is_not_read(folder, change):
    network_cache.write("one", b"network")
    path = folder / f"one{network_cache.SUFFIX}"
    change(path)
    with logged() as lines:
        assert network_cache.read("one") is network_cache.read("one") is None
    assert len(lines) == 1 and f"{path} is not used" in lines[0]


def test_names_tell_apart_whatever_a_network_is_made_from(folder):
    def name(graph="transfer_graph", hint="f32", **changes):
        networks = replace(random_networks(LAYERS, 0.2), **changes)
        return network_cache.name(graph, networks, {"HINT": hint})

    assert name() == name()
    assert len({name(), name("statistics_graph"), name(encoder=random_encoder(seed=1)),
                name(decoder=random_decoder(seed=2)), name(adain_layers=LAYERS[1:]),
                name(negative_slope=0.1), name(ranges={"encoder/conv1_1": (0, 1)}),
                name(hint="bf16")}) == 8


def test_large_networks_are_not_kept(folder):
    def name(size):
        array = np.zeros(size // 2, np.float32)
        networks = Networks({"conv1_1": (array, array)}, {}, LAYERS)
        return network_cache.name("transfer_graph", networks, {})

    assert name(network_cache.LARGEST)
    assert name(network_cache.LARGEST + 2) is None


def test_the_newest_are_kept(folder):
    for number in range(network_cache.KEPT + 3):
        network_cache.write(str(number), b"network")
        path = folder / f"{number}{network_cache.SUFFIX}"
        assert network_cache.read(str(number)) == b"network"
        os.utime(path, (number, number))
    network_cache.write("last", b"network")
    numbers = range(4, network_cache.KEPT + 3)
    assert {path.stem for path in folder.iterdir()} == {"last", *map(str, numbers)}


def test_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv(network_cache.VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert network_cache.folder() == tmp_path / ".cache" / "adain"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert network_cache.folder() == tmp_path / "other" / "adain"
    monkeypatch.setenv(network_cache.VARIABLE, "")
    assert network_cache.folder() is None
