import subprocess
import sys

import numpy as np
import pytest
from conftest import NARROW, ROOT, picture, random_decoder, random_encoder, random_weights, script
from weight_files import KERAS_LAYERS, VGG19, write_decoder_t7, write_keras_h5, write_vgg_t7

from adain.errors import WeightsError
from adain.networks import weights
from adain.networks.architecture import (
    PRESETS,
    STYLE_LAYERS,
    VGG19_LAYERS,
    decoder_channels,
    encoder_channels,
    relu,
)
from adain.networks.openvino import graphs
from adain.networks.openvino.compiled import compile_graph
from adain.networks.published_weights import read_keras_h5

pack = script("pack_checkpoint")


def assert_equal(left, right, **tolerance):
    assert list(left) == list(right)
    for layer in left:
        for ours, theirs in zip(left[layer], right[layer]):
            np.testing.assert_allclose(ours, theirs, **tolerance)


def encode(network, pixels):
    graph = graphs.activations_graph(network, ["relu4_1"])
    return compile_graph(graph, "float32")(pixels[None])[0][0]


def test_folded_preprocessing_equals_preprocessing_the_picture():
    network = random_weights(VGG19_LAYERS, encoder_channels, NARROW)
    rgb = picture(32, 32).astype(np.float32) / 255
    caffe = rgb[..., ::-1] * 255 - np.array(weights.CAFFE_MEAN_BGR, np.float32)
    expected = encode(network, np.ascontiguousarray(caffe))
    result = encode(weights.fold_preprocessing(network), rgb)
    np.testing.assert_allclose(result, expected, atol=1e-4 * expected.max())


def test_normalised_channels_are_the_raw_ones_divided_by_their_means():
    network = random_encoder()
    generator = np.random.default_rng(5)
    means = {relu(layer): generator.uniform(0.1, 10, network[layer][1].shape).astype(np.float32)
             for layer in VGG19_LAYERS}
    rgb = picture(32, 32).astype(np.float32) / 255
    expected = encode(network, rgb) / means["relu4_1"]
    result = encode(weights.normalise(network, means), rgb)
    np.testing.assert_allclose(result, expected, atol=1e-4 * expected.max())


def test_shipped_weights_are_found_where_a_folder_adain_hides_the_package(tmp_path):
    """A clone's own folder, beside a script, has no __init__.py: Python makes a namespace of it."""
    (tmp_path / "adain").mkdir()
    (tmp_path / "script.py").write_text(
        "import adain\n"
        f"adain.__path__ = [*adain.__path__, {str(ROOT / 'adain')!r}]  # as editable installs do\n"
        "from adain.networks.weights import load_decoder\n"
        "print(len(load_decoder('compact')))\n")
    done = subprocess.run([sys.executable, tmp_path / "script.py"], text=True, capture_output=True)
    assert (done.stdout, done.stderr) == (f"{len(weights.load_decoder('compact'))}\n", "")


def test_shipped_vgg19_is_vgg19_and_normalised():
    raw = weights.read_npz(weights.MODELS / "vgg19_encoder.npz", "encoder")
    # The first bias of the ImageNet VGG19, known from the original file.
    assert raw["conv1_1"][1][0] == pytest.approx(0.73017, abs=1e-4)
    pixels = picture(64, 64).astype(np.float32) / 255
    mean = encode(weights.load_encoder("vgg19"), pixels).mean()
    assert 0.1 < mean < 10  # raw activations of relu4_1 are in the hundreds


def test_npz_round_trip(tmp_path):
    encoder, decoder = random_encoder(), random_decoder()
    np.savez(tmp_path / "model.npz", **weights.to_arrays(encoder, "encoder"),
             **weights.to_arrays(decoder, "decoder"))
    assert_equal(weights.read_npz(tmp_path / "model.npz", "encoder"), encoder, rtol=0)
    assert_equal(weights.read_npz(tmp_path / "model.npz", "decoder"), decoder, rtol=0)


def test_coded_npz_is_close(tmp_path):
    encoder = random_encoder()
    np.savez(tmp_path / "model.npz", **pack.to_coded_arrays(encoder, "encoder"))
    read = weights.read_npz(tmp_path / "model.npz", "encoder")
    for layer, (kernel, bias) in encoder.items():
        assert abs(read[layer][0] - kernel).max() < 0.05 * abs(kernel).max()
        np.testing.assert_array_equal(read[layer][1], bias)


def test_quantising_up_to_256_values_is_exact():
    values = np.repeat(np.linspace(-1, 2, 200, dtype=np.float32), 7)
    codes, table = pack.quantise(values)
    np.testing.assert_allclose(table[codes], values, atol=1e-6)


def test_quantising_normal_values_reaches_eight_bits():
    values = np.random.default_rng(0).normal(size=50_000).astype(np.float32)
    codes, table = pack.quantise(values)
    # Panter & Dite: the best 256 levels leave sqrt(sqrt(3) pi / 2) / 256 = 0.64 % of the deviation
    assert np.sqrt(np.mean((table[codes] - values) ** 2)) < 0.008


def test_keras_h5_is_read_as_keras_reads_it(tmp_path):
    """Keras' own VGG19 loads the same file, and every layer gives what our encoder gives."""
    keras = pytest.importorskip("keras")
    from adain.networks.keras.model import Encoder

    network = random_weights(VGG19_LAYERS, encoder_channels, VGG19)
    widths = (*VGG19, 512)
    for name in KERAS_LAYERS[9:]:  # Keras wants the rest of the network, too
        inputs = 512
        network[f"conv{name[5]}_{name[-1]}"] = (
            np.zeros((3, 3, inputs, widths[int(name[5]) - 1]), "f"), np.zeros(512, "f"))
    path = tmp_path / "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
    write_keras_h5(path, network)
    reference = keras.applications.VGG19(weights=None, include_top=False)
    reference.load_weights(path)
    names = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1"]
    reference = keras.Model(reference.input, [reference.get_layer(name).output for name in names])
    image = picture(96, 128)[None].astype(np.float32)
    expected = reference.predict_on_batch(keras.applications.vgg19.preprocess_input(image.copy()))

    encoder = Encoder.from_weights(weights.fold_preprocessing(read_keras_h5(path)),
                                   STYLE_LAYERS)
    for ours, theirs, margin in zip(encoder.predict_on_batch(image / 255), expected, (1, 4, 4, 4)):
        inner = (slice(None), slice(margin, -margin), slice(margin, -margin))
        # Only the interior: VGG19 pads with zeros, we reflect. 1e-4: float32 sums reordered.
        np.testing.assert_allclose(ours[inner], theirs[inner], atol=1e-4 * theirs.max())


def test_vgg_path_takes_keras_h5_and_normalises_it(tmp_path):
    raw = weights.read_npz(weights.MODELS / "vgg19_encoder.npz", "encoder")
    write_keras_h5(tmp_path / "notop.h5", raw)
    assert_equal(weights.load_encoder("vgg19", tmp_path / "notop.h5"),
                 weights.load_encoder("vgg19"), rtol=1e-6)


@pytest.mark.parametrize("flat", [False, True], ids=["4-D kernels", "flat kernels"])
def test_torch_encoder_is_read_with_its_first_layer_folded(tmp_path, flat):
    network = random_weights(VGG19_LAYERS, encoder_channels, VGG19)
    write_vgg_t7(tmp_path / "vgg_normalised.t7", network, flat=flat)
    assert_equal(weights.load_encoder("vgg19", tmp_path / "vgg_normalised.t7"),
                 weights.fold_preprocessing(network), rtol=1e-5, atol=1e-3)


def test_torch_decoder_is_read_in_order(tmp_path):
    network = random_weights(VGG19_LAYERS[::-1], decoder_channels, VGG19)
    write_decoder_t7(tmp_path / "decoder.t7", network)
    assert_equal(weights.load_decoder("vgg19", tmp_path / "decoder.t7"), network, rtol=0)


def test_weights_of_the_wrong_shape_name_the_fitting_model():
    with pytest.raises(WeightsError, match=r"\(3, 3, 3, 64\).*compact expects.*`model=vgg19`"):
        weights.check(weights.load_encoder("vgg19"), "encoder", "compact", "x.npz")


def test_layers_too_many_are_named():
    network = random_encoder(*PRESETS["compact"][:2])
    network["conv3_4"] = network["conv3_2"]
    with pytest.raises(WeightsError, match="has conv3_4, which the preset compact has not"):
        weights.check(network, "encoder", "compact", "x.npz")


def test_missing_layers_are_named():
    network = random_encoder(VGG19)
    del network["conv3_2"]
    with pytest.raises(WeightsError, match="conv3_2"):
        weights.check(network, "encoder", "vgg19", "x.npz")


@pytest.mark.parametrize("name", ["vgg.h5", "vgg.t7", "vgg.pth"])
def test_broken_and_missing_files_are_one_clear_error(tmp_path, name):
    with pytest.raises(WeightsError, match="does not exist"):
        weights.load_encoder("vgg19", tmp_path / name)
    (tmp_path / name).write_bytes(b"not a weights file" * 100)
    with pytest.raises(WeightsError, match=name):
        weights.load_encoder("vgg19", tmp_path / name)


def test_truncated_npz_is_one_clear_error(tmp_path):
    whole = (weights.MODELS / "vgg19_encoder.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:len(whole) // 2])
    with pytest.raises(WeightsError, match="cut.npz"):
        weights.read_npz(tmp_path / "cut.npz", "encoder")


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", **{"encoder/conv1_1/kernel": np.array([{}], object)})
    with pytest.raises(WeightsError, match="evil.npz"):
        weights.read_npz(tmp_path / "evil.npz", "encoder")


def test_packing_may_average_with_what_ships():
    first = {"conv1_1": (np.zeros((3, 3, 1, 1), np.float32), np.float32([4]))}
    second = {"conv1_1": (np.full((3, 3, 1, 1), 10, np.float32), np.float32([8]))}
    kernel, bias = script("pack_checkpoint").average(first, second, 0.7)["conv1_1"]
    assert np.allclose(kernel, 7) and np.allclose(bias, 6.8)
