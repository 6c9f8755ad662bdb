import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, picture
from PIL import Image

from adain.commands import prepare as command
from adain.errors import ImageError, OptionError
from adain.files import images
from adain.jobs import prepare
from adain.training.picture_cache import read


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "monet" / "late").mkdir(parents=True)
    Image.fromarray(picture(80, 120)).save(folder / "monet" / "large.jpg", quality=95)
    Image.fromarray(picture(80, 120, 1)).save(folder / "monet" / "large.png")
    Image.fromarray(picture(20, 40, 2)).save(folder / "monet" / "late" / "small.jpg")
    Image.fromarray(picture(20, 40, 3)).save(folder / "small.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    return folder


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "adain", "prepare", *map(str, arguments)],
                          cwd=ROOT, capture_output=True, text=True)


def test_a_tree_is_shrunk_and_dropped_files_are_listed(source, tmp_path):
    target = tmp_path / "target"
    done = run(source, target, "--size", 32, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert "4 pictures in" in done.stdout and "0 exist already, 1 dropped" in done.stdout
    sizes = {path.relative_to(target).as_posix(): images.read(path).shape[:2]
             for path in target.rglob("*.jpg")}
    assert sizes == {"monet/large.jpg": (32, 48), "monet/large.png.jpg": (32, 48),
                     "monet/late/small.jpg": (20, 40), "small.png.jpg": (20, 40)}
    assert re.fullmatch(r".*broken.jpg\tis not a readable image: .*\n",
                        (target / "dropped.txt").read_text())
    # A JPEG that is small enough loses nothing.
    assert (target / "monet/late/small.jpg").read_bytes() == (
        source / "monet/late/small.jpg").read_bytes()


def test_a_second_run_makes_only_missing_copies(source, tmp_path):
    target = tmp_path / "target"
    run(source, target, "--size", 32)
    (target / "small.png.jpg").unlink()
    kept = (target / "monet" / "large.jpg").stat().st_mtime_ns
    done = run(source, target, "--size", 32)
    assert "1 pictures in" in done.stdout and "3 exist already, 1 dropped" in done.stdout
    assert (target / "monet" / "large.jpg").stat().st_mtime_ns == kept
    assert len((target / "dropped.txt").read_text().splitlines()) == 1


def test_no_two_pictures_have_the_same_copy(tmp_path):
    """a.png and a.png.jpg would meet, A.jpg and a.jpg on macOS; the tree's links are followed."""
    files = ["a.png", "a.png.jpg", "b.jpg", "B.jpg", "c.png", "c.png.jpg/x.jpg", "d.jpg"]
    for file in files:
        (tmp_path / "source" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / file).touch()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "d.jpg").touch()
    (tmp_path / "source" / "link").symlink_to(tmp_path / "linked")
    jobs = prepare.plan(tmp_path / "source", tmp_path / "target")
    places = [place.relative_to(tmp_path / "target").as_posix() for _, place in jobs]
    assert len({place.lower() for place in places}) == len(files) + 1
    assert {"d.jpg", "link/d.jpg", "c.png.jpg/x.jpg"} <= set(places)
    assert "c.png.jpg" not in places


def test_training_sees_nearly_the_same_pictures(source, tmp_path):
    list(prepare.prepare(prepare.plan(source, tmp_path / "target"), size=32, workers=1))
    for name, copy in (("large.jpg", "large.jpg"), ("large.png", "large.png.jpg")):
        raw, small = (images.resize_shorter_side(read(folder / "monet" / file, 32), 32)
                      for folder, file in ((source, name), (tmp_path / "target", copy)))
        # JPEG's loss on colour noise as fine as its pixels, which is the worst there is for it.
        assert np.abs(raw.astype(int) - small).mean() < 5


def test_a_folder_of_bad_files_only_is_an_error(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.jpg").write_bytes(b"no")
    with pytest.raises(ImageError, match="none of the 1 pictures"):
        command.main([str(tmp_path / "source"), str(tmp_path / "target")])


def test_a_target_that_cannot_be_written_is_an_error_not_a_bad_picture(source, tmp_path):
    (tmp_path / "target").touch()
    with pytest.raises(ImageError, match="cannot be written"):
        command.main([str(source), str(tmp_path / "target"), "--size", "32"])


@pytest.mark.parametrize("arguments, message", [
    (["{0}", "{0}/small"], "name a folder outside"),
    (["{0}", "{0}2", "--size", "0"], "at least 16")])
def test_invalid_options_are_refused(source, arguments, message):
    with pytest.raises(OptionError, match=message):
        command.main([text.format(source) for text in arguments])
