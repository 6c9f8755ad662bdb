"""Pictures that a run measures and does not train on."""

import dataclasses
import shutil

import numpy as np
import pytest
from conftest import logged, picture, write_folders
from PIL import Image

from adain.errors import ImageError, OptionError
from adain.files import images
from adain.measuring.metrics import Meter, mean
from adain.training import gallery

pytestmark = pytest.mark.xdist_group("training")


def write_gallery(folder):
    """Write two photographs and three paintings; return the folder."""
    for part, count in (("content", 2), ("style", 3)):
        (folder / part).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(picture(40, 56, 10 * count + number)).save(
                folder / part / f"{part}{number}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_gallery(tmp_path / "gallery")


def test_every_content_is_paired_with_every_style(folder):
    found = gallery.read(folder, 32)
    assert found.contents.shape == (2, 32, 32, 3) and found.styles.shape == (3, 32, 32, 3)
    assert found.pairs == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    stylized = np.stack([np.full((32, 32, 3), number, np.uint8) for number in range(6)])
    sheet = found.sheet(stylized)
    side = gallery.CELL + 4
    assert sheet.shape == (3 * side - 4, 4 * side - 4, 3)
    for number, (content, style) in enumerate(found.pairs):
        assert (sheet[(1 + content) * side + 9, (1 + style) * side + 9] == number).all()


def test_a_large_gallery_is_measured_in_part_and_that_is_logged(folder, monkeypatch):
    monkeypatch.setattr(gallery, "MOST_PAIRS", 4)
    with logged() as lines:
        found = gallery.read(folder, 32)
    assert len(found.pairs) == 4
    assert lines == ["gallery: measures 2 of 2 contents in 2 of 3 styles"]


def test_a_picture_that_cannot_be_read_is_named_and_the_rest_are_measured(folder):
    (folder / "style" / "broken.jpg").write_bytes(b"nothing")
    with logged() as lines:
        assert len(gallery.read(folder, 32).styles) == 3
    assert len(lines) == 1 and "broken.jpg" in lines[0]


def test_a_gallery_without_pictures_is_refused(folder):
    with pytest.raises(OptionError, match="content"):
        gallery.read(folder / "content", 32)
    for file in (folder / "style").iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(ImageError, match="none of the 3 pictures in .*style"):
        gallery.read(folder, 32)


def test_pictures_that_are_trained_on_are_found_by_content_and_by_look(folder, tmp_path):
    copy, small, other = (tmp_path / name for name in ("c.png", "style1.jpg", "content1.png"))
    copy.write_bytes((folder / "content" / "content0.png").read_bytes())
    images.write(small, images.resize(images.read(folder / "style" / "style1.png"), 30, 42))
    Image.fromarray(picture(40, 56, 99)).save(other)  # another picture of the same name
    same = gallery.overlap(gallery.read(folder, 32), [other, copy], [small])
    assert same == [f"{folder / 'content' / 'content0.png'} ({copy})",
                    f"{folder / 'style' / 'style1.png'} ({small})"]


pytest.importorskip("keras")
pytest.importorskip("tensorflow")
from test_any_style import FAST, arrays

from adain.networks import checkpoint
from adain.training import history
from adain.training.judge import Judge
from adain.training.run import train


def test_the_numbers_are_those_of_adain_metrics(folder):
    found = gallery.read(folder, 32)
    stylized = {pair: picture(32, 32, number) for number, pair in enumerate(found.pairs)}
    queue = list(stylized.values())
    scores, pictures = Judge(found, FAST).measure(
        lambda contents, styles: np.stack([queue.pop(0) for _ in contents]))
    np.testing.assert_array_equal(pictures, list(stylized.values()))
    files = {}
    for part, squares in (("content", found.contents), ("style", found.styles)):
        for number, square in enumerate(squares):
            files[part, number] = folder.parent / f"{part}{number}.png"
            Image.fromarray(square).save(files[part, number])
    meter = Meter(32)
    expected = mean({str(pair): meter.measure(files["content", pair[0]], files["style", pair[1]],
                                              result) for pair, result in stylized.items()})
    for name, value in expected._asdict().items():
        assert scores[name] == pytest.approx(value, rel=2e-3), name


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Folders of pictures, in run/ a training with a gallery, and what it logged.

    The gallery's content1.png is a photograph that the run trains on.
    """
    root = tmp_path_factory.mktemp("recorded")
    write_folders(root)
    folder = write_gallery(root / "gallery")
    shutil.copy(root / "content" / "content0.png", folder / "content" / "content1.png")
    config = dataclasses.replace(FAST, gallery_size=32, evaluate_every=3, keep=1)
    with logged() as lines:
        train(config, root / "content", root / "style", root / "run", gallery=folder)
    return root, lines


def test_a_run_records_its_gallery_and_keeps_the_best_checkpoint(recorded):
    folders, lines = recorded
    measured = {line["step"]: line["gallery"] for line in history.read(folders / "run")
                if "gallery" in line}
    assert list(measured) == [2, 3, 4]
    assert all(0 < scores["seconds"] < 60 and -1 <= scores["ssim"] <= 1
               for scores in measured.values())
    saved = checkpoint.load(folders / "run")
    assert saved.config["gallery"] == measured[4]
    best = min((2, 4), key=lambda step: measured[step]["loss"])
    assert {path.name for path in checkpoint.list_all(folders / "run")} == {
        checkpoint.name(step) for step in {best, 4}}
    assert lines[-1].endswith(checkpoint.name(best))
    assert images.read(folders / "run" / "gallery" / "step_0000003.jpg").shape == (
        3 * 132 - 4, 4 * 132 - 4, 3)
    assert any(line.startswith("step 3  gallery: content ") for line in lines)
    (log,) = (folders / "run" / "logs").iterdir()
    for tag in (b"gallery/content", b"gallery/style", b"gallery/ssim"):
        assert tag in log.read_bytes()


def test_the_gallery_does_not_change_the_training(recorded, fast_run):
    left, right = (arrays(checkpoint.load(run).path / "model.npz")
                   for run in (recorded[0] / "run", fast_run / "run"))
    for key in left:
        np.testing.assert_array_equal(left[key], right[key], err_msg=key)


def test_a_gallery_that_is_trained_on_is_warned_of_with_names(recorded):
    (warning,) = [line for line in recorded[1] if line.startswith("WARNING")]
    assert "content1.png" in warning and "content0.png" in warning


@pytest.mark.parametrize("options, message", [
    ({"evaluate_every": 2}, "`gallery`"), ({"gallery_size": 36}, "multiple of 8")])
def test_options_that_cannot_work_are_refused(folders, options, message):
    with pytest.raises(OptionError, match=message):
        train(dataclasses.replace(FAST, **options), folders / "content", folders / "style",
              folders / "run")
