"""Write the tables of options in docs/ from the commands' own parsers.

    python tools/option_tables.py

A table stands between <!-- options: COMMAND --> and <!-- end -->; COMMAND is, for example, train.
"""

import argparse
import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PAGES = (ROOT / "docs").glob("*.md")
TABLE = re.compile(r"(<!-- options: (\w+) -->\n).*?(<!-- end -->)", re.S)


def table(command: str) -> str:
    """Return the tables of a command's options, one for each group of its --help."""
    parser = importlib.import_module(f"adain.commands.{command}").parser()
    formatter, parts = argparse.HelpFormatter(parser.prog), []
    for group in parser._action_groups:  # argparse has no public name for it
        rows = [f"| {invocation(action)} | {formatter._expand_help(action)} |"
                for action in group._group_actions
                if action.option_strings and action.dest not in ("help", "version")]
        if rows:
            title = "general" if group.title == "options" else group.title
            parts.append("\n".join([f"| {title} | |", "| --- | --- |", *rows]))
    return re.sub(r"(?<![`\w-])--[a-z][a-z0-9-]+", r"`\g<0>`", "\n\n".join(parts)) + "\n"


def invocation(action: argparse.Action) -> str:
    """Return an option with what it takes, as code."""
    formatter = argparse.HelpFormatter("")
    values = "" if action.nargs == 0 else formatter._format_args(action, (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()))
    return f"`{action.option_strings[0]} {values}`".replace(" `", "`").replace("|", "\\|")


def fill(text: str) -> str:
    """Return a page with its tables made anew."""
    return TABLE.sub(lambda found: found[1] + table(found[2]) + found[3], text)


def main() -> None:
    for page in PAGES:
        page.write_text(fill(page.read_text()))


if __name__ == "__main__":
    main()
