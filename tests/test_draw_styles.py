"""The program that draws the sample styles: every picture is sound, repeatable and listed."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


sys.path.insert(0, str(ROOT / "examples"))

import draw_styles as script  # noqa: E402


@pytest.mark.parametrize("name", script.STYLES)
def test_style_is_a_full_picture_fixed_by_its_seed(name: str) -> None:
    function = script.STYLES[name][0]
    first, again, other = (
        function(96, 128, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first.shape == (96, 128, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    # Not merely one noisy pixel: another seed moves a good part of the picture.
    assert (first != other).any(axis=2).mean() > 0.2
    # No part of the canvas is left black, white or otherwise flat.
    assert first.std() > 30
    blocks = first.reshape(4, 24, 4, 32, 3).astype(float)
    assert (blocks.std(axis=(1, 3)).max(axis=-1) > 2).all()


@pytest.mark.parametrize("name", script.STYLES)
def test_draw_gives_the_longer_side_the_asked_size(name: str) -> None:
    picture = script.draw(name, 96, 0)
    assert max(picture.shape[:2]) == 96
    assert min(picture.shape[:2]) >= 72


def test_stored_pictures_are_those_the_script_draws() -> None:
    table = (ROOT / "styles" / "SOURCES.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)\.jpg`", table, re.MULTILINE)
    assert sorted(listed) == sorted(script.STYLES)
    assert sorted(path.stem for path in (ROOT / "styles").glob("*.jpg")) == sorted(script.STYLES)
    for name in script.STYLES:
        with Image.open(ROOT / "styles" / f"{name}.jpg") as picture:
            assert max(picture.size) == 640
            assert min(picture.size) >= 512
            assert picture.mode == "RGB"


def test_program_writes_only_the_named_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["draw_styles.py", "--out-path", str(tmp_path / "new"), "--size", "96"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--only", "stained_glass"])
    assert script.main() == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["stained_glass.jpg"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--size", "5"], "--size must be from 64 to 4096"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--only", "fresco"], "invalid choice: 'fresco'"),
    ],
)
def test_bad_option_is_refused_in_one_line(
    options: list[str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["draw_styles.py", *options])
    with pytest.raises(SystemExit) as stop:
        script.main()
    message = capsys.readouterr().err
    assert stop.value.code == 2
    assert complaint in message
    assert message.count("\n") == 1
