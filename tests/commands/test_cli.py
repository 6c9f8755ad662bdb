"""The two commands as a user starts them: in a process of their own."""

import importlib
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, picture, random_decoder, random_encoder
from PIL import Image

from adain import commands
from adain.commands import with_flags
from adain.files import images
from adain.networks import checkpoint
from adain.networks.architecture import PRESETS


def run(script, *arguments, folder=ROOT, **environment):
    return subprocess.run([sys.executable, ROOT / script, *map(str, arguments)], cwd=folder,
                          capture_output=True, text=True, timeout=300,
                          env={**os.environ, **environment})


def stylize(folders, *arguments):
    defaults = {"--content-path": folders / "content", "--style-path": folders / "style",
                "--out-path": folders / "out", "--model": "compact"}
    if "--checkpoint" in arguments:
        del defaults["--model"]
    given = dict(zip(arguments[::2], arguments[1::2]))
    options = {**defaults, **given}
    return run("stylize.py", *(text for pair in options.items() for text in pair))


@pytest.fixture
def refused(monkeypatch, capsys, folders):
    """A function that runs stylize or train in this process and returns what it printed.

    A process for each option that is refused would take ten times as long.
    """
    def call(name, *arguments):
        options = {"--content-path": folders / "content", "--style-path": folders / "style"}
        if name == "stylize":
            options |= {"--out-path": folders / "out"}
            options |= {} if "--checkpoint" in arguments else {"--model": "compact"}
        else:
            options |= {"--checkpoint": folders / "run", **dict(zip(TRAIN[::2], TRAIN[1::2]))}
        options |= dict(zip(arguments[::2], arguments[1::2]))
        command = [f"{name}.py", *(str(text) for pair in options.items() for text in pair)]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            commands.run(importlib.import_module(f"adain.commands.{name}").main)
        return subprocess.CompletedProcess(command, end.value.code, *capsys.readouterr())

    return call


def assert_one_line_error(done, pattern):
    """One line that says it, a code that is not 0, and no traceback."""
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert re.search(pattern, done.stderr), done.stderr


def test_whoever_reads_the_output_may_stop_reading(folders):
    command = [sys.executable, ROOT / "stylize.py", "--model", "compact", "--json",
               "--content-path", folders / "content", "--style-path", folders / "style",
               "--out-path", folders / "out"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output_is_said(folders):
    command = [sys.executable, ROOT / "stylize.py", "--model", "compact", "--content-path",
               folders / "content" / "content0.png", "--style-path",
               folders / "style" / "style0.png", "--out-path", "-"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "ImageError: standard output cannot be written: No space left" in done.stderr


def test_an_empty_standard_input_is_said(folders):
    command = [sys.executable, ROOT / "stylize.py", "--model", "compact", "--content-path", "-",
               "--style-path", folders / "style" / "style0.png", "--out-path", "-"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    assert "ImageError: standard input is not a readable image: it is empty." in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent in another way on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_batch_leaves_whole_pictures_and_goes_on(tmp_path, number):
    for seed in range(3):
        images.write(tmp_path / "in" / f"{seed}.png", picture(200, 300, seed))
    command = [sys.executable, "stylize.py", "--content-path", tmp_path / "in", "--style-path",
               "styles", "--model", "compact", "--out-path", tmp_path / "out"]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        while not (tmp_path / "out").is_dir() or not list((tmp_path / "out").glob("[!.]*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "interrupted\n")
    made = list((tmp_path / "out").iterdir())
    assert 1 <= len(made) < 27
    assert all(images.read(path).shape == (200, 300, 3) for path in made)
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=100)
    assert f"{27 - len(made)} pictures, {len(made)} exist already" in done.stdout
    assert len(list((tmp_path / "out").iterdir())) == 27


INTERRUPTED = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # some shells start with it ignored

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.path.insert(0, ".")
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent in another way on Windows")
@pytest.mark.parametrize("program", ["stylize.py", "train.py"])
@pytest.mark.parametrize("module", ["adain.commands", "PIL", "numpy",
                                    "adain.networks.architecture"])
def test_ctrl_c_while_modules_load_prints_no_traceback(program, module):
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, program, module], cwd=ROOT,
                          text=True, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems want names in Unicode")
def test_a_name_that_is_no_text_is_printed_all_the_same(folders):
    name = os.fsdecode(b"caf\xe9.png")
    (folders / "content" / "content0.png").rename(folders / name)
    done = run("stylize.py", "--model", "compact", "--content-path", folders / name, "--style-path",
               folders / "style" / "style0.png", "--out-path", folders / "out",
               PYTHONIOENCODING="utf-8:strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf\\udce9__style0.jpg" in done.stdout


def test_every_content_in_every_style_each_as_large_as_its_content(folders):
    done = stylize(folders)
    assert done.returncode == 0, done.stderr
    results = {path.name: images.read(path) for path in (folders / "out").iterdir()}
    assert sorted(results) == [f"content{i}__style{j}.jpg" for i in (0, 1) for j in (0, 1)]
    for name, result in results.items():
        assert result.shape == images.read(folders / "content" / f"{name[:8]}.png").shape
    assert not np.array_equal(results["content0__style0.jpg"], results["content0__style1.jpg"])
    assert re.fullmatch(r"4 pictures in [\d.]+ s -> \S+out \(compact, openvino on CPU, \w+\)\n",
                        done.stdout)


def test_files_instead_of_folders_and_a_file_to_write(folders):
    done = stylize(folders, "--content-path", folders / "content" / "content1.png", "--style-path",
                   folders / "style" / "style0.png", "--out-path", folders / "made.png",
                   "--alpha", "0.5")
    assert done.returncode == 0, done.stderr
    assert images.read(folders / "made.png").shape == (48, 56, 3)
    assert "1 picture in" in done.stdout and "made.png" in done.stdout


def test_same_names_with_different_endings_do_not_overwrite_each_other(folders):
    Image.fromarray(picture(20, 20)).save(folders / "content" / "content0.jpg")
    assert stylize(folders).returncode == 0
    assert len(list((folders / "out").iterdir())) == 6


def test_one_bad_picture_is_named_and_the_rest_are_done(folders):
    (folders / "content" / "bad.jpg").write_bytes(b"\xff\xd8 broken")
    (folders / "style" / "worse.png").touch()
    done = stylize(folders)
    assert done.returncode == 1
    assert len(list((folders / "out").iterdir())) == 4
    assert "bad.jpg is not a readable image" in done.stderr
    assert "worse.png is not a readable image" in done.stderr
    assert "skipped 2" in done.stderr and "Traceback" not in done.stderr


def test_a_checkpoint_is_used(folders):
    size = PRESETS["compact"][:2]
    checkpoint.save(folders / "run", {"step": 7, "options": {"model": "compact", "vgg_path": None}},
                    random_encoder(*size), random_decoder(*size), [], keep=1)
    assert stylize(folders, "--checkpoint", folders / "run", "--format", "png").returncode == 0
    assert stylize(folders, "--out-path", folders / "shipped", "--format", "png").returncode == 0
    name = "content0__style0.png"
    assert not np.array_equal(images.read(folders / "out" / name),
                              images.read(folders / "shipped" / name))


def test_keras_engine(folders):
    pytest.importorskip("tensorflow")
    content, style = folders / "content" / "content0.png", folders / "style" / "style0.png"
    for engine in ("keras", "openvino"):
        done = stylize(folders, "--engine", engine, "--precision", "float32", "--content-path",
                       content, "--style-path", style, "--out-path", folders / f"{engine}.png")
        assert done.returncode == 0, done.stderr
        assert f"{engine} on" in done.stdout
    left, right = (images.read(folders / f"{engine}.png").astype(int)
                   for engine in ("keras", "openvino"))
    assert abs(left - right).max() <= 1


@pytest.mark.parametrize("options, pattern", [
    (["--content-path", "none"], "ImageError: none does not exist"),
    (["--content-path", "{}/empty"], "ImageError: .*empty has no pictures"),
    (["--style-path", "{}/empty"], "ImageError: .*empty has no pictures"),
    (["--alpha", "1.5"], r"OptionError: --alpha must be from 0 .* to 1 .*; received 1.5"),
    (["--alpha", "nan"], "OptionError: --alpha"),
    (["--tile-size", "100"], "OptionError: --tile-size must be a multiple of 8; received 100"),
    (["--style-size", "-5"], "OptionError: --style-size must be at least 1"),
    (["--checkpoint", "{}/empty"], "WeightsError: .*empty has no checkpoint"),
    (["--checkpoint", "{}/none"], "WeightsError: .*none does not exist"),
    (["--vgg-path", "{}/none.h5"], "OptionError: .*--model vgg19, not compact"),
    (["--out-path", "{}/content/content0.png/out"], "OptionError: the folder .* cannot be created"),
    (["--out-path", "{}/one.jpg"], "OptionError: .*one.jpg is one file.*there are 4"),
    (["--out-path", "{}/one.xyz"], "ImageError: .*cannot write '.xyz'")])
def test_bad_input_is_one_clear_line(folders, refused, options, pattern):
    (folders / "empty").mkdir()
    done = refused("stylize", *(text.format(folders) for text in options))
    assert_one_line_error(done, pattern)
    assert not any((folders / "out").glob("*")) and not (folders / "one.jpg").exists()


def test_bad_pictures_only(folders):
    for bad in (b"", b"hello", (folders / "content" / "content0.png").read_bytes()[:400]):
        (folders / "bad.png").write_bytes(bad)
        done = stylize(folders, "--content-path", folders / "bad.png")
        assert done.returncode == 1 and "bad.png is not a readable image" in done.stderr
        assert "Traceback" not in done.stderr and not any((folders / "out").iterdir())


def test_unknown_model_lists_the_models(refused):
    done = refused("stylize", "--model", "vgg16")
    assert done.returncode == 2 and "'vgg19', 'compact'" in done.stderr


def test_weights_of_the_wrong_shape(folders, refused):
    size = PRESETS["compact"][:2]
    checkpoint.save(folders / "run", {"step": 7, "options": {"model": "vgg19", "vgg_path": None}},
                    None, random_decoder(*size), [], keep=1)
    assert_one_line_error(refused("stylize", "--checkpoint", folders / "run"),
                          r"WeightsError: .*\(3, 3, 256, 96\).*vgg19 expects .*--model compact")


TRAIN = """--content-weight 1 --style-weight 1e-2 --tv-weight 0 --learning-rate 1e-4 --lr-decay 1e-5
--save-iter 1 --batch-size 2 --image-size 40 --crop-size 32""".split()  # noqa: SIM905


@pytest.mark.parametrize("options, pattern", [
    (["--crop-size", "30"], "OptionError: --crop-size must be a multiple of 8"),
    (["--batch-size", "0"], "OptionError: --batch-size must be at least 1"),
    (["--device", "gpu"], "OptionError: --device gpu"),
    (["--vgg-path", "none.h5"], "WeightsError: none.h5 does not exist"),
    (["--picture-cache", "nan"], "OptionError: --picture-cache must be 0 gigabytes or more"),
    (["--content-path", "none"], "ImageError: none does not exist"),
    (["--checkpoint", "{}/content/content0.png"], "OptionError: --checkpoint .* not a folder")])
def test_bad_training_options_are_one_clear_line(folders, refused, options, pattern):
    pytest.importorskip("tensorflow")
    done = refused("train", *(text.format(folders) for text in options))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(pattern, done.stderr.strip().splitlines()[-1]), done.stderr
    assert not (folders / "run").exists()


@pytest.mark.parametrize("script", ["train.py", "stylize.py"])
def test_help_and_version(script):
    assert "--content-path" in run(script, "--help").stdout
    assert run(script, "--version").stdout.startswith("adain ")


def test_the_iterative_method(folders):
    pytest.importorskip("tensorflow")
    options = ("--model", "gatys", "--content-path", folders / "content" / "content0.png",
               "--style-path", folders / "style" / "style0.png", "--out-path",
               folders / "made.png", "--iterations", "2")
    done = stylize(folders, *options)
    assert done.returncode == 0, done.stderr
    assert images.read(folders / "made.png").shape == (40, 56, 3)
    assert "made.png" in done.stdout and "iteration 2/2" in done.stderr
    assert not (folders / "made.state.npz").exists()  # nothing to go on with
    refused = stylize(folders, *options[:-2], "--alpha", "0.5", "--out-path", folders / "no.png")
    assert_one_line_error(refused, "OptionError: --alpha is not supported, .* --model gatys")


@pytest.mark.parametrize("said, printed", [
    ("`max_memory` is 100", "--max-memory is 100"),
    ("`bits=16`: leave it out (`masks`)", "--bits 16: leave it out (--mask)"),
    ("no/`rm`.png and `Two words`", "no/`rm`.png and `Two words`")])
def test_parameters_in_messages_are_printed_as_options(said, printed):
    assert with_flags(said) == printed
