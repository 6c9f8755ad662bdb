"""Banks: many styles in one file, of which only those used are read."""

import pickle
import zipfile

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain import Stylizer
from adain.commands import styles
from adain.errors import OptionError, StyleError, WeightsError
from adain.files.storage import Pictures
from adain.jobs.style_bank import make_bank
from adain.networks.style_bank import StyleBank, is_bank, write_bank
from adain.progress import Stopped, StopRequest


@pytest.fixture
def paintings(tmp_path):
    folder = tmp_path / "paintings"
    for seed, name in enumerate(("b.png", "a/a.png", "c.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(40, 56, seed)).save(folder / name)
    return folder


def small_bank(path, **changes):
    means = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_bank(path, **{"names": ["a", "b"], "means": means, "stds": means + 1,
                        "encoder": "abc", "style_size": 512} | changes)
    return path


def test_a_style_of_a_bank_is_that_of_its_picture(paintings, tmp_path, stylizer):
    made = make_bank(Pictures(paintings), tmp_path / "bank.npz", stylizer)
    bank = pickle.loads(pickle.dumps(StyleBank(tmp_path / "bank.npz", stylizer.fingerprint)))
    assert made.styles == len(bank) == 3 and list(bank.names()) == ["a/a.png", "b.png", "c.png"]
    for index, name in enumerate(bank.names()):
        expected = stylizer.encode_style(paintings / name)
        np.testing.assert_array_equal(bank.style(index), expected)


def test_values_are_memory_mapped(tmp_path):
    bank = StyleBank(small_bank(tmp_path / "bank.npz"))
    assert all(isinstance(array, np.memmap) for array in (bank._means, bank._stds, bank._names))


def test_a_stopped_run_continues(paintings, tmp_path, stylizer):
    path = tmp_path / "bank.npz"

    class AfterOne(StopRequest):
        checks = 0

        def check(self):
            self.checks += 1
            if self.checks == 2:
                raise Stopped

    with pytest.raises(Stopped):
        make_bank(Pictures(paintings), path, stylizer, stop=AfterOne())
    assert not path.exists()
    part = tmp_path / "bank.npz.part"
    with open(part, "ab") as file:
        file.write(b"\7\0\0\0cut")  # as after kill -9
    todo = []
    make_bank(Pictures(paintings), path, stylizer, lambda found: todo.extend(found) or found)
    assert len(todo) == 2 and not part.exists()
    make_bank(Pictures(paintings), tmp_path / "again.npz", stylizer)
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_a_second_run_updates_the_bank(paintings, tmp_path, stylizer):
    path = tmp_path / "bank.npz"
    make_bank(Pictures(paintings), path, stylizer)
    Image.fromarray(picture(40, 56, 9)).save(paintings / "aa.png")
    (paintings / "c.png").unlink()
    assert make_bank(Pictures(paintings), path, stylizer).encoded == 1
    bank = StyleBank(path)
    assert list(bank.names()) == ["a/a.png", "aa.png", "b.png"]
    for index, name in enumerate(bank.names()):
        np.testing.assert_array_equal(bank.style(index), stylizer.encode_style(paintings / name))


def test_tuned_styles_are_not_mixed_with_others(paintings, tmp_path, stylizer,
                                                 small_references):
    plain, tuned = tmp_path / "plain.npz", tmp_path / "tuned.npz"
    for path in (paintings / "b.png", paintings / "c.png"):
        path.unlink()
    make_bank(Pictures(paintings), plain, stylizer)
    make_bank(Pictures(paintings), tuned, stylizer, tune=1)
    banks = StyleBank(plain), StyleBank(tuned)
    assert [bank.tune for bank in banks] == [0, 1] and banks[0].digest != banks[1].digest
    np.testing.assert_array_equal(
        banks[1].style(0), stylizer.encode_style(paintings / "a" / "a.png", tune=1))
    with pytest.raises(WeightsError, match="`tune=1`; received 0: name another file"):
        make_bank(Pictures(paintings), tuned, stylizer)


def test_bad_paintings_are_reported_and_the_rest_is_used(paintings, tmp_path, capsys):
    (paintings / "bad.jpg").write_text("nonsense")
    assert styles.main([str(paintings), str(tmp_path / "bank.npz"), "--model", "compact"]) == 1
    printed = capsys.readouterr()
    assert "bad.jpg is not a readable image" in printed.err and "skipped 1" in printed.err
    assert "3 styles, 3 of them new" in printed.out


def test_a_bank_of_another_model_is_refused(tmp_path):
    path = small_bank(tmp_path / "bank.npz")
    with pytest.raises(WeightsError, match="was made by another network.*expected def"):
        StyleBank(path, "def")


def test_files_that_are_not_banks_are_not_overwritten(paintings, tmp_path, stylizer):
    stylizer.save_style(tmp_path / "style.npz", picture(32, 32))
    assert not is_bank(tmp_path / "style.npz")
    with pytest.raises(WeightsError, match="is not a bank"):
        make_bank(Pictures(paintings), tmp_path / "style.npz", stylizer)
    make_bank(Pictures(paintings), tmp_path / "bank.npz", stylizer)
    with pytest.raises(WeightsError, match="`style_size=512`; received 64"):
        make_bank(Pictures(paintings), tmp_path / "bank.npz",
                  Stylizer("compact", precision="float32", style_size=64))
    with pytest.raises(OptionError, match=r"a bank must be a \.npz file"):
        styles.main([str(paintings), str(tmp_path / "bank.npy")])


def test_invalid_numbers_are_refused_when_they_are_used(tmp_path):
    means = np.zeros((2, 3), np.float32)
    for index, value in enumerate((np.nan, -1.0, np.inf)):
        stds = means + 1
        stds[1, 2] = value
        bank = StyleBank(small_bank(tmp_path / f"{index}.npz", means=means, stds=stds))
        bank.style(0)
        with pytest.raises(StyleError, match="style of b has invalid numbers"):
            bank.style(1)


def test_damaged_banks_are_errors_of_one_line(tmp_path):
    path = small_bank(tmp_path / "bank.npz")
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(WeightsError, match="is not a bank of styles"):
            StyleBank(path)
    small_bank(path, means=np.zeros((3, 3), np.float32))
    with pytest.raises(WeightsError, match="do not fit each other"):
        StyleBank(path)
    small_bank(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(WeightsError, match="compressed"):
        StyleBank(path)
