import numpy as np
import pytest
from conftest import logged, picture
from PIL import Image

from adain.errors import ImageError, OptionError
from adain.training import data, picture_cache
from adain.training.picture_cache import PictureCache


@pytest.fixture
def source(folders):
    return data.PairSource(folders / "content", folders / "style", image_size=40, crop_size=32)


def test_a_pair_is_a_pure_function_of_seed_and_number(folders, source):
    again = data.PairSource(folders / "content", folders / "style", image_size=40, crop_size=32)
    other = data.PairSource(folders / "content", folders / "style", seed=1, image_size=40,
                            crop_size=32)
    pairs = [source.pair(index) for index in range(8)]
    for index in reversed(range(8)):  # in any order
        np.testing.assert_array_equal(again.pair(index), pairs[index])
    assert pairs[0].shape == (2, 32, 32, 3) and pairs[0].dtype == np.uint8
    assert any((other.pair(index) != pairs[index]).any() for index in range(8))


def test_every_epoch_uses_every_file_once_in_another_order(tmp_path):
    for index in range(7):
        Image.new("RGB", (32, 32), (index * 30, 0, 0)).save(tmp_path / f"{index}.png")
    pictures = data.Pictures(tmp_path, seed=0, image_size=32, crop_size=32)
    epochs = [[int(pictures.crop(7 * epoch + index)[0, 0, 0]) for index in range(7)]
              for epoch in range(4)]
    for epoch in epochs:
        assert sorted(epoch) == [index * 30 for index in range(7)]
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_fixed_crops_recur(folders):
    pictures = data.Pictures(folders / "content", 0, image_size=40, crop_size=32, fixed_crops=2)
    crops = {}
    for index in range(40):
        place, crop = pictures.draw(index)
        assert place == pictures.place(index)
        np.testing.assert_array_equal(crops.setdefault(place, crop), crop)
    assert len(crops) == 2 * 2


@pytest.mark.parametrize("kind", data.Recoloring._fields)
def test_recoloring_changes_its_share_of_the_style_crops_only(folders, kind):
    def crops(share):
        source = data.PairSource(folders / "content", folders / "style", image_size=40,
                                 crop_size=32, recoloring=data.Recoloring(**{kind: share}))
        return np.stack([source.pair(index) for index in range(40)]).astype(int)

    plain, half, again, all_of_them = crops(0.0), crops(0.5), crops(0.5), crops(1.0)
    np.testing.assert_array_equal(half, again)
    np.testing.assert_array_equal(half[:, 0], plain[:, 0])
    turned = (half[:, 1] != plain[:, 1]).any(axis=(1, 2, 3))
    assert 10 < turned.sum() < 30
    np.testing.assert_array_equal(half[turned, 1], all_of_them[turned, 1])
    assert (all_of_them[:, 1] != plain[:, 1]).any(axis=(1, 2, 3)).all()


def test_bad_files_are_reported_once_and_replaced(folders):
    (folders / "content" / "broken.jpg").write_bytes(b"\xff\xd8\xff not a jpeg")
    (folders / "content" / "empty.png").touch()
    source = data.PairSource(folders / "content", folders / "style", image_size=40, crop_size=32)
    with logged() as lines:
        for index in range(12):
            assert source.pair(index).shape == (2, 32, 32, 3)
    assert sorted(name for line in lines for name in ("broken.jpg", "empty.png") if name in line
                  ) == ["broken.jpg", "empty.png"]


def test_a_folder_of_bad_files_only_is_an_error(tmp_path, folders):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"no")
    source = data.PairSource(tmp_path / "bad", folders / "style", image_size=40, crop_size=32)
    with pytest.raises(ImageError, match="none of the 1 pictures"):
        source.pair(0)


def test_linked_subfolders_count_and_what_training_writes_does_not(folders, tmp_path):
    for place in (tmp_path / "elsewhere" / "x.png", folders / "style" / "run" / "preview.png"):
        place.parent.mkdir()
        Image.fromarray(picture()).save(place)
    (folders / "style" / "link").symlink_to(tmp_path / "elsewhere")
    source = data.PairSource(folders / "content", folders / "style", 0, 40, 32,
                             leave_out=[folders / "style" / "run"])
    assert [file.relative_to(folders / "style").as_posix() for file in source.style.files] == [
        "link/x.png", "style0.png", "style1.png"]


def test_small_pictures_are_enlarged_and_the_aspect_is_kept(tmp_path):
    Image.new("RGB", (10, 20), (200, 100, 50)).save(tmp_path / "small.png")
    crop = data.Pictures(tmp_path, 0, image_size=64, crop_size=64).crop(0)
    assert crop.shape == (64, 64, 3) and abs(crop.astype(int) - (200, 100, 50)).max() <= 1


def test_random_crops_reach_every_place():
    image = np.arange(16).reshape(4, 4)[..., None]
    corners = {int(data.random_crop(image, 3, np.random.default_rng(seed))[0, 0, 0])
               for seed in range(40)}
    assert corners == {0, 1, 4, 5}


@pytest.mark.parametrize("sizes, message", [((256, 100), "multiple of 8"), ((128, 256), "smaller")])
def test_sizes_that_cannot_work_are_refused(folders, sizes, message):
    with pytest.raises(OptionError, match=message):
        data.PairSource(folders / "content", folders / "style", 0, *sizes)


def test_dataset_yields_the_batches_of_the_steps_asked_for(source):
    pytest.importorskip("tensorflow")
    batches = list(data.dataset(source, 2, 3, 5).as_numpy_iterator())
    assert len(batches) == 2
    for step, batch in zip((3, 4), batches):
        np.testing.assert_array_equal(batch, [source.pair(2 * step), source.pair(2 * step + 1)])


def test_kept_pictures_give_the_same_crops_and_no_more_are_kept_than_fit(folders, monkeypatch):
    def crops(size):
        source = data.PairSource(folders / "content", folders / "style", 0, 32, 16,
                                 recoloring=data.Recoloring(0.5, 0.5, 0.5),
                                 cache=PictureCache(size))
        return [source.pair(index) for index in range(20)]

    reads, read = [], picture_cache.read
    monkeypatch.setattr(picture_cache, "read", lambda *what: reads.append(what) or read(*what))
    uncached, often = crops(0), len(reads)
    reads.clear()
    np.testing.assert_array_equal(crops(10**9), uncached)
    assert len(reads) == len(set(reads)) < often == 40
    reads.clear()
    np.testing.assert_array_equal(crops(32 * 64 * 3), uncached)  # room for one or two
    assert len(set(reads)) < len(reads) < often
