"""Make a contact sheet that compares programs: content, style, and what each made of the pair.

    python examples/compare.py CONTENT_DIR STYLE_DIR OUT_DIR [OUT_DIR ...]
        [--pairs CONTENT__STYLE ...] [--out-path examples/compare.jpg] [--size 256]

Each OUT_DIR holds pictures named CONTENT__STYLE.png (or .jpg ...), as `adain metrics`
takes them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from adain.commands import run
from adain.errors import ImageError
from adain.files import images
from adain.files.contact_sheet import sheet

PAIRS = ["bakery_window__van_gogh_starry_night", "chelsea_cat__klimt_kiss",
         "golden_gate_bridge__hokusai_great_wave", "eiffel_tower_day__seurat_grande_jatte",
         "coffee_cup__kandinsky_improvisation_30", "odeon_ruins__munch_scream"]


def find(folder: Path, stem: str) -> Path:
    """Return the picture of that name, whatever its ending."""
    for path in sorted(folder.glob(f"{stem}.*")):
        if path.suffix.lower() in images.READ_SUFFIXES:
            return path
    raise ImageError(f"{folder} has no picture named {stem}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("out", type=Path, nargs="+")
    parser.add_argument("--pairs", nargs="+", default=PAIRS)
    parser.add_argument("--out-path", default=Path(__file__).parent / "compare.jpg")
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    rows = []
    for pair in options.pairs:
        content, style = pair.split("__")
        rows.append([images.read(find(folder, name)) for folder, name in (
            (options.content, content), (options.style, style),
            *((out, pair) for out in options.out))])
    images.write(options.out_path, sheet(rows, options.size), quality=88)


if __name__ == "__main__":
    run(main)
