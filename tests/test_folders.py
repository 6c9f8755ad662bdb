"""Which files stylize.py takes, and where it puts what it made of them (in this process)."""

import json
import random
from pathlib import Path

import pytest
from conftest import picture
from test_naming import hostile_files

from adain import images
from adain.commands.stylize import main
from adain.errors import ImageError

PICTURE = picture(16, 16)


def write(root, *files):
    """Write the same tiny picture to each file below a folder, in the format of its name's end."""
    for file in files:
        path = Path(root, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            images.write(stream, PICTURE, format="png")


def stylize(root, *options, content="in", style=("styles",), out="out"):
    return main(["--model", "compact", "--content-path", f"{root}/{content}", "--style-path",
                 *(f"{root}/{name}" for name in style), "--out-path", f"{root}/{out}",
                 *map(str, options)])


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*")
                  if path.is_file())


@pytest.mark.parametrize("contents, styles", [
    (["x.jpg"], ["monet/1.jpg", "gogh/1.jpg"]),
    (["a.jpg", "a__b.jpg"], ["b__c.jpg", "c.jpg"]),
    (["a.jpg", "a.png", "a_jpg.jpg", "a_png.webp"], ["s.jpg"]),
    (["A.jpg", "a.png"], ["s.jpg"]),
    (["x.jpg", "x__s.jpg/y.jpg"], ["s.jpg"]),
    (["y" * 250 + ".jpg", "z.jpg"], ["s.jpg", "t" * 250 + ".jpg"])])
def test_every_job_has_a_result_and_the_next_run_finds_it(tmp_path, capsys, contents, styles):
    write(tmp_path / "in", *contents)
    write(tmp_path / "styles", *styles)
    count = len(contents) * len(styles)
    options = {"style": [f"styles/{name}" for name in styles]}
    assert stylize(tmp_path, "--json", **options) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    made = files_below(tmp_path / "out")
    assert len(made) == count
    assert sorted(Path(line["out"]).relative_to(tmp_path / "out").as_posix()
                  for line in told) == made
    assert {line["status"] for line in told} == {"done"}
    assert stylize(tmp_path, **options) == 0
    assert f"0 pictures, {count} exist already" in capsys.readouterr().out
    assert files_below(tmp_path / "out") == made


@pytest.mark.parametrize("seed", range(3))
def test_hostile_names_give_as_many_files_as_jobs(tmp_path, seed):
    generator = random.Random(seed)
    jobs = 1
    for folder in ("in", "styles"):
        files = [file for file, _ in hostile_files(generator, folder) if file.suffix != ".npz"]
        write(tmp_path, *files)
        jobs *= len(files)
    styles = [file.relative_to(tmp_path) for file in (tmp_path / "styles").rglob("*")
              if file.is_file()]
    assert stylize(tmp_path, style=styles) == 0
    assert len(files_below(tmp_path / "out")) == jobs > 0


def test_a_style_or_strength_that_is_named_twice_is_used_once(tmp_path, capsys):
    write(tmp_path / "in", "x.png")
    write(tmp_path / "styles", "s.png")
    assert stylize(tmp_path, "--alpha", 0.5, 0.5, style=("styles", "styles/s.png")) == 0
    assert files_below(tmp_path / "out") == ["x__s.jpg"]
    assert "1 picture in" in capsys.readouterr().out


def test_strengths_that_differ_late_are_told_apart(tmp_path):
    write(tmp_path / "in", "x.png")
    write(tmp_path / "styles", "s.png")
    assert stylize(tmp_path, "--alpha", 0.50000001, 0.5) == 0
    assert files_below(tmp_path / "out") == ["x__s__alpha0.5.jpg", "x__s__alpha0.50000001.jpg"]


@pytest.mark.parametrize("out", ["results_0.5", "out.v1/", "made.jpg/"])
def test_a_folder_for_results_may_have_a_dot(tmp_path, out):
    write(tmp_path / "in", "x.png")
    write(tmp_path / "styles", "s.png")
    assert stylize(tmp_path, out=out) == 0
    assert files_below(tmp_path / out) == ["x__s.jpg"]


def test_an_ending_that_no_format_has_is_refused_and_the_way_out_named(tmp_path):
    write(tmp_path / "in", "x.png")
    write(tmp_path / "styles", "s.png")
    with pytest.raises(ImageError, match=r"cannot write '.jgp'.* A folder of that name: .*x.jgp/"):
        stylize(tmp_path, out="x.jgp")
