"""The README and docs/ are right: their commands and programs run, their links and options exist.

A page runs from top to bottom in a folder that looks like a checkout, with tiny pictures. A block
that cannot run here states its reason in its first line: ```sh not run: needs a camera
"""

import importlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, picture
from PIL import Image

from adain.commands.stylize_options import FORMATS
from adain.entry_points import COMMANDS
from adain.export import formats

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)
INSTALLS = ("pip install", "python -m pytest")
TRAINS = ("train.py", "gatys")
SMALL = {"--max-iter": "1", "--save-iter": "1", "--batch-size": "1", "--iterations": "2",
         "--refine": "2", "--frames": "2"}
TRAINING = (ROOT / "docs" / "training.md").read_text()
# Options of TensorBoard, XLA, systemd, SLURM, npm and Python's own server.
OF_OTHERS = ("--logdir", "--xla", "--now", "--gres", "--cpus-per-task", "--mem", "--time",
             "--signal", "--requeue", "--open-mode", "--output", "--prefix", "--bind",
             "--directory")
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that looks like a checkout, with a few tiny pictures of each kind."""
    for name in ("train.py", "stylize.py", "examples", "recipes"):
        (tmp_path / name).symlink_to(ROOT / name)
    for folder, names in (("inputs", ("cat", "coffee", "dandelions")),
                          ("styles", ("flow_field", "mosaic", "woodcut_waves")),
                          ("coco", "ab"), ("wikiart", "ab")):
        (tmp_path / folder).mkdir()
        for seed, name in enumerate(names):
            Image.fromarray(picture(40, 56, seed)).save(tmp_path / folder / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command):
    """Run a command of adain in this process, or by the shell where it needs one of its own."""
    if any(name in command for name in TRAINS):
        pytest.importorskip("tensorflow")
    if command.startswith("adain export"):
        for module in formats.of(Path(command.split()[3])).needs:
            pytest.importorskip(module)
    for option, value in SMALL.items():
        command = re.sub(f"{option} [0-9]+", f"{option} {value}", command)
    if "train.py" in command:
        command += " --crop-size 32 --image-size 40"
    if command.startswith("adain metrics"):
        command += " --size 64"
    words = shlex.split(command)
    if words[0] == "python":
        name, arguments = words[1].removesuffix(".py"), words[2:]
    else:
        assert words[0] == "adain", command
        name, arguments = words[1], words[2:]
    if "<" in words or name == "prepare":  # prepare starts processes, which need a clean start
        program = f"{shlex.quote(sys.executable)} -m adain {name} "
        command = program + command.split(maxsplit=2)[2]
        code = subprocess.run(command, shell=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
                              timeout=300).returncode
    else:
        code = importlib.import_module(f"adain.commands.{name}").main(arguments)
    assert not code, command


@pages
def test_the_blocks_of_a_page_run_from_top_to_bottom(page, checkout):
    for language, note, text in BLOCK.findall(page.read_text()):
        if note:
            assert re.fullmatch(r" not run: \S.*", note), note
        elif language == "python":
            exec(compile(text, page.name, "exec"), {})
        else:
            assert language == "sh"
            for line in text.splitlines():
                if page.stem == "README" and "train.py" in line and f"\n{line}\n" in TRAINING:
                    continue  # runs for that page
                for command in line.replace("/path/to/", f"{checkout}/").split(" && "):
                    if not command.startswith(INSTALLS):
                        run(command)


def test_the_first_command_writes_every_content_in_every_style(checkout):
    first = BLOCK.search((ROOT / "README.md").read_text())[3].strip()
    assert first == ("pip install -e . && python stylize.py --content-path inputs "
                     "--style-path styles --out-path output")
    run(first.partition(" && ")[2])
    results = list(Path("output").iterdir())
    assert len(results) == 9
    assert {Image.open(path).size for path in results} == {(56, 40)}


def test_ci_runs_the_readme_s_test_command():
    script = (ROOT / ".ci" / "run").read_text()
    assert 'pip install -e ".[test]" && python -m pytest' in (ROOT / "README.md").read_text()
    assert "pip install" in script and "python -m pytest" in script


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pages
def test_links_resolve(page):
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_every_page_is_linked_from_the_readme():
    text = (ROOT / "README.md").read_text()
    assert not [page.name for page in PAGES[1:] if page.name not in text]


def test_options_named_in_the_pages_exist(capsys):
    for name, *arguments in [*([name] for name in COMMANDS), ["train", "--method", "johnson"]]:
        with pytest.raises(SystemExit):
            importlib.import_module(f"adain.commands.{name}").main([*arguments, "--help"])
    known = {*OF_OTHERS, *re.findall(r"--[a-z][a-z0-9-]+", capsys.readouterr().out)}
    for page in PAGES:
        text = re.sub("^(ray |.*tools/).*", "", page.read_text(), flags=re.M)  # other programs
        assert set(re.findall(r"(?<!-)--[a-z][a-z0-9-]+", text)) <= known, page.name


@pages
def test_files_named_in_a_page_exist(page):
    for name in re.findall(r"`((?:adain|tests|tools|examples)/[\w./]*)`", page.read_text()):
        assert (ROOT / name).exists(), name


@pages
def test_tables_of_options_are_those_of_the_commands(page):
    if "avif" not in FORMATS:
        pytest.skip("this Pillow writes fewer formats than the pages list")
    tables = runpy.run_path(str(ROOT / "tools" / "option_tables.py"))
    text = page.read_text()
    assert text == tables["fill"](text), "run python tools/option_tables.py"
