"""Keras on PyTorch: the engine and RandomStyle give the pictures that they give elsewhere."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest
from conftest import ROOT

pytestmark = pytest.mark.skipif(not all(map(importlib.util.find_spec, ("keras", "torch"))),
                                reason="needs keras and torch")
BEGINNING = """
    import sys
    sys.path.insert(0, "tests")
    import keras, numpy as np, torch
    from conftest import picture
    import adain
    assert keras.backend.backend() == "torch"
    contents = [picture(40, 56, seed) for seed in range(3)]
    openvino = adain.Stylizer("compact", precision="float32")
    styles = [openvino.encode_style(picture(64, 64, seed)) for seed in (9, 10, 11)]
    bank = adain.ChannelStats(*(np.stack(vectors) for vectors in zip(*styles)))
"""


def run(program):
    """Run a program, after BEGINNING, on PyTorch."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BEGINNING) + textwrap.dedent(program)], cwd=ROOT,
        text=True, capture_output=True,
        env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr


def test_the_engine_s_pictures_are_those_of_openvino():
    run("""
    torch_engine = adain.Stylizer("compact", engine="keras", precision="float32")
    for stylizer in (openvino, torch_engine):
        stylizer.found = stylizer.stylize_batch(contents, styles, [1.0, 0.5, 0.8])
        mask = np.zeros(contents[0].shape[:2], np.uint8)
        mask[:20] = 255
        stylizer.found.append(stylizer.stylize(contents[0], styles[0], 0.7))
        stylizer.found.append(stylizer.stylize(contents[0], [styles[0]], masks=[mask]))
        stylizer.found.append(stylizer.encode_style(contents[0]).mean)
    *ours, mean = torch_engine.found
    *theirs, expected = openvino.found
    for one, other in zip(ours, theirs):
        assert abs(one.astype(int) - other).max() <= 1
    np.testing.assert_allclose(mean, expected, atol=1e-4)
    """)


def test_random_style_stylizes_repeats_its_draws_and_lets_gradients_pass():
    run("""
    one = adain.ChannelStats(bank.mean[:1], bank.std[:1])
    found = keras.ops.convert_to_numpy(adain.RandomStyle(one, 1.0, 0.7)(
        np.stack(contents), training=True))
    for content, ours in zip(contents, found):
        assert abs(ours - openvino.stylize(content, styles[0], 0.7)).max() <= 2
    first, second = (keras.ops.convert_to_numpy(adain.RandomStyle(bank, 0.5, seed=1)(
        np.stack(contents), training=True)) for _ in range(2))
    assert np.array_equal(first, second)
    pixels = torch.tensor(np.stack(contents), dtype=torch.float32, requires_grad=True)
    adain.RandomStyle(bank, 1.0, 0.5)(pixels, training=True).sum().backward()
    assert pixels.grad.abs().max() > 0
    """)


def test_models_train_with_random_style():
    run("""
    model = keras.Sequential([adain.RandomStyle(bank, 0.5, seed=1), keras.layers.Flatten(),
                              keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.stack(contents) / 255, np.arange(3), batch_size=2, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    """)
