"""COCO annotations: those of the results, and the regions of objects."""

import io
import json
import tracemalloc

import numpy as np
import pytest
from conftest import picture
from PIL import Image
from test_dataset import bank, lines, make, results  # noqa: F401

from adain.errors import ImageError, OptionError
from adain.jobs.dataset.coco import Coco
from adain.jobs.dataset.masks import decode_rle, region_mask, unpack_counts

SQUARE = [[8, 8, 24, 8, 24, 24, 8, 24]]


@pytest.fixture
def coco(tmp_path):
    """A folder of three pictures and their annotations."""
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        Image.fromarray(picture(40, 48, seed)).save(tmp_path / "photos" / f"{seed}.png")
    found = {"info": {"year": 2017, "note": "grün"}, "licenses": [],
             "annotations": [{"id": 70 + index, "image_id": 10 + index, "bbox": [8, 8, 16, 16],
                              "segmentation": SQUARE, "area": 256.0} for index in range(3)],
             "images": [{"id": 10 + index, "file_name": f"{index}.png", "width": 48, "height": 40}
                        for index in range(3)],
             "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "instances.json").write_text(json.dumps(found, ensure_ascii=False, indent=1),
                                             encoding="utf-8")
    return tmp_path


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data))).astype(int)


def test_annotations_get_names_and_styles_and_nothing_else_changes(coco, make):  # noqa: F811
    assert make(coco / "photos", coco / "out", "--annotations", coco / "instances.json",
                "--format", "webp") == 0
    before, after = (json.loads((path / "instances.json").read_text(encoding="utf-8"))
                     for path in (coco, coco / "out"))
    made = lines(coco / "out" / "manifest.jsonl")
    for image in after["images"]:
        style = image.pop("style")
        line = made[image["file_name"]]
        assert style == {name: line[name] for name in ("styles", "weights", "alpha")}
        assert (coco / "out" / image["file_name"]).is_file()
        image["file_name"] = image["file_name"].replace("webp", "png")
    assert before == after and list(before) == list(after)


def test_each_of_several_results_has_new_ids_and_annotations(coco, make):  # noqa: F811
    make(coco / "photos", coco / "out", "--annotations", coco / "instances.json",
         "--styles-per-picture", 2)
    found = json.loads((coco / "out" / "instances.json").read_text())
    images = {image["id"]: image["file_name"] for image in found["images"]}
    assert images == {20: "0__0.png", 21: "0__1.png", 22: "1__0.png", 23: "1__1.png",
                      24: "2__0.png", 25: "2__1.png"}
    assert [(one["id"], one["image_id"]) for one in found["annotations"]] == [
        (140, 20), (141, 21), (142, 22), (143, 23), (144, 24), (145, 25)]


def test_missing_pictures_are_reported_and_have_no_records(coco, make, capsys):  # noqa: F811
    (coco / "photos" / "1.png").unlink()
    assert make(coco / "photos", coco / "out", "--annotations", coco / "instances.json") == 1
    said = capsys.readouterr().err
    assert "photos/1.png does not exist" in said and "without 1 pictures" in said
    found = json.loads((coco / "out" / "instances.json").read_text())
    assert [image["id"] for image in found["images"]] == [10, 12]
    assert [one["image_id"] for one in found["annotations"]] == [10, 12]


@pytest.mark.parametrize("region", ["foreground", "background"])
def test_only_the_region_is_stylized(coco, make, region):  # noqa: F811
    make(coco / "photos", coco / "out", "--annotations", coco / "instances.json",
         "--region", region)
    content = pixels((coco / "photos" / "0.png").read_bytes())
    result = pixels(results(coco / "out")["0.png"])
    inside = np.zeros((40, 48), bool)
    inside[8:25, 8:25] = True  # with the pixels on the polygon's edge
    changed = np.abs(result - content).max(axis=2) > 1
    stylized, kept = (inside, ~inside) if region == "foreground" else (~inside, inside)
    assert not changed[kept].any() and changed[stylized].mean() > 0.9


def test_annotations_of_shards_are_written_by_a_run_without_shard(coco, make, capsys):  # noqa: F811
    options = ("--annotations", coco / "instances.json")
    for index in range(2):
        make(coco / "photos", coco / "out", *options, "--shard", f"{index}/2")
    assert not (coco / "out" / "instances.json").exists()
    assert "without --shard" in capsys.readouterr().err
    assert make(coco / "photos", coco / "out", *options) == 0
    assert "0 pictures, 3 exist already" in capsys.readouterr().out
    assert len(json.loads((coco / "out" / "instances.json").read_text())["images"]) == 3


def test_options_that_exclude_annotations_are_refused(coco, make):  # noqa: F811
    options = ("--annotations", coco / "instances.json")
    with pytest.raises(OptionError, match="would invalidate"):
        make(coco / "photos", coco / "out", *options, "--content-size", 32)
    with pytest.raises(OptionError, match="need one folder"):
        make([coco / "photos", coco / "photos"], coco / "out", *options)
    with pytest.raises(OptionError, match="`region` needs"):
        make(coco / "photos", coco / "out", "--region", "foreground")


@pytest.mark.parametrize("text", [
    "", "[]", "{}", '{"images": [', '{"images": [{"id": 1}]}', '{"annotations": []}',
    '{"images": [{"id": 1, "file_name": "../a.jpg"}]}', '{"images": [1]}', '{"images": [{},]}'])
def test_files_that_are_not_annotations_are_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(OptionError, match=r"a\.json (is not a COCO annotation file|has a picture)"):
        len(Coco(tmp_path / "a.json", "photos"))


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(count):
        images = [{"id": index, "file_name": f"{index}.jpg", "note": "x" * 200}
                  for index in range(count)]
        (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": []}))
        tracemalloc.start()
        assert len(Coco(tmp_path / "a.json", "photos")) == count
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(20_000) < 1.5 * peak(8_000)  # 5 MB and 2 MB of text


def png(rows=40, columns=48):
    stream = io.BytesIO()
    Image.new("RGB", (columns, rows)).save(stream, "PNG")
    return stream.getvalue()


def test_polygons_and_run_lengths_give_the_same_region():
    square = np.zeros((40, 48), np.uint8)
    square[8:24, 8:24] = 1
    flat = square.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    packed = {"size": [40, 48], "counts": pack_counts(counts)}
    np.testing.assert_array_equal(decode_rle({"size": [40, 48], "counts": counts}), square)
    np.testing.assert_array_equal(decode_rle(packed), square)
    for one in (SQUARE, packed):
        found = region_mask([one], png(), (40, 48), background=False)
        assert np.count_nonzero(found != square * 255) <= 4 * 17  # the polygon's edge
        np.testing.assert_array_equal(region_mask([one], png(), (40, 48), True), 255 - found)
    assert region_mask([SQUARE], png(), (20, 24), False).shape == (20, 24)


def pack_counts(counts):
    """The COCO API's rleToString."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            part, value = value & 31, value >> 5
            more = value != -1 if part & 16 else value != 0
            text += chr(part + 48 + 32 * more)
            if not more:
                break
    return text


def test_run_lengths_of_the_coco_api():
    # The example in its README.
    assert list(unpack_counts("61X13mN000`0")) == [6, 1, 40, 4, 5, 4, 5, 4, 21]
    counts = [5, 1000, 3, 40000, 1, 39000, 77]
    assert list(unpack_counts(pack_counts(counts))) == counts


@pytest.mark.parametrize("one", [
    {"size": [40, 48], "counts": [5]}, {"size": [4, 4], "counts": [16]}, {"size": [40, 48]},
    {"size": [40, 48], "counts": [-1, 1921]}, {"size": [40, 48], "counts": "~"},
    {"size": [10**6, 10**6], "counts": [10**12]}, [[1, 2, 3]], [["a", "b"]], [[1e300, 0, 1, 1]],
    "nonsense"])
def test_invalid_segmentations_are_refused(one):
    with pytest.raises(ImageError, match="segmentation is invalid"):
        region_mask([one], png(), (40, 48), background=False)
