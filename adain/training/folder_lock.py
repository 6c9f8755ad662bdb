"""Only one run at a time trains in a folder: two would mix their checkpoints and histories."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from adain.errors import OptionError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

logger = logging.getLogger(__name__)

NAME = "run.lock"
_AFTER_NAME = 1 << 20  # bytes
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder where there is none and hold it; OptionError while another run does.

    The lock is the system's own (flock; on Windows, where it was never tried, msvcrt.locking) on a
    file that names its owner. So it ends with the process, however that ends, and a run may go on
    at once, on another machine, too.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _acquire(folder / NAME)
    except OSError as error:
        raise OptionError(f"the folder {folder} cannot be written: {error.strerror}.") from None
    try:
        yield
    finally:
        if sys.platform == "win32":  # which removes no open file
            file.close()
        with suppress(OSError):
            (folder / NAME).unlink()
        file.close()
        if new:
            with suppress(OSError):  # stays where something was written
                folder.rmdir()


def _acquire(path: Path) -> TextIO:
    while True:
        file = path.open("a+")
        try:
            _lock(file.fileno())
            # Its last owner may have removed the file that was opened.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                break
        except BlockingIOError:
            file.seek(0)
            owner = file.read(200).strip() or "another one"
            file.close()
            raise OptionError(f"a run trains in {path.parent} already: {owner}. Wait for it, stop "
                              "it, or use another `checkpoint` folder.") from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            logger.warning("%s cannot be locked here (%s): make sure that no second run trains in "
                           "this folder.", path, error.strerror)
            break
        file.close()
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def _lock(descriptor: int) -> None:
    """Lock an open file for this process; BlockingIOError if another one has it."""
    if sys.platform == "win32":
        # A byte after the name of the owner, which others could not read else. A refusal is EACCES.
        os.lseek(descriptor, _AFTER_NAME, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from None
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
