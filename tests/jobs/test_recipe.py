"""What the options of stylize.py do to a result, through the command itself (in this process)."""

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain import Stylizer, merge
from adain.commands.stylize import main
from adain.errors import ImageError, OptionError, WeightsError
from adain.files import images

CONTENT, STYLES = picture(40, 56, 0), (picture(48, 48, 10), picture(56, 40, 11))


@pytest.fixture
def place(tmp_path):
    """A folder with one content and two styles."""
    images.write(tmp_path / "photo.png", CONTENT)
    for name, style in zip("ab", STYLES):
        images.write(tmp_path / "styles" / f"{name}.png", style)
    return tmp_path


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer("compact")


def stylize(place, *options, content="photo.png", style=("styles",)):
    return main(["--model", "compact", "--content-path", str(place / content), "--style-path",
                 *(str(place / name) for name in style), "--out-path", str(place / "out"),
                 "--format", "png", *map(str, options)])


def result(place, name):
    return images.read(place / "out" / f"{name}.png")


def names(place):
    return sorted(path.relative_to(place / "out").as_posix()
                  for path in (place / "out").rglob("*") if path.is_file())


def test_style_weights_mix_the_styles_into_one_result(place, stylizer):
    assert stylize(place, "--style-weights", 3, 1) == 0
    assert names(place) == ["photo__a+b.png"]
    mixed = merge([stylizer.encode_style(style) for style in STYLES], [0.75, 0.25])
    np.testing.assert_array_equal(result(place, "photo__a+b"), stylizer.stylize(CONTENT, mixed))


def test_the_command_works_in_any_thread(place):
    with ThreadPoolExecutor(1) as other:
        assert other.submit(stylize, place, style=("styles/a.png",)).result() == 0
    assert names(place) == ["photo__a.png"]


def test_several_alphas_give_a_result_each(place, stylizer):
    assert stylize(place, "--alpha", 0.25, 1, style=("styles/a.png",)) == 0
    assert names(place) == ["photo__a__alpha0.25.png", "photo__a__alpha1.png"]
    np.testing.assert_array_equal(result(place, "photo__a__alpha0.25"),
                                  stylizer.stylize(CONTENT, STYLES[0], 0.25))


def test_black_in_all_masks_keeps_the_content(place, capsys):
    mask = np.zeros((20, 28), np.uint8)  # half as large as the content: it is enlarged
    mask[:, :14] = 255
    Image.fromarray(mask).save(place / "mask.png")
    assert stylize(place, "--mask", place / "mask.png", style=("styles/a.png",)) == 0
    assert (f"mask {place / 'mask.png'} is resized from 28 x 20 to the content's 56 x 40"
            in capsys.readouterr().err)
    made = result(place, "photo__a")
    np.testing.assert_array_equal(made[:, 30:], CONTENT[:, 30:])
    assert abs(made[:, :26].astype(int) - CONTENT[:, :26]).mean() > 5


def test_masks_that_are_white_everywhere_share_the_picture(place, capsys):
    Image.fromarray(np.full((40, 56), 255, np.uint8)).save(place / "white.png")
    white = place / "white.png"
    assert stylize(place, "--mask", white, white, "--precision", "float32") == 0
    assert "resized" not in capsys.readouterr().err
    stylizer = Stylizer("compact", precision="float32")
    mixed = merge([stylizer.encode_style(style) for style in STYLES], [1, 1])
    difference = result(place, "photo__a+b").astype(int) - stylizer.stylize(CONTENT, mixed)
    assert abs(difference).max() <= 1  # two graphs, rounded apart


def test_luminance_keeps_the_colours(place):
    assert stylize(place, "--keep-colors", "luminance", style=("styles/a.png",)) == 0
    made = result(place, "photo__a").astype(int)
    inside = ((made > 0) & (made < 255)).all(axis=-1)
    shift = (made - CONTENT)[inside]  # the same in red, green and blue: only luminance changed
    assert inside.mean() > 0.5 and abs(shift - shift.mean(axis=1, keepdims=True)).max() <= 1


@pytest.mark.parametrize("mode", ["coral", "histogram"])
def test_recoloured_styles_change_the_result(place, stylizer, mode):
    assert stylize(place, "--keep-colors", mode, style=("styles/a.png",)) == 0
    plain = stylizer.stylize(CONTENT, STYLES[0])
    assert abs(result(place, "photo__a").astype(int) - plain).mean() > 1


def test_content_size_and_crop_size(place):
    assert stylize(place, "--content-size", 60, "--crop-size", 50, style=("styles/a.png",)) == 0
    assert result(place, "photo__a").shape == (50, 50, 3)


def test_passes_stylize_the_result_again(place, stylizer):
    assert stylize(place, "--passes", 2, style=("styles/a.png",)) == 0
    once = stylizer.stylize(CONTENT, STYLES[0])
    np.testing.assert_array_equal(result(place, "photo__a"), stylizer.stylize(once, STYLES[0]))


def test_coarse_size_stylizes_small_then_large(place, stylizer):
    assert stylize(place, "--coarse-size", 20, style=("styles/a.png",)) == 0
    small = stylizer.stylize(images.resize_shorter_side(CONTENT, 20), STYLES[0])
    np.testing.assert_array_equal(
        result(place, "photo__a"),
        stylizer.stylize(images.resize(small, *CONTENT.shape[:2]), STYLES[0]))


def test_random_draws_styles_by_the_seed(place):
    for index in range(6):
        images.write(place / "styles" / f"c{index}.png", picture(32, 32, index))
    drawn = []
    for seed in (1, 1, 2):
        assert stylize(place, "--random", 3, "--seed", seed, "--overwrite") == 0
        drawn.append(names(place))
        for name in drawn[-1]:
            (place / "out" / name).unlink()
    (place / "elsewhere").mkdir()
    (place / "photo.png").rename(place / "elsewhere" / "photo.png")
    assert stylize(place, "--random", 3, "--seed", 1, content="elsewhere/photo.png") == 0
    assert names(place) == drawn[0]
    assert len(drawn[0]) == 3 and drawn[0] == drawn[1] != drawn[2]


def test_only_styles_of_results_still_to_do_are_read(place, capsys):
    for index in range(6):
        images.write(place / "styles" / f"c{index}.png", picture(32, 32, index))
    assert stylize(place, "--random", 2) == 0
    drawn = [name.removeprefix("photo__") for name in names(place)]
    for path in (place / "styles").iterdir():
        if path.name not in drawn:
            path.write_bytes(b"no picture")
    assert stylize(place, "--random", 2, "--overwrite") == 0
    (place / "styles" / drawn[0]).write_bytes(b"no picture")
    capsys.readouterr()
    assert stylize(place, "--random", 2) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("options", [[], ["--keep-colors"], ["--concat"]])
def test_an_unreadable_style_is_reported_once_and_the_rest_is_made(place, capsys, options):
    images.write(place / "photos" / "x.png", CONTENT)
    images.write(place / "photos" / "y.png", CONTENT)
    (place / "styles" / "a.png").write_bytes(b"no picture")
    assert stylize(place, *options, content="photos") == 1
    assert names(place) == ["x__b.png", "y__b.png"]
    said = capsys.readouterr().err
    assert said.count("a.png is not a readable image") == 1 and "skipped 1: " in said


def test_an_encoded_style_of_another_network_fails_alone(place, capsys):
    np.savez(place / "styles" / "other.npz", mean=np.zeros(384, np.float32),
             std=np.ones(384, np.float32), encoder=np.array("another"))
    assert stylize(place, style=("styles/a.png", "styles/other.npz")) == 1
    assert names(place) == ["photo__a.png"]
    assert "other.npz was encoded by another network" in capsys.readouterr().err


def test_a_picture_too_large_for_the_memory_is_refused_by_its_header(
        place, capsys):
    file = io.BytesIO()
    Image.new("RGB", (4000, 3000)).save(file, "JPEG")
    for folder in ("photos", "styles"):
        images.write(place / folder / "a.png", CONTENT)
        (place / folder / "large.jpg").write_bytes(file.getvalue()[:1000])  # little but the header
    assert stylize(place, "--max-memory", 250, content="photos", style=("styles",)) == 1
    said = capsys.readouterr().err
    for folder in ("photos", "styles"):
        assert f"{folder}/large.jpg: a picture of 4000 x 3000 needs at least" in said
    assert names(place) == ["a__a.png", "a__b.png"]


def test_concat_puts_content_and_style_beside_the_result(place, stylizer):
    assert stylize(place, "--concat", style=("styles/a.png",)) == 0
    row = result(place, "photo__a")
    assert row.shape == (40, 56 + 40 + 56, 3)
    np.testing.assert_array_equal(row[:, :56], CONTENT)
    np.testing.assert_array_equal(row[:, 96:], stylizer.stylize(CONTENT, STYLES[0]))


def test_a_row_of_pictures_that_is_too_large_fails_alone(place, capsys):
    images.write(place / "photos" / "high.png", np.zeros((60_000, 1, 3), np.uint8))
    images.write(place / "photos" / "photo.png", CONTENT)
    images.write(place / "styles" / "wide.png", np.zeros((1, 60_000, 3), np.uint8))
    assert stylize(place, "--concat", "--max-pixels", 10_000_000, content="photos") == 1
    assert names(place) == ["photo__a.png", "photo__b.png"]
    said = capsys.readouterr().err
    assert "high.png: --concat makes a row of 60002 x 60000 pixels; the limit is 10000000" in said
    assert "photo.png: --concat makes a row of 2400112 x 40 pixels" in said


def test_a_result_too_large_for_its_format_fails_before_it_is_made(place, capsys, monkeypatch):
    images.write(place / "photos" / "a.png", CONTENT)
    images.write(place / "photos" / "long.png", np.zeros((1, 20_000, 3), np.uint8))
    monkeypatch.setattr(Stylizer, "stylize", lambda self, image, *rest, **options: image)
    assert stylize(place, "--format", "webp", content="photos") == 1
    assert names(place) == ["a__a.webp", "a__b.webp"]
    assert ("long.png: a result of 20000 x 1 pixels is too large for its format, whose limit is "
            "16383 pixels a side" in capsys.readouterr().err)


def test_a_transparent_picture_longer_than_a_jpeg_becomes_a_png(place, monkeypatch):
    images.write(place / "long.png", np.zeros((1, 66_000, 3), np.uint8),
                 opacity=np.full((1, 66_000), 128, np.uint8))
    monkeypatch.setattr(Stylizer, "stylize", lambda self, image, *rest, **options: image)
    assert main(["--model", "compact", "--content-path", str(place / "long.png"), "--style-path",
                 str(place / "styles" / "a.png"), "--out-path", str(place / "out")]) == 0
    assert names(place) == ["long__a.png"]


def test_a_sheet_too_large_for_its_format_is_refused_first(place):
    for index in range(63):
        images.write(place / "photos" / f"{index}.png", CONTENT[:1, :1])
    with pytest.raises(OptionError, match="of 516 x 16636 .* 16383 pixels a side .WEBP"):
        stylize(place, "--sheet", place / "sheet.webp", content="photos", style=("styles/a.png",))
    with pytest.raises(OptionError, match="100 pixels in total .`max_pixels`"):
        stylize(place, "--sheet", place / "sheet.png", "--max-pixels", 100, content="photos")


def test_sheet_has_a_row_for_each_content_and_a_column_for_each_style_and_alpha(place):
    assert stylize(place, "--sheet", place / "sheet.png", "--alpha", 0, 1) == 0
    sheet = images.read(place / "sheet.png")
    assert sheet.shape == (2 * 260 - 4, 5 * 260 - 4, 3) and not (place / "out").exists()
    assert (sheet[:256, :256] == 255).all()
    cell = images.resize(CONTENT[:, 8:48], 256, 256)
    np.testing.assert_array_equal(sheet[260:, :256], cell)


def test_contents_of_one_size_are_stylized_after_each_other(place, capsys):
    for name, side in (("a", 40), ("b", 64), ("c", 36), ("d", 60)):
        images.write(place / "photos" / f"{name}.png", picture(side, 56))
    assert stylize(place, "--json", content="photos", style=("styles/a.png",)) == 0
    made = [json.loads(line)["content"][-5] for line in capsys.readouterr().out.splitlines()]
    assert "".join(made) == "acbd"  # 40 and 36 are computed as 40, 64 and 60 as 64
    assert stylize(place, "--json", "--content-size", 50, "--crop-size", 40, "--overwrite",
                   content="photos", style=("styles/a.png",)) == 0
    made = [json.loads(line)["content"][-5] for line in capsys.readouterr().out.splitlines()]
    assert "".join(made) == "abcd"  # all of one size


def test_the_rows_of_a_sheet_are_in_the_order_of_the_contents(place):
    for name, side, level in (("a", 64, 10), ("b", 40, 200)):
        images.write(place / "photos" / f"{name}.png", np.full((side, side, 3), level, np.uint8))
    stylize(place, "--sheet", place / "sheet.png", content="photos", style=("styles/a.png",))
    sheet = images.read(place / "sheet.png")
    assert (sheet[260, 0, 0], sheet[520, 0, 0]) == (10, 200)


def test_a_saved_style_gives_the_same_result(place):
    assert stylize(place, "--style-weights", 3, 1, "--save-style", place / "mixed.npz") == 0
    assert (place / "mixed.npz").stat().st_size < 10_000
    assert stylize(place, style=("mixed.npz",)) == 0
    np.testing.assert_array_equal(result(place, "photo__mixed"), result(place, "photo__a+b"))
    with pytest.raises(WeightsError, match="encoded by another network"):
        Stylizer("vgg19").encode_style(place / "mixed.npz")
    with pytest.raises(OptionError, match="need the picture of a style"):
        stylize(place, "--concat", style=("mixed.npz",))


def test_folders_keep_their_tree(place):
    images.write(place / "photos" / "photo.png", CONTENT)
    images.write(place / "photos" / "2024" / "may" / "photo.png", CONTENT)
    assert stylize(place, content="photos", style=("styles/a.png",)) == 0
    assert names(place) == ["2024/may/photo__a.png", "photo__a.png"]


def test_existing_results_are_kept_unless_overwritten(place, capsys):
    assert stylize(place) == 0
    (place / "out" / "photo__a.png").unlink()
    (place / "out" / "photo__b.png").write_bytes(b"mine")
    assert stylize(place) == 0
    assert "1 picture, 1 exist already (--overwrite replaces them) in" in capsys.readouterr().out
    assert (place / "out" / "photo__b.png").read_bytes() == b"mine"
    assert stylize(place, "--overwrite") == 0
    assert result(place, "photo__b").shape == CONTENT.shape


def test_json_has_a_line_for_each_result(place, capsys):
    (place / "photos").mkdir()
    (place / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 broken")
    images.write(place / "photos" / "photo.png", CONTENT)
    assert stylize(place, "--json", content="photos", style=("styles/a.png",)) == 1
    broken, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert broken["status"] == "failed" and "broken.jpg is not" in broken["error"]
    assert done["status"] == "done" and done["seconds"] > 0
    assert images.read(done["out"]).shape == CONTENT.shape


def test_transparency_is_kept(place):
    opacity = np.zeros((40, 56), np.uint8)
    opacity[:, 20:] = 200
    images.write(place / "logo.png", CONTENT, opacity=opacity)
    assert main(["--model", "compact", "--content-path", str(place / "logo.png"), "--style-path",
                 str(place / "styles" / "a.png"), "--out-path", str(place / "out")]) == 0
    made = images.open_picture(place / "out" / "logo__a.png")  # jpg has no transparency
    np.testing.assert_array_equal(made.opacity, opacity)


@pytest.mark.parametrize("out, written", [
    ("named.jpg", "named.jpg"), ("named.png", "named.png"), ("out", "out/logo__a.png")])
def test_file_json_and_printed_line_agree_on_the_name_of_a_transparent_result(
        place, capsys, out, written):
    images.write(place / "logo.png", CONTENT, opacity=np.full((40, 56), 128, np.uint8))
    command = ["--model", "compact", "--content-path", str(place / "logo.png"), "--style-path",
               str(place / "styles" / "a.png"), "--out-path", str(place / out)]
    assert main([*command, "--json"]) == 0
    before, said = set(place.glob("*")) | set(place.glob("out/*")), capsys.readouterr()
    assert place / written in before
    assert not before & {place / "out" / "logo__a.jpg", place / "named.png"} - {place / written}
    assert json.loads(said.out)["out"] == str(place / written)
    assert ("on white: JPEG cannot store transparency" in said.err) == written.endswith("jpg")
    assert main([*command, "--overwrite"]) == 0
    assert f"-> {place / written} (" in capsys.readouterr().out
    assert set(place.glob("*")) | set(place.glob("out/*")) == before
    if out == "out":
        assert main([*command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["out"] == str(place / written)


def test_16_bits_have_more_than_256_levels(place):
    assert stylize(place, "--bits", 16, style=("styles/a.png",)) == 0
    made = cv2.imread(str(place / "out" / "photo__a.png"), cv2.IMREAD_UNCHANGED)
    assert made.dtype == np.uint16 and len(np.unique(made)) > 256


def test_a_narrow_picture_is_not_enlarged_beyond_the_limit(place, capsys):
    Image.fromarray(np.zeros((2, 1000, 3), np.uint8)).save(place / "photo.png")
    code = stylize(place, "--content-size", 60, "--max-pixels", 10_000, style=("styles/a.png",))
    assert code == 1
    assert "enlarge 2 x 1000 pixels to 60 x 30000; the limit is 10000" in capsys.readouterr().err
    assert not list(place.glob("out/*"))


def test_standard_input_and_output(place, stylizer, monkeypatch):
    class Stream:
        def __init__(self, buffer):
            self.buffer = buffer

    monkeypatch.setattr(sys, "stdout", Stream(io.BytesIO()))
    with open(place / "photo.png", "rb") as photo:
        monkeypatch.setattr(sys, "stdin", Stream(photo))
        assert main(["--model", "compact", "--content-path", "-", "--style-path",
                     str(place / "styles" / "a.png"), "--out-path", "-"]) == 0
    made = images.read(io.BytesIO(sys.stdout.buffer.getvalue()))
    np.testing.assert_array_equal(made, stylizer.stylize(CONTENT, STYLES[0]))


@pytest.mark.parametrize("options, error, message", [
    (["--style-weights", "1"], OptionError, r"2 styles need 2 `style_weights`; received 1 \(1.0\)"),
    (["--style-weights", "0", "0"], OptionError, "not all 0"),
    (["--style-weights", "1", "1", "--mask", "m.png", "m.png"], OptionError, "use one of the two"),
    (["--mask", "m.png"], OptionError, "2 styles need 2 `masks`; received 1"),
    (["--mask", "none.png", "none.png"], ImageError, "none.png does not exist"),
    (["--passes", "0"], OptionError, "`passes` must be at least 1; received 0"),
    (["--random", "0"], OptionError, "--random must be at least 1; received 0"),
    (["--content-size", "-3"], OptionError, "`content_size` must be at least 1; received -3"),
    (["--bits", "16", "--format", "jpg"], OptionError, "--bits 16 needs results in png or tif"),
    (["--bits", "16", "--concat"], OptionError, "leave out `bits=16`"),
    (["--save-style", "s.npz"], OptionError, "--save-style writes one style; received 2"),
    (["--save-style", "s.npz", "--style-weights", "1", "1", "--keep-colors"], OptionError,
     "leave out --keep-colors"),
    (["--max-memory", "50"], OptionError, "needs at least 2.. MB with the model compact"),
    (["--tile-size", "64", "--max-memory", "500"], OptionError, "exclude each other"),
    (["--sheet", "sheet.xyz"], ImageError, "cannot write '.xyz'"),
    (["--sheet", "-"], ImageError, "-: cannot write ''"),
    (["--out-path", "-", "--format", "jpg", "--bits", "16", "--random", "1"], OptionError,
     "received JPEG"),
    (["--style-weights", "inf", "1"], OptionError, "their sum finite; received inf 1.0"),
])
def test_invalid_options_are_refused_before_anything_is_written(place, options, error, message):
    with pytest.raises(error, match=message):
        stylize(place, *options)
    assert not list(place.glob("out/*"))


def test_a_black_mask_and_a_large_crop_are_refused(place):
    Image.fromarray(np.zeros((40, 56), np.uint8)).save(place / "black.png")
    assert stylize(place, "--mask", place / "black.png", style=("styles/a.png",)) == 1
    assert stylize(place, "--crop-size", 50, style=("styles/a.png",)) == 1
    assert not list(place.glob("out/*"))


def test_max_memory_sets_the_tile_size_and_changes_nothing(place):
    plain, limited = Stylizer("compact", precision="float32"), Stylizer(
        "compact", precision="float32", max_memory=215)
    content = picture(400, 500)
    assert 64 <= limited.tile_size_for(content) < 200 < plain.tile_size_for(content)
    difference = limited.stylize(content, STYLES[0]).astype(int) - plain.stylize(content, STYLES[0])
    assert abs(difference).max() <= 1


def test_repeated_options_add_up(place):
    assert stylize(place, "--style-path", place / "styles" / "b.png", "--style-weights", 3,
                   "--style-weights", 1, style=("styles/a.png",)) == 0
    assert names(place) == ["photo__a+b.png"]
