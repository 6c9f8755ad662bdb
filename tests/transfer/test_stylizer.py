import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import torch7
from conftest import ROOT, picture, random_decoder, random_encoder
from PIL import Image
from weight_files import VGG19, write_decoder_t7, write_vgg_t7

from adain import Stylizer, merge
from adain.errors import ImageError, OptionError, WeightsError
from adain.files import images
from adain.networks import checkpoint
from adain.networks.architecture import PRESETS, preset
from adain.transfer import color


def test_paths_pillow_images_and_arrays_give_the_same(stylizer, tmp_path):
    content, style = picture(30, 50, 0), picture(60, 60, 1)
    for name, array in (("content", content), ("style", style)):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    expected = stylizer.stylize(content, style)
    assert expected.shape == (30, 50, 3) and expected.dtype == np.uint8
    for other in ((str(tmp_path / "content.png"), tmp_path / "style.png"),
                  (Image.fromarray(content), Image.fromarray(style)),
                  (content.astype(np.float64) / 255, np.dstack([style, style[..., :1]]))):
        np.testing.assert_array_equal(stylizer.stylize(*other), expected)


def test_a_style_encoded_once_serves_many_pictures(stylizer):
    content, style = picture(30, 50, 0), picture(60, 60, 1)
    encoded = stylizer.encode_style(style)
    assert encoded.mean.shape == encoded.std.shape == (32 + 96 + 256,)
    np.testing.assert_array_equal(stylizer.stylize(content, encoded),
                                  stylizer.stylize(content, style))
    mixed = merge([encoded, stylizer.encode_style(picture(40, 40, 2))], [0.7, 0.3])
    assert stylizer.stylize(content, mixed).shape == (30, 50, 3)


def test_a_style_of_another_model_is_refused(stylizer):
    style = Stylizer("vgg19").encode_style(picture())
    with pytest.raises(OptionError, match="this style has 512 channels, the model compact has 384"):
        stylizer.stylize(picture(), style)


def test_inputs_are_not_modified(stylizer):
    content, style = picture(30, 50, 0), picture(60, 60, 1)
    before = content.copy(), style.copy()
    stylizer.stylize(content, style)
    np.testing.assert_array_equal(content, before[0])
    np.testing.assert_array_equal(style, before[1])


def test_alpha_goes_from_content_to_style(stylizer):
    content, style = picture(64, 64, 0), (picture(64, 64, 1) * [1.0, 0.2, 0.1]).astype(np.uint8)
    plain, half, full = (stylizer.stylize(content, style, alpha).astype(float)
                         for alpha in (0, 0.5, 1))
    # alpha 0 has nothing of the style in it: any style gives the same
    np.testing.assert_array_equal(plain, stylizer.stylize(content, picture(64, 64, 7), 0))
    assert abs(half - plain).mean() < abs(full - plain).mean()
    assert full[..., 0].mean() - full[..., 2].mean() > plain[..., 0].mean() - plain[..., 2].mean()


@pytest.mark.parametrize("model", ["compact", "vgg19"])
def test_red_stays_red(model):
    """Taking RGB for BGR somewhere is the field's most frequent bug."""
    content = np.full((64, 128, 3), 40, np.uint8)
    content[:, :64, 0] = content[:, 64:, 2] = 210
    plain = Stylizer(model).stylize(content, picture(64, 64), alpha=0).astype(float)
    red, _, blue = plain[16:48, 16:48].mean(axis=(0, 1))
    assert red > blue + 60
    red, _, blue = plain[16:48, 80:112].mean(axis=(0, 1))
    assert blue > red + 60


def test_large_styles_are_shrunk_to_the_style_size():
    small = Stylizer("compact", precision="float32", style_size=32)
    as_is = Stylizer("compact", precision="float32", style_size=None)
    style = picture(128, 96)
    shrunk = images.resize_shorter_side(style, 32)
    np.testing.assert_array_equal(small.encode_style(style).mean, as_is.encode_style(shrunk).mean)
    np.testing.assert_array_equal(small.encode_style(shrunk).mean, as_is.encode_style(shrunk).mean)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("mode", ["coral", "histogram", "luminance"])
def test_colours_are_kept_as_by_hand(stylizer, mode, dtype):
    content, style = picture(24, 32, 0), picture(40, 40, 1)
    recolored = stylizer.encode_style(color.recolor_style(style, content, mode))
    expected = color.restore_colors(stylizer.stylize(content, recolored, dtype=dtype), content,
                                    mode)
    kept = stylizer.stylize(content, style, keep_colors=mode, dtype=dtype)
    np.testing.assert_array_equal(kept, expected)
    assert kept.dtype == dtype
    assert (kept != stylizer.stylize(content, style, dtype=dtype)).any()


def test_an_encoded_style_cannot_take_the_content_s_colours(stylizer):
    style = stylizer.encode_style(picture(24, 24, 1))
    with pytest.raises(OptionError, match="`keep_colors=coral` .* give its picture"):
        stylizer.stylize(picture(24, 24, 0), style, keep_colors="coral")


def test_a_style_takes_the_colours_of_a_content_only(stylizer):
    with pytest.raises(OptionError, match="`keep_colors=coral` needs `content`"):
        stylizer.encode_style(picture(24, 24, 1), keep_colors="coral")


def test_repr_names_model_engine_and_device(stylizer):
    assert repr(stylizer) == (
        "Stylizer(model='compact', engine='openvino', device='CPU, float32')")


def test_a_spawned_process_gets_a_stylizer_that_does_the_same():
    content, style = picture(24, 32), picture(24, 24, 1)
    stylizer = Stylizer("compact", precision="float32", style_size=16, tile_size=64)
    expected = stylizer.stylize(content, style)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        found = executor.submit(stylizer.stylize, content, style).result()
    np.testing.assert_array_equal(found, expected)


def test_tiles_change_nothing_that_shows():
    content, style = picture(200, 280), picture(64, 64, 1)
    whole = Stylizer("compact", precision="float32").stylize(content, style)
    tiled = Stylizer("compact", precision="float32", tile_size=64).stylize(content, style)
    assert abs(whole.astype(int) - tiled).max() <= 1  # rounding at a border between two values


@pytest.mark.parametrize("bad, message", [
    (np.zeros((0, 4, 3), np.uint8), r"received \(0, 4, 3\)"),
    (np.zeros((4, 4, 2), np.uint8), r"received \(4, 4, 2\)"),
    (np.full((4, 4, 3), 255.0), "Divide 8-bit values by 255"),
    (np.full((4, 4, 3), np.nan), "received nan"),
    (np.zeros((4, 4, 3), np.int32), "received int32"),
    (None, "an array; received NoneType"), ([picture()], "an array; received list"),
    ("no/such/file.jpg", "does not exist")])
def test_pictures_that_cannot_be_used_are_refused(stylizer, bad, message):
    with pytest.raises(ImageError, match=message):
        stylizer.stylize(bad, picture())


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_alpha_outside_its_range_is_refused(stylizer, alpha):
    with pytest.raises(OptionError, match="`alpha` must be from 0 .* to 1"):
        stylizer.stylize(picture(), picture(), alpha)


@pytest.mark.parametrize("controls, message", [
    ({"passes": 0}, "`passes` must be at least 1"),
    ({"coarse_size": 0}, "`coarse_size` must be at"),
    ({"dtype": np.int32}, "uint8, uint16, float32; received int32"),
    ({"dtype": np.float64}, "received float64"),
    ({"masks": [picture()]}, "1 masks need a list of 1 styles; received one style"),
    ({"masks": [picture()] * 2, "style": [picture()]}, "received 2 masks and 1 styles"),
    ({"masks": [], "style": []}, "one for each style; received 0 masks and 0 styles"),
    ({"style": [picture()] * 2}, "a list of 2 styles needs `masks`, one for each"),
    ({"style": (picture(),)}, "a list of 1 styles needs `masks`")])
def test_controls_that_mean_nothing_are_refused(stylizer, controls, message):
    with pytest.raises(OptionError, match=message):
        stylizer.stylize(picture(), **{"style": picture()} | controls)


@pytest.mark.parametrize("options, message", [
    ({"model": "vgg16"}, "vgg19, compact"), ({"tile_size": 100}, "multiple of 8"),
    ({"style_size": 0}, "at least 1"), ({"model": "compact", "vgg_path": "x.h5"}, "`model=vgg19`"),
    ({"decoder_path": "decoder.t7"}, "work only together"),
    ({"vgg_path": "vgg_normalised.t7"}, "work only together")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Stylizer(**options)


def test_published_torch_weights_work_together(tmp_path):
    encoder, decoder = random_encoder(VGG19), random_decoder(VGG19)
    write_vgg_t7(tmp_path / "vgg_normalised.t7", encoder)
    write_decoder_t7(tmp_path / "decoder.t7", decoder)
    stylizer = Stylizer(vgg_path=tmp_path / "vgg_normalised.t7",
                        decoder_path=tmp_path / "decoder.t7")
    assert stylizer.stylize(picture(20, 30), picture()).shape == (20, 30, 3)
    torch7.save(tmp_path / "short.t7", torch7.sequential(torch7.padding()))
    with pytest.raises(WeightsError, match="0 convolutions; a decoder has 9"):
        Stylizer(vgg_path=tmp_path / "vgg_normalised.t7", decoder_path=tmp_path / "short.t7")


def test_a_checkpoint_knows_its_model(tmp_path):
    size = preset("compact")[:2]
    checkpoint.save(tmp_path, {"step": 7, "options": {"model": "compact", "vgg_path": None}},
                    random_encoder(*size), random_decoder(*size), [], keep=1)
    assert Stylizer(checkpoint=tmp_path).model == "compact"
    assert Stylizer(checkpoint=tmp_path / "step_0000007", model="compact").model == "compact"
    with pytest.raises(OptionError, match="holds the model compact; received `model=vgg19`"):
        Stylizer("vgg19", checkpoint=tmp_path)


def test_a_file_as_checkpoint_is_refused_as_a_file(tmp_path):
    (tmp_path / "model.bin").touch()
    with pytest.raises(WeightsError, match="model.bin is a file; a checkpoint is a folder"):
        Stylizer(checkpoint=tmp_path / "model.bin")
    with pytest.raises(WeightsError, match="is a file.* one style is read by .*StyleNetwork"):
        Stylizer(checkpoint=ROOT / "examples" / "woodcut_waves.npz")


def test_stylising_imports_no_training_framework():
    code = ("import sys, numpy, adain; x = numpy.zeros((16, 16, 3), numpy.uint8);"
            "adain.Stylizer('compact').stylize(x, x);"
            "print([name for name in ('tensorflow', 'keras', 'torch', 'jax', 'tensorboard', 'h5py')"
            " if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_picture_no_larger_than_a_tile_and_its_halo_is_one_tile():
    photo, printed = np.zeros((600, 800, 3), np.uint8), np.zeros((900, 1200, 3), np.uint8)
    stylizer = Stylizer("compact")
    assert stylizer.tile_size_for(photo) == 800
    assert stylizer.tile_size_for(printed) == PRESETS["compact"].tile_size
    assert Stylizer("compact", tile_size=64).tile_size_for(photo) == 64


def test_threads_share_a_stylizer():
    stylizer = Stylizer("compact", precision="float32")
    generator = np.random.default_rng(0)
    pictures = [generator.integers(0, 256, (64 + 8 * n, 64, 3), np.uint8) for n in range(12)]
    alone = [stylizer.stylize(picture, picture, dtype=np.float32) for picture in pictures]
    with ThreadPoolExecutor(4) as executor:
        together = list(executor.map(
            lambda picture: stylizer.stylize(picture, picture, dtype=np.float32), pictures))
    for left, right in zip(alone, together):
        np.testing.assert_allclose(left, right, atol=1e-4)


def test_progress_may_use_the_stylizer():
    """Itself, or in a thread that it waits for."""
    stylizer = Stylizer("compact", precision="float32", tile_size=64)
    content, style = picture(200, 280), picture(64, 64, 1)
    expected = stylizer.stylize(content, style)
    with ThreadPoolExecutor(1) as executor:
        def progress(tiles):
            for tile in tiles:
                stylizer.stylize(style, content[:64, :64])
                executor.submit(stylizer.stylize, style, content[:64, :64]).result(timeout=60)
                yield tile

        np.testing.assert_array_equal(stylizer.stylize(content, style, progress=progress), expected)


def test_errors_name_parameters_and_are_value_errors():
    with pytest.raises(ValueError, match=r"`max_memory` is 100") as found:
        Stylizer("compact", max_memory=100)
    assert isinstance(found.value, OptionError) and "--" not in str(found.value)
