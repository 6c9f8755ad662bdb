"""What all commands share: exit codes, errors in one line, the log, progress bars."""

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

# Before Pillow is imported. Blocks of more than 32 MB are returned to the system when they are
# freed; Pillow's default blocks of 16 MB would be kept by the C library, for each thread.
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
_FLAGS = {"masks": "mask"}  # options whose names differ from those of the parameters they set
# `name` or `name=value` in a message of the library.
_PARAMETER = re.compile(r"(?<![^\s(])`([a-z][a-z0-9_]*)(?:=([^`]*))?`")


def run(main: Callable[[], int | None], at_once: bool = False) -> None:
    """Call main() and exit; an AdaINError becomes one line on stderr and exit code 1.

    Args:
        main: returns the exit code, or None for 0.
        at_once: end the process right after main(), without destroying networks and modules, which
            takes 0.04 s. Only for commands without exit handlers or running threads.
    """
    # Pillow warns of pictures of half the size that it refuses, which prints have, and of damaged
    # EXIF data, which are dropped. The filters are set once, here, because they are shared by all
    # threads.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may be invalid Unicode
    # Only AdaINErrors report problems with pictures.
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
        os._exit(1)  # waiting for threads could hang now
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        # Otherwise Python would fail again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (KeyboardInterrupt, Stopped):
        with suppress(OSError):  # after SIGHUP there is no terminal any more
            print("interrupted", file=sys.stderr)
        code = 130
    gc.freeze()  # saves the interpreter's last garbage collection: 0.02 s
    sys.exit(code)


def check_paths(options: Mapping[str, Any], urls: Iterable[str] = ()) -> None:
    """Raise OptionError if a path among the options is empty, or a URL.

    urls: options that may be URLs.
    """
    for name in (*PATH_OPTIONS, *PATH_ARGUMENTS):
        given = options.get(name)
        for path in given if isinstance(given, list) else [given]:
            option = name if name in PATH_ARGUMENTS else flag(name)
            if path == "":
                raise OptionError(f"{option} is empty: name a file or folder.")
            if path is not None and name not in urls and find.is_address(path):
                raise OptionError(f"{option} {path} is a URL; only files and folders are supported "
                                  "here: download it first.")


def program() -> str:
    """Return the name of the running command: stylize.py, or adain stylize."""
    return os.path.basename(sys.argv[0])


def flag(parameter: str) -> str:
    """Return the command-line option that sets a parameter of the library."""
    return "--" + _FLAGS.get(parameter, parameter).replace("_", "-")


def with_flags(message: str) -> str:
    """Replace parameters in a message of the library by options: `bits=16` becomes --bits 16."""
    return _PARAMETER.sub(
        lambda match: flag(match[1]) + (f" {match[2]}" if match[2] else ""), message)


def print_error(error: AdaINError) -> None:
    """Print an error as one line on stderr.

    Control characters, as in the name of a file, are printed as ASCII escapes.
    """
    text = f"{type(error).__name__}: {with_flags(str(error))}"
    print("".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1]
                  for char in text), file=sys.stderr)


class _Lines(logging.Handler):
    """Prints the messages that the library logs; warnings always go to stderr.

    Each line is flushed, so that the log file of a long run is up to date. If nothing can be
    written, as after the terminal was closed, the command continues without output.
    """

    def __init__(self, stream: str) -> None:
        super().__init__()
        self.stream = stream  # its name in sys, because tests replace sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        stream = getattr(sys, "stderr" if record.levelno >= logging.WARNING else self.stream)
        try:
            print(with_flags(record.getMessage()), file=stream, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show_log(stream: str = "stdout") -> None:
    """Print what the library logs to "stdout" or "stderr"; warnings always go to stderr."""
    logger = logging.getLogger("adain")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [_Lines(stream)]


def progress(items: Iterable[T], unit: str, total: int | None = None) -> Iterable[T]:
    """Return the items with a progress bar on stderr, if that is a terminal, for two or more."""
    if total is None:
        total = len(items) if isinstance(items, Sized) else 0
    if total < 2 or not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    bar: Iterable[T] = tqdm(items, unit=f" {unit}", total=total, leave=False)
    return bar


@contextmanager
def frame_progress() -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that updates a progress bar; called with the done and total frames."""
    from tqdm import tqdm

    with tqdm(unit=" frames", disable=None, leave=False) as bar:
        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
