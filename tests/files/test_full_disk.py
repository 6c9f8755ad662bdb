"""Where the disk is full, files are written whole or not at all, and the error names one."""

import contextlib
import errno
import functools
import os
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import NARROW, logged, picture, random_decoder

from adain import Stylizer
from adain.commands import stylize
from adain.errors import AdaINError
from adain.files import images
from adain.files.bad_files import BadFiles
from adain.jobs import prepare
from adain.methods.johnson import network as johnson
from adain.networks import checkpoint
from adain.networks.stats import ChannelStats
from adain.training import report
from adain.training.history import History
from adain.transfer import style_file as stylefile
from adain.transfer.evolution import Evolution

resource = pytest.importorskip("resource", reason="file sizes are limited on POSIX only")
NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@contextlib.contextmanager
def full_disk(size):
    """Every file can have `size` bytes; Python ignores the signal, and the system writes less."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def write_picture(suffix, kind=np.uint8):
    return lambda folder: images.write(folder / f"x{suffix}", NOISE.astype(kind),
                                       opacity=NOISE[..., 0] if suffix == ".png" else None)


def write_style(folder):
    stylefile.save(folder / "x.npz", ChannelStats(*np.ones((2, 960), np.float32)), "encoder")


def write_one_style_network(folder):
    johnson.save(folder / "x.npz", {"kernel": NOISE}, {"step": 1})


def write_checkpoint(folder):
    checkpoint.save(folder, {"step": 5, "options": {"model": "compact", "vgg_path": None}}, None,
                    random_decoder(NARROW), [NOISE, NOISE], keep=2)


def write_evolution(folder):
    evolution = Evolution(folder, every=1)
    evolution.add(1, lambda: NOISE)
    evolution.finish(2, NOISE[::-1])


def write_history(folder):
    history = History(folder, 0)
    for step in range(1, 10):
        history.append(step, losses={"loss": 1.0, "content": 1.0, "style": 1.0}, seconds=1.0,
                       images_per_second=1.0, waited=0.0)


def write_report(folder):
    write_history(folder)
    write_checkpoint(folder)
    images.write(folder / "previews" / "step_0000005.jpg", np.concatenate([NOISE] * 3, 1))
    report.write(folder)


def write_events(folder):
    events = pytest.importorskip("adain.training.events", reason="needs tensorboard")
    writer = events.EventWriter(folder, 0)
    for step in range(5):
        writer.scalars(step, {"loss": 1.0})
    writer.image(5, "preview", NOISE)


def write_prepared(folder):
    source = folder.parent / "source"
    if not source.exists():
        images.write(source / "large.png", NOISE)
        images.write(source / "small.jpg", NOISE[:16])
    for file in sorted(source.iterdir()):
        assert prepare.shrink(file, folder / f"{file.name}.jpg", 32) is None


def write_clip(folder):
    pytest.importorskip("av", reason='needs pip install -e ".[video]"')
    import videos

    from adain.video import stylize as video

    source = folder.parent / "source.mp4"
    if not source.exists():
        videos.write(source, [picture(48, 64, seed) for seed in range(3)], sound="aac")
    stylizer, style = compact()
    video.stylize_video(stylizer, source, folder / "x.mp4", style)


@functools.cache
def compact():
    stylizer = Stylizer("compact", precision="float32")
    return stylizer, stylizer.encode_style(NOISE)


WRITERS = {suffix: write_picture(suffix) for suffix in images.WRITE_SUFFIXES} | {
    "16-bit .png": write_picture(".png", np.uint16),
    "16-bit .tif": write_picture(".tif", np.uint16)} | {
    function.__name__.removeprefix("write_"): function
    for function in (write_style, write_one_style_network, write_checkpoint, write_evolution,
                     write_history, write_report, write_events, write_prepared, write_clip)}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}


def ends(name, content):
    """Return the lengths that a file may have: those where a line or a record of a log ends."""
    if name.endswith(".jsonl"):
        return [0, *(place + 1 for place, byte in enumerate(content) if byte == ord("\n"))]
    found = [0] if "tfevents" in name else []
    while found and found[-1] < len(content):  # a record: length, its CRC, data, their CRC
        found.append(found[-1] + 16 + int.from_bytes(content[found[-1]:found[-1] + 8], "little"))
    return found or [len(content)]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.filterwarnings("error")
def test_a_full_disk_leaves_whole_files_only_and_names_one(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1e9)  # equal runs, equal files
    WRITERS[kind](tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    lengths = np.random.default_rng(0).integers(0, max(map(len, whole.values())), 50)
    for length in lengths.tolist():
        folder = tmp_path / f"{length}"
        with full_disk(length), pytest.raises(AdaINError, match="cannot be written") as failure:
            WRITERS[kind](folder)
        message = str(failure.value)
        assert os.strerror(errno.EFBIG) in message and "\n" not in message
        left = contents(folder)
        missing = [folder / name for name in whole if left.get(name) != whole[name]]
        assert any(f"{path} cannot be" in message for file in missing
                   for path in (file, file.parent))  # of a checkpoint the folder
        for name, content in left.items():
            assert whole[name].startswith(content) and len(content) in ends(name, whole[name])


def test_a_batch_on_a_full_disk_names_every_result_and_the_next_run_makes_them(tmp_path, capsys):
    """JPEGs once were cut, counted as made, and kept by the next run."""
    for index in range(3):
        images.write(tmp_path / "in" / f"{index}.png", picture(150, 200, index))
    images.write(tmp_path / "style.png", picture(64, 64))
    command = ["--model", "compact", "--content-path", str(tmp_path / "in"), "--style-path",
               str(tmp_path / "style.png"), "--out-path", str(tmp_path / "out")]
    with full_disk(5120):
        assert stylize.main(command) == 1
    said = capsys.readouterr().err
    names = [f"{index}__style.jpg" for index in range(3)]
    for name in names:
        assert said.count(f"{tmp_path / 'out' / name} cannot be written: File too large.") == 1
    assert contents(tmp_path / "out") == {}
    assert stylize.main(command) == 0
    assert sorted(contents(tmp_path / "out")) == names


def test_a_sheet_on_a_full_disk_is_an_error(tmp_path):
    images.write(tmp_path / "a.png", picture(64, 64))
    sheet = tmp_path / "sheet.jpg"
    with full_disk(5120), pytest.raises(AdaINError, match="sheet.jpg cannot be written"):
        stylize.main(["--model", "compact", "--content-path", str(tmp_path / "a.png"),
                      "--style-path", str(tmp_path / "a.png"), "--sheet", str(sheet)])
    assert not sheet.exists()


def test_a_list_of_bad_files_has_whole_lines_only(tmp_path):
    bad_files = BadFiles(tmp_path / "bad.txt")
    with logged() as said, full_disk(50):
        for index in range(5):
            bad_files.add(Path(f"{index}.jpg"), ValueError("x" * 20))
    assert (tmp_path / "bad.txt").read_text() == f"{'0.jpg'}\t{'x' * 20}\n"
    assert said[-1] == f"{tmp_path / 'bad.txt'} cannot be written: File too large."
    with pytest.raises(AdaINError, match="bad.txt cannot be written"):
        bad_files.check()
