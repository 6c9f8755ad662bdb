"""adain dataset --ray: the same bytes as without it, also where a machine of the cluster dies."""

import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest
from conftest import ROOT, picture
from PIL import Image

from adain.commands import dataset
from adain.errors import AdaINError, ImageError, OptionError
from adain.jobs.dataset.cluster import Cluster

ray = pytest.importorskip("ray")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module")
def styles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("styles")
    for seed in range(4):
        Image.fromarray(picture(64, 64, 100 + seed)).save(folder / f"{seed}.png")
    return folder


def photos(folder, count):
    """Write small pictures in class folders; the first file is none."""
    for index in range(count):
        path = folder / f"class{index % 3}" / f"{index:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(32, 32 + 8 * (index % 3), index)).save(path)
    (folder / "class0" / "000.jpg").write_bytes(b"nonsense")
    return folder


def arguments(content, styles, out, *more):
    return ["--content-path", str(content), "--style-path", str(styles), "--out-path", str(out),
            "--model", "compact", "--precision", "float32", *more]


def files(folder):
    """Return {name: bytes} of all files."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def cluster():
    """One local cluster for several commands, as `--ray` starts it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        with Cluster().connected():
            yield


def test_a_cluster_writes_the_same_bytes_as_one_process(cluster, styles, tmp_path, capsys):
    """The manifest, too: lines are in the order of the contents."""
    content = photos(tmp_path / "photos", 40)  # two batches
    assert dataset.main(arguments(content, styles, tmp_path / "serial")) == 1
    told = capsys.readouterr().err
    assert dataset.main(arguments(content, styles, tmp_path / "ray", "--ray")) == 1
    found = files(tmp_path / "ray")
    assert found == files(tmp_path / "serial") and len(found) == 39 + 1
    assert "class0/000.jpg is not a readable image" in told
    assert capsys.readouterr().err == told
    (tmp_path / "ray" / "class1" / "001.jpg").unlink()
    assert dataset.main(arguments(content, styles, tmp_path / "ray", "--ray")) == 1
    assert {name: data for name, data in files(tmp_path / "ray").items()
            if name != "manifest.jsonl"} == {
        name: data for name, data in found.items() if name != "manifest.jsonl"}


def test_a_cluster_writes_the_same_tar_files_as_one_process(cluster, styles, tmp_path, capsys):
    content = photos(tmp_path / "photos", 6)
    (content / "cut.tar").write_bytes(b"\0" * 100)
    for number in range(2):
        with tarfile.open(tmp_path / f"shard-{number:06d}.tar", "w") as tar:
            for path in sorted(content.rglob("*.jpg"))[number::2]:
                tar.add(path, path.relative_to(content))
    with open(tmp_path / "shard-000001.tar", "r+b") as file:
        file.truncate(2000)
    shards = tmp_path / "shard-{000000..000001}.tar"
    codes, told = [], []
    for name, more in (("serial", ()), ("ray", ("--ray",))):
        codes.append(dataset.main(arguments(shards, styles, tmp_path / name, *more)))
        told.append(sorted(capsys.readouterr().err.splitlines()))
    assert codes == [1, 1] and told[0] == told[1]
    assert any("shard-000001.tar" in line for line in told[0])
    assert files(tmp_path / "ray") == files(tmp_path / "serial")


def test_a_cluster_writes_the_same_annotations_as_one_process(cluster, styles, tmp_path,
                                                              capsys):
    """Pictures that are missing or damaged are left out of both."""
    content = photos(tmp_path / "photos", 5)  # the first one is damaged
    names = [str(path.relative_to(content)) for path in sorted(content.rglob("*.jpg"))]
    (tmp_path / "instances.json").write_text(json.dumps({
        "images": [{"id": 10 + index, "file_name": name}
                   for index, name in enumerate([*names, "missing.jpg"])],
        "annotations": [{"id": 70 + index, "image_id": 10 + index, "bbox": [8, 8, 16, 16],
                         "segmentation": [[8, 8, 24, 8, 24, 24, 8, 24]]}
                        for index in range(6)]}))
    options = ("--annotations", str(tmp_path / "instances.json"), "--styles-per-picture", "2",
               "--region", "background")
    told = []
    for name, more in (("serial", ()), ("ray", ("--ray",))):
        assert dataset.main(arguments(content, styles, tmp_path / name, *options, *more)) == 1
        told.append(capsys.readouterr().err.replace(str(tmp_path / name), "OUT"))
    found = files(tmp_path / "ray")
    assert found == files(tmp_path / "serial") and told[0] == told[1]
    images = json.loads(found["instances.json"])["images"]
    assert {image["file_name"] for image in images} == {
        name for name in found if name.endswith(".jpg")} and len(images) == 8
    assert "without 2 pictures" in told[1]


def test_errors_of_listing_and_writing_end_the_run_with_their_message(cluster, styles, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="has no pictures"):
        dataset.main(arguments(tmp_path / "empty", styles, tmp_path / "out", "--ray"))
    content = photos(tmp_path / "photos", 3)
    (tmp_path / "out2").mkdir()
    (tmp_path / "out2" / "class1").write_bytes(b"a file, where a folder should be")
    with pytest.raises(ImageError, match="class1"):
        dataset.main(arguments(content, styles, tmp_path / "out2", "--ray"))


def test_a_cluster_with_too_few_resources_is_refused(cluster, styles, tmp_path):
    content = photos(tmp_path / "photos", 3)
    for more, message in (("--ray --ray-cpus 999", "ray_cpus=999`: the cluster has"),
                          ("--ray --ray-cpus 0", "ray_cpus` must be at least 1"),
                          ("--ray --ray-gpus 1", "ray_gpus=1` needs `engine=keras`"),
                          ("--ray-cpus 2", "add `ray`")):
        with pytest.raises(OptionError, match=message):
            dataset.main(arguments(content, styles, tmp_path / "out", *more.split()))
    with pytest.raises(OptionError, match="ray_gpus=0.5`: the cluster has 0 GPUs"):
        list(Cluster(gpus=0.5).map(str, [1]))


def test_an_item_whose_process_ends_is_repeated(cluster, tmp_path, monkeypatch):
    """Results come in the order of the items; one that ends every process ends the run."""
    def work(item):
        with open(tmp_path / str(item), "a") as attempts:
            attempts.write("x")
        if item == 1 and len((tmp_path / "1").read_text()) < 2 or item == 9:
            os._exit(1)
        return item * 10

    assert list(Cluster().map(work, range(5))) == [0, 10, 20, 30, 40]
    assert [len((tmp_path / str(item)).read_text()) for item in range(5)] == [1, 2, 1, 1, 1]
    monkeypatch.setattr("adain.jobs.dataset.cluster._ATTEMPTS", 2)
    with pytest.raises(AdaINError, match="a part of the work ended 2 processes"):
        list(Cluster().map(work, [9]))


def test_an_address_that_does_not_answer_is_refused_at_once(styles, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for address, message in ((f"127.0.0.1:{port}", "does not answer"),
                                 (f"ray://127.0.0.1:{port}", "does not answer"),
                                 ("nowhere", "HOST:PORT or auto"),
                                 ("127.0.0.1:999999", "does not answer")):
            with pytest.raises(OptionError, match=message):
                list(Cluster(address).map(str, [1]))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_is_not_ray_is_refused_at_once(answer, monkeypatch):
    monkeypatch.setattr("adain.jobs.dataset.cluster._TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with server.accept()[0] as connection:
                connection.sendall(answer)
                connection.recv(1000)
                done.wait()

        done, thread = threading.Event(), threading.Thread(target=serve)
        thread.start()
        with pytest.raises(OptionError, match="does not answer"):
            list(Cluster(f"127.0.0.1:{server.getsockname()[1]}").map(str, [1]))
        done.set()
        thread.join()


@pytest.mark.slow
def test_all_results_exist_once_when_a_machine_of_the_cluster_is_killed(styles, tmp_path):
    from ray.cluster_utils import Cluster as Nodes

    content = photos(tmp_path / "photos", 600)
    dataset.main(arguments(content, styles, tmp_path / "serial"))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    os.environ["PYTHONPATH"] = str(ROOT)
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        second = nodes.add_node(num_cpus=1)
        nodes.wait_for_nodes()
        command = [sys.executable, "-m", "adain", "dataset", *arguments(
            content, styles, tmp_path / "ray", "--ray", nodes.address)]
        with subprocess.Popen(command, cwd=ROOT, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while process.poll() is None and len(files(tmp_path / "ray")) < 150:
                time.sleep(0.05)
            assert process.poll() is None
            nodes.remove_node(second, allow_graceful=False)
            out, told = process.communicate()
    finally:
        nodes.shutdown()
    assert process.returncode == 1 and "skipped 1" in told, out + told
    assert files(tmp_path / "ray") == files(tmp_path / "serial")


@pytest.mark.slow
def test_processes_keep_their_networks_and_their_gpu(tmp_path):
    """Ray would end a process after each task on a GPU. The GPUs here are only names."""
    (tmp_path / "work.py").write_text("""if True:
        import logging, os, time
        import ray
        from adain.jobs.dataset.cluster import Cluster

        class Work:
            first = None

            def __call__(self, item):
                self.first = self.first or (os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"])
                assert self.first == (os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"])
                time.sleep(0.05)
                return item, self.first

        ray.init("local", num_cpus=3, num_gpus=2, include_dashboard=False, log_to_driver=False,
                 logging_level=logging.ERROR)
        results = list(Cluster(gpus=1).map(Work(), range(12)))
        assert [item for item, _ in results] == list(range(12))
        assert len({process for _, process in results}) <= 4, results
    """)
    done = subprocess.run([sys.executable, tmp_path / "work.py"], cwd=ROOT, text=True,
                          capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
