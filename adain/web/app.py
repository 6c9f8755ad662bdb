"""The web application: the files of the page, the API, and Guard in front of them."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from adain.errors import AdaINError
from adain.web.api import Api
from adain.web.guard import Guard
from adain.web.limits import Limits

PAGE = Path(__file__).parent / "page"
mimetypes.add_type("text/javascript", ".js")  # the tables of some systems have another type


def create_app(api: Api, port: int, limits: Limits) -> Starlette:
    """Return the ASGI application.

    Args:
        api: answers requests below /api; closed when the server ends.
        port: the port on which the application is served.
        limits: of requests.
    """
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(api.close)

    async def user_error(request: Request, error: Exception) -> Response:
        status, answer = api.answer_to(error)
        headers = {"Retry-After": "5"} if status == 503 else None
        return JSONResponse(answer, status, headers)

    async def http_error(request: Request, error: Exception) -> Response:
        http = cast(HTTPException, error)
        text = {404: f"there is nothing at {request.url.path[:80]}.",
                405: f"{request.url.path[:80]} does not allow {request.method[:20]}."}
        return JSONResponse({"error": text.get(http.status_code, http.detail)},
                            http.status_code, http.headers)

    async def closed(request: Request, error: Exception) -> Response:
        return Response(status_code=400)  # never read: the client has closed the connection

    return Starlette(
        routes=[*api.routes(), Mount("/", _Page(directory=PAGE, html=True))],
        middleware=[Middleware(Guard, port=port, limits=limits)], lifespan=lifespan,
        exception_handlers={AdaINError: user_error, MemoryError: user_error,
                            HTTPException: http_error, ClientDisconnect: closed})


class _Page(StaticFiles):
    """The files of the page; browsers must not cache them, as adain may be updated."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response

    def is_not_modified(self, *_: object) -> bool:
        return False  # an earlier server at this address may have sent files with later dates
