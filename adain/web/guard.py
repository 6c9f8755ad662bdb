"""Guard: ASGI middleware that refuses requests of other sites and large bodies, and sets headers.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adain.web.limits import Limits, SlowError, TooLargeError

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# A body that is too large is still read to its end, because a browser shows no answer if the
# connection is closed before. A body of more than this many times the limit is not.
_DRAINED = 8


class Guard:
    """Answers only the server's own page and programs on this machine.

    A page of another site can send requests to 127.0.0.1; browsers then send that site as Origin.
    The name of another site can also be made to resolve to 127.0.0.1 (DNS rebinding); requests
    then have that name as Host.

    Args:
        app: the application that answers accepted requests.
        port: the port that the server listens on, which Host must name.
        limits: size of bodies and the longest pause while one is sent.
    """

    def __init__(self, app: ASGIApp, port: int, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        if port == 80:
            self._hosts |= {"127.0.0.1", "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # lifespan events: the server accepts no web sockets
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(headers, scope.get("method", ""))
        if refusal:
            await refusal(scope, receive, send_with_headers)
        else:
            await self._app(scope, self._limited(receive), send_with_headers)

    def _refusal(self, headers: Headers, method: str) -> JSONResponse | None:
        """Return the answer to a request that is refused; None if it is accepted."""
        host = headers.get("host", "")
        if host.lower() not in self._hosts:
            return JSONResponse({"error": "this server answers at http://127.0.0.1 only; the "
                                          f"request's Host is {host[:80]!r}."}, 421)
        origin = headers.get("origin")
        foreign = origin is not None and origin.lower() != f"http://{host.lower()}"
        linked = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if foreign or (headers.get("sec-fetch-site") in ("cross-site", "same-site")
                       and not linked):
            return JSONResponse({"error": "pages of other sites may not use this server; the "
                                          f"request's Origin is {(origin or 'unknown')[:80]!r}."},
                                403)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > _DRAINED * self._limits.body_bytes:
            return JSONResponse({"error": self._too_large()}, 413, {"Connection": "close"})
        return None

    def _too_large(self) -> str:
        return f"a request may have at most {self._limits.body_bytes // 1_000_000} MB."

    def _limited(self, receive: Receive) -> Receive:
        """Return `receive`, but raising TooLargeError or SlowError while a body arrives."""
        received, complete = 0, False

        async def limited() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()  # waits until the client closes the connection
            try:
                message = await asyncio.wait_for(receive(), self._limits.pause)
            except TimeoutError:
                raise SlowError("the request's body was not sent on for "
                                f"{self._limits.pause:g} seconds.") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._limits.body_bytes:
                if complete or received > _DRAINED * self._limits.body_bytes:
                    raise TooLargeError(self._too_large())
                message = {**message, "body": b""}
            return message

        return limited
