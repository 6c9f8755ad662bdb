import json
import sys
import time

import numpy as np
import pytest
from conftest import picture

from adain.commands import benchmark as command
from adain.errors import OptionError
from adain.files import images
from adain.measuring import benchmark, comparison, comparison_page, energy
from adain.measuring.energy import Use
from adain.measuring.metrics import Meter

CHILD = [sys.executable, "-c"]


@pytest.fixture
def plan(tmp_path):
    contents = [tmp_path / f"{name}.png" for name in "ab"]
    for index, path in enumerate([*contents, tmp_path / "style.png"]):
        images.write(path, picture(60, 80, index))
    return comparison.make_plan(tmp_path / "report", contents, tmp_path / "style.png", None, True)


def test_energy_counters_wrap_around_and_parts_do_not_count(tmp_path):
    for name, count in (("intel-rapl:0", 900), ("intel-rapl:1", 100), ("intel-rapl:0:0", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{count}\n")
        (tmp_path / name / "max_energy_range_uj").write_text("1000\n")
    before = energy.read_counters(tmp_path)
    assert before == {"intel-rapl:0": (900, 1000), "intel-rapl:1": (100, 1000)}
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("200")  # 100 to the top, and 200
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("150")
    assert energy.joules(before, energy.read_counters(tmp_path)) == pytest.approx(350e-6)
    assert energy.joules({}, {}) is None


def test_energy_and_price_by_hand():
    assert Use(2.0, 3.0, None).energy(watts=10) == 30
    assert Use(2.0, 3.0, None, joules=7.0).energy(watts=10) == 7
    assert energy.price(3_600_000, 0.3) == 0.3  # a kilowatt-hour
    assert Use(1, 2, 30, 4) + Use(10, 20, 20, 40) == Use(11, 22, 30, 44)
    assert (Use(1, 2, 3, 4) + Use(1, 2, None, None, "bad")) == Use(2, 4, 3, None, "bad")


def test_a_child_is_measured_as_from_outside():
    code = ("import time; x = b'1' * 150_000_000; t = time.process_time()\n"
            "while time.process_time() - t < 0.3: pass\n"
            "time.sleep(0.3)")
    started = time.perf_counter()
    use = energy.run([*CHILD, code])
    outside = time.perf_counter() - started
    assert 0.6 <= use.seconds <= outside and use.error is None
    assert 0.3 <= use.cpu_seconds <= 1 and use.peak_bytes > 150_000_000


def test_the_memory_of_the_measuring_process_is_not_the_child_s():
    ballast = np.ones(40_000_000)  # 320 MB
    assert energy.run([*CHILD, "pass"]).peak_bytes < 100_000_000 < ballast.nbytes


@pytest.mark.slow  # compares times, so it wants an idle machine
def test_the_command_s_numbers_agree_with_timing_it_from_outside(plan):
    """Set-up and a picture's time are together what the command on one picture takes."""
    uses = {f"compact {task}": comparison.median(comparison.commands(plan, "compact", task))
            for task in comparison.tasks("compact")}
    found = comparison.figures(plan, "compact", uses)
    [command] = comparison.commands(plan, "compact", comparison.ONE)
    [outside] = benchmark.in_turn({"one": lambda: benchmark._run(command)}, 3).values()
    assert found.set_up + found.display.seconds == pytest.approx(outside, rel=0.5)
    assert found.large.seconds > 0 and found.display_peak > 50_000_000
    made = images.read(plan.place("compact", "a__style.png"))
    assert made.shape == (400, 533, 3)


def test_what_fails_is_its_last_line():
    use = energy.run([*CHILD, "import sys; sys.exit('a\\nImageError: b')"])
    assert use.error == "ImageError: b"
    assert energy.run([*CHILD, "import os; os._exit(3)"]).error == "exit code 3"


def fake(monkeypatch, plan, code="pass", johnson="why"):
    """Make every command a short one that counts its runs, and only compact and gatys there."""
    counter = plan.folder / "runs.txt"
    monkeypatch.setattr(comparison, "commands", lambda plan, method, task: [
        [*CHILD, f"open({str(counter)!r}, 'a').write('{method} {task}\\n'); {code}"]])
    reasons = dict.fromkeys(comparison.METHODS, johnson) | {"compact": None, "gatys": None}
    monkeypatch.setattr(comparison, "available", lambda plan: reasons)
    monkeypatch.setattr(comparison_page, "available", lambda plan: reasons)
    monkeypatch.setattr(comparison, "SHORT", 0)
    return counter


def test_what_was_measured_is_not_measured_again_unless_it_failed(plan, monkeypatch):
    counter = fake(monkeypatch, plan)
    uses = comparison.measure(plan, lambda line: None)
    assert set(uses) == {"compact one", "compact all", "compact print", "gatys one", "gatys all"}
    assert comparison.measure(plan, lambda line: None) == uses
    assert len(counter.read_text().split("\n")) == 6
    path = plan.folder / "results.json"
    stored = json.loads(path.read_text())
    stored["uses"]["gatys one"]["error"] = "stopped"
    path.write_text(json.dumps(stored))
    assert comparison.measure(plan, lambda line: None)["gatys one"].error is None
    assert counter.read_text().split("\n")[5:] == ["gatys one", ""]


def test_results_of_another_plan_are_refused(plan, monkeypatch):
    fake(monkeypatch, plan)
    comparison.measure(plan, lambda line: None)
    images.write(plan.style, picture(60, 80, 9))
    with pytest.raises(OptionError, match="results of other pictures, settings or another version"):
        comparison.measure(plan, lambda line: None)


def test_the_page_names_every_method_and_why_one_is_missing(plan, monkeypatch):
    fake(monkeypatch, plan, "raise MemoryError('no room')")
    uses = comparison.measure(plan, lambda line: None)
    uses["gatys one"] = Use(70.0, 100.0, 10**9)
    uses["gatys all"] = Use(130.0, 190.0, 10**9)  # a further picture: 60 s, 90 s of the cores
    for name in "ab":
        images.write(plan.place("gatys", f"{name}__style.png"), picture(48, 64, 3))
    monkeypatch.setattr(comparison_page.metrics, "Meter", lambda: Meter(64))
    text = comparison_page.write(plan, uses, watts=10.0, tariff=0.4).read_text()
    assert "**johnson** is left out: why" in text
    assert "| **compact** | - | MemoryError: no room | - | MemoryError: no room | -" in text
    # 900 J each, 900 kJ = 250 Wh and 0.1 for a thousand.
    [row] = [line for line in text.split("\n") if line.startswith("| **gatys**")]
    assert "| 10.00 | 60.00 | 1000 | not run: by its pixels 00:14:04 h and 4 GB | - " in row
    assert "| 250 | 0.10000 |" in row
    assert (plan.folder / "charts.png").exists() and (plan.folder / "pictures.jpg").exists()


def test_pictures_are_cut_to_the_display_s_shape():
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 255
    filled = comparison.fill(image, 40, 40)
    assert filled.shape == (40, 40, 3) and filled.min() == 255


def test_impossible_comparisons_are_refused(plan, tmp_path):
    with pytest.raises(OptionError, match="two content pictures"):
        comparison.make_plan(tmp_path, list(plan.contents[:1]), plan.style, None, False)
    for options, message in ((["--watts", "0"], "`watts` must be above 0"),
                             (["--style-path", str(tmp_path)], "name one of them")):
        with pytest.raises(OptionError, match=message):
            command.main(["--report", str(tmp_path / "r"), *options])


def test_bars_grow_with_their_values():
    chart = np.asarray(comparison_page.bars("t", {"compact": 1.0, "gatys": 10.0}))
    lengths = [(chart[y] == comparison_page.COLORS[name]).all(axis=-1).sum()
               for name, y in (("compact", 39), ("gatys", 61))]
    assert lengths[1] == pytest.approx(2 * lengths[0], abs=3)  # 0.1 to 1, and 0.1 to 10
