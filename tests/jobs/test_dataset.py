"""adain dataset: whole data sets, repeatable, resumable, in shards."""

import io
import json
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import time
from functools import partial

import numpy as np
import pytest
from conftest import ROOT, picture
from PIL import Image

from adain.commands import dataset
from adain.commands.meter import Meter
from adain.errors import AdaINError, ImageError, OptionError, WeightsError
from adain.files.storage import Pictures, read
from adain.jobs.dataset.config import DatasetConfig
from adain.jobs.dataset.draws import Draw, draw
from adain.jobs.dataset.run import check_out_path
from adain.jobs.dataset.tasks import HashSet, Namer, Shard, tasks_of
from adain.jobs.dataset.worker import Worker
from adain.jobs.style_bank import make_bank
from adain.networks.style_bank import StyleBank

NAMES = ("a.png", "dogs/rex.png", "dogs/tom.jpg")


@pytest.fixture(scope="module")
def bank(tmp_path_factory, stylizer):
    folder = tmp_path_factory.mktemp("styles")
    for seed in range(5):
        Image.fromarray(picture(40, 56, 20 + seed)).save(folder / f"s{seed}.png")
    make_bank(Pictures(folder), folder / "bank.npz", stylizer)
    return folder / "bank.npz"


@pytest.fixture
def photos(tmp_path):
    for seed, name in enumerate(NAMES):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(40, 48, seed)).save(path, quality=95)
    return tmp_path / "photos"


@pytest.fixture
def make(bank, stylizer, monkeypatch):
    """A function that runs adain dataset, with networks that are loaded once: its exit code."""
    monkeypatch.setattr(dataset, "Stylizer", lambda *arguments, **settings: stylizer)

    def call(content, out, *more, style=bank):
        return dataset.main(["--content-path", *map(str, np.atleast_1d(content)), "--style-path",
                             str(style), "--out-path", str(out), "--model", "compact",
                             "--precision", "float32", *map(str, more)])

    return call


def results(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".jsonl"}


def lines(path, status="done"):
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert "settings" in found[0]
    return {line["result"]: line for line in found[1:] if line["status"] == status}


def make_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


# --- what a result gets ---------------------------------------------------------------------------

def test_a_draw_depends_only_on_seed_and_name():
    config = DatasetConfig(styles_per_picture=2, mix=3, alpha=(0.3, 1.0), seed=4)
    names = [f"{index}.jpg" for index in range(200)]
    found = {name: draw(config, name, 50) for name in names}
    assert found == {name: draw(config, name, 50) for name in reversed(names)}
    assert len(set(found.values())) == len(names)
    assert draw(DatasetConfig(seed=5), "a.jpg", 50) != draw(DatasetConfig(seed=6), "a.jpg", 50)
    # Written down once: another version of Python, or of this program, draws the same.
    assert draw(DatasetConfig(alpha=(0, 1)), "dogs/rex.jpg", 1000)[0] == Draw(
        (991,), (1.0,), 0.975)
    for draws in found.values():
        used = [style for one in draws for style in one.styles]
        assert len(set(used)) == len(used) == 6 and 0 <= min(used) <= max(used) < 50
        assert all(0.3 <= one.alpha <= 1 and sum(one.weights) == pytest.approx(1, abs=2e-4)
                   for one in draws)


def test_draws_are_uniform():
    config = DatasetConfig(alpha=(0.2, 0.6))
    draws = [draw(config, str(index), 10)[0] for index in range(4000)]
    counts = np.bincount([one.styles[0] for one in draws], minlength=10)
    assert abs(counts - 400).max() < 5 * 400 ** 0.5  # five standard deviations
    alphas = np.array([one.alpha for one in draws])
    assert abs(alphas.mean() - 0.4) < 0.01 and alphas.min() < 0.21 and alphas.max() > 0.59


def test_few_styles_are_drawn_again_but_never_twice_in_one_mixture():
    config = DatasetConfig(styles_per_picture=4, mix=2)
    assert all(len(set(one.styles)) == 2 for one in draw(config, "a", 3))


def test_invalid_settings_are_refused():
    for settings in ({"alpha": (0.5, 0.2)}, {"alpha": (0.5, 1.2)}, {"mix": 0},
                     {"styles_per_picture": 0}, {"content_size": 0}, {"region": "sky"}):
        with pytest.raises(OptionError):
            DatasetConfig(**settings)


def test_a_hash_set_contains_the_added_texts():
    found = HashSet()
    texts = [str(index) for index in range(5000)]
    assert all(found.add(text) for text in texts) and not any(map(found.add, texts))
    assert len(found) == 5000 and "77" in found and "no" not in found


# --- results --------------------------------------------------------------------------------------

def test_results_keep_names_folders_and_formats_and_equal_stylize(photos, tmp_path, make,
                                                                  bank, stylizer):
    assert make(photos, tmp_path / "out") == 0
    found = results(tmp_path / "out")
    assert sorted(found) == sorted(NAMES)
    styles = StyleBank(bank)
    rows = {name: row for row, name in enumerate(styles.names())}
    for name, line in lines(tmp_path / "out" / "manifest.jsonl").items():
        assert line["content"] == name and line["seed"] == 0
        [style] = line["styles"]
        expected = stylizer.stylize_batch([photos / name], [styles.style(rows[style])])[0]
        if name.endswith("png"):
            np.testing.assert_array_equal(Image.open(io.BytesIO(found[name])), expected)


def test_results_are_the_same_from_every_kind_of_source_and_from_pictures_as_styles(
        photos, tmp_path, make, bank):
    files = {name: (photos / name).read_bytes() for name in NAMES}
    make(photos, tmp_path / "a")
    make(photos, tmp_path / "b", style=bank.parent)
    make(make_tar(tmp_path / "c.tar", files), tmp_path / "c", "--out-kind", "folder")
    assert results(tmp_path / "a") == results(tmp_path / "b") == results(tmp_path / "c")


def test_several_results_of_a_picture_are_numbered(photos, tmp_path, make):
    make(photos, tmp_path / "out", "--styles-per-picture", 2, "--format", "png", "--mix", 2,
         "--alpha", "0.3:1", "--content-size", 24)
    found = results(tmp_path / "out")
    assert sorted(found) == ["a__0.png", "a__1.png", "dogs/rex__0.png", "dogs/rex__1.png",
                             "dogs/tom__0.png", "dogs/tom__1.png"]
    assert len(set(found.values())) == 6
    assert Image.open(io.BytesIO(found["a__0.png"])).size == (29, 24)


def test_results_that_would_have_the_same_name_get_different_ones(photos, tmp_path, make):
    Image.fromarray(picture(40, 48, 7)).save(photos / "a.gif")
    make(photos, tmp_path / "out", "--format", "jpg")
    assert sorted(results(tmp_path / "out")) == ["a.jpg", "a_png.jpg", "dogs/rex.jpg",
                                                 "dogs/tom.jpg"]


def test_a_pickled_worker_makes_the_same_bytes(photos, bank, stylizer):
    config = DatasetConfig(styles_per_picture=2)
    worker = Worker(config, stylizer, StyleBank(bank, stylizer.fingerprint))
    [task, *_] = tasks_of(Pictures(photos), partial(draw, config, styles=5), Namer(config, str))
    made = worker.make(task, read(task.entry))
    copy, sent = pickle.loads(pickle.dumps((worker, task)))
    assert [one.data for one in copy.make(sent, read(sent.entry))] == [one.data for one in made]
    assert [one.target.name for one in made] == ["a__0.png", "a__1.png"]
    assert "a.png is not a readable image" in str(worker.make(task, b"x")[1].error)


# --- resuming, shards, repeating ------------------------------------------------------------------

def test_a_run_after_a_stop_makes_only_missing_results(photos, tmp_path, make, capsys):
    make(photos, tmp_path / "whole")
    make(photos, tmp_path / "out")
    whole = (tmp_path / "out" / "manifest.jsonl").read_bytes()
    (tmp_path / "out" / "a.png").unlink()
    # As after kill -9: a result whose line is missing, and a line that is cut.
    (tmp_path / "out" / "manifest.jsonl").write_bytes(whole[:-30])
    before = (tmp_path / "out" / "dogs" / "rex.png").stat().st_mtime_ns
    capsys.readouterr()
    assert make(photos, tmp_path / "out") == 0
    assert "1 picture, 2 exist already" in capsys.readouterr().out
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    assert (tmp_path / "out" / "dogs" / "rex.png").stat().st_mtime_ns == before
    text = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in text if line.endswith("}")]
    assert {line["result"] for line in found[1:]} == set(NAMES)


def test_other_settings_in_the_same_folder_are_refused(photos, tmp_path, make):
    make(photos, tmp_path / "out")
    with pytest.raises(OptionError, match="made with `seed=0`; received 1"):
        make(photos, tmp_path / "out", "--seed", 1)
    assert make(photos, tmp_path / "out", "--seed", 1, "--overwrite") == 0


def test_shards_are_disjoint_and_complete(photos, tmp_path, make):
    make(photos, tmp_path / "whole")
    parts = []
    for index in range(3):
        make(photos, tmp_path / "out", "--shard", f"{index}/3")
        path = tmp_path / "out" / f"manifest-{index:05d}-of-00003.jsonl"
        parts.append(set(lines(path)))
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    assert sorted(name for part in parts for name in part) == sorted(NAMES)


@pytest.mark.parametrize("text", ["3/3", "0/0", "1", "a/b", "-1/2", "1/2/3"])
def test_invalid_shards_are_refused(text):
    with pytest.raises(OptionError, match="I/N with I from 0 to N - 1"):
        dataset.main(["--content-path", ".", "--style-path", ".", "--out-path", "out",
                      f"--shard={text}"])


def test_a_data_set_is_repeated_from_its_manifest(photos, tmp_path, make, bank):
    settings = ("--styles-per-picture", 2, "--mix", 2, "--alpha", "0.2:0.9", "--seed", 5,
                "--format", "png", "--content-size", 32)
    make(photos, tmp_path / "a", *settings)
    manifest = tmp_path / "a" / "manifest.jsonl"
    assert make(photos, tmp_path / "b", "--from", manifest) == 0
    assert results(tmp_path / "a") == results(tmp_path / "b")
    with pytest.raises(OptionError, match="leave it out"):
        make(photos, tmp_path / "c", "--from", manifest, "--seed", 6)
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(OptionError, match="is not a manifest"):
        make(photos, tmp_path / "c", "--from", tmp_path / "bad.jsonl")


def test_results_do_not_depend_on_order_threads_or_neighbours(photos, tmp_path, make):
    """One at a time, they are those of a batch."""
    make(photos, tmp_path / "together")
    for name in NAMES:
        (tmp_path / "one" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "one" / name).write_bytes((photos / name).read_bytes())
        make(tmp_path / "one", tmp_path / "alone")
    assert results(tmp_path / "together") == results(tmp_path / "alone")


# --- what goes wrong ------------------------------------------------------------------------------

def test_a_bad_picture_is_reported_counted_and_in_the_manifest(photos, tmp_path, make, capsys):
    (photos / "bad.jpg").write_text("nonsense")
    assert make(photos, tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "bad.jpg is not a readable image" in said.err and "skipped 1" in said.err
    assert "3 pictures" in said.out and sorted(results(tmp_path / "out")) == sorted(NAMES)
    failed = lines(tmp_path / "out" / "manifest.jsonl", "failed")
    assert "is not a readable image" in failed["bad.jpg"]["error"]
    assert make(photos, tmp_path / "out") == 1  # tried again


def test_a_run_with_too_many_bad_pictures_ends(photos, tmp_path, make):
    for index in range(12):
        (photos / f"bad{index}.jpg").write_text("nonsense")
    with pytest.raises(AdaINError, match="`max_bad=0.5` allows"):
        make(photos, tmp_path / "out", "--max-bad", 0.5)
    assert make(photos, tmp_path / "out", "--max-bad", 1) == 1


def test_a_bank_of_another_model_is_refused(photos, tmp_path, bank):
    with pytest.raises(WeightsError, match="was made by another network"):
        dataset.main(["--content-path", str(photos), "--style-path", str(bank), "--out-path",
                      str(tmp_path / "out"), "--model", "vgg19"])


def test_an_output_that_is_also_the_input_is_refused(photos, tmp_path, make):
    for out in (photos, photos.parent):
        with pytest.raises(OptionError, match="read and written to|holds the contents"):
            make(photos, out)
    assert make(photos, photos / "out") == 0  # inside: left out
    assert make(photos, photos / "out") == 0
    assert sorted(results(photos / "out")) == sorted(NAMES)
    files = {name: (photos / name).read_bytes() for name in NAMES}
    with pytest.raises(OptionError, match="holds the contents"):
        make(make_tar(tmp_path / "c.tar", files), tmp_path)


@pytest.mark.parametrize("source, out", [
    ("s3://a/photos", "s3://a/photos/"), ("s3://a/photos", "s3://a/photos/out"),
    ("s3://a/photos/x.tar", "s3://a/photos"), ("s3://a/photos", "s3://a")])
def test_an_output_behind_the_input_s_url_is_refused(source, out):
    with pytest.raises(OptionError, match="holds the contents"):
        check_out_path(out, [source])
    check_out_path("s3://a/photos-stylized", [source])


def test_a_full_disk_ends_the_run_with_one_line(photos, tmp_path, make, monkeypatch):
    def full(*arguments):
        raise ImageError("a.png cannot be written: No space left on device.")

    monkeypatch.setattr("adain.files.storage.FolderWriter.write", full)
    with pytest.raises(ImageError, match="No space left"):
        make(photos, tmp_path / "out")


def test_missing_contents_and_styles_are_errors_of_one_line(photos, tmp_path, make):
    with pytest.raises(ImageError, match="does not exist"):
        make(tmp_path / "none", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no pictures"):
        make(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(OptionError, match="`mix=9` needs at least 9 styles; received 5"):
        make(photos, tmp_path / "out", "--mix", 9)


# --- tar files and URLs ---------------------------------------------------------------------------

def shards(photos, tmp_path):
    """Two tar files in the manner of WebDataset."""
    for shard in range(2):
        files = {"README.txt": b"about"}
        for seed, name in enumerate(NAMES):
            key = f"{shard}{seed:05d}"
            files |= {f"{key}.cls": b"%d" % seed, f"{key}.png": (photos / name).read_bytes(),
                      f"{key}.seg.png": b"mask"}
        make_tar(tmp_path / f"s-{shard}.tar", files)
    return f"{tmp_path}/s-{{0..1}}.tar"


def members(path):
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_tar_files_become_tar_files_with_their_labels(photos, tmp_path, make, capsys):
    pattern = shards(photos, tmp_path)
    assert make(pattern, tmp_path / "out", "--styles-per-picture", 2) == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["s-0.jsonl", "s-0.tar", "s-1.jsonl", "s-1.tar"]
    found = members(tmp_path / "out" / "s-1.tar")
    assert list(found)[:7] == ["100000__0.png", "100000__0.cls", "100000__0.seg.png",
                               "100000__1.png", "100000__1.cls", "100000__1.seg.png",
                               "100001__0.png"]
    assert found["100002__1.cls"] == b"2" and found["README.txt"] == b"about"
    assert len(lines(tmp_path / "out" / "s-1.jsonl")) == 6
    before = {name: (tmp_path / "out" / name).read_bytes() for name in os.listdir(tmp_path / "out")}
    capsys.readouterr()
    (tmp_path / "out" / "s-1.tar").unlink()
    assert make(pattern, tmp_path / "out", "--styles-per-picture", 2) == 0
    assert "6 pictures, 6 exist already" in capsys.readouterr().out
    assert before == {name: (tmp_path / "out" / name).read_bytes() for name in before}
    for index in range(2):
        make(pattern, tmp_path / "jobs", "--styles-per-picture", 2, "--shard", f"{index}/2")
    assert before == {name: (tmp_path / "jobs" / name).read_bytes() for name in before}


def test_folders_become_tar_files(photos, tmp_path, make):
    assert make(photos, tmp_path / "out", "--out-kind", "tar", "--shard-pictures", 2) == 0
    make(photos, tmp_path / "folder")
    found = [members(tmp_path / "out" / f"shard-00000{index}.tar") for index in range(2)]
    assert [list(one) for one in found] == [list(NAMES[:2]), list(NAMES[2:])]
    assert found[0] | found[1] == results(tmp_path / "folder")


def test_the_complete_files_of_a_truncated_tar_are_used(photos, tmp_path, make, capsys):
    path = make_tar(tmp_path / "c.tar", {name: (photos / name).read_bytes() for name in NAMES})
    os.truncate(path, list(Pictures(path))[-1].offset + 10)
    assert make(path, tmp_path / "out") == 1
    assert "c.tar is cut" in capsys.readouterr().err
    assert list(members(tmp_path / "out" / "c.tar")) == list(NAMES[:2])


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_results_behind_urls_are_the_same(photos, tmp_path, make, kind):
    system = pytest.importorskip("fsspec").filesystem("memory")
    try:
        system.put(str(photos), "/set/photos", recursive=True)
        make(photos, tmp_path / "here", "--out-kind", kind)
        assert make("memory://set/photos", "memory://set/out", "--out-kind", kind) == 0
        assert make("memory://set/photos", "memory://set/out", "--out-kind", kind) == 0
        system.get("/set/out", str(tmp_path / "there"), recursive=True)
        assert results(tmp_path / "here") == results(tmp_path / "there")
        assert len(list((tmp_path / "there").glob("*.jsonl"))) == 1
    finally:
        system.rm("/set", recursive=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_killed_run_continues(photos, tmp_path, make, bank, kind):
    for seed in range(300):
        Image.fromarray(picture(96, 96, 100 + seed)).save(photos / f"{seed:03d}.jpg")
    settings = ("--out-kind", kind, "--shard-pictures", "20")
    command = [sys.executable, "-m", "adain", "dataset", "--content-path", str(photos),
               "--style-path", str(bank), "--out-path", str(tmp_path / "out"), "--model", "compact",
               "--precision", "float32", *settings]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    while process.poll() is None and not len(list(tmp_path.glob("out/*.[jt][pa]*"))) > 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert make(photos, tmp_path / "out", *settings) == 0
    make(photos, tmp_path / "whole", *settings)
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    for path in (tmp_path / "whole").glob("*.jsonl"):
        assert lines(tmp_path / "out" / path.name) == lines(path)


# --- progress -------------------------------------------------------------------------------------

def test_a_line_of_progress_has_speed_and_remaining_time(monkeypatch, capsys):
    meter = Meter("pictures")
    meter.total = 1000
    meter.advance(100, 50)
    assert meter.line(10.0) == "100 of 1000 pictures (10.0%), 5.0 a second, 00:03:00 left"
    monkeypatch.setattr("adain.commands.meter._SECONDS", 0.0)
    meter.advance(100)
    assert "200 of 1000 pictures (20.0%)" in capsys.readouterr().err


def test_shard_names_are_padded():
    assert Shard(3, 8).suffix == "-00003-of-00008" and Shard().suffix == ""
