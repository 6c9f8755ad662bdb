import os
import random
from pathlib import Path

import pytest

from adain.errors import ImageError, OptionError
from adain.files import find
from adain.files.images import READ_SUFFIXES


def touch(root, *files):
    for file in files:
        path = Path(root, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listed(root, **options):
    """The files below a folder, as text, and the lines that say what is left out."""
    lines = []
    listing = find.list_below(root, report=lines.append, **options)
    return [file.relative_to(root).as_posix() for file in listing.files], lines


def test_a_folder_stands_for_its_pictures_in_subfolders_too(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "notes.txt", "sub/deep/c.webp", "sub/d.tiff", "x.jpg/e.gif")
    assert listed(tmp_path) == (
        ["a.png", "b.JPG", "sub/d.tiff", "sub/deep/c.webp", "x.jpg/e.gif"], [])


def test_a_file_that_is_named_itself_is_taken_whatever_its_ending(tmp_path):
    touch(tmp_path, "notes.txt", ".hidden.jpg")
    for name in ("notes.txt", ".hidden.jpg"):
        assert find.pictures(tmp_path / name) == [tmp_path / name]


@pytest.mark.parametrize("name, message", [
    ("empty", "has no pictures; looked for .jpg"), ("none", "none does not exist"),
    ("y" * 300, "cannot be read: File name too long"),
    ("empty/x.jpg/none", "does not exist")])
def test_nothing_there_is_one_clear_line(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=message):
        find.pictures(tmp_path / name)


def test_what_is_left_out_is_counted_in_one_line(tmp_path):
    touch(tmp_path, "a.jpg", "._a.jpg", ".a.1.2.partial.jpg", ".DS_Store", "__MACOSX/a.jpg",
          "sub/@eaDir/a.jpg", ".thumbnails/a.jpg", ".ipynb_checkpoints/a.jpg", "clip.mp4", "b.MOV",
          "c.psd", "d.PSD", "e.jxl", "notes.txt")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    files, [line] = listed(tmp_path)
    assert files == ["a.jpg"]
    for words in ("2 hidden files", "2 hidden folders", "2 system folders", "2 videos",
                  "2 .psd files (not a format that is read)", "1 .jxl file (",
                  "3 broken links or special files"):
        assert words in line
    assert line.startswith(f"{tmp_path}: left out ") and "\n" not in line


def test_a_folder_of_other_files_only_says_which(tmp_path):
    touch(tmp_path, "clip.mp4", "a.psd")
    with pytest.raises(ImageError, match="has no pictures; .* left out 1 .psd file .*, 1 video"):
        find.pictures(tmp_path)


@pytest.mark.skipif(".heic" in READ_SUFFIXES, reason="pillow-heif is installed")
def test_what_would_make_pictures_readable_is_said(tmp_path):
    touch(tmp_path, "a.jpg", "a.heic", "b.HEIC")
    files, [line] = listed(tmp_path)
    assert files == ["a.jpg"]
    assert line.endswith("left out 2 .heic files (needs pip install pillow-heif)")


def test_links_are_followed_and_circles_end(tmp_path):
    touch(tmp_path, "data/n01/a.jpg", "data/n01/deep/b.jpg", "subset/own.jpg", "single.jpg")
    subset = tmp_path / "subset"
    (subset / "n01").symlink_to(tmp_path / "data" / "n01")
    (subset / "self").symlink_to(subset)
    (subset / "s.jpg").symlink_to(tmp_path / "single.jpg")
    (tmp_path / "data" / "n01" / "deep" / "up").symlink_to(tmp_path / "data" / "n01")
    files, lines = listed(subset)
    assert files == ["n01/a.jpg", "n01/deep/b.jpg", "own.jpg", "s.jpg"]
    assert lines == [f"{subset}: left out 2 links to folders that are read already"]


def test_a_folder_that_is_linked_to_as_well_keeps_its_own_name(tmp_path):
    touch(tmp_path, "z/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "z")
    assert listed(tmp_path)[0] == ["z/a.jpg"]


def test_any_maze_of_links_ends_and_gives_every_file_once(tmp_path):
    """Folders that link to each other at random, with two ways at least from each to all."""
    for seed in range(20):
        generator, root = random.Random(seed), tmp_path / str(seed)
        folders = [root]
        for number in range(12):
            folder = generator.choice(folders) / f"f{number}"
            folder.mkdir(parents=True)
            touch(folder, f"{number}.jpg")
            folders.append(folder)
        for number in range(40):
            (generator.choice(folders) / f"l{number}").symlink_to(generator.choice(folders))
        files, _ = listed(root)
        assert sorted(Path(file).name for file in files) == sorted(f"{n}.jpg" for n in range(12))
        assert not any(part.startswith("l") for file in files for part in Path(file).parts)


def test_a_folder_that_may_not_be_entered_is_named_and_the_rest_is_read(tmp_path, monkeypatch):
    """By a scandir that refuses: permissions do not bind root, whom tests may run as."""
    touch(tmp_path, "a.jpg", "private/b.jpg")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "private":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    lines = []
    listing = find.list_below(tmp_path, report=lines.append)
    assert listing == ([tmp_path / "a.jpg"], [tmp_path / "private"])
    assert lines == [f"{tmp_path / 'private'} cannot be read: Permission denied"]
    with pytest.raises(ImageError, match="private cannot be read: Permission denied."):
        find.list_below(tmp_path / "private")


def test_what_the_command_writes_is_left_out(tmp_path):
    touch(tmp_path, "a.jpg", "out/a__s.jpg", "sheet.jpg", "sub/sheet.jpg", "other/out/b.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    files, [line] = listed(tmp_path, leave_out=[tmp_path / "out", tmp_path / "sheet.jpg",
                                                tmp_path / "none"])
    assert files == ["a.jpg", "other/out/b.jpg", "sub/sheet.jpg"]
    assert f"{tmp_path / 'out'} (written by this command)" in line
    assert f"{tmp_path / 'sheet.jpg'} (written by this command)" in line
    with pytest.raises(OptionError, match="read and written to"):
        listed(tmp_path, leave_out=[tmp_path])
    assert listed(tmp_path / "out", leave_out=[tmp_path / "sheet.jpg"])[0] == ["a__s.jpg"]


def test_several_paths_give_each_picture_once_with_its_folder(tmp_path):
    touch(tmp_path, "a/x.jpg", "a/sub/y.jpg", "b.jpg")
    root = tmp_path
    found, unreadable = find.contents([root / "a" / "x.jpg", root / "a", root / "b.jpg", "-",
                                       root / "a" / "sub" / ".." / "sub"], report=print)
    assert found == [(root / "a" / "x.jpg", Path()), (root / "a" / "sub" / "y.jpg", Path("sub")),
                     (root / "b.jpg", Path()), (Path("-"), Path())]
    assert not unreadable


@pytest.mark.parametrize("path, expected", [
    ("https://example.org/a.jpg", True), ("s3://bucket/x", True), ("file:///x.jpg", True),
    (Path("https://example.org/a.jpg"), True), ("C:/pictures", False), ("C:\\pictures", False),
    ("a:b.jpg", False), ("pictures/https:/x", False), ("-", False), ("", False)])
def test_addresses_are_known(path, expected):
    assert find.is_address(path) == expected
