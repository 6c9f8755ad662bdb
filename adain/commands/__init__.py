"""What all commands share: errors in one line, the log, progress bars."""

from __future__ import annotations

import gc
import io
import logging
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

# Before Pillow is imported. Blocks above 32 MB go back to the system when they are freed; of the
# usual 16 MB ones, the C library keeps those of a large picture for each thread that had one.
os.environ.setdefault("PILLOW_BLOCK_SIZE", "64m")

from PIL import Image

from adain.errors import AdaINError, OptionError
from adain.files import find
from adain.progress import Stopped

T = TypeVar("T")
PATH_OPTIONS = ("content_path", "style_path", "masks", "out_path", "save_style", "sheet",
                "evolution", "checkpoint", "vgg_path", "decoder_path", "log_path", "continue_from",
                "gallery")
PATH_ARGUMENTS = ("source", "target", "model", "file")
_FLAGS = {"masks": "mask"}  # where an option is not called as the parameter that it sets
# `name` or `name=value` in a message of the library.
_PARAMETER = re.compile(r"(?<![^\s(])`([a-z][a-z0-9_]*)(?:=([^`]*))?`")


def run(main: Callable[[], int | None], at_once: bool = False) -> None:
    """Call main() and exit; an AdaINError becomes one line on stderr and exit code 1.

    at_once: after main() has returned, end the process without taking its networks and modules
    apart, which takes 0.04 s; for commands that leave nothing to threads or exit handlers.
    """
    # Pillow warns at half the size that it refuses, and prints are that large; and of EXIF data
    # that are broken, which are left out. Set once, here: changing the filters around each picture
    # would change them under the feet of other threads.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    # Problems with pictures are reported by AdaINErrors alone.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    show_log("stderr")
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see adain.entry_points
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main()
        sys.stdout.flush()
        if at_once:
            sys.stderr.flush()
            os._exit(code or 0)
    except AdaINError as error:
        print_error(error)
        code = 1
    except MemoryError:
        print("MemoryError: there is not enough memory; smaller pictures, or a smaller --tile-size "
              "or --max-memory, need less.", file=sys.stderr, flush=True)
        os._exit(1)  # to wait for threads may hang now
    except BrokenPipeError:  # who reads the output has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the exit tries again
        code = 1
    except (KeyboardInterrupt, Stopped):
        with suppress(OSError):  # the terminal may be gone: that is what SIGHUP tells
            print("interrupted", file=sys.stderr)
        code = 130
    gc.freeze()  # else the interpreter collects garbage before it ends: 0.02 s for nothing
    sys.exit(code)


def check_paths(options: Mapping[str, Any], urls: Iterable[str] = ()) -> None:
    """Raise OptionError for an empty path or an address like https://... among the options.

    urls: options that may be addresses.
    """
    for name in (*PATH_OPTIONS, *PATH_ARGUMENTS):
        given = options.get(name)
        for path in given if isinstance(given, list) else [given]:
            option = name if name in PATH_ARGUMENTS else flag(name)
            if path == "":
                raise OptionError(f"{option} is empty: name a file or folder.")
            if path is not None and name not in urls and find.is_address(path):
                raise OptionError(f"{option} {path} is an address; only files and folders are read "
                                  "and written: download it first.")


def program() -> str:
    """Return how the running command was called: stylize.py, or adain stylize."""
    return os.path.basename(sys.argv[0])


def flag(parameter: str) -> str:
    """Return the option that sets a parameter of the library."""
    return "--" + _FLAGS.get(parameter, parameter).replace("_", "-")


def with_flags(message: str) -> str:
    """Return a message of the library with the options' names: `bits=16` becomes --bits 16."""
    return _PARAMETER.sub(
        lambda match: flag(match[1]) + (f" {match[2]}" if match[2] else ""), message)


def print_error(error: AdaINError) -> None:
    """Print an error as one line on stderr.

    Control characters in a file's name or content are printed as ASCII escapes.
    """
    text = f"{type(error).__name__}: {with_flags(str(error))}"
    print("".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1]
                  for char in text), file=sys.stderr)


class _Lines(logging.Handler):
    """Prints what the library logs: the message alone, warnings on stderr.

    Flushed, as a log file of a night's run must not lag behind. Where nobody can read it any more,
    as in a terminal that was closed, the command goes on without.
    """

    def __init__(self, stream: str) -> None:
        super().__init__()
        self.stream = stream  # of sys: tests replace it

    def emit(self, record: logging.LogRecord) -> None:
        stream = getattr(sys, "stderr" if record.levelno >= logging.WARNING else self.stream)
        try:
            print(with_flags(record.getMessage()), file=stream, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show_log(stream: str = "stdout") -> None:
    """Print what the library logs: "stdout" or "stderr"; warnings always go to stderr."""
    logger = logging.getLogger("adain")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [_Lines(stream)]


def progress(items: Iterable[T], unit: str, total: int | None = None) -> Iterable[T]:
    """Return the items behind a progress bar on stderr: if it is a terminal, for two or more."""
    if total is None:
        total = len(items) if isinstance(items, Sized) else 0
    if total < 2 or not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    bar: Iterable[T] = tqdm(items, unit=f" {unit}", total=total, leave=False)
    return bar


@contextmanager
def frame_progress() -> Iterator[Callable[[int, int | None], None]]:
    """Give a function that shows on a bar how many frames of how many are done."""
    from tqdm import tqdm

    with tqdm(unit=" frames", disable=None, leave=False) as bar:
        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
