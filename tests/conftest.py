"""Small pictures and weights that many tests share; no test reaches the network."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adain import Stylizer
from adain.files import images
from adain.networks.architecture import (
    VGG19_DEPTHS,
    convolutions,
    decoder_channels,
    decoder_plan,
    encoder_channels,
    encoder_plan,
)
from adain.networks.networks import Networks
from adain.transfer import tuning

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["ADAIN_CACHE"] = ""  # nothing outlives the tests, nor reaches them
if hasattr(signal, "SIGHUP"):  # nohup, under which the tests may run, lets children ignore it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
ROOT = Path(__file__).parent.parent
NARROW = (4, 6, 8, 10)  # widths for tests: all different, so that a mix-up shows


def random_weights(layers, channels, widths, seed=0):
    """Weights that keep activations near the size of their input (He et al. 2015)."""
    generator = np.random.default_rng(seed)
    result = {}
    for layer in layers:
        inputs, outputs = channels(layer, widths)
        kernel = generator.normal(0, np.sqrt(2 / (9 * inputs)), (3, 3, inputs, outputs))
        bias = generator.normal(0, 0.1, outputs)
        result[layer] = (kernel.astype(np.float32), bias.astype(np.float32))
    return result


def random_encoder(widths=NARROW, depths=VGG19_DEPTHS, seed=0):
    return random_weights(convolutions(encoder_plan(depths)), encoder_channels, widths, seed)


def random_decoder(widths=NARROW, depths=VGG19_DEPTHS, seed=1):
    return random_weights(convolutions(decoder_plan(depths)), decoder_channels, widths, seed)


def random_networks(layers, negative_slope=0.0, ranges=None):
    return Networks(random_encoder(), random_decoder(), layers, negative_slope, ranges)


def picture(rows=48, columns=64, seed=0):
    """A smooth, coloured uint8 picture: noise at several scales."""
    generator = np.random.default_rng(seed)
    image = np.zeros((rows, columns, 3))
    for scale in (2, 4, 16):
        coarse = generator.uniform(0, 1, (rows // scale + 2, columns // scale + 2, 3))
        image += np.repeat(np.repeat(coarse, scale, 0), scale, 1)[:rows, :columns]
    return (image / 3 * 255).astype(np.uint8)


@contextmanager
def logged(lines=None):
    """Give the list of what the library logs inside of `with`, line by line."""
    lines = [] if lines is None else lines
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("adain")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def script(name):
    """Import one of the scripts in tools/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_folders(root):
    """Write two contents and two styles, small enough to train on in seconds."""
    for kind, seed in (("content", 0), ("style", 10)):
        (root / kind).mkdir()
        for index in range(2):
            Image.fromarray(picture(40 + 8 * index, 56, seed + index)).save(
                root / kind / f"{kind}{index}.png")


@pytest.fixture
def small_references(monkeypatch, tmp_path_factory):
    """Photographs of 32 x 32 pixels to tune styles on, so that an iteration takes milliseconds."""
    folder = tmp_path_factory.mktemp("references")
    for path in tuning.REFERENCES.glob("*.jpg"):
        images.write(folder / path.name, images.resize(images.read(path), 32, 32), quality=95)
    monkeypatch.setattr(tuning, "REFERENCES", folder)


@pytest.fixture
def folders(tmp_path):
    """A folder with content/ and style/, see write_folders()."""
    write_folders(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def fast_run(tmp_path_factory):
    """Folders of pictures and, in run/, a finished training with test_any_style.FAST."""
    from test_any_style import FAST, train

    root = tmp_path_factory.mktemp("fast_run")
    write_folders(root)
    train(FAST, root, "run")
    return root


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer("compact", precision="float32")


@pytest.fixture(scope="module")
def style(stylizer):
    return stylizer.encode_style(picture(64, 64, 9))
