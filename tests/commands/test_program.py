"""The program adain: what holds for every subcommand."""

import importlib
import os
import re
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

from adain import entry_points
from adain.commands import run
from adain.entry_points import COMMANDS

WRONG = {  # what each command refuses before it computes anything
    "stylize": ["--content-path", "none", "--style-path", "none"],
    "train": ["--content-path", "none", "--style-path", "none", "--batch-size", "0"],
    "prepare": ["none", "target"],
    "dataset": ["--content-path", "none", "--style-path", "none", "--out-path", "out"],
    "styles": ["none", "bank.npz"],
    "report": ["none", "--columns", "1"],
    "pack": ["none", "network.txt"],
    "export": ["compact", "model.pdf"],
    "calibrate": ["compact", "--content-path", "none", "--style-path", "none"],
    "metrics": ["none", "none", "none"],
    "flicker": ["none", "none"],
    "web": ["--max-pixels", "0"],
    "benchmark": ["--report", "page", "--watts", "0"]}
every_command = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture
def adain(monkeypatch, tmp_path, capsys):
    """A function that runs the program here and returns its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGINT)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["adain", *arguments])
        with pytest.raises(SystemExit) as found:
            entry_points.main()
        return found.value.code, *capsys.readouterr()

    yield call
    signal.signal(signal.SIGINT, handler)


@every_command
def test_help_names_the_command_and_describes_each_option(adain, name):
    code, text, _ = adain(name, "--help")
    assert code == 0 and text.startswith(f"usage: adain {name} ")
    parser = importlib.import_module(f"adain.commands.{name}").parser()
    assert parser.description.endswith(".")
    assert all(action.help for action in parser._actions)


@every_command
def test_unknown_options_end_with_code_2_and_the_usage(adain, name):
    code, text, said = adain(name, *WRONG[name], "--unknown")
    assert (code, text) == (2, "") and f"adain {name}: error: unrecognized arguments" in said


@every_command
def test_a_user_s_error_is_one_line_and_code_1(adain, name):
    code, text, said = adain(name, *WRONG[name])
    assert (code, text) == (1, "") and re.fullmatch(r"(Image|Option)Error: [^\n]+\n", said), said


INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # some shells start with it ignored
name = sys.argv[1]

class Interrupt:
    def find_spec(self, module, path=None, target=None):
        if module == f"adain.commands.{name}":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from adain.entry_points import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent in another way on Windows")
@every_command
def test_ctrl_c_while_a_command_loads_prints_nothing(name):
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, name], cwd=ROOT, text=True,
                          capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_ctrl_c_in_a_running_command_ends_with_code_130(capsys):
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as found:
        run(main)
    assert (found.value.code, capsys.readouterr().err) == (130, "interrupted\n")


def test_the_program_lists_its_commands_and_refuses_others(adain):
    code, text, _ = adain("--help")
    assert code == 0 and all(f"  {name} " in text for name in COMMANDS)
    assert adain("--version")[1].startswith("adain ")
    code, _, said = adain("paint")
    assert code == 2 and "COMMAND must be one of stylize, " in said and "paint" in said
