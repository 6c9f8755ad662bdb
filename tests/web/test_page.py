"""The page of adain web in Chromium: what a user does, and the picture that is downloaded."""

import io
import re

import numpy as np
import pytest
from conftest import picture
from PIL import ExifTags, Image

pytest.importorskip("starlette", reason="needs the extra web")
pytest.importorskip("uvicorn", reason="needs the extra web")
pytest.importorskip("httpx", reason="needs httpx")

from web_server import (
    KEEP_MASKS,
    chromium,
    cutout,
    encoded,
    huge,
    masks,
    running,
    stroke,
    write_styles,
)

from adain.files import images
from adain.networks.stats import merge
from adain.web.limits import Limits

pytestmark = pytest.mark.xdist_group("page")


@pytest.fixture(scope="module")
def styles(tmp_path_factory):
    return write_styles(tmp_path_factory.mktemp("styles"))


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def client(stylizer, styles):
    with running(stylizer, styles, Limits(max_pixels=20_000_000)) as found:
        yield found


class Page:
    """The page, and what a user sees and does there."""

    def __init__(self, page, url):
        self.page, self.wrong, self.elsewhere = page, [], []
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self.wrong.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None)
        page.on("request", lambda request: self.elsewhere.append(request.url)
                if not request.url.startswith((url, "blob:", "data:")) else None)
        page.add_init_script(KEEP_MASKS)
        page.goto(url)
        page.wait_for_selector("html[data-ready]")

    def drop(self, target, name, data):
        """Drop a file onto an element."""
        self.page.evaluate("""([target, name, data]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(data)], name));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                document.querySelector(target).dispatchEvent(new DragEvent(kind,
                    {dataTransfer: transfer, bubbles: true, cancelable: true}));
            }}""", [target, name, list(data)])

    def open(self, data=None, name="photo.png"):
        self.drop("#stage", name, data or encoded())
        self.page.wait_for_selector(f"#photo-name:text-is('{name}')")
        self.shows("preview")

    def shows(self, what):
        self.page.wait_for_selector(f"#picture[data-shows={what}]")

    def choose(self, name, value):
        self.page.get_by_label(name, exact=True).select_option(value)

    def slide(self, name, value):
        self.page.get_by_label(name, exact=True).fill(str(value))

    def mode(self, name):
        self.page.get_by_label(name, exact=True).check()

    def download(self, format="png"):
        """Make the full picture; return it, and the name of its file."""
        self.choose("File", format)
        with self.page.expect_download() as found:
            self.page.get_by_role("button", name="Make the full picture").click()
        self.shows("finished")
        return Image.open(found.value.path()), found.value.suggested_filename


@pytest.fixture
def page(browser, client):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    found = Page(context.new_page(), str(client.base_url))
    yield found
    assert (found.wrong, found.elsewhere) == ([], [])
    context.close()


def test_the_downloaded_picture_equals_that_of_stylizer(page, stylizer, styles):
    page.open()
    page.slide("Strength", 60)
    page.page.get_by_role("button", name="Mosaic").click()
    page.choose("Colours", "luminance")
    result, name = page.download()
    expected = stylizer.stylize(picture(), styles / "mosaic.png", 0.6, keep_colors="luminance")
    assert (np.asarray(result) == expected).all() and name == "photo_mosaic.png"


def test_a_dropped_painting_is_mixed_with_a_shipped_one(page, stylizer, styles):
    page.open()
    page.mode("Mix")
    page.drop("#style-grid", "own.png", encoded(80, 70, 5))
    page.page.wait_for_selector("#chosen:has-text('own')")
    page.slide("own", 100)
    result, _ = page.download()
    mixed = merge([stylizer.encode_style(styles / "flow_field.png"),
                   stylizer.encode_style(picture(80, 70, 5))], (50, 100))
    assert (np.asarray(result) == stylizer.stylize(picture(), mixed)).all()


def test_painted_regions_equal_masks_of_stylizer(page, stylizer, styles):
    page.open(encoded(120, 160))
    page.mode("Regions")
    page.shows("photograph")
    stroke(page.page, (0.25, 0.5), (0.5, 0.7))
    page.page.get_by_role("button", name="Mosaic").click()
    stroke(page.page, (0.4, 0.3), (0.6, 0.6))
    page.shows("preview")
    found = np.asarray(page.download()[0])
    flow_field, mosaic = (stylizer.encode_style(styles / f"{name}.png")
                          for name in ("flow_field", "mosaic"))
    expected = stylizer.stylize(picture(120, 160), [flow_field, mosaic], masks=masks(page.page, 2))
    assert (found == expected).all()
    assert (found[:, 130:] == picture(120, 160)[:, 130:]).all()  # stays photograph
    for _ in range(2):
        page.page.get_by_role("button", name="Undo").click()
    page.shows("photograph")


def test_the_brush_works_by_keyboard(page):
    page.open()
    page.mode("Regions")
    page.page.locator("#surface").focus()
    for key in ("ArrowLeft", "Space", "]"):
        page.page.keyboard.press(key)
    page.shows("preview")
    assert page.page.get_by_role("button", name="Undo").is_enabled()


def test_a_transparent_photograph_stays_so_as_png_and_the_page_says_what_jpeg_does(
        page, stylizer, styles):
    file = io.BytesIO()
    Image.fromarray(cutout()).save(file, "PNG")
    file.seek(0)
    page.open(file.getvalue(), "cutout.png")
    page.choose("File", "jpg")
    assert "JPEG shows transparent parts on white" in page.page.locator("#hint").inner_text()
    result = np.asarray(page.download("png")[0])
    assert "stay transparent" in page.page.locator("#hint").inner_text()
    assert (result[..., 3] == cutout()[..., 3]).all()
    expected = stylizer.stylize(images.read(file), styles / "flow_field.png")
    assert (result[..., :3] == expected).all()


def test_the_result_has_the_chosen_size_and_format_and_the_exif_data(page):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ada"
    page.open(encoded(format="JPEG", exif=exif), "ada.jpg")
    page.choose("Size", "other")
    page.page.get_by_label("Longer side").fill("100")
    result, name = page.download("jpg")
    assert (result.size, result.format, name) == ((100, 75), "JPEG", "ada_flow_field.jpg")
    assert result.getexif()[ExifTags.Base.Artist] == "Ada"


def test_errors_are_shown_and_the_page_still_works(page):
    page.drop("#stage", "notes.txt", b"no picture")
    message = page.page.get_by_role("alert").filter(has_text="is not a readable image")
    message.wait_for()
    page.page.get_by_role("button", name="Close this message").click()
    page.drop("#stage", "large.png", huge(20000, 15000))
    page.page.get_by_role("alert").filter(has_text="300 megapixels; the limit is 20").wait_for()
    page.open()
    page.choose("Size", "other")
    page.page.get_by_label("Longer side").fill("9000")
    page.page.get_by_role("button", name="Make the full picture").click()
    page.page.get_by_role("alert").filter(has_text="20 megapixels at most").wait_for()


def test_a_long_picture_is_cancelled(page):
    page.open(encoded(150, 200))
    page.choose("Quality", "40")
    page.page.get_by_role("button", name="Make the full picture").click()
    page.page.wait_for_selector("#progress-text:not(:empty)")
    page.page.get_by_role("button", name="Cancel").click()
    page.page.get_by_role("button", name="Make the full picture").wait_for()
    assert page.page.locator("#badge").inner_text() == "Cancelled"


def test_a_picture_that_the_server_removed_is_uploaded_again(page, client):
    page.open()
    content = encoded()
    sent = client.post("/api/pictures?name=photo.png", content=content).json()
    client.delete(f"/api/pictures/{sent['id']}")
    assert page.download()[0].size == (64, 48)


def test_two_tabs_make_their_pictures_at_once(page, browser, client):
    context = browser.new_context(accept_downloads=True)
    other = Page(context.new_page(), str(client.base_url))
    for each in (page, other):
        each.open()
        each.choose("File", "png")
    buttons = [each.page.get_by_role("button", name="Make the full picture")
               for each in (page, other)]
    with page.page.expect_download() as first, other.page.expect_download() as second:
        for button in buttons:
            button.click()
    assert (np.asarray(Image.open(first.value.path()))
            == np.asarray(Image.open(second.value.path()))).all()
    context.close()


def test_a_stopped_server_is_reported(browser, stylizer, styles):
    context = browser.new_context()
    with running(stylizer, styles) as client:
        page = Page(context.new_page(), str(client.base_url))
        page.open()
    page.slide("Strength", 10)
    page.page.get_by_role("alert").filter(has_text="adain web does not answer").wait_for()
    context.close()


def test_the_camera_s_picture_is_opened(page):
    page.page.get_by_role("button", name="Use the camera").click()
    page.page.get_by_role("button", name="Take the picture").click()
    page.page.wait_for_selector("#photo-name:text-is('camera.jpg')")
    page.shows("preview")


def test_all_controls_have_names_and_are_reached_by_tab(page):
    page.open()
    unnamed = page.page.evaluate("""() => [...document.querySelectorAll(
        "button, input:not([type=file]), select, [tabindex]")].filter((one) => one.checkVisibility()
        && !(one.labels?.length || one.ariaLabel || one.title || one.textContent.trim()))
        .map((one) => one.outerHTML)""")
    assert unnamed == []
    reached = set()
    for _ in range(40):
        page.page.keyboard.press("Tab")
        reached.add(page.page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert {"split", "mode", "add-style", "alpha", "strokes", "colors", "size", "quality", "format",
            "make"} <= reached


def test_the_main_job_needs_no_scrolling(page):
    page.open()
    assert page.page.evaluate("""() => [document.documentElement, document.getElementById("panel")]
        .every((one) => one.scrollHeight <= one.clientHeight + 1)""")
    page.page.set_viewport_size({"width": 390, "height": 844})
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    box = page.page.get_by_role("button", name="Make the full picture").bounding_box()
    assert box["y"] + box["height"] <= 844


def test_the_page_loads_nothing_from_other_servers(client):
    texts = [client.get("/").text]
    names = set(re.findall(r'(?:src|href)="([\w.]+)"', texts[0]))
    while names:
        name = names.pop()
        answer = client.get(f"/{name}")
        assert answer.status_code == 200, name
        texts.append(answer.text)
        if name.endswith(".js"):
            assert answer.headers["content-type"].startswith("text/javascript")
            names |= set(re.findall(r'from "\./([\w.]+)"', answer.text))
    assert not re.search(r"https?://(?!www\.w3\.org)", "".join(texts))
