"""Run the server on 127.0.0.1 until it is stopped."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from adain.errors import OptionError
from adain.networks.stats import ChannelStats
from adain.transfer.stylizer import Stylizer
from adain.web.api import Api
from adain.web.app import create_app
from adain.web.gallery import Gallery, shipped
from adain.web.limits import Limits
from adain.web.painting import Painter

ADDRESS = "127.0.0.1"
_GRACE = 1  # seconds for open requests after a signal to stop


def serve(port: int = 8000, model: str = "compact",
          style_path: Sequence[str | Path] | None = None, limits: Limits | None = None,
          ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve the page and the API on 127.0.0.1 until SIGINT or SIGTERM.

    Args:
        port: 0 takes any that is free.
        model: "compact" or "vgg19".
        style_path: paintings that the page offers, files and folders; None: the repository's.
        limits: of requests.
        ready: is called with the page's address once it can be opened.

    Raises:
        OptionError: the port cannot be used.
        ImageError: style_path has no pictures.
        MemoryError: the networks ran out of memory.
    """
    limits = limits or Limits()
    styles = Gallery(shipped("styles") if style_path is None else style_path, "style",
                     limits.max_pixels)
    samples = Gallery(shipped("inputs"), "sample", limits.max_pixels)
    listener = _listen(port)
    port = listener.getsockname()[1]
    errors: list[MemoryError] = []

    def give_up(error: MemoryError) -> None:
        errors.append(error)
        server.should_exit = True

    with ThreadPoolExecutor(1) as loader:
        painter = Painter(loader.submit(_load, model), limits.max_pixels)
        app = create_app(Api(model, painter, styles, samples, limits), port, limits, give_up)
        server = _Server(uvicorn.Config(
            app, log_level="warning", access_log=False, ws="none", http="h11", loop="asyncio",
            lifespan="on", timeout_graceful_shutdown=_GRACE, limit_concurrency=64,
            server_header=False), lambda: ready(f"http://{ADDRESS}:{port}/"))
        try:
            with _stopped_by_signals(server):
                server.run(sockets=[listener])
        finally:
            listener.close()
    if errors:
        raise errors[0]


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Let signals stop the server and nothing else: uvicorn sends itself those that it has seen."""
    def stop(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    main = threading.current_thread() is threading.main_thread()
    before = {name: signal.signal(getattr(signal, name), stop) for name in names if main}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def open_browser(url: str) -> bool:
    """Open a page in the user's browser; return whether there is one.

    Browsers of the terminal are none: they cannot show the page, and would take the terminal.
    """
    has_screen = (sys.platform in ("win32", "darwin") or os.environ.get("BROWSER")
                  or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return bool(has_screen) and webbrowser.open(url)


def _listen(port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise OptionError(f"`port` must be from 0 to 65535; received {port}.")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere two programs could share a port by it
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
    except OSError as error:
        listener.close()
        reason = ("is used by another program (adain web, perhaps)"
                  if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}")
        raise OptionError(f"port {port} {reason}; `port=0` takes any that is free.") from None
    return listener


def _load(model: str) -> Stylizer:
    """Return a Stylizer that has computed once, so that the first picture does not wait for it."""
    import numpy as np

    stylizer = Stylizer(model)
    blank = np.zeros((64, 64, 3), np.uint8)
    style: ChannelStats = stylizer.encode_style(blank)
    stylizer.stylize(blank, style)
    return stylizer


def loaded(stylizer: Stylizer) -> Future[Stylizer]:
    """Return a Future that has its result, as Painter takes it."""
    future: Future[Stylizer] = Future()
    future.set_result(stylizer)
    return future
