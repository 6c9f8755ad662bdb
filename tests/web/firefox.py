"""Firefox for the tests, driven by its own WebDriver BiDi (https://w3c.github.io/webdriver-bidi/)."""

import json
import re
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

SECONDS = 120  # that a command may take
# Downloads go to a folder without a question, and Firefox asks nobody anything.
PREFERENCES = {
    "browser.download.folderList": 2, "browser.download.useDownloadDir": True,
    "browser.download.always_ask_before_handling_new_types": False,
    "app.normandy.enabled": False, "app.update.disabledForTesting": True,
    "browser.region.network.url": "", "browser.safebrowsing.downloads.enabled": False,
    "browser.search.update": False, "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False, "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False, "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False, "toolkit.telemetry.server": "data:,"}


class Tab:
    """A tab of Firefox."""

    def __init__(self, socket, downloads):
        self._socket, self._count, self.downloads = socket, 0, downloads
        self.send("session.new", capabilities={})
        self.id = self.send("browsingContext.getTree")["contexts"][0]["context"]

    def send(self, method, **parameters):
        """Send a command; return its result."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            found = json.loads(self._socket.recv(SECONDS))
            if found.get("id") == self._count:
                assert found["type"] == "success", found
                return found["result"]

    def goto(self, url):
        self.send("browsingContext.navigate", context=self.id, url=url, wait="complete")

    def script(self, body):
        """Return what the body of an async function returns, as far as it is JSON."""
        found = self.send("script.evaluate", target={"context": self.id}, awaitPromise=True,
                          expression=f"(async () => {{ {body} }})().then(JSON.stringify)")
        assert found["type"] == "success", found
        value = found["result"].get("value")
        return None if value is None else json.loads(value)

    def wait(self, condition):
        """Wait until JavaScript's expression is true; the page may be loaded again meanwhile."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if self.script(f"""for (let count = 0; count < 200 && !({condition}); count++) {{
                    await new Promise((resolve) => setTimeout(resolve, 25)); }}
                    return Boolean({condition});"""):
                    return
            except AssertionError:  # its page is not there any more
                continue
        raise AssertionError(f"never: {condition}")

    def downloaded(self, name):
        """Return the path of a file once it is downloaded."""
        path, deadline = self.downloads / name, time.monotonic() + SECONDS
        while not (path.is_file() and path.stat().st_size):  # renamed when it is whole
            assert time.monotonic() < deadline, f"{name} is not downloaded"
            time.sleep(0.02)
        return path

    def drag(self, *points):
        """Move the mouse over the window, with its button pressed; points: in CSS pixels."""
        (x, y), *others = points
        moves = [{"type": "pointerMove", "x": round(each[0]), "y": round(each[1]), "duration": 100}
                 for each in others]
        self.send("input.performActions", context=self.id, actions=[{
            "type": "pointer", "id": "mouse", "actions": [
                {"type": "pointerMove", "x": round(x), "y": round(y)},
                {"type": "pointerDown", "button": 0}, *moves,
                {"type": "pointerUp", "button": 0}]}])

    def press(self, *keys):
        self.send("input.performActions", context=self.id, actions=[{
            "type": "key", "id": "keys", "actions": [
                {"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]}])


@contextmanager
def firefox(folder):
    """Give a Tab of Debian's Firefox, or skip where it or the package websockets is missing."""
    client = pytest.importorskip("websockets.sync.client", reason="needs websockets")
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("needs Firefox: apt-get install firefox-esr")
    profile, downloads = folder / "profile", folder / "downloads"
    profile.mkdir()
    downloads.mkdir()
    preferences = {**PREFERENCES, "browser.download.dir": str(downloads)}
    (profile / "user.js").write_text("".join(
        f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
        for name, value in preferences.items()))
    with subprocess.Popen([path, "--headless", "--no-remote", "--profile", profile,
                           "--remote-debugging-port", "0", "about:blank"],
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            address = next(found[1] for line in process.stderr
                           if (found := re.search(r"WebDriver BiDi listening on (\S+)", line)))
            threading.Thread(target=process.stderr.read).start()  # so that it never waits
            with client.connect(f"{address}/session", max_size=None,
                                open_timeout=SECONDS) as socket:
                yield Tab(socket, downloads)
        finally:
            process.terminate()
