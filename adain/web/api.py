"""The HTTP API of the server: pictures, styles, results and progress; see docs/web.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from adain import __version__
from adain.errors import AdaINError, NetworkMemoryError
from adain.files import images
from adain.transfer import color
from adain.web import settings, store
from adain.web.gallery import Gallery
from adain.web.limits import Limits, NotFoundError, RequestError
from adain.web.painting import Painter, StylizeRequest
from adain.web.store import Result, Source, Store
from adain.web.work import Job, JobQueue

_STREAM = "text/event-stream"
_NO_STORE = {"Cache-Control": "no-store"}
_CACHED = {"Cache-Control": "private, max-age=3600"}
_LARGEST_NAME = 120  # characters of a file's name


class Api:
    """Answers requests; one thread decodes pictures and makes previews, another makes results.

    Args:
        model: name of the networks.
        painter: makes the pictures.
        styles, samples: the paintings and the photographs that the page offers.
        limits: of requests.
        on_out_of_memory: called when the networks ran out of memory, after which they cannot be
            used.
    """

    def __init__(self, model: str, painter: Painter, styles: Gallery, samples: Gallery,
                 limits: Limits, on_out_of_memory: Callable[[MemoryError], None]) -> None:
        self._model, self._painter, self._limits = model, painter, limits
        self._on_out_of_memory = on_out_of_memory
        self._galleries = {"styles": styles, "samples": samples}
        self._uploads = Store[Source](limits.kept_pictures, limits.kept_bytes, "picture")
        self._results = Store[Result](limits.results, limits.kept_bytes, "result")
        self._previews = JobQueue("previews", limits.queue, limits.max_seconds)
        self._pictures = JobQueue("pictures", limits.queue, limits.max_seconds)

    def routes(self) -> list[Route]:
        """Return the routes below /api."""
        return [
            Route("/api", self.about),
            Route("/api/styles", self.gallery),
            Route("/api/samples", self.gallery),
            Route("/api/styles/{id}", self.thumbnail),
            Route("/api/samples/{id}", self.thumbnail),
            Route("/api/pictures", self.upload, methods=["POST"]),
            Route("/api/pictures/{id}", self.picture, methods=["GET", "DELETE"]),
            Route("/api/pictures/{id}/screen", self.screen),
            Route("/api/stylize", self.stylize, methods=["POST"]),
            Route("/api/results/{id}", self.result, methods=["GET", "DELETE"]),
        ]

    def stop(self) -> None:
        """Ask all work to end early, so that open requests are answered soon."""
        self._previews.stop()
        self._pictures.stop()

    def close(self) -> None:
        """End all work and remove all pictures."""
        self._previews.close()
        self._pictures.close()
        self._uploads.close()
        self._results.close()

    def answer_to(self, error: BaseException) -> tuple[int, dict[str, str]]:
        """Return the HTTP status and the body for an error that a user can cause; raise others."""
        if isinstance(error, AdaINError):
            return getattr(error, "status", 400), {"error": str(error)}
        if isinstance(error, NetworkMemoryError):
            self._on_out_of_memory(error)
            return 503, {"error": "the networks ran out of memory: start `adain web` again and "
                                  "choose a smaller size."}
        if isinstance(error, MemoryError):
            return 503, {"error": "there is not enough memory for this picture: choose a smaller "
                                  "size."}
        raise error

    async def about(self, request: Request) -> Response:
        """GET /api: version, model, formats and limits."""
        return JSONResponse({
            "version": __version__, "model": self._model, "formats": list(settings.FORMATS),
            "keep_colors": list(color.COLOR_MODES), "preview_size": store.PREVIEW_SIZE,
            "read": list(images.READ_SUFFIXES), "max_pixels": self._limits.max_pixels,
            "max_bytes": self._limits.body_bytes})

    async def gallery(self, request: Request) -> Response:
        """GET /api/styles, /api/samples: the pictures of a gallery, with addresses of thumbnails.
        """
        folder = request.url.path
        listing = self._galleries[PurePosixPath(folder).name].listing()
        return JSONResponse([{**each, "picture": f"{folder}/{quote(each['id'])}"}
                             for each in listing])

    async def thumbnail(self, request: Request) -> Response:
        """GET /api/styles/ID, /api/samples/ID: a small JPEG."""
        source = self._galleries[request.url.path.split("/")[2]].get(request.path_params["id"])
        return Response(await run_in_threadpool(lambda: source.thumbnail),
                        media_type="image/jpeg", headers=_CACHED)

    async def upload(self, request: Request) -> Response:
        """POST /api/pictures: store the picture in the body; answer with its id and size."""
        source = self._keep(await request.body(), request.query_params.get("name", ""))
        try:
            return JSONResponse(await self._describe(request, source), 201)
        except RequestError:
            with suppress(NotFoundError):
                self._uploads.remove(source.id)
            raise

    async def _describe(self, request: Request, source: Source) -> dict[str, Any]:
        rows, columns = await self._compute(request, self._previews, lambda job: source.shape)
        return {"id": source.id, "name": source.name, "width": columns, "height": rows,
                "transparent": source.transparent,
                "preview_size": store.largest_screen_size(rows, columns),
                "picture": f"/api/pictures/{quote(source.id)}/screen"}

    async def picture(self, request: Request) -> Response:
        """GET or DELETE /api/pictures/ID: the size of an uploaded picture or a sample; remove it.
        """
        id = request.path_params["id"]
        if request.method == "DELETE":
            self._uploads.remove(id)
            return Response(status_code=204)
        return JSONResponse(await self._describe(request, self._source(id, "samples")))

    async def screen(self, request: Request) -> Response:
        """GET /api/pictures/ID/screen: an upright JPEG at the size of previews."""
        source = self._source(request.path_params["id"], "samples")
        return Response(await run_in_threadpool(lambda: store.to_jpeg(source.screen)),
                        media_type="image/jpeg", headers=_CACHED)

    async def stylize(self, request: Request) -> Response:
        """POST /api/stylize: answer with the picture, or with a stream of events.

        The events report progress and end with the address of the result.
        """
        kind = request.headers.get("content-type", "")
        if not kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
            raise RequestError("send fields as multipart/form-data, as `curl -F` does; received "
                               f"{kind[:80]!r}.")
        async with request.form(max_files=self._limits.kept_pictures, max_fields=200) as form:
            wanted = await self._parse(form)
        if wanted.settings.preview is not None:
            data = await self._compute(request, self._previews,
                                       lambda job: self._painter.preview(wanted, job.stop))
            return Response(data, media_type="image/jpeg", headers=_NO_STORE)

        def work(job: Job) -> Result:
            return self._painter.picture(wanted, job.stop, job.set_share)

        if _STREAM in request.headers.get("accept", ""):
            job, changed = _job()
            self._pictures.add(job, work)
            return StreamingResponse(self._events(job, changed), media_type=_STREAM,
                                     headers=_NO_STORE)
        return _file(await self._compute(request, self._pictures, work))

    async def result(self, request: Request) -> Response:
        """GET or DELETE /api/results/ID: a finished picture; remove it."""
        id = request.path_params["id"]
        if request.method == "DELETE":
            self._results.remove(id)
            return Response(status_code=204)
        return _file(self._results.get(id))

    async def _parse(self, form: FormData) -> StylizeRequest:
        """Return what the fields of a form ask for; files in it are stored, except masks."""
        given: dict[str, list[str]] = {}
        sources: dict[str, list[Source]] = {"content": [], "style": [], "mask": []}
        for name, value in form.multi_items():
            if name not in sources:
                if isinstance(value, UploadFile):
                    raise RequestError(f"`{name[:80]}` is a file; only content, style and mask "
                                       "may be files.")
                given.setdefault(name, []).append(value)
            elif isinstance(value, UploadFile) and name == "mask":  # for this request only
                sources[name].append(store.uploaded(await value.read(), value.filename or name,
                                                    self._limits))
            elif isinstance(value, UploadFile):
                sources[name].append(self._keep(await value.read(), value.filename or name))
            else:
                sources[name].append(self._source(
                    value, "styles" if name == "style" else "samples"))
        chosen = settings.from_fields(given)
        if len(sources["content"]) != 1:
            raise RequestError("one `content` is needed: send a picture, or the id of an uploaded "
                               f"one; received {len(sources['content'])}.")
        return StylizeRequest(sources["content"][0], tuple(sources["style"]),
                              tuple(sources["mask"]), chosen)

    def _keep(self, data: bytes, name: str) -> Source:
        """Store an uploaded picture."""
        name = PurePosixPath(name.replace("\\", "/")).name[-_LARGEST_NAME:]
        name = "".join(char for char in name if char.isprintable()) or "picture"
        return self._uploads.add(store.uploaded(data, name, self._limits))

    def _source(self, id: str, gallery: str) -> Source:
        """Return the picture with an id: one of a gallery, or an uploaded one."""
        pictures = self._galleries[gallery]
        if id in pictures:
            return pictures.get(id)
        if len(id) == store.ID_LENGTH:
            return self._uploads.get(id)
        return pictures.get(id)  # raises an error that lists the gallery

    async def _compute(self, request: Request, queue: JobQueue, work: Callable[[Job], Any]) -> Any:
        """Return work(job), computed in a queue; stop the work if the client disconnects."""
        job, changed = _job()
        queue.add(job, work)
        closed = asyncio.create_task(_closed(request))
        try:
            while not job.future.done() and not closed.done():
                changed.clear()
                change = asyncio.create_task(changed.wait())
                await asyncio.wait({change, closed}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
        finally:
            closed.cancel()
            if not job.future.done():
                job.stop.ask("the request was closed")
        if not job.future.done():
            raise RequestError("the request was closed.")
        return job.future.result()

    async def _events(self, job: Job, changed: asyncio.Event) -> AsyncIterator[str]:
        """Yield server-sent events: `waiting` and `progress`, at the end `done` or `error`."""
        last = None
        try:
            while not job.future.done():
                event = _progress_event(job)
                if event != last:
                    yield event
                    last = event
                changed.clear()
                if job.future.done():
                    break
                try:
                    await asyncio.wait_for(changed.wait(), 1.0)
                    await asyncio.sleep(0.05)  # at most 20 events a second
                except TimeoutError:
                    yield ": still here\n\n"  # a comment: fails if the client has disconnected
            error = job.future.exception()
            if error is not None:
                status, answer = self.answer_to(error)
                yield _event("error", {"status": status, **answer})
                return
            result = self._results.add(job.future.result())
            rows, columns = result.shape
            yield _event("done", {"url": f"/api/results/{result.id}", "name": result.name,
                                  "width": columns, "height": rows, "bytes": result.size})
        finally:
            job.stop.ask("the request was closed")


def _job() -> tuple[Job, asyncio.Event]:
    """Return a new job, and an event of this thread's loop that is set when the job changes."""
    changed, loop = asyncio.Event(), asyncio.get_running_loop()

    def set_changed() -> None:
        loop.call_soon_threadsafe(changed.set)

    return Job(set_changed), changed


async def _closed(request: Request) -> None:
    """Return when the client closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _progress_event(job: Job) -> str:
    if job.ahead:
        return _event("waiting", {"ahead": job.ahead})
    return _event("progress", {"share": round(job.share, 4)})


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _file(result: Result) -> Response:
    ascii_name = result.name.encode("ascii", "replace").decode().replace('"', "'")
    return Response(result.data.read(), media_type=result.media_type, headers={
        **_NO_STORE, "Content-Disposition": f'attachment; filename="{ascii_name}"; '
                                            f"filename*=UTF-8''{quote(result.name)}"})
