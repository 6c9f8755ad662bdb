"""The page for all: axe-core's rules in every state, and the main job by keyboard alone."""

import io

import numpy as np
import pytest
from conftest import ROOT, picture
from PIL import Image

pytest.importorskip("starlette", reason="needs the extra web")
pytest.importorskip("uvicorn", reason="needs the extra web")
pytest.importorskip("httpx", reason="needs httpx")

from web_server import chromium, encoded, running, stroke, write_styles

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def styles(tmp_path_factory):
    return write_styles(tmp_path_factory.mktemp("styles"))


@pytest.fixture(scope="module")
def url(stylizer, styles):
    with running(stylizer, styles) as client:
        yield str(client.base_url)


def violations(tab):
    """Return what axe-core finds wrong in the page as it is now."""
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("width, height, scheme", [(1280, 800, "light"), (390, 844, "dark")])
def test_axe_finds_nothing_wrong_in_any_state(browser, url, width, height, scheme):
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm ci in web/")
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    found = {}
    tab.goto(url)
    tab.wait_for_selector("html[data-ready]")
    found["empty"] = violations(tab)
    tab.set_input_files("#photo-file", {"name": "photo.png", "mimeType": "image/png",
                                        "buffer": encoded(200, 300)})
    tab.wait_for_selector("#picture[data-shows=preview]")
    found["preview"] = violations(tab)
    tab.check("[name=mode][value=mix]", force=True)
    tab.click("[data-style=mosaic]")
    found["mixture"] = violations(tab)
    tab.check("[name=mode][value=regions]", force=True)
    stroke(tab, (0.3, 0.4), (0.6, 0.6))
    found["regions"] = violations(tab)
    tab.set_input_files("#photo-file", {"name": "x.txt", "mimeType": "text/plain", "buffer": b"x"})
    tab.wait_for_selector("#message-text:text('x.txt')")
    found["error"] = violations(tab)
    tools, message = (tab.locator(name).bounding_box() for name in ("#tools", "#message"))
    assert message["y"] + message["height"] <= tools["y"]  # covers no controls
    tab.select_option("#quality", "40")
    tab.click("#make")
    tab.wait_for_selector("#working:not([hidden])")
    found["working"] = violations(tab)
    context.close()
    assert found == dict.fromkeys(found, [])


def test_the_main_job_is_done_by_keyboard_alone(browser, url, stylizer, styles):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    # From the start: Chromium does not wait until a page's file choosers are intercepted.
    tab.on("filechooser", lambda chooser: chooser.set_files(
        {"name": "photo.png", "mimeType": "image/png", "buffer": encoded()}))
    tab.goto(url)
    tab.wait_for_selector("html[data-ready]")

    def reach(condition):
        """Press Tab until the element that has the focus meets a condition of JavaScript."""
        for _ in range(60):
            if tab.evaluate(f"((at) => {condition})(document.activeElement)"):
                return
            tab.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {condition}")

    reach("at.textContent === 'Choose a photograph'")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#picture[data-shows=preview]")
    reach("at.dataset.style === 'mosaic'")
    tab.keyboard.press("Enter")
    reach("at.id === 'alpha'")
    for _ in range(30):
        tab.keyboard.press("ArrowLeft")
    reach("at.id === 'format'")
    tab.keyboard.type("PNG")
    reach("at.id === 'make'")
    with tab.expect_download() as download:
        tab.keyboard.press("Enter")
    tab.wait_for_selector("#picture[data-shows=finished]")
    reach("at.id === 'save'")  # again
    made = np.asarray(Image.open(io.BytesIO(download.value.path().read_bytes())))
    context.close()
    assert (made == stylizer.stylize(picture(), styles / "mosaic.png", 0.7)).all()


def test_an_error_stays_while_a_preview_goes_on(browser, url):
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.goto(url)
    tab.wait_for_selector("html[data-ready]")
    tab.set_input_files("#photo-file", {"name": "photo.png", "mimeType": "image/png",
                                        "buffer": encoded()})
    tab.wait_for_selector("#picture[data-shows=preview]")
    tab.set_input_files("#photo-file", {"name": "x.txt", "mimeType": "text/plain", "buffer": b"x"})
    tab.wait_for_selector("#message-text:text('x.txt')")
    before = tab.get_attribute("#after", "src")
    tab.locator("#alpha").fill("40")
    tab.wait_for_selector(f"#after:not([src='{before}'])")
    assert tab.is_visible("#message-text:text('x.txt')")
    context.close()
