"""Results: paths and formats of the pictures that a run writes."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

from adain.errors import ImageError, OptionError
from adain.files import find, images
from adain.files.images import Picture
from adain.jobs import naming


class Results:
    """Decides the path and the format of each result of a run, and writes it.

    Args:
        out_path: a folder; the file name of a single result; or find.STREAM for standard output.
        format: a suffix such as "png" for results in a folder or on standard output. By default
            results in a folder are JPEG files, transparent ones PNG files, and standard output is
            PNG. A file name is always used as given.
        sheet: path of a contact sheet to write instead of results.

    Raises:
        ImageError: the format cannot be written.
    """

    def __init__(self, out_path: str, format: str | None = None,
                 sheet: str | None = None) -> None:
        self.out_path, self.sheet = out_path, sheet and Path(sheet)
        self.is_stream = out_path == find.STREAM
        self.is_file = naming.is_file_name(out_path)
        self._ending = format or ("png" if self.is_stream else "jpg")
        self._png_if_transparent = format is None and not self.is_file
        self._warned_of_opacity = False
        try:
            self.kind = images.writable_format(
                out_path if self.is_file and not self.is_stream else self._ending)
        except ImageError as error:
            raise ImageError(f"{error} For a folder of that name, write {out_path}/") from None
        self.longest_side = images.NO_LIMIT if sheet else self.kind.longest_side

    def name(self, results: Sequence[tuple[Path, Path, str]],
             beside: Sequence[str] = ()) -> list[Path]:
        """Return the path of each result, see naming.name_results().

        Args:
            results: see naming.name_results().
            beside: suffixes of other files that may be written beside a result.
        """
        return naming.name_results(results, self.out_path, self._ending, (".png", *beside))

    def make_folder(self, replace: bool) -> None:
        """Create the output folder; raise OptionError if that fails.

        Args:
            replace: whether the output may be a file that exists already.
        """
        file = self.sheet or (Path(self.out_path) if self.is_file else None)
        if file and str(file) != find.STREAM and file.exists() and not replace:
            raise OptionError(f"{file} exists; `overwrite` replaces it.")
        folder = Path(self.out_path) if file is None else file.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(f"the folder {folder} cannot be created: {error.strerror}.") from None

    def path_of(self, path: Path, transparent: bool) -> Path:
        """Return the path to which the result named `path` is written."""
        if transparent and self._png_if_transparent and not self.kind.keeps_opacity:
            return path.with_suffix(".png")
        return path

    def existing(self, path: Path) -> Path | None:
        """Return the path of the result named `path` if it exists, else None."""
        places = dict.fromkeys(self.path_of(path, transparent) for transparent in (False, True))
        return next(filter(Path.is_file, places), None)

    def check_fits(self, rows: int, columns: int, transparent: bool = False) -> None:
        """Raise ImageError if the format cannot store a picture of this size."""
        if transparent and self._png_if_transparent:
            return
        if max(rows, columns) > self.longest_side:
            raise ImageError(f"a result of {columns} x {rows} pixels is too large for its format, "
                             f"whose limit is {self.longest_side} pixels a side: use `format=png` "
                             "or tif.")

    def write(self, path: Path, picture: Picture) -> Path:
        """Write a result to its file or to standard output; return its path."""
        rgb, opacity, exif = picture
        if self.is_stream:
            file = io.BytesIO()
            images.write(file, rgb, opacity=opacity, exif=exif, format=self._ending)
            write_to_stdout(file.getbuffer())
            return path
        path = self.path_of(path, opacity is not None)
        images.write(path, rgb, opacity=opacity, exif=exif)
        if opacity is not None and not images.writable_format(path).keeps_opacity:
            self._warn_opacity_lost(path)
        return path

    def _warn_opacity_lost(self, path: Path) -> None:
        if not self._warned_of_opacity:
            self._warned_of_opacity = True
            find.warn(f"{path} shows its transparent parts on white: {self.kind.name} cannot "
                      "store transparency, png can.")


def write_to_stdout(content: memoryview) -> None:
    """Write bytes to standard output.

    Raises:
        ImageError: they cannot be written, for example because the disk is full.
        BrokenPipeError: the reader has closed the pipe.
    """
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ImageError(f"standard output cannot be written: {error.strerror}.") from None
