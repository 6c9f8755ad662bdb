"""Only one run at a time trains in a folder: two would mix their checkpoints and histories."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from adain.errors import OptionError

try:
    import fcntl
except ImportError:  # Windows, where folders are not locked
    fcntl = None  # type: ignore[assignment]  # typeshed has it on every system

logger = logging.getLogger(__name__)

NAME = "run.lock"
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder where there is none and hold it; OptionError while another run does.

    The lock is the system's own (flock) on a file that names its owner. So it ends with the
    process, however that ends, and a run may go on at once, on another machine, too.
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
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
