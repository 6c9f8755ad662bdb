"""The README's commands run as written, on small folders under the same names."""

import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT, picture
from PIL import Image

README = (ROOT / "README.md").read_text()
COMMANDS = [line.partition("#")[0].strip()
            for block in re.findall(r"```sh\n(.*?)```", README, re.S)
            for line in block.strip().splitlines()]


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout, with a few tiny pictures of each kind."""
    for name in ("train.py", "stylize.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    for folder, names in (("inputs", ("cat", "coffee")),
                          ("styles", ("flow_field", "mosaic", "woodcut_waves")),
                          ("coco", "ab"), ("wikiart", "ab")):
        (tmp_path / folder).mkdir()
        for seed, name in enumerate(names):
            Image.fromarray(picture(40, 56, seed)).save(tmp_path / folder / f"{name}.jpg")
    return tmp_path


def run(command, checkout):
    """Run one README command with the places it leaves open filled in, and less training."""
    command = command.replace("/path/to/", f"{checkout}/")
    if "train.py" in command:
        pytest.importorskip("tensorflow")
        command = re.sub("--max-iter [0-9]+ --save-iter [0-9]+", "--max-iter 2 --save-iter 1",
                         command) + " --crop-size 32 --image-size 40"
    words = shlex.split(command)
    done = subprocess.run([sys.executable, *words[1:]], cwd=checkout, capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_readme_names_the_two_commands():
    assert ('pip install -e . && python stylize.py --content-path inputs --style-path styles '
            '--out-path output') in COMMANDS
    assert 'pip install -e ".[test]" && python -m pytest' in COMMANDS


def test_stylise_commands(checkout):
    commands = [command.partition("&& ")[2] or command for command in COMMANDS
                if "stylize.py" in command and "--checkpoint" not in command]
    assert len(commands) >= 3
    for command in commands:
        assert "picture" in run(command, checkout)
    assert len(list((checkout / "output").iterdir())) == 6
    assert Image.open(checkout / "cat.jpg").size == (56, 40)


def test_train_commands(checkout):
    train, stylize = [command for command in COMMANDS if "--checkpoint" in command]
    assert "step 2/2" in run(train, checkout)
    assert "6 pictures" in run(stylize, checkout)


def test_python_lines(checkout):
    code = re.search(r"```python\n(.*?)```", README, re.S)[1]
    done = subprocess.run([sys.executable, "-c", code + "\nassert len(pictures) == 2"],
                          cwd=checkout, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_ci_runs_the_readme_s_test_command():
    script = (ROOT / ".ci" / "run").read_text()
    assert 'pip install --quiet -e ".[test]"' in script and "python -m pytest" in script


def test_every_option_in_the_readme_exists():
    texts = "".join(subprocess.run([sys.executable, script, "--help"], check=True,
                                   capture_output=True, text=True).stdout
                    for script in (ROOT / "stylize.py", ROOT / "train.py", "-madain.benchmark"))
    options = set(re.findall(r"--[a-z][a-z0-9-]+", README)) - {"--logdir"}
    assert options and not {option for option in options if option not in texts}


def test_files_named_in_the_readme_exist():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
    for row in re.findall(r"^\| (`adain/.*?) \|", README, re.M):
        first, *rest = re.findall("`([^`]+)`", row)
        for name in [first, *(f"adain/{other}" for other in rest)]:
            assert (ROOT / name).exists(), name
