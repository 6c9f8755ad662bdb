"""File systems behind URLs, by fsspec: s3://, gs://, https://, memory:// and others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from adain.errors import AdaINError, ImageError, OptionError
from adain.files.find import is_address

# Packages whose errors tell of the network, of rights and of missing objects.
_CLOUD_PACKAGES = ("aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "google", "s3fs")


def is_url(path: str) -> bool:
    """Return whether a path is a URL of another place than this machine's files."""
    return is_address(path)


def local(path: str | Path) -> str:
    """Return a path, or a URL, without the file:// that stands for a path of this machine."""
    text = str(path)
    if text.lower().startswith("file://"):
        return unquote(text[len("file://"):])
    return text


def file_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the URL's path in it.

    Raises:
        OptionError: fsspec or the package of the scheme is missing, or the scheme is unknown.
    """
    try:
        import fsspec
    except ModuleNotFoundError:
        raise OptionError(f"{url} needs fsspec: pip install -e '.[cloud]'") from None
    try:
        opened: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise OptionError(f"{url} needs another package: pip install -e '.[cloud]' "
                          f"({' '.join(str(error).split())}).") from None
    except ValueError:
        raise OptionError(f"{url}: unknown scheme {url.partition(':')[0]}; use a path, or one of "
                          "s3://, gs://, https:// and the others of fsspec.") from None
    return opened


@contextmanager
def url_errors(url: str, error: type[AdaINError] = ImageError,
               doing: str = "read") -> Iterator[None]:
    """Make one line of whatever goes wrong with a URL."""
    try:
        yield
    except FileNotFoundError as failure:
        cause = failure.__cause__  # of fsspec's https, when the server does not answer, too
        if (cause is not None and not isinstance(cause, FileNotFoundError)
                and getattr(cause, "status", None) != 404):
            raise error(f"{url} cannot be {doing}: {' '.join(str(cause).split())}.") from None
        raise error(f"{url} does not exist.") from None
    except OSError as failure:
        raise error(f"{url} cannot be {doing}: {failure.strerror or failure}.") from None
    except Exception as failure:
        if type(failure).__module__.partition(".")[0] not in _CLOUD_PACKAGES:
            raise
        reason = " ".join(str(failure).split()) or type(failure).__name__
        raise error(f"{url} cannot be {doing}: {reason}.") from None
