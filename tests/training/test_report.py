import json

import numpy as np
import pytest
from conftest import logged, picture, random_decoder
from PIL import Image

from adain.commands import report as command
from adain.errors import OptionError, WeightsError
from adain.files import images
from adain.networks import checkpoint
from adain.networks.architecture import PRESETS
from adain.training import history, report


@pytest.fixture
def folder(tmp_path):
    """A run of 400 steps with losses that fall and a validation loss that rises again."""
    for step in (1, 100, 200, 300, 400):
        strip = np.concatenate([picture(64, 128, 0), np.full((64, 64, 3), step // 2, np.uint8)], 1)
        images.write(tmp_path / "previews" / f"{checkpoint.name(step)}.jpg", strip)
    for step, loss in ((300, 4.0), (400, 5.0)):
        checkpoint.save(tmp_path, {
            "step": step, "options": {"model": "compact", "vgg_path": None}, "seconds": 7322.4,
            "validation": {"loss": loss}, "device": "CPU (3 cores)", "versions": {"keras": "9.9"},
            "command": "python train.py --seed 5"},
            None, random_decoder(*PRESETS["compact"][:2]), [], keep=2)
    record = history.History(tmp_path, 0)
    for step in range(20, 401, 20):
        losses = {"loss": 300 / step, "content": 100 / step, "style": 20000 / step}
        record.append(step, seconds=step * 18.306, losses=losses, images_per_second=2.5,
                      waited=0.25)
        if step % 100 == 0:
            record.append(step, validation={"loss": 4 + abs(step - 300) / 100, "content": 1.0,
                                            "style": 300.0})
    return tmp_path


def test_the_page_has_pictures_table_curves_and_facts(folder):
    path = report.write(folder, columns=3)
    text = path.read_text()
    assert "| 400 | 02:02:02 | 7322 | 2.5 | 25% | 0.25 | 50 | 5 |" in text
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][
        2:5] == ["20", "200", "400"]  # measured nearest to the previews of 1, 200 and 400
    for fact in ("CPU (3 cores)", "keras 9.9", "python train.py --seed 5", "`step_0000300`"):
        assert fact in text
    page = np.asarray(Image.open(folder / "report.png"))
    assert page.shape == (64 + 24, 5 * 68 - 4, 3)
    for column, step in ((2, 1), (3, 200), (4, 400)):
        assert abs(page[60, column * 68 + 30].astype(int) - step // 2).max() <= 3


def test_a_falling_loss_is_a_falling_line(folder):
    page = np.asarray(report.curves(history.read(folder), width=500, height=200)).astype(int)
    assert page.shape == (600, 500, 3)
    rows, columns = np.nonzero((page[:200] == report.COLORS["total"]).all(axis=-1))
    left, right = rows[columns < 120].mean(), rows[columns > 400].mean()
    assert right > left + 50


@pytest.mark.parametrize("line", [
    b"\xff\xfe", b"[" * 99_999, b"7", b'{"step": "x"}', b'{"step": 3, "losses": 4}',
    b'{"step": 3, "losses": {"loss": 1}}', b'{"step": 3, "validation": {"loss": NaN}}'])
def test_lines_of_the_history_that_cannot_be_read_are_counted_and_kept(folder, line):
    path = folder / history.NAME
    whole = history.read(folder)
    path.write_bytes(line + b"\n" + path.read_bytes() + b'{"step": 421, "los')
    with logged() as lines:
        assert history.read(folder) == whole
    assert len(lines) == 1 and "1 lines that cannot be read are left out" in lines[0]
    assert report.write(folder).exists()
    history.History(folder, 300)
    assert path.read_bytes().startswith(line + b"\n")


def test_history_after_the_resumed_step_goes(folder):
    history.History(folder, 300)
    assert max(line["step"] for line in history.read(folder)) == 300


def test_a_line_that_was_cut_off_is_left_out(folder):
    before = history.read(folder)
    with (folder / "history.jsonl").open("a") as file:
        file.write(json.dumps(before[-1])[:20])
    assert history.read(folder) == before


def test_folders_without_a_run_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="no checkpoint"):
        command.main([str(tmp_path)])
    checkpoint.save(tmp_path, {"step": 1, "options": {"model": "compact", "vgg_path": None}}, None,
                    random_decoder(*PRESETS["compact"][:2]), [], keep=2)
    with pytest.raises(OptionError, match="no history.jsonl"):
        command.main([str(tmp_path)])


@pytest.mark.parametrize("count, expected", [(2, [0, 9]), (4, [0, 3, 6, 9]), (20, list(range(10)))])
def test_spread_has_first_and_last(count, expected):
    assert report.spread(list(range(10)), count) == expected


def gallery_run(folder, name, style):
    """A run whose gallery was measured at two steps."""
    run = folder / name
    checkpoint.save(run, {
        "step": 200, "options": {"model": "compact", "vgg_path": None}, "seconds": 60,
        "data": {"content_path": {"pictures": 250}}, "device": "CPU"},
        None, random_decoder(*PRESETS["compact"][:2]), [], keep=2)
    record = history.History(run, 0)
    for step in (100, 200):
        record.append(step, seconds=step / 2, images_per_second=2.5, waited=0.0,
                      losses={"loss": 300 / step, "content": 1.0, "style": 20.0})
        record.append(step, seconds=step / 2, gallery={
            "loss": style * step, "content": 2.0, "style": style, "ssim": 0.5, "seconds": 1.0})
        images.write(run / "gallery" / f"{checkpoint.name(step)}.jpg", picture(40, 60, step))
    return run


def test_a_run_s_gallery_is_in_its_report(tmp_path):
    run = gallery_run(tmp_path, "run", 0.75)
    text = report.write(run).read_text()
    assert "| 200 | 2.000 | 0.750 | 0.500 |" in text and "gallery/step_0000200.jpg" in text
    page = np.asarray(Image.open(run / "report_losses.png"))
    assert page.shape == (6 * 260, 900, 3)


def test_runs_are_compared_by_their_galleries(tmp_path, capsys):
    runs = [gallery_run(tmp_path, "few", 0.75), gallery_run(tmp_path, "all", 0.25)]
    (runs[1] / "gallery" / "step_0000200.jpg").unlink()  # it is behind: both have measured 100
    command.main([*map(str, runs), "--out-path", str(tmp_path / "page")])
    assert capsys.readouterr().out == f"{tmp_path / 'page' / 'comparison.md'}\n"
    text = (tmp_path / "page" / "comparison.md").read_text()
    assert text.startswith("# few and all\n")
    assert "| few | 200 | 00:01:40 | 1.5 | best, 100 | 2.000 | 0.750 | 0.500 |" in text
    assert "250 in content_path" in text
    sheet = images.read(tmp_path / "page" / "comparison.jpg")
    assert sheet.shape == (40 + 24, 2 * 60 + 4, 3)
    assert abs(sheet[30:, :60].astype(int) - picture(40, 60, 100)[6:]).mean() < 40
    assert np.asarray(Image.open(tmp_path / "page" / "comparison_curves.png")).shape[0] == 4 * 220


def test_a_comparison_needs_runs_with_losses(tmp_path):
    with pytest.raises(OptionError, match="--out-path is for comparisons"):
        command.main([str(tmp_path), "--out-path", "x"])
    with pytest.raises(OptionError, match="has no history.jsonl"):
        command.main([str(tmp_path), str(gallery_run(tmp_path, "run", 1.0))])
