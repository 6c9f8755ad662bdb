"""Limits of requests, and the errors that requests can cause."""

from __future__ import annotations

from dataclasses import dataclass

from adain.errors import AdaINError, ImageError
from adain.files import images
from adain.options import check, option


@dataclass(frozen=True)
class Limits:
    """Limits of the server; max_pixels and max_seconds are options of adain web.

    Args:
        max_pixels: pixels of a photograph, a painting or a result.
        max_seconds: seconds of computing for one picture.
        body_bytes: bytes of the body of one request.
        kept_bytes: bytes of all uploaded pictures, and as many of all results.
        kept_pictures: number of uploaded pictures; the least recently used ones are removed.
        results: number of finished pictures that wait for their download.
        queue: number of pictures that may wait to be computed; more are refused.
        pause: seconds that may pass without a byte of a request's body.

    Raises:
        OptionError: max_pixels or max_seconds is out of range.
    """

    max_pixels: int = option(
        images.MAX_PIXELS, "refuse photographs, paintings and results with more pixels", minimum=1,
        metavar="N")
    max_seconds: float = option(
        7200, "end the computation of a picture that takes longer", above=0, metavar="SECONDS")
    body_bytes: int = 512_000_000
    kept_bytes: int = 2_000_000_000
    kept_pictures: int = 64
    results: int = 8
    queue: int = 8
    pause: float = 60.0

    def __post_init__(self) -> None:
        check(self)


class RequestError(AdaINError):
    """A request that is invalid; `status` is the HTTP status of the answer."""

    status = 400


class NotFoundError(RequestError):
    """A picture, style or result that does not exist, or was removed."""

    status = 404


class TooLargeError(RequestError, ImageError):
    """A body or a picture that is larger than the limits."""

    status = 413


class NotAPictureError(RequestError):
    """A file that cannot be read as a picture."""

    status = 415


class SlowError(RequestError):
    """A body that does not arrive in time."""

    status = 408


class BusyError(RequestError):
    """The server has too much to do, or the work takes too much time or memory."""

    status = 503
