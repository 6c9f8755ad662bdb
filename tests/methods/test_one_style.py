"""One network per style from the command line: trained, exported, used."""

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain import memory
from adain.commands import pack, stylize
from adain.errors import ImageError, OptionError, WeightsError
from adain.files import images
from adain.methods.johnson import network as johnson

SMALL = ("--image-size", 40, "--crop-size", 32, "--batch-size", 2, "--save-iter", 2,
         "--precision", "float32")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with photographs, red.png, and a network of two steps: run/ and red.npz."""
    pytest.importorskip("tensorflow")
    place = tmp_path_factory.mktemp("one_style")
    (place / "content").mkdir()
    for index in range(2):
        Image.fromarray(picture(40 + index, 56, index)).save(place / "content" / f"{index}.png")
    Image.new("RGB", (48, 40), (220, 40, 30)).save(place / "red.png")
    train(place, "--max-iter", 2)
    pack.main([str(place / "run"), str(place / "red.npz")])
    return place


def train(place, *options):
    from adain.commands import train

    train.main(list(map(str, ("--method", "johnson", "--content-path", place / "content",
                              "--style-path", place / "red.png", "--checkpoint", place / "run",
                              *SMALL, *options))))


def use(place, *options, network="red.npz"):
    return stylize.main(list(map(str, ("--checkpoint", place / network, "--content-path",
                                       place / "content", "--out-path", place / "out", "--format",
                                       "png", "--overwrite", *options))))


def test_the_same_command_goes_on(place, capsys):
    train(place, "--max-iter", 2)
    assert "already at step 2 of 2" in capsys.readouterr().out


def test_folder_and_file_give_what_the_network_does(place, capsys):
    content = images.read(place / "content" / "0.png")
    for network in ("run", "red.npz"):
        assert use(place, network=network) == 0
        expected = johnson.StyleNetwork(place / network).stylize(content)
        np.testing.assert_array_equal(images.read(place / "out" / "0__red.png"), expected)
    assert "2 pictures" in capsys.readouterr().out


def test_results_are_refined_towards_the_painting(tmp_path):
    generator, painting = np.random.default_rng(0), np.float32([220, 40, 30])
    johnson.save(tmp_path / "red.npz", {
        name: np.ones(shape) if name.endswith(("mean", "std")) else generator.normal(0, 0.05, shape)
        for name, shape in johnson.shapes().items()}, {"style_name": "red.jpg"})
    images.write(tmp_path / "content" / "0.png", picture(40, 56))
    images.write(tmp_path / "red.png", np.full((40, 48, 3), painting.astype(np.uint8)))

    def distance(*options):
        assert use(tmp_path, "--precision", "float32", *options) == 0
        made = images.read(tmp_path / "out" / "0__red.png")
        return np.abs(made.mean(axis=(0, 1)) - painting).mean()

    assert distance("--refine", 6, "--style-path", tmp_path / "red.png") < 0.8 * distance()
    for options in ((), ("--style-path", tmp_path / "content", tmp_path / "red.png")):
        with pytest.raises(OptionError, match="needs one `style_path`: .* was trained on"):
            use(tmp_path, "--refine", 6, *options)


def test_sizes_bits_and_colours(place):
    assert use(place, "--content-size", 24, "--crop-size", 20, "--bits", 16) == 0
    with Image.open(place / "out" / "0__red.png") as made:
        assert made.size == (20, 20)
    assert use(place, "--keep-colors", "luminance") == 0
    made, content = (images.read(path).astype(int) for path in (place / "out" / "0__red.png",
                                                                place / "content" / "0.png"))
    inside = ((made > 0) & (made < 255)).all(axis=-1)
    shift = (made - content)[inside]  # the same in red, green and blue: only luminance changed
    assert inside.any() and abs(shift - shift.mean(axis=1, keepdims=True)).max() <= 1
    assert use(place, "--sheet", place / "sheet.png") == 0
    assert images.read(place / "sheet.png").shape == (2 * 260 - 4, 2 * 260 - 4, 3)  # no header


def test_a_picture_beyond_the_memory_is_refused_with_a_size_that_fits(place):
    network = johnson.StyleNetwork(place / "red.npz", "float32", max_memory=6)  # 10 000 pixels
    assert network.stylize(picture(100, 100, 0)).shape == (100, 100, 3)
    with pytest.raises(ImageError, match="400 x 100 needs 24 MB.*`content_size=50` fits"):
        network.stylize(picture(100, 400, 0))
    assert network.stylize(picture(50, 200, 0)).shape == (50, 200, 3)


def test_by_default_a_picture_may_take_what_this_process_has_left(place, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 6_000_000)
    assert johnson.StyleNetwork(place / "red.npz", "float32").max_memory == 6


@pytest.mark.parametrize("options, error, message", [
    (["--style-path", "red.png"], OptionError, "--style-path is not supported.*: leave it out"),
    (["--alpha", "0.5"], OptionError, "--alpha is not supported"),
    (["--mask", "m.png"], OptionError, "--mask is not supported"),
    (["--tune"], OptionError, "--tune is not supported"),
    (["--tile-size", "64"], OptionError, "--tile-size is not supported"),
    (["--keep-colors"], OptionError, "must be luminance .*; received coral")])
def test_what_the_network_cannot_do_is_refused(place, options, error, message):
    with pytest.raises(error, match=message):
        use(place, *options)


def test_a_file_that_is_no_network_is_refused(place):
    np.savez(place / "other.npz", x=np.zeros(3))
    with pytest.raises(WeightsError, match="other.npz is not a network for one style"):
        use(place, network="other.npz")


@pytest.mark.parametrize("options, message", [
    (["--gram"], "has no `gram`: leave it out"),
    (["--cached-crops", 1], "has no `cached_crops`"),
    (["--style-path", "{}/content"], "is a folder: name a picture"),
    (["--crop-size", 30], "must be a multiple of 8"),
    (["--continue-from", "{}/red.png"], "is not a network for one style")])
def test_impossible_training_options_are_refused(place, options, message):
    with pytest.raises((OptionError, WeightsError), match=message):
        train(place, "--checkpoint", place / "new", *(str(text).format(place) for text in options))
    assert not (place / "new").exists()


def test_its_defaults_are_its_own():
    from adain.commands.train import parser
    from adain.methods.johnson.method import Johnson

    assert Johnson.train_defaults["tv_weight"] == 10 == parser("johnson").get_default("tv_weight")
    assert parser().get_default("tv_weight") == 0
    assert parser("johnson").get_default("crop_size") == parser().get_default("crop_size")


def test_without_any_style_that_is_said(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(OptionError, match="--style-path is missing"):
        stylize.main(["--content-path", str(tmp_path / "a.png")])
