import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import picture, random_encoder, random_networks

from adain.errors import NetworkMemoryError, OptionError
from adain.networks import engine, weights
from adain.networks.architecture import STYLE_LAYERS
from adain.networks.openvino import compiled, graphs
from adain.networks.openvino.compiled import CompiledGraph, compile_graph
from adain.networks.stats import EPSILON, ChannelStats, affine

LAYERS = ("relu2_2", "relu3_4", "relu4_1")
WHOLE = np.ones((48, 64), np.float32)


def random_stats(channels, seed):
    generator = np.random.default_rng(seed)
    return ChannelStats(*generator.uniform(0.5, 1.5, (2, channels)).astype(np.float32))


def close(ours, reference):
    # 1e-4 of the largest value: float32 sums of thousands of products in another order
    np.testing.assert_allclose(ours, reference, atol=1e-4 * abs(reference).max())


@pytest.mark.parametrize("model", ["narrow", "vgg19", "compact"])
def test_openvino_equals_keras(model):
    pytest.importorskip("keras")
    networks = random_networks(LAYERS, 0.2) if model == "narrow" else weights.load(model)
    ours = engine.create("openvino", networks, "float32")
    theirs = engine.create("keras", networks, "float32")
    image = picture(48, 64).astype(np.float32) / 255
    for vector, reference in zip(ours.measure(image, WHOLE), theirs.measure(image, WHOLE)):
        close(vector, reference)
    style, content = random_stats(vector.size, 0), random_stats(vector.size, 1)
    for given in ((), (content,), (content, 0.25)):
        result, removed = ours.transfer(image, style, 0.7, *given)
        assert result.shape == (48, 64, 3) and result.dtype == np.float32
        expected, expected_removed = theirs.transfer(image, style, 0.7, *given)
        close(result, expected)
        for vector, reference in zip(removed, expected_removed):
            close(vector, reference)


@pytest.mark.parametrize("name", engine.ENGINES)
def test_statistics_are_weighted(name):
    pytest.importorskip(name)
    networks = engine.create(name, random_networks(LAYERS), "float32")
    image = picture(48, 64).astype(np.float32) / 255
    weights = np.zeros((48, 64), np.float32)
    weights[8:40, 16:64] = 1  # a block of features counts three times
    weights[8:16, 16:24] = 3
    mean, variance = networks.measure(image, weights)
    assert mean.shape == variance.shape == (6 + 8 + 10,)
    activations = compile_graph(graphs.activations_graph(random_encoder(), LAYERS),
                                "float32")(image[None])
    for level, channels, size in ((0, slice(0, 6), 2), (2, slice(14, 24), 8)):
        features = activations[level][0]
        block = features[8 // size:16 // size, 16 // size:24 // size]
        counted = np.concatenate([part.reshape(-1, part.shape[-1]) for part in (
            features[8 // size:40 // size, 16 // size:64 // size], block, block)])
        np.testing.assert_allclose(mean[channels], counted.mean(0), rtol=1e-4)
        np.testing.assert_allclose(variance[channels], counted.var(0), rtol=1e-4)


@pytest.mark.parametrize("name", engine.ENGINES)
def test_one_region_everywhere_equals_no_regions(name):
    pytest.importorskip(name)
    networks = engine.create(name, random_networks(LAYERS), "float32")
    image, style, content = picture().astype(np.float32) / 255, random_stats(24, 0), random_stats(
        24, 1)
    whole = networks.transfer(image, style, 1.0, content)[0].copy()
    scale, shift = affine(content, style)
    regions = np.stack([WHOLE * 0.25, WHOLE * 0.75])
    result = networks.transfer_regions(image, regions, np.stack([scale, scale]),
                                       np.stack([shift, shift]))
    close(result, whole)


@pytest.mark.parametrize("name", engine.ENGINES)
def test_own_statistics_are_those_that_measure_finds(name):
    pytest.importorskip(name)
    networks = engine.create(name, random_networks(LAYERS), "float32")
    image, style = picture(48, 64).astype(np.float32) / 255, random_stats(24, 0)
    mean, variance = networks.measure(image, WHOLE)
    measured = ChannelStats(mean, np.sqrt(variance + np.float32(EPSILON)))
    result, removed = networks.transfer(image, style, 0.7)
    result = result.copy()
    for vector, reference in zip(removed, measured):
        close(vector, reference)
    close(networks.transfer(image, style, 0.7, measured)[0], result)
    other = random_stats(24, 1)
    assert abs(networks.transfer(image, style, 0.7, other)[0] - result).max() > 0.01
    _, mixed = networks.transfer(image, style, 0.7, other, own_weight=0.25)
    close(mixed.std, 0.75 * other.std + 0.25 * measured.std)


def test_activations_graph_gives_the_activations_asked_for():
    graph = graphs.activations_graph(random_encoder(), STYLE_LAYERS)
    outputs = compile_graph(graph, "float32")(np.zeros((1, 32, 48, 3), np.float32))
    assert [outputs[index].shape for index in range(4)] == [
        (1, 32, 48, 4), (1, 16, 24, 6), (1, 8, 12, 8), (1, 4, 6, 10)]


def test_pictures_of_one_size_get_a_network_of_their_own(monkeypatch):
    """From the REPEATED'th on, while they stay so; the results are the same."""
    monkeypatch.setattr(compiled, "REPEATED", 3)
    networks = engine.create("openvino", random_networks(LAYERS), "float32")
    style, other = random_stats(24, 0), random_stats(24, 1)

    def transfer(seed, rows, *options):
        image = np.random.default_rng(seed).random((rows, 48, 3), np.float32)
        return networks.transfer(image, style, 1.0, *options)[0].copy()

    network = networks._transfer.result()
    before = [transfer(seed, 32) for seed in (0, 1)]
    assert network._fixed is None
    after = [transfer(seed, 32) for seed in (1, 0)]
    assert network._fixed is not None
    for one, two in zip(before, reversed(after)):
        np.testing.assert_allclose(one, two, atol=1e-5)
    transfer(2, 32, other)  # a tile: its statistics are another's
    assert network._fixed is not None
    assert transfer(2, 40).shape == (40, 48, 3) and network._fixed is None
    np.testing.assert_allclose(transfer(0, 32), before[0], atol=1e-5)
    for seed in range(3):
        transfer(seed, 32, other)
    assert network._fixed is None  # tiles must save memory
    for seed in range(3):
        transfer(seed, 32, other, 0.5)  # frames of a video
    assert network._fixed is not None


def test_statistics_stay_when_the_engine_runs_again():
    networks = engine.create("openvino", random_networks(LAYERS), "float32")
    everywhere = np.ones((16, 16), np.float32)
    first = networks.measure(np.zeros((16, 16, 3), np.float32), everywhere)
    before = np.copy(first)
    networks.measure(np.ones((16, 16, 3), np.float32), everywhere)
    np.testing.assert_array_equal(first, before)


def test_unknown_names_are_refused():
    with pytest.raises(OptionError, match="openvino, keras"):
        engine.create("tensorrt", random_networks(LAYERS))
    with pytest.raises(OptionError, match="float32"):
        engine.create("openvino", random_networks(LAYERS), "float8")


def test_signals_are_still_handled_after_openvino_has_started():
    program = """if True:
        import os, signal
        import numpy as np
        from adain import Stylizer
        Stylizer("compact").stylize(*np.zeros((2, 64, 64, 3), np.uint8))
        signal.signal(signal.SIGTERM, lambda number, frame: print("handled"))
        os.kill(os.getpid(), signal.SIGTERM)
        print("alive")
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "handled\nalive\n" and done.returncode == 0


@pytest.mark.parametrize("error", ["std::bad_alloc", "Resource temporarily unavailable"])
def test_a_network_that_ran_out_of_memory_is_not_used_again(error):
    """Also where it cannot be compiled, as there is no memory for a thread's stack."""
    def fail(*_, **__):
        raise RuntimeError(f"Exception from plugin.cpp:54:\n{error}\n")

    network = compile_graph(graphs.activations_graph(random_encoder(), LAYERS), "float32")
    image, compiled = picture(16, 16)[None].astype(np.float32), network._compiled
    network._compiled = fail
    with pytest.raises(NetworkMemoryError, match=error):
        network(image)
    network._compiled = compiled
    with pytest.raises(NetworkMemoryError, match=error):
        network(image)
    with pytest.raises(NetworkMemoryError, match=error):
        CompiledGraph(fail, {})


def test_memory_does_not_grow_with_the_number_of_sizes():
    """Each of the last 40 would take 1 MB, and more in the networks that ship."""
    networks = engine.create("openvino", random_networks(LAYERS), "float32")
    style, used = random_stats(24, 0), []
    for size in range(8, 88 + 1):
        networks.transfer(np.zeros((8 * (96 - size), 8 * size, 3), np.float32), style, 1.0)
        used.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
    assert used[-1] - used[40] < 30e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_what_encoded_a_style_keeps_no_memory_while_pictures_are_made():
    program = """if True:
        import resource
        import numpy as np
        from adain import Stylizer

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()

        stylizer = Stylizer("compact", style_size=None)
        style = stylizer.encode_style(np.zeros((704, 704, 3), np.uint8))
        before = resident()
        stylizer.stylize(np.zeros((64, 64, 3), np.uint8), style)
        print(resident() - before)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert int(done.stdout) < -20e6, done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("cores", [1, 2])
def test_openvino_says_when_memory_is_short(cores):
    """On one core OpenVINO itself does not say it.

    A layer of the whole picture takes 256 MB: two do not fit, and there is room for the small
    things, without which a library may crash.
    """
    program = f"""if True:
        import os, resource
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}])
        import numpy as np
        from adain import Stylizer
        stylizer = Stylizer("compact", precision="float32", tile_size=2048)
        style = stylizer.encode_style(np.full((64, 64, 3), 200, np.uint8))
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 500_000_000, used + 500_000_000))
        for side in 2000, 64:
            try:
                stylizer.engine.transfer(np.zeros((side, side, 3), np.float32), style, 1.0)
            except MemoryError as error:
                print(type(error).__name__)
    """
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", program],
                          capture_output=True, text=True)
    assert done.stdout == 2 * "NetworkMemoryError\n", (done.returncode, done.stderr)
    assert done.returncode == 0, done.stderr
