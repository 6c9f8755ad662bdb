"""The command adain web: starting, stopping, and what it leaves behind."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

pytest.importorskip("starlette", reason="needs the extra web")
pytest.importorskip("uvicorn", reason="needs the extra web")
httpx = pytest.importorskip("httpx", reason="needs httpx")

from web_server import encoded, write_styles

from adain.commands import web
from adain.errors import ImageError, OptionError
from adain.web import server

# The command, in a process that every outgoing connection ends.
ALONE = """
import os, socket, sys

def refuse(self, address):
    print("CONNECTS", address, flush=True)
    os._exit(9)

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = lambda *arguments, **options: refuse(None, arguments)
sys.argv = ["adain", "web", *sys.argv[1:]]
from adain.entry_points import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent in another way on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_during_a_picture_leaves_no_files_and_there_were_no_connections(tmp_path, number):
    styles, temporary = tmp_path / "styles", tmp_path / "tmp"
    styles.mkdir()
    temporary.mkdir()
    write_styles(styles)
    process = subprocess.Popen(
        [sys.executable, "-c", ALONE, "--port", "0", "--no-browser", "--style-path", str(styles)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)})
    try:
        url = process.stdout.readline().split()[0]
        fields = {"style": "mosaic", "content_size": "1200", "coarse_size": "300"}
        with httpx.stream("POST", f"{url}api/stylize", data=fields, timeout=60, trust_env=False,
                          files={"content": encoded()}, headers={"Accept": "text/event-stream"}
                          ) as answer:
            text = answer.iter_text()
            while "0.0" not in next(text):  # progress
                pass
            process.send_signal(number)
            assert "the work was ended: the server stops" in "".join(text)
        said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, *said) == (0, "", "")
    assert list(temporary.iterdir()) == []


def test_without_a_browser_the_address_is_printed(monkeypatch, capsys):
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(server, "serve", lambda *given: given[-1]("http://127.0.0.1:8000/"))
    web.main([])
    assert capsys.readouterr().out == ("http://127.0.0.1:8000/  (Ctrl-C stops)\n"
                                       "no browser was found: open the address in one\n")
    web.main(["--no-browser"])
    assert "found" not in capsys.readouterr().out


def test_a_folder_without_paintings_is_refused(tmp_path):
    with pytest.raises(ImageError, match="has no pictures"):
        web.main(["--port", "0", "--style-path", str(tmp_path)])


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(web, "find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(OptionError, match=r"adain web needs uvicorn: pip install -e '.\[web\]'"):
        web.main([])
