"""Storage: pictures in folders, zip and tar files, and behind URLs."""

import io
import os
import pickle
import re
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import picture
from PIL import Image

from adain.errors import ImageError, OptionError
from adain.files.reader import open_bytes
from adain.files.storage import FolderWriter, Pictures, exists, expand, read, write_tar
from adain.files.storage.listing import _sorted

NAMES = ("a.jpg", "dogs/rex.png", "dogs/tom.jpg")


def jpeg(seed=0):
    stream = io.BytesIO()
    Image.fromarray(picture(24, 32, seed)).save(stream, "JPEG")
    return stream.getvalue()


FILES = {name: jpeg(seed) for seed, name in enumerate(NAMES)}
HIDDEN = {".hidden.jpg": b"x", "__MACOSX/a.jpg": b"x", "dogs/film.mp4": b"x"}


def make_folder(path, files=FILES | HIDDEN):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def make_tar(path, files=FILES | HIDDEN, **settings):
    with tarfile.open(path, "w", **settings) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def make_zip(path, files=FILES | HIDDEN, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def memory():
    """A file system behind memory://, empty again at the end."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def listed(*paths, **settings):
    listing = Pictures(paths, report=lambda line: None, **settings)
    return {entry.name: read(entry) for entry in listing}, listing.problems


@pytest.mark.parametrize("make, name", [
    (make_folder, "photos"), (make_tar, "photos.tar"), (make_zip, "photos.zip"),
    (lambda path: make_zip(path, method=zipfile.ZIP_STORED), "stored.zip")])
def test_every_kind_of_source_lists_the_same_pictures_and_gives_their_bytes(tmp_path, make, name):
    assert listed(make(tmp_path / name)) == (FILES, [])


@pytest.mark.parametrize("make, name", [
    (make_folder, "photos"), (make_tar, "photos.tar"), (make_zip, "photos.zip")])
def test_what_is_behind_a_url_reads_as_what_is_on_this_machine(tmp_path, memory, make, name):
    memory.put(str(make(tmp_path / name)), f"/bucket/{name}", recursive=True)
    assert listed(f"memory://bucket/{name}") == (FILES, [])


@pytest.fixture
def web_server(tmp_path, request):
    """The URL of a server that shows tmp_path; with ranges of bytes, but for the parameter False.
    """
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if not found or not getattr(request, "param", True):
                super().do_GET()
                return
            data = Path(self.translate_path(self.path)).read_bytes()
            start, last = map(int, found.groups())
            part = data[start:last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("make, name", [
    (make_folder, "photos"), (make_tar, "photos.tar"), (make_zip, "photos.zip")])
def test_what_is_on_a_web_server_reads_as_what_is_on_this_machine(tmp_path, web_server, make, name):
    make(tmp_path / name)
    assert listed(f"{web_server}/{name}") == (FILES, [])
    with pytest.raises(ImageError, match="does not exist"):
        listed(f"{web_server}/other-{name}")


@pytest.mark.parametrize("web_server", [False], indirect=True)
@pytest.mark.parametrize("make, name", [(make_tar, "photos.tar"), (make_zip, "photos.zip")])
def test_a_web_server_that_gives_whole_files_only_is_named(tmp_path, web_server, make, name):
    make(tmp_path / name)
    pictures = Pictures(f"{web_server}/{name}")
    with pytest.raises(ImageError, match=rf"Download http://.*/{name} first"):
        list(pictures)
    assert not pictures.problems  # nor is the file called damaged


@pytest.mark.parametrize("make, name", [
    (make_folder, "photos"), (make_tar, "photos.tar"), (make_zip, "photos.zip")])
def test_what_is_left_out_is_counted_in_one_line(tmp_path, make, name):
    lines = []
    list(Pictures(make(tmp_path / name), report=lines.append))
    assert len(lines) == 1 and "left out" in lines[0]
    assert "1 hidden file" in lines[0] and "1 video" in lines[0] and "system folder" in lines[0]


def test_an_entry_can_be_pickled_and_names_its_place(tmp_path):
    entry = list(Pictures(make_tar(tmp_path / "a.tar", FILES)))[1]
    copy = pickle.loads(pickle.dumps(entry))
    assert read(copy) == FILES["dogs/rex.png"] and copy.place == f"{tmp_path}/a.tar/dogs/rex.png"


def test_patterns_are_expanded(tmp_path):
    assert list(expand("s-{08..11}.tar")) == ["s-08.tar", "s-09.tar", "s-10.tar", "s-11.tar"]
    assert list(expand("{train,val}/{0..1}.zip")) == [
        "train/0.zip", "train/1.zip", "val/0.zip", "val/1.zip"]
    make_tar(tmp_path / "s-0.tar", {"a.jpg": b"1"})
    make_tar(tmp_path / "s-1.tar", {"b.jpg": b"2"})
    assert listed(f"{tmp_path}/s-{{0..1}}.tar") == ({"a.jpg": b"1", "b.jpg": b"2"}, [])
    with pytest.raises(OptionError, match="smaller"):
        list(expand("s-{9..1}.tar"))


def test_a_pattern_with_a_missing_shard_names_it(tmp_path):
    make_tar(tmp_path / "s-0.tar")
    with pytest.raises(ImageError, match=r"s-1\.tar does not exist"):
        Pictures(f"{tmp_path}/s-{{0..1}}.tar")


def test_of_a_cut_tar_what_is_whole_is_used_and_the_tar_is_named(tmp_path):
    path = make_tar(tmp_path / "a.tar", FILES)
    size = list(Pictures(path))[-1].offset + 10  # within the last picture
    os.truncate(path, size)
    found, problems = listed(path)
    assert list(found) == list(NAMES[:2])
    assert len(problems) == 1 and "a.tar is cut" in problems[0] and "first 2 " in problems[0]


def test_a_tar_that_ends_between_two_files_is_named(tmp_path):
    path = make_tar(tmp_path / "a.tar", FILES)
    os.truncate(path, list(Pictures(path))[-1].offset - 512)
    found, problems = listed(path)
    assert list(found) == list(NAMES[:2]) and "is cut" in problems[0]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("streamed", [False, True])
def test_of_a_cut_zip_what_is_whole_is_used_and_the_zip_is_named(tmp_path, method, streamed):
    path = tmp_path / "a.zip"
    if streamed:  # then the sizes follow the data
        stream = io.BytesIO()
        stream.seekable = lambda: False
        make_zip(stream, FILES, method)
        path.write_bytes(stream.getvalue())
    else:
        make_zip(path, FILES, method)
    os.truncate(path, list(Pictures(path))[-1].offset + 60)
    found, problems = listed(path)
    assert list(found) == list(NAMES[:2])
    assert len(problems) == 1 and "a.zip is cut" in problems[0]


def test_a_damaged_member_of_a_zip_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", FILES, zipfile.ZIP_STORED)
    entry = list(Pictures(path))[0]
    data = bytearray(path.read_bytes())
    data[entry.offset + 200] ^= 1
    path.write_bytes(data)
    with pytest.raises(ImageError, match="a.jpg is damaged"):
        read(entry)


def test_names_that_lead_out_of_an_archive_are_left_out(tmp_path):
    evil = {"../evil.jpg": b"x", "/root.jpg": b"x", "a/../../b.jpg": b"x", "./fine.jpg": b"y"}
    lines = []
    found = [entry.name for entry in Pictures(make_tar(tmp_path / "a.tar", evil),
                                              report=lines.append)]
    assert found == ["fine.jpg"] and "3 names that lead out of the archive" in lines[0]


def test_long_names_of_tars_are_read(tmp_path):
    long = "x" * 150 + "/" + "y" * 150 + ".jpg"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert listed(make_tar(tmp_path / "a.tar", {long: b"1"}, format=kind)) == ({long: b"1"}, [])


def test_files_are_sorted_by_their_name_without_suffix(tmp_path):
    names = ["a.png", "a-1.jpg", "a.jpg", "B.jpg", "a_.jpg"]
    assert list(_sorted(names)) == ["B.jpg", "a.jpg", "a.png", "a-1.jpg", "a_.jpg"]
    many = [f"{index * 7919 % 30011:06d}.jpg" for index in range(30011)]  # three runs
    assert list(_sorted(many)) == sorted(many)


def test_circular_links_end_and_broken_ones_are_counted(tmp_path):
    make_folder(tmp_path / "photos", FILES)
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "lost.jpg").symlink_to(tmp_path / "nothing")
    lines = []
    assert [entry.name for entry in Pictures(tmp_path / "photos", report=lines.append)
            ] == list(NAMES)
    assert "1 link to folders that are read already" in lines[0] and "1 broken link" in lines[0]


def test_what_the_command_writes_is_left_out(tmp_path):
    photos = make_folder(tmp_path / "photos", FILES | {"out/a.jpg": b"x"})
    assert listed(photos, leave_out=[photos / "out"]) == (FILES, [])
    with pytest.raises(OptionError, match="read and written to"):
        Pictures(photos, leave_out=[photos])


def test_without_pictures_the_listing_ends_with_an_error(tmp_path):
    with pytest.raises(ImageError, match="has no pictures"):
        list(Pictures(make_folder(tmp_path / "empty", {"notes.txt": b"x"})))
    with pytest.raises(ImageError, match="compressed"):
        Pictures(make_folder(tmp_path / "b", {"a.tar.gz": b"x"}) / "a.tar.gz")


def test_unknown_schemes_and_missing_packages_are_named(monkeypatch):
    pytest.importorskip("fsspec")
    with pytest.raises(OptionError, match="unknown scheme ftpx"):
        list(Pictures("ftpx://server/photos"))
    with pytest.raises(ImageError, match="memory://no/such does not exist"):
        list(Pictures("memory://no/such"))
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(OptionError, match=r"pip install -e '\.\[cloud\]'"):
        list(Pictures("s3://bucket/photos"))


def test_a_tar_is_written_whole_or_not_at_all_and_the_same_every_time(tmp_path):
    for name in ("a.tar", "b.tar"):
        with write_tar(tmp_path / name) as tar:
            for file, data in FILES.items():
                tar.write(file, data)
            assert not exists(tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert listed(tmp_path / "a.tar") == (FILES, [])
    with pytest.raises(KeyError), write_tar(tmp_path / "c.tar") as tar:
        tar.write("a.jpg", b"1")
        raise KeyError
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "b.tar"]


def test_tars_and_files_are_written_behind_urls(memory):
    with write_tar("memory://out/a.tar") as tar:
        tar.write("a.jpg", b"1")
        assert not exists("memory://out/a.tar")
    assert listed("memory://out/a.tar") == ({"a.jpg": b"1"}, [])
    writer = pickle.loads(pickle.dumps(FolderWriter("memory://out/folder")))
    assert not writer.has("dogs/a.jpg")
    writer.write("dogs/a.jpg", b"2")
    assert writer.has("dogs/a.jpg")
    assert listed("memory://out/folder") == ({"dogs/a.jpg": b"2"}, [])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_tar_on_a_full_disk_is_an_error_that_names_it(tmp_path, monkeypatch):
    def full(path, mode="r", *args, **kwargs):
        return open("/dev/full", mode)

    monkeypatch.setattr("adain.files.storage.writing.open", full, raising=False)
    with (pytest.raises(ImageError, match=r"a\.tar cannot be written: No space left"),
          write_tar(tmp_path / "a.tar") as tar):
        tar.write("a.jpg", bytes(100_000))
    assert not os.listdir(tmp_path)


def test_the_bytes_of_a_picture_are_decoded_as_its_file_is(tmp_path):
    assert open_bytes(FILES["a.jpg"], "a.jpg").rgb.shape == (24, 32, 3)
    with pytest.raises(ImageError, match=r"a\.jpg is not a readable image"):
        open_bytes(b"nonsense", "a.jpg")
