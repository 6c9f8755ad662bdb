"""Which files stylize.py takes, and where it puts what it made of them (in this process)."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
from conftest import picture
from test_naming import hostile_files

from adain.commands.stylize import main
from adain.errors import ImageError, OptionError
from adain.files import images

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


@pytest.mark.parametrize("seed", range(4))
def test_hostile_names_give_as_many_files_as_jobs(tmp_path, seed):
    generator = random.Random(seed)
    jobs = 1
    for folder in ("in", "styles"):
        files = [file for file, _ in hostile_files(generator, folder) if file.suffix != ".npz"
                 and not any(part.startswith(".") for part in file.parts)]
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


def test_strengths_that_differ_after_six_digits_have_different_names(tmp_path):
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


def test_an_unknown_suffix_is_refused_with_a_way_out(tmp_path):
    write(tmp_path / "in", "x.png")
    write(tmp_path / "styles", "s.png")
    with pytest.raises(ImageError, match=r"cannot write '.jgp'.* folder of that name, .*x.jgp/"):
        stylize(tmp_path, out="x.jgp")


def test_several_contents_from_the_shell(tmp_path):
    write(tmp_path, "in/x.png", "in/y.png", "more/x.png", "more/sub/z.png", "styles/s.png")
    assert main(["--model", "compact", "--style-path", f"{tmp_path}/styles", "--out-path",
                 f"{tmp_path}/out", "--content-path", f"{tmp_path}/in/x.png",
                 f"{tmp_path}/in/y.png", "--content-path", f"{tmp_path}/more"]) == 0
    assert files_below(tmp_path / "out") == ["in_x__s.jpg", "more_x__s.jpg", "sub/z__s.jpg",
                                             "y__s.jpg"]


def test_results_below_the_contents_are_not_contents(tmp_path, capsys):
    write(tmp_path, "in/x.png", "styles/s.png")
    for out in ("in/out", "in/made"):
        for _ in range(2):
            assert stylize(tmp_path, out=out) == 0
        assert f"left out {tmp_path / out} (written by this command)" in capsys.readouterr().err
        assert files_below(tmp_path / out) == ["x__s.jpg"]
        (tmp_path / out / "x__s.jpg").unlink()
    assert stylize(tmp_path, "--sheet", tmp_path / "in" / "sheet.png") == 0
    assert stylize(tmp_path, "--sheet", tmp_path / "in" / "sheet.png", "--overwrite") == 0
    assert images.read(tmp_path / "in" / "sheet.png").shape[0] < 600  # one row for one content


@pytest.mark.parametrize("folder", ["in", "styles"])
def test_a_folder_that_is_read_is_not_written_to(tmp_path, folder):
    write(tmp_path, "in/x.png", "styles/s.png")
    with pytest.raises(OptionError, match=f"{folder} is read and written to"):
        stylize(tmp_path, out=folder)


def test_results_beside_named_contents_are_not_contents(tmp_path, capsys):
    write(tmp_path, "in/x.png", "styles/s.png")
    for _ in range(2):
        files = [f"{tmp_path}/in/{name}" for name in files_below(tmp_path / "in")]
        assert main(["--model", "compact", "--style-path", f"{tmp_path}/styles", "--out-path",
                     f"{tmp_path}/in", "--content-path", *files]) == 0
    assert files_below(tmp_path / "in") == ["x.png", "x__s.jpg"]
    assert "left out 1 content that has the name of a result: " in capsys.readouterr().err


def test_styles_are_found_in_subfolders_and_saved_ones_too(tmp_path, capsys):
    write(tmp_path, "in/x.png", "styles/monet/1.png", "styles/gogh/1.png", "paint.png")
    assert stylize(tmp_path, "--save-style", tmp_path / "styles" / "gogh" / "saved.npz",
                   style=["paint.png"], out="once") == 0
    saved = tmp_path / "styles" / "gogh" / "saved.npz"
    for name, data in (("network", {"kernel": np.zeros(3)}), ("damaged", None)):
        path = tmp_path / "styles" / f"{name}.npz"
        np.savez(path, **data) if data else path.write_bytes(saved.read_bytes()[:500])
    capsys.readouterr()
    assert stylize(tmp_path) == 0
    assert files_below(tmp_path / "out") == ["x__gogh_1.jpg", "x__monet_1.jpg", "x__saved.jpg"]
    assert "styles: left out 2 .npz files: not encoded styles" in capsys.readouterr().err
    assert stylize(tmp_path, "--concat", out="concat") == 0
    assert files_below(tmp_path / "concat") == ["x__gogh_1.jpg", "x__monet_1.jpg"]
    assert "styles: left out 3 .npz files: --concat needs pictures" in capsys.readouterr().err
    for path in (tmp_path / "styles").rglob("1.png"):
        path.unlink()
    with pytest.raises(ImageError, match="styles has no styles"):
        stylize(tmp_path, "--concat")


def test_a_saved_style_that_is_written_is_not_read(tmp_path, capsys):
    write(tmp_path, "in/x.png", "styles/s.png", "styles/t.png")
    for _ in range(2):
        assert stylize(tmp_path, "--style-weights", 1, 1, "--save-style",
                       tmp_path / "styles" / "mixed.npz") == 0


@pytest.mark.parametrize("options, message", [
    (["--content-path", ""], "--content-path is empty"),
    (["--style-path", ""], "--style-path is empty"),
    (["--checkpoint", ""], "--checkpoint is empty"), (["--out-path", ""], "--out-path is empty"),
    (["--content-path", "https://example.org/a.jpg"],
     "--content-path https://example.org/a.jpg is a URL"),
    (["--mask", "http://example.org/a.jpg"], "--mask http:/+example.org/a.jpg is a URL"),
    (["--out-path", "s3://bucket/out"], "--out-path s3://bucket/out is a URL"),
    (["--content-path", "a.jpg", "b.mp4"], "received b.mp4 among 3 contents"),
    (["--content-path", "0"], "received 0 among 2 contents")])
def test_empty_paths_and_urls_are_refused(tmp_path, options, message):
    write(tmp_path, "in/x.png", "styles/s.png")
    with pytest.raises(OptionError, match=message):
        stylize(tmp_path, *options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["\u00b2", "\u0663", "9" * 5000])
def test_a_path_that_looks_like_a_camera_s_number_is_a_path(tmp_path, name):
    write(tmp_path, "in/x.png", "styles/s.png")
    with pytest.raises(ImageError, match="does not exist|File name too long"):
        main(["--model", "compact", "--content-path", name, "--style-path",
              f"{tmp_path}/styles", "--out-path", f"{tmp_path}/out"])


@pytest.mark.parametrize("folder", ["in", "styles"])
def test_a_folder_without_permission_makes_the_exit_code_1(tmp_path, folder, monkeypatch,
                                                           capsys):
    write(tmp_path, "in/x.png", "styles/s.png", f"{folder}/private/y.png")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "private":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert stylize(tmp_path) == 1
    assert files_below(tmp_path / "out") == ["x__s.jpg"]
    private = tmp_path / folder / "private"
    said = capsys.readouterr().err
    assert f"{private} cannot be read: Permission denied\n" in said
    assert f"skipped 1: {private}\n" in said


def test_a_folder_with_the_name_of_a_result_is_not_an_existing_result(tmp_path, capsys):
    write(tmp_path, "in/x.png", "in/y.png", "styles/s.png")
    (tmp_path / "out" / "x__s.jpg").mkdir(parents=True)
    assert stylize(tmp_path) == 1
    assert files_below(tmp_path / "out") == ["y__s.jpg"]
    said = capsys.readouterr()
    assert "x__s.jpg cannot be written" in said.err and "1 picture in" in said.out
