"""Files of strangers are read or refused in one line: no code runs, nothing else is opened."""

import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from conftest import ROOT, random_decoder, random_encoder, random_weights
from hostile_files import bomb, checkpoints, clear, npz, patched, special, styles
from hostile_weights import h5_files, torch_files
from weight_files import write_keras_h5

from adain.errors import WeightsError
from adain.files.arrays import check_regular, read_arrays
from adain.methods.johnson import network as johnson
from adain.networks import checkpoint, keras_h5, published_weights, weights
from adain.networks.architecture import PRESETS, VGG19_LAYERS, encoder_channels
from adain.transfer import style_file as stylefile

VGG19 = PRESETS["vgg19"].widths
COUNT = [6, pytest.param(600, marks=pytest.mark.slow)]  # of those with damaged bytes
READING = ("open", "os.listdir", "os.scandir")
watched: list[tuple[str, str]] | None = None


def watch(event, arguments):
    if watched is not None and (event == "open" or event.split(".")[0] in (
            "socket", "subprocess", "os", "urllib", "ctypes", "pickle", "http", "ftplib")
            ) and not (arguments and isinstance(arguments[0], int)):  # what is open already
        watched.append((event, str(arguments[0]) if arguments else ""))


sys.addaudithook(watch)


def read_all(folder, files, read, suffix="", audit=True):
    """Write and read each file; return how many were read and what was said of the others."""
    global watched
    done, refused = 0, {}
    for what, write in files:
        path = folder / f"file{suffix}"
        write(path)
        watched = []
        try:
            with warnings.catch_warnings(action="error"):
                read(path)
            done += 1
        except WeightsError as error:
            refused[what] = str(error)
        except Exception as error:
            raise AssertionError(f"{what}: {error!r}") from error
        finally:
            seen, watched = watched, None
        # Modules that are imported late are opened, too.
        for event, name in seen if audit else ():
            places = tuple(map(str, (folder, sys.prefix, sys.base_prefix, ROOT)))
            assert event in READING and name.startswith(places), f"{what}: {event} {name}"
        clear(path)
    assert not (ROOT / "hacked").exists()
    for what, text in refused.items():
        assert len(text.splitlines()) == 1 and len(text) < 1000, what
    return done, refused


@pytest.mark.parametrize("count", COUNT)
def test_hostile_styles_are_refused_in_one_line(tmp_path, count):
    def read(path):
        style = stylefile.load(path, "0123456789abcdef", 40)
        for vector in style:
            assert vector.shape == (40,) and vector.dtype == np.float32
            assert np.isfinite(vector).all()
        assert style.std.min() >= 0

    done, refused = read_all(tmp_path, styles("0123456789abcdef", 40, count), read)
    assert len(refused) > 75 and done < 5 + count / 4  # what is changed may not matter


@pytest.mark.parametrize("count", COUNT)
def test_hostile_checkpoints_are_refused_in_one_line(tmp_path, count):
    def read(path):
        johnson.is_network(path)
        found = checkpoint.load(path, resume=True)
        for kernel, bias in (*found.encoder().values(), *found.decoder().values()):
            assert np.isfinite(kernel).all() and np.isfinite(bias).all()
        checkpoint.best(path)

    for name in ("evil.t7", "none.t7"):  # named by vgg_path
        special(tmp_path / name, "pipe")
    done, refused = read_all(tmp_path, checkpoints(count), read)
    assert len(refused) > 70 and done < 9 + count / 4


@pytest.mark.parametrize("count", COUNT)
@pytest.mark.parametrize("load", ["encoder", "decoder"])
def test_hostile_torch_files_are_refused_in_one_line(tmp_path, count, load):
    read = weights.load_encoder if load == "encoder" else weights.load_decoder
    done, refused = read_all(tmp_path, torch_files(count), lambda path: read("vgg19", path), ".t7")
    assert done == 0 and len(refused) > 50


@pytest.fixture
def secret(tmp_path):
    """A file with all that is wanted, which no other file may lead to."""
    path = tmp_path / "secret.h5"
    write_keras_h5(path, random_weights(VGG19_LAYERS, encoder_channels, VGG19))
    return path


def check_links(refused):
    for what in ("an external link", "a group that is an external link", "a soft link to itself"):
        assert "only a link" in refused[what]
    for what in ("values in another file", "a virtual dataset"):
        assert "are in another file" in refused[what]


def test_hostile_h5_files_are_refused_and_lead_to_no_other_file(tmp_path, secret):
    def read(path):
        try:
            check_regular(path)
            found = keras_h5.convolutions(str(path), VGG19_LAYERS)
        except Exception as error:  # what it raises in a process of its own does not matter
            raise WeightsError(error) from None
        weights.check({layer: (found[f"{layer}/kernel"], found[f"{layer}/bias"])
                       for layer in VGG19_LAYERS}, "encoder", "vgg19", path)

    done, refused = read_all(tmp_path, h5_files(secret, 0), read, ".h5")
    assert len(refused) > 40 and done == 1  # large chunks, but not too large
    check_links(refused)


@pytest.mark.slow
def test_damaged_h5_files_may_crash_hdf5_but_not_the_command(tmp_path, secret):
    done, refused = read_all(tmp_path, h5_files(secret, 200),
                             lambda path: weights.load_encoder("vgg19", path), ".h5",
                             audit=False)  # they are read in another process
    assert len(refused) > 120
    check_links(refused)


def test_what_crashes_or_blocks_hdf5_is_refused(tmp_path, monkeypatch):
    (tmp_path / "vgg.h5").write_bytes(b"")
    (tmp_path / "keras_h5.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(published_weights, "__file__", str(tmp_path / "published_weights.py"))
    with pytest.raises(WeightsError, match="vgg.h5 is not a Keras VGG19 .* HDF5 crashes"):
        weights.load_encoder("vgg19", tmp_path / "vgg.h5")
    (tmp_path / "keras_h5.py").write_text("import time; time.sleep(1000)")
    monkeypatch.setattr(published_weights, "SECONDS", 0.1)
    with pytest.raises(WeightsError, match="vgg.h5 is not a Keras VGG19 .* HDF5 reads it for more"):
        weights.load_encoder("vgg19", tmp_path / "vgg.h5")


@pytest.mark.parametrize("megabytes", [200, pytest.param(3000, marks=pytest.mark.slow)])
def test_what_is_small_only_when_packed_is_not_unpacked(tmp_path, megabytes):
    bomb(tmp_path / "bomb.npz", "mean", megabytes)
    content = (tmp_path / "bomb.npz").read_bytes()
    assert len(content) < megabytes * 2000
    (tmp_path / "liar.npz").write_bytes(patched(content, 22, b"\x80\1\0\0"))  # "384 bytes"
    tracemalloc.start()
    for name in ("bomb.npz", "liar.npz"):
        with pytest.raises(WeightsError):
            read_arrays(tmp_path / name, "a file of arrays")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_checkpoint_does_not_choose_which_vgg19_is_read(tmp_path):
    size = PRESETS["vgg19"][:2]
    checkpoint.save(tmp_path, {"step": 1, "options": {"model": "vgg19", "vgg_path": "/a/vgg.t7"}},
                    None, random_decoder(*size), [], keep=1)
    found = checkpoint.load(tmp_path)
    with pytest.raises(WeightsError, match="trained with the VGG19 in '/a/vgg.t7'.*`vgg_path`"):
        found.encoder()


def test_hostile_networks_of_one_style_are_refused_in_one_line(tmp_path):
    good = {name: np.zeros(shape, np.float16) for name, shape in johnson.shapes().items()}
    files = [(str(about)[:40], npz(about=np.array(about), **good)) for about in (
        "", "[]", "{", "[" * 99999, '{"style_name": 3}', '{"style_name": "a\\u0000b"}', 3.0)]
    for value in (np.nan, np.inf):
        files.append((str(value), npz(about=np.array("{}"), **good | {
            "up1/std": np.full(64, value)})))
    files.append(("shape", npz(about=np.array("{}"), **good | {"up1/std": np.zeros(3)})))
    done, refused = read_all(tmp_path, [
        (what, lambda path, content=content: path.write_bytes(content)) for what, content in files],
        johnson.load)
    assert done == 0 and len(refused) == len(files)


@pytest.mark.parametrize("name", checkpoint.FILES)
def test_a_file_of_a_checkpoint_leads_to_its_folder(tmp_path, name):
    size = PRESETS["compact"][:2]
    path = checkpoint.save(tmp_path, {"step": 1, "options": {"model": "compact"}},
                           random_encoder(*size), random_decoder(*size), [], keep=1)
    for load in (checkpoint.load, johnson.is_network, johnson.load):
        with pytest.raises(WeightsError, match=f"name its folder, {path}"):
            load(path / name)
