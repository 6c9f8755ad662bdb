import os
import random
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from adain.errors import OptionError
from adain.jobs import naming

WORDS = ("a", "b", "A", "a__b", "b__c", "c", "__", "_", "a_jpg", "a_png", "a.b", ".", "..", "x__s",
         "alpha0.5", "\u00e4", "a\u0308", "\u00c4", "\u212b", "\u00df", "ss", "\ufb01", "fi",
         "stdin", "+", " ", "\udcff", "z" * 120, "\u754c" * 60)
ENDINGS = (".jpg", ".JPG", ".png", ".webp", ".jpg.png", ".npz")


def hostile_name(generator: random.Random) -> str:
    """A file name that Linux allows."""
    stem = "".join(generator.choices(WORDS, k=generator.randint(1, 3)))
    return os.fsdecode(os.fsencode(stem)[:240]) + generator.choice(ENDINGS)


def hostile_files(generator: random.Random, root: str) -> list[tuple[Path, Path]]:
    """Distinct files below a folder, each with its folder inside of that."""
    folders = [Path(), *(Path(*(hostile_name(generator) for _ in range(generator.randint(1, 2))))
                         for _ in range(generator.randint(0, 3)))]
    files = {Path(root, folder, hostile_name(generator)): folder
             for folder in generator.choices(folders, k=generator.randint(1, 9))}
    return list(files.items())


def key(path: Path) -> str:
    """What file systems compare that are blind to case and composition."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", str(path)).casefold())


def name_all(contents, styles, suffix="jpg"):
    results = [(content, folder, style) for content, folder in contents
               for style in naming.unique_names(styles)]
    return results, naming.name_results(results, Path("out"), suffix)


def test_every_job_has_a_different_result_for_any_file_names():
    """Two thousand random folders; no two results meet on any file system, none is too long."""
    for seed in range(2000):
        generator = random.Random(seed)
        contents = hostile_files(generator, "in")
        if seed % 4 == 0:  # several folders named at once
            contents += hostile_files(generator, "also/in")
        styles = [file for file, _ in hostile_files(generator, "styles")]
        results, targets = name_all(contents, styles)
        keys = {key(target) for target in targets}
        assert len(keys) == len(results) == len(contents) * len(styles), seed
        assert not keys & {key(above) for target in targets for above in target.parents}, seed
        assert all(len(os.fsencode(target.name)) <= 255 for target in targets), seed
        assert [target.parent for target in targets] == [
            Path("out", folder) for _, folder, _ in results]
        # Transparent results become PNG files beside their name.
        assert len({key(target.with_suffix(".png")) for target in targets}) == len(targets), seed


def test_names_do_not_depend_on_the_order_of_the_files():
    for seed in range(200):
        generator = random.Random(seed)
        contents, styles = hostile_files(generator, "in"), hostile_files(generator, "styles")
        styles = [file for file, _ in styles]
        first, second = [], []
        for found in (first, second):
            names = dict(zip(styles, naming.unique_names(styles)))
            results = [(content, folder, names[style]) for content, folder in contents
                       for style in styles]
            found += zip(results, naming.name_results(results, Path("out"), "png"))
            generator.shuffle(contents)
            generator.shuffle(styles)
        assert dict(first) == dict(second), seed


def test_a_unique_name_is_content_and_style():
    plain = 0
    for seed in range(500):
        generator = random.Random(seed)
        contents, styles = hostile_files(generator, "in"), hostile_files(generator, "styles")
        styles = [file for file, _ in styles]
        expected = [Path("out", folder, f"{content.stem}__{style.stem}.jpg")
                    for content, folder in contents for style in styles]
        taken = Counter(map(key, expected))
        folders = {key(above) for target in expected for above in target.parents}
        stems = [Counter(key(Path(folder, file.stem)) for file, folder in files)
                 for files in (contents, [(style, Path()) for style in styles])]
        if (max(taken.values()) == 1 and not folders & set(taken)
                and not folders & {key(target.with_suffix(".png")) for target in expected}
                and max(max(count.values()) for count in stems) == 1
                and all(len(os.fsencode(target.name)) <= 255 for target in expected)):
            plain += 1
            assert name_all(contents, styles)[1] == expected, seed
    assert plain > 50


@pytest.mark.parametrize("files, names", [
    (["in/a.jpg", "in/b.jpg"], ["a", "b"]),
    (["in/a.jpg", "in/a.png"], ["a_jpg", "a_png"]),
    (["m/a.jpg", "g/a.png"], ["a_jpg", "a_png"]),
    (["in/a.jpg", "in/A.png"], ["a_jpg", "A_png"]),
    (["monet/1.jpg", "gogh/1.jpg", "x.jpg"], ["monet_1", "gogh_1", "x"]),
    (["monet/1.jpg", "gogh/1.jpg", "gogh/1.png"], ["monet_1_jpg", "gogh_1_jpg", "gogh_1_png"]),
    (["a/x/1.jpg", "b/x/1.jpg"], ["a_x_1", "b_x_1"]),
    (["in/a.jpg", "in/a.png", "in/a_jpg.jpg", "in/a_png.webp"],
     ["a_jpg", "a_png", "a_jpg_jpg", "a_png_webp"]),
    (["-", "in/a.jpg"], ["stdin", "a"]),
    (["in/a.jpg", "in/../in/a.jpg"], ["a", "a"])])
def test_equal_names_get_their_suffix_then_their_folder(files, names):
    assert naming.unique_names([Path(file) for file in files]) == names


def test_results_with_equal_names_get_a_hash():
    contents = [(Path("in/a.jpg"), Path()), (Path("in/a__b.jpg"), Path())]
    _, targets = name_all(contents, [Path("s/b__c.jpg"), Path("s/c.jpg")])
    first, second, third, fourth = (target.stem for target in targets)
    assert (second, third) == ("a__c", "a__b__b__c")
    assert first != fourth and {first[:-8], fourth[:-8]} == {"a__b__c_"}


def test_results_have_different_names():
    results = [(Path("in/a.jpg"), Path(), "s"), (Path("in/a.png"), Path(), "s"),
               (Path("in/sub/a.jpg"), Path("sub"), "s")]
    assert naming.name_results(results, Path("out"), "png") == [
        Path("out/a_jpg__s.png"), Path("out/a_png__s.png"), Path("out/sub/a__s.png")]
    assert naming.name_results(results[:1], Path("one.tif"), "png") == [Path("one.tif")]
    with pytest.raises(OptionError, match="one.tif` is one file, but there are 3 results"):
        naming.name_results(results, Path("one.tif"), "png")


def test_a_long_name_keeps_the_start_of_both_and_differs_by_a_hash():
    contents = [(Path(f"in/{'y' * 246}{letter}.jpg"), Path()) for letter in "ab"]
    _, targets = name_all(contents, [Path("s/mosaic.jpg")])
    assert len({target.name for target in targets}) == 2
    for target in targets:
        assert len(target.name) == 255 and target.name.startswith("yyyy")
        assert "__mosaic_" in target.name


@pytest.mark.parametrize("path, is_file", [
    ("-", True), ("cat.jpg", True), ("out/cat.JPEG", True), ("cat.xyz", True), ("clip.3gp", True),
    ("clip.m2ts", True), ("out", False), ("results_0.5", False), ("out.v1", False),
    ("out.v1/", False), ("cat.jpg/", False), ("2024.05.01", False), (".", False), ("..", False),
    ("out.d/x", False), ("a.something", False)])
def test_a_dot_in_a_folder_s_name_does_not_make_it_a_file(path, is_file):
    assert naming.is_file_name(path) == is_file


def test_a_folder_that_exists_is_a_folder(tmp_path):
    (tmp_path / "x.jpg").mkdir()
    assert not naming.is_file_name(tmp_path / "x.jpg")


def test_the_name_of_a_file_beside_a_result_is_short_enough_too():
    contents = [(Path(f"in/{'y' * 240}.jpg"), Path(), "mosaic")]
    [target] = naming.name_results(contents, "out", "jpg", [".png", ".state.npz"])
    assert len(target.with_suffix(".state.npz").name) == 255
