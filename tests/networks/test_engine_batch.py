"""Many pictures in one call: the same results as one at a time."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, picture, random_networks

from adain.networks import engine
from adain.networks.openvino.streams import Streams
from adain.networks.stats import ChannelStats

LAYERS = ("relu2_2", "relu3_4", "relu4_1")
CHANNELS = 6 + 8 + 10


def styles_of(count, channels=CHANNELS):
    generator = np.random.default_rng(5)
    return [ChannelStats(*generator.uniform(0.5, 1.5, (2, channels)).astype(np.float32))
            for _ in range(count)]


def one_at_a_time(networks, images, styles, alphas):
    found = []
    for image, style, alpha in zip(images, styles, alphas):
        result, _ = networks.transfer(image.astype(np.float32) / 255, style, alpha)
        found.append(np.clip(result * 255 + 0.5, 0, 255).astype(np.uint8))
    return found


@pytest.mark.parametrize("name", engine.ENGINES)
def test_a_batch_of_any_number_equals_its_pictures_one_at_a_time(name):
    """In float32 to one level of 255, where a rounding ends on the other side."""
    pytest.importorskip(name)
    networks = engine.create(name, random_networks(LAYERS, 0.2), "float32")
    for count in (1, 2, 7) if name == "openvino" else (3,):
        images = [picture(32, 48, seed) for seed in range(count)]
        styles, alphas = styles_of(count), np.linspace(0, 1, count).tolist()
        found = networks.transfer_batch(images, styles, alphas)
        expected = one_at_a_time(networks, images, styles, alphas)
        assert [each.shape for each in found] == [(32, 48, 3)] * count
        for ours, theirs in zip(found, expected):
            assert ours.dtype == np.uint8 and ours.std() > 1
            assert abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("name", engine.ENGINES)
def test_pictures_of_a_batch_may_have_several_sizes_and_keep_their_order(name):
    pytest.importorskip(name)
    networks = engine.create(name, random_networks(LAYERS), "float32")
    sizes = [(32, 48), (48, 32), (32, 48)]
    images = [picture(*size, seed) for seed, size in enumerate(sizes)]
    styles, alphas = styles_of(len(images)), [1.0, 0.5, 0.25]
    found = networks.transfer_batch(images, styles, alphas)
    for ours, theirs in zip(found, one_at_a_time(networks, images, styles, alphas), strict=True):
        assert ours.shape == theirs.shape
        assert abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_openvino_s_bytes_depend_neither_on_the_batch_nor_on_the_threads(precision):
    images = [picture(64, 48 + 8 * seed, seed) for seed in range(5)]
    styles, alphas = styles_of(5), [1.0, 0.7, 0.5, 0.3, 1.0]
    networks = random_networks(LAYERS, 0.2)
    found = [[*one.transfer_batch(images[:cut], styles[:cut], alphas[:cut]),
              *one.transfer_batch(images[cut:], styles[cut:], alphas[cut:])]
             for threads, cut in ((1, 1), (2, 3), (3, 4))
             for one in [engine.create("openvino", networks, precision, threads)]]
    for results in found[1:]:
        for ours, theirs in zip(found[0], results):
            np.testing.assert_array_equal(ours, theirs)


def test_results_stay_when_the_engine_runs_again():
    networks = engine.create("openvino", random_networks(LAYERS), "float32")
    images, styles = [picture(32, 48, 0), picture(32, 48, 1)], styles_of(2)
    first = networks.transfer_batch(images, styles, [1, 1])
    before = [each.copy() for each in first]
    networks.release_memory()
    networks.transfer_batch(images[::-1], styles, [1, 1])
    for ours, theirs in zip(first, before):
        np.testing.assert_array_equal(ours, theirs)


def test_an_error_in_one_picture_leaves_the_streams_usable():
    made = engine.create("openvino", random_networks(LAYERS), "float32", 2)._streams
    assert isinstance(made, Streams)

    def compute(network, value):
        if value == 1:
            raise ValueError("number 1")
        return value

    for _ in range(3):  # as often as would take every stream away
        with pytest.raises(ValueError, match="number 1"):
            made.map(compute, [0, 1, 2, 3])
    assert made.map(compute, [5, 6, 7]) == [5, 6, 7]


def test_the_keras_engine_computes_the_same_on_jax():
    pytest.importorskip("jax")
    program = """if True:
        import sys
        sys.path[:0] = ["tests", "tests/networks"]
        import numpy as np
        from conftest import picture, random_networks
        from test_engine_batch import LAYERS, one_at_a_time, styles_of
        from adain.networks import engine
        networks = random_networks(LAYERS, 0.2)
        images = [picture(16, 16, 0), picture(16, 16, 1)]
        styles, alphas = styles_of(2), [1.0, 0.5]
        ours = engine.create("keras", networks, "float32")
        found = ours.transfer_batch(images, styles, alphas)
        theirs = engine.create("openvino", networks, "float32")
        for one, two in zip(found, one_at_a_time(theirs, images, styles, alphas)):
            assert abs(one.astype(int) - two).max() <= 1
        print(ours.device)
    """
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, text=True,
                          capture_output=True, env={"KERAS_BACKEND": "jax", "PATH": ""})
    assert done.returncode == 0, done.stderr
    assert "float32" in done.stdout


# Prints the cores that the threads of a process may use while an engine of one thread computes.
CORES = """
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from conftest import picture, random_networks
from adain.networks import engine
from test_engine_batch import LAYERS, styles_of

networks = engine.create("openvino", random_networks(LAYERS), "float32", threads=1)
images, styles = [picture(256, 256, 0)] * 4, styles_of(4)
networks.transfer_batch(images[:1], styles[:1], [1.0])  # compiles, in threads that are bound
seen = set()
with ThreadPoolExecutor(1) as executor:
    work = executor.submit(networks.transfer_batch, images, styles, [1.0] * 4)
    while not work.done():
        for thread in os.listdir("/proc/self/task"):
            with suppress(ProcessLookupError):  # it has ended
                seen.add(tuple(sorted(os.sched_getaffinity(int(thread)))))
print(seen)
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_threads_may_use_all_cores_of_the_process():
    """OpenVINO would bind one thread to the first core, and that of another process, too."""
    cores = tuple(sorted(os.sched_getaffinity(0)))
    if len(cores) < 2:
        pytest.skip("needs two cores")
    made = subprocess.run([sys.executable, "-c", CORES], cwd=Path(__file__).parent, check=True,
                          capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": os.pathsep.join(
                              map(str, (ROOT, ROOT / "tests", Path(__file__).parent)))})
    assert made.stdout == f"{ {cores} }\n"
