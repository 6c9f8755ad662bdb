"""Run the server on 127.0.0.1 until it is stopped."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import uvicorn

from adain.errors import OptionError
from adain.progress import StopRequest, stop_on_signals
from adain.transfer.stylizer import Stylizer
from adain.web.api import Api
from adain.web.app import create_app
from adain.web.gallery import Gallery, shipped
from adain.web.limits import Limits
from adain.web.painting import Painter

ADDRESS = "127.0.0.1"
_GRACE = 20  # seconds to answer open requests at the end; their work stops after its next tile


def serve(port: int = 8000, model: str | Stylizer = "compact",
          style_path: Sequence[str | Path] | None = None, limits: Limits | None = None,
          ready: Callable[[str], None] = lambda url: None,
          stop: StopRequest | None = None) -> None:
    """Serve the page and the API on 127.0.0.1 until `stop` asks to end.

    Args:
        port: 0 to 65535; 0 chooses a free port.
        model: "compact" or "vgg19", or a Stylizer.
        style_path: paintings that the page offers, files and folders; None: those of the
            repository.
        limits: of requests; None: the defaults of Limits.
        ready: called in a thread with the URL of the page, once it can be opened.
        stop: ends the server; None: SIGINT (Ctrl-C), SIGTERM and SIGHUP do.

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
    with ThreadPoolExecutor(1) as loader, listener, stop_on_signals(stop) as stop:
        def on_out_of_memory(error: MemoryError) -> None:
            errors.append(error)
            stop.ask("the networks ran out of memory")

        painter = Painter(loader.submit(_load, model), limits.max_pixels)
        name = model if isinstance(model, str) else model.model
        api = Api(name, painter, styles, samples, limits, on_out_of_memory)
        app = create_app(api, port, limits)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, ws="none", http="h11", loop="asyncio",
            lifespan="on", timeout_graceful_shutdown=_GRACE, limit_concurrency=64,
            server_header=False)
        _Server(config, lambda: ready(f"http://{ADDRESS}:{port}/"), stop, api.stop).run([listener])
    if errors:
        raise errors[0]


class _Server(uvicorn.Server):
    """A uvicorn server that also ends when `stop` asks for it.

    ready: called when the server accepts connections.
    end: called before the server shuts down.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stop: StopRequest,
                 end: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._stop, self._end = ready, stop, end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # In a thread, because opening a browser may block until the browser is closed.
        threading.Thread(target=self._ready, daemon=True).start()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.reason is not None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end()
        await super().shutdown(sockets)


def open_browser(url: str) -> bool:
    """Open a URL in the user's graphical browser; return whether there is one.

    Browsers in the terminal cannot show the page, so they are not used.
    """
    has_screen = (sys.platform in ("win32", "darwin") or os.environ.get("BROWSER")
                  or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return bool(has_screen) and webbrowser.open(url)


def _listen(port: int) -> socket.socket:
    """Return a socket bound to a port of 127.0.0.1."""
    if not 0 <= port <= 65535:
        raise OptionError(f"`port` must be from 0 to 65535; received {port}.")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows it would allow two programs to share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
    except OSError as error:
        listener.close()
        reason = ("is used by another program (adain web, perhaps)"
                  if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}")
        raise OptionError(f"port {port} {reason}; `port=0` chooses a free one.") from None
    return listener


def _load(model: str | Stylizer) -> Stylizer:
    """Return a Stylizer whose networks are compiled, so that the first picture is fast."""
    if isinstance(model, Stylizer):
        return model
    stylizer = Stylizer(model)
    blank = np.zeros((64, 64, 3), np.uint8)
    stylizer.stylize(blank, stylizer.encode_style(blank))
    return stylizer
