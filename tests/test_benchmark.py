import time

from adain import benchmark


def test_seconds_is_the_median_without_the_warm_up():
    waits = iter([0.2, 0.01, 0.03, 0.01])  # the first one warms up
    assert 0.01 <= benchmark.seconds(lambda: time.sleep(next(waits)), 3, 1) < 0.03


def test_one_picture_is_timed_in_each_precision():
    found = benchmark.one("compact", 2)
    assert "one compact, float32" in found and all(0 < value < 10 for value in found.values())


def test_a_folder_is_stylized_and_its_load_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "FOLDER", 2)
    benchmark.images.write(tmp_path / "style.jpg", benchmark.picture(64, 64, 0))
    found = benchmark.folder("compact", tmp_path)
    assert len(list((tmp_path / "results").iterdir())) == 2
    assert 0 < found["folder compact, cores busy"] <= 1.05
