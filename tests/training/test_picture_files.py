"""Training pictures where they are: zip and tar files, and behind URLs."""

import tarfile
import threading
import zipfile

import numpy as np
import pytest
from conftest import logged

from adain.errors import ImageError
from adain.files import images
from adain.jobs.prepare import plan, shrink
from adain.training import gallery, loader, picture_files
from adain.training.data import PairSource
from adain.training.picture_files import list_files, name_below
from adain.training.resume import describe_pictures


def names_of(folder):
    return sorted((file.relative_to(folder) for file in folder.rglob("*") if file.is_file()),
                  reverse=True)  # in an archive, files stand in any order


def make_zip(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names_of(folder):
            archive.write(folder / name, name)
    return path


def make_tar(folder, path):
    with tarfile.open(path, "w") as archive:
        for name in names_of(folder):
            archive.add(folder / name, name)
    return path


def make_shards(folder, path):
    names = names_of(folder)
    for number in range(2):
        with tarfile.open(f"{path}-{number:02}.tar", "w") as archive:
            for name in names[number::2]:
                archive.add(folder / name, name)
    return f"{path}-{{00..01}}.tar"


def put_on_server(folder, path):
    fsspec = pytest.importorskip("fsspec")
    make_zip(folder, path)
    fsspec.filesystem("memory").put(str(path), "/bucket/photos.zip")
    return "memory://bucket/photos.zip"


@pytest.mark.parametrize("make", [make_zip, make_tar, make_shards, put_on_server])
def test_an_archive_gives_the_pairs_of_the_folder_that_it_was_made_of(folders, tmp_path, make):
    path = make(folders / "content", tmp_path / "archive")
    if make in (make_zip, make_tar):
        path = path.rename(path.with_suffix({make_zip: ".zip", make_tar: ".tar"}[make]))
    sizes = {"image_size": 40, "crop_size": 32}
    folder = PairSource(folders / "content", folders / "style", 3, **sizes)
    archive = PairSource(path, folders / "style", 3, **sizes)
    for index in range(2 * len(folder.content.files)):
        np.testing.assert_array_equal(archive.pair(index), folder.pair(index))
    of_folder = describe_pictures(folders / "content", folder.content.files)
    of_archive = describe_pictures(path, archive.content.files)
    assert of_archive["names"] == of_folder["names"]  # so a run may be resumed with the other
    assert (archive.readers is None) == (make is not put_on_server)


def cut(path):
    path.write_bytes(path.read_bytes()[:-path.stat().st_size // 3])
    return path


@pytest.mark.parametrize("make, suffix", [(make_zip, ".zip"), (make_tar, ".tar")])
def test_of_an_archive_that_is_cut_the_rest_is_used(folders, tmp_path, make, suffix):
    path = cut(make(folders / "content", tmp_path / f"photos{suffix}"))
    with logged() as lines:
        files = list_files(path)
    count = len(names_of(folders / "content"))
    assert 0 < len(files) < count
    assert len([line for line in lines if f"photos{suffix} is cut or damaged" in line]) == 1
    for file in files:
        assert picture_files.read_picture(file, 32).ndim == 3


def test_what_is_not_there_is_an_error(tmp_path):
    for name in ("photos.zip", "photos-{0..3}.tar", "photos.tar.gz"):
        with pytest.raises(ImageError, match=r"photos.* does not exist"):
            list_files(tmp_path / name)


def test_a_gallery_is_found_in_an_archive_that_is_trained_on(folders, tmp_path):
    for part in ("content", "style"):
        (tmp_path / "gallery" / part).mkdir(parents=True)
        file = folders / part / names_of(folders / part)[0]
        (tmp_path / "gallery" / part / f"renamed{file.suffix}").write_bytes(file.read_bytes())
    lists = [list_files(make_zip(folders / part, tmp_path / f"{part}.zip"))
             for part in ("content", "style")]
    same = gallery.overlap(gallery.read(tmp_path / "gallery", 32), *lists)
    assert len(same) == 2 and all("renamed" in line and ".zip/" in line for line in same)


def test_prepare_shrinks_what_is_in_an_archive(folders, tmp_path):
    path = make_zip(folders / "content", tmp_path / "photos.zip")
    for (left, small), (right, same) in zip(plan(path, tmp_path / "a"),
                                            plan(folders / "content", tmp_path / "b")):
        assert name_below(path, left) == name_below(folders / "content", right)
        assert shrink(left, small, 32) is None and shrink(right, same, 32) is None
        np.testing.assert_array_equal(images.read(small), images.read(same))


def test_files_that_the_network_loses_once_are_read_again(monkeypatch, tmp_path):
    calls = []

    def read(entry):
        calls.append(entry)
        if len(calls) < picture_files.ATTEMPTS:
            raise ImageError("the connection was lost")
        return b"bytes"

    monkeypatch.setattr(picture_files, "read", read)
    assert picture_files.read_bytes(picture_files.Entry("memory://bucket", "a.jpg")) == b"bytes"
    with pytest.raises(ImageError):  # what is on this machine is read once
        calls.clear()
        picture_files.read_bytes(picture_files.Entry("photos.zip", "a.jpg", 0, 5))


def test_many_files_are_read_at_once_where_each_waits_for_the_network():
    together = threading.Barrier(8, timeout=60)

    def read(index):
        together.wait()  # until eight of them are being read
        return np.full(2, index)

    steps = [batch.tolist() for batch in loader.in_threads(read, 2, range(16), readers=8)]
    assert steps == [[[2 * step] * 2, [2 * step + 1] * 2] for step in range(8)]
