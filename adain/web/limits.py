"""What one request, and all of them together, may take of the machine."""

from __future__ import annotations

from dataclasses import dataclass

from adain.errors import AdaINError, ImageError
from adain.files import images
from adain.options import check, option


@dataclass(frozen=True)
class Limits:
    """Limits of the server; its fields are options of adain web.

    body_bytes: of one request. kept_bytes, kept_pictures: of all pictures that were sent.
    results: finished pictures that wait for their download. queue: works that wait for the one
    that is computed; further ones are refused. pause: seconds without a byte of a request's body.
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
    """A request that cannot be answered as it is; status: of the answer, one of HTTP's."""

    status = 400


class NotFoundError(RequestError):
    """A picture, style or result that is not there, or not any more."""

    status = 404


class TooLargeError(RequestError, ImageError):
    """A body or a picture beyond the limits."""

    status = 413


class NotAPictureError(RequestError):
    """A file that is no picture, or none that can be read."""

    status = 415


class SlowError(RequestError):
    """A request's body that does not arrive."""

    status = 408


class BusyError(RequestError):
    """Too much to do at the moment, or too much for the time or memory that there is."""

    status = 503
