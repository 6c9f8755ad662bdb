import json

import pytest

from adain.commands import benchmark as command
from adain.measuring import benchmark, refinement


def test_actions_run_in_turn_and_the_median_leaves_out_the_warm_up(monkeypatch):
    calls, clock = [], [0.0]
    took = iter([0.2, 0.01, 0.2, 0.03, 0.2, 0.01])  # every other one warms up

    def action(name, seconds=lambda: 0.001):
        calls.append(name)
        clock[0] += seconds()

    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])
    found = benchmark.in_turn({"a": lambda: action("a", lambda: next(took)),
                               "b": lambda: action("b")}, rounds=3, block=1, warm_up=1)
    assert "".join(calls) == "aabb" * 3
    assert found == pytest.approx({"a": 0.01, "b": 0.001})


def test_one_picture_is_timed_in_each_precision():
    actions = benchmark.one("compact")
    assert "one compact, float32" in actions
    assert all(action().shape == (512, 512, 3) for action in actions.values())


def test_whole_commands_are_timed(tmp_path):
    actions = benchmark.cold("compact", tmp_path, has_peer=False)
    assert set(actions) == {"cold compact", "cold compact, the first start"}
    for action in actions.values():
        action()
        assert benchmark.images.read(tmp_path / "result.jpg").shape == (600, 800, 3)
        (tmp_path / "result.jpg").unlink()


def test_a_folder_is_stylized_and_its_load_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "FOLDER", 2)
    benchmark.images.write(tmp_path / "style.jpg", benchmark.picture(64, 64, 0))
    found = benchmark.folder("compact", tmp_path)
    assert len(list((tmp_path / "results").iterdir())) == 2
    assert 0 < found["folder compact, cores busy"] <= 1.05


def test_the_command_prints_its_numbers_and_writes_them(tmp_path, monkeypatch, capsys):
    """What they are is tested above, and takes seconds."""
    monkeypatch.setattr(benchmark, "PEER", "no_peer")
    monkeypatch.setattr(benchmark, "one", lambda model: {f"one {model}, float32": lambda: None})
    monkeypatch.setattr(benchmark, "cold", lambda *options: {"cold": lambda: None})
    monkeypatch.setattr(benchmark, "folder", lambda model, place: {
        f"folder {model}, a picture": 0.5, f"folder {model}, cores busy": 0.75})
    command.main(["--model", "compact", "--repeat", "1", "--json", str(tmp_path / "numbers.json")])
    found = json.loads((tmp_path / "numbers.json").read_text())
    assert list(found) == ["one compact, float32", "cold", "folder compact, a picture",
                           "folder compact, cores busy"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[2].endswith(" 0.500 s") and lines[3].endswith(" 75%")


def test_batches_are_measured_by_each_engine(monkeypatch, tmp_path, capsys):
    """By the seconds of the clock, and by those of all cores."""
    monkeypatch.setattr(benchmark, "_engines", lambda: [("openvino", "float32")])
    command.main(["--batch", "2", "--repeat", "1", "--json", str(tmp_path / "numbers.json")])
    found = json.loads((tmp_path / "numbers.json").read_text())
    assert list(found) == [f"openvino on CPU, float32, {kind}"
                           for kind in ("one at a time", "in a batch")]
    assert all(0 < wall < 60 and 0 < cores < 60 for wall, cores in found.values())
    assert capsys.readouterr().out.count("ms of a core") == 2


def test_refinement_is_measured_beside_keras_and_the_limit_of_the_arithmetic(
        tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(refinement, "SIZE", 32)
    # bfloat16 would take as long again.
    monkeypatch.setattr(refinement.cpu, "bfloat16", lambda: refinement.cpu.ABSENT)
    command.main(["--refine", "--repeat", "1", "--json", str(tmp_path / "numbers.json")])
    found = json.loads((tmp_path / "numbers.json").read_text())
    for name in ("openvino, float32", "multiplications, float32", "share of the limit, float32"):
        assert found[name] > 0
    assert len(capsys.readouterr().out.splitlines()) == len(found)


def test_multiplications_are_those_of_two_passes_of_vgg19():
    # conv1_1 with 3 x 64 kernels of 3 x 3, and so on, at 8 x 8 pixels and fewer.
    forward = 9 * (64 * (3 * 64 + 64 * 64) + 16 * (64 * 128 + 128 * 128)
                   + 4 * (128 * 256 + 3 * 256 * 256) + 256 * 512)
    assert refinement.multiplications(8) == 2 * forward
