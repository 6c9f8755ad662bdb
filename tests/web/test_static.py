"""The static page in Chromium: it computes in the browser what Stylizer does."""

import contextlib
import io
import json
import os
import shutil
import time

import numpy as np
import pytest
from conftest import ROOT, picture, script
from PIL import Image

pytest.importorskip("starlette", reason="needs the extra web")
pytest.importorskip("onnxruntime", reason="needs the extra export")
pytest.importorskip("onnx", reason="needs the extra export")

from web_server import KEEP_MASKS, chromium, cutout, masks, stroke

from adain import Stylizer
from adain.commands import web
from adain.errors import OptionError
from adain.files import images
from adain.files.writer import on_white
from adain.networks.stats import merge
from adain.web import gallery, static

served = script("measure_browser").served
LIMIT = 1  # of 255, as both round to integers
# Of few values, where what was rounded in a coarse picture passes through the networks again.
COARSE_LIMIT = 4
pytestmark = pytest.mark.xdist_group("static")


def save(path, rows, columns, seed, **options):
    Image.fromarray(picture(rows, columns, seed)).save(path, **options)
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The folder of the static page, with two paintings, and the paintings."""
    try:
        static.find_runtime()
    except OptionError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("static")
    for seed, name in enumerate(("mosaic", "waves")):
        save(folder / f"{name}.png", 64, 80, 10 + seed)
    paintings = [folder / "mosaic.png", folder / "waves.png"]
    web.main(["--static", str(folder / "page"), "--style-path", *map(str, paintings)])
    return folder / "page", paintings


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def tab(browser, page):
    """A tab with the page, which must not print errors nor ask others for anything."""
    with served(page[0]) as url:
        found = browser.new_page()
        found.set_default_timeout(60_000)
        wrong, asked = [], []
        found.on("pageerror", lambda error: wrong.append(str(error)))
        found.on("console", lambda message: wrong.append(message.text)
                 if message.type == "error" else None)
        found.on("request", lambda request: asked.append(request.url))
        found.add_init_script(KEEP_MASKS)
        found.goto(url)
        found.wait_for_selector("html[data-ready]")
        yield found
        found.close()
        assert wrong == []
        assert [each for each in asked if not each.startswith((url, "blob:", "data:"))] == []


def make(tab, **choices):
    """Choose options of the page and return the finished picture's file."""
    for name, value in choices.items():
        tab.select_option(f"#{name}", value)
    with tab.expect_download() as download:
        tab.click("#make")
    return download.value.path().read_bytes()


def opened(tab, path, mode="one", style="waves"):
    """Open a photograph, to be made at full strength with one of the page's paintings."""
    tab.check(f"[name=mode][value={mode}]", force=True)
    tab.click(f"[data-style={style}]")
    slide(tab, "alpha", 100)
    tab.locator("#photo-name").evaluate("name => { name.textContent = ''; }")
    tab.set_input_files("#photo-file", path)
    tab.wait_for_selector(f"#photo-name:text-is('{path.name}')")
    tab.wait_for_selector("#picture[data-shows=preview]")


def slide(tab, name, value):
    tab.locator(f"#{name}").evaluate("""(input, value) => {
        input.value = value;
        input.dispatchEvent(new Event("input", {bubbles: true}));
    }""", value)


def read(source):
    return np.asarray(Image.open(source).convert("RGB")).astype(int)


def assert_near(made, expected, limit=LIMIT):
    found = read(io.BytesIO(made))
    assert found.shape == expected.shape
    assert abs(found - expected).max() <= limit


def test_the_picture_equals_stylizer(tab, page, stylizer, tmp_path):
    photograph = save(tmp_path / "photo.png", 53, 75, 1)
    opened(tab, photograph)
    slide(tab, "alpha", 70)
    expected = stylizer.stylize(photograph, stylizer.encode_style(page[1][1]), alpha=0.7)
    assert_near(make(tab, format="png"), expected)


def test_the_tiles_of_a_large_picture_equal_stylizer(tab, page, stylizer, tmp_path):
    photograph = save(tmp_path / "photo.png", 560, 700, 2)
    opened(tab, photograph)
    slide(tab, "strokes", 0)
    expected = stylizer.stylize(photograph, stylizer.encode_style(page[1][1]))
    assert_near(make(tab, format="png"), expected)
    slide(tab, "strokes", 2)


def test_a_mixture_with_a_painting_of_the_user_equals_stylizer(tab, page, stylizer, tmp_path):
    photograph, painting = (save(tmp_path / f"{name}.png", 48, 64, seed)
                            for seed, name in enumerate(("photo", "painting")))
    opened(tab, photograph)
    tab.check("[name=mode][value=mix]", force=True)
    tab.set_input_files("#style-file", painting)
    tab.wait_for_selector("#chosen .chosen-row:nth-child(2)")
    styles = [stylizer.encode_style(path) for path in (page[1][1], painting)]
    assert_near(make(tab, format="png"), stylizer.stylize(photograph, merge(styles, [1, 1])))


@pytest.mark.parametrize("mode", ["coral", "histogram", "luminance"])
def test_kept_colours_are_those_of_stylizer(tab, page, stylizer, tmp_path, mode):
    photograph, painting = (save(tmp_path / f"{name}.png", 48, 64, seed)
                            for seed, name in enumerate(("photo", "painting")))
    opened(tab, photograph)
    tab.set_input_files("#style-file", painting)
    tab.wait_for_selector("[data-style^=painting][aria-pressed=true]")
    made = make(tab, colors=mode, format="png")
    tab.select_option("#colors", "")
    expected = stylizer.stylize(photograph, painting, keep_colors=mode)
    # Recolouring rounds to 8 bits before the style is encoded, and luminance rounds once more.
    assert_near(made, expected, 2 * LIMIT)


def two_regions(tab):
    """Paint one region for each of the two paintings, which overlap."""
    tab.check("[name=mode][value=regions]", force=True)
    stroke(tab, (0.2, 0.3), (0.5, 0.6))
    tab.click("[data-style=mosaic]")
    stroke(tab, (0.4, 0.7), (0.8, 0.4))


@pytest.mark.parametrize("shape, choices, strokes", [
    ((48, 64), {}, 2),
    ((24, 1000), {}, 2),  # masks of the brush are smaller
    ((48, 64), {"size": "other"}, 2),  # a larger picture
    ((240, 250), {}, 5),  # at a coarse size first
], ids=["as large", "long", "enlarged", "coarse"])
def test_painted_regions_equal_masks_of_stylizer(tab, page, stylizer, tmp_path, shape, choices,
                                                 strokes):
    photograph = save(tmp_path / "photo.png", *shape, 1)
    opened(tab, photograph)
    slide(tab, "strokes", strokes)
    tab.locator("#other").evaluate("input => { input.value = 100; }")
    two_regions(tab)
    made = make(tab, format="png", **choices)
    tab.select_option("#size", "own")
    slide(tab, "strokes", 2)
    content = images.read(photograph)
    if choices:
        content = images.resize_shorter_side(content, 75)
    waves, mosaic = (stylizer.encode_style(page[1][index]) for index in (1, 0))
    expected = stylizer.stylize(content, [waves, mosaic], masks=masks(tab, 2),
                                coarse_size=224 if strokes == 5 else None)
    assert_near(made, expected, LIMIT if strokes == 2 else COARSE_LIMIT)


def test_the_other_parts_get_a_painting_as_with_masks_of_stylizer(tab, page, stylizer, tmp_path):
    photograph = save(tmp_path / "photo.png", 48, 64, 1)
    opened(tab, photograph)
    two_regions(tab)
    tab.locator("#chosen select").select_option("waves")
    made = make(tab, format="png")
    styles = [stylizer.encode_style(page[1][index]) for index in (1, 0)]
    assert_near(made, stylizer.stylize(photograph, styles, masks=masks(tab, 2)))


@pytest.mark.parametrize("size, strokes", [(90, 2), (None, 5), (300, 5)])
def test_sizes_and_strokes_are_those_of_stylizer(tab, page, stylizer, tmp_path, size, strokes):
    photograph = save(tmp_path / "photo.png", 240, 250, 1)
    opened(tab, photograph)
    slide(tab, "strokes", strokes)
    content = images.read(photograph)
    if size:
        tab.locator("#other").evaluate("(input, value) => { input.value = value; }", size)
        tab.select_option("#size", "other")
        content = images.resize_shorter_side(content, round(240 * size / 250))
    made = make(tab, format="png")
    tab.select_option("#size", "own")
    slide(tab, "strokes", 2)
    expected = stylizer.stylize(content, stylizer.encode_style(page[1][1]),
                                coarse_size=224 if strokes == 5 else None)
    assert_near(made, expected, LIMIT if strokes == 2 else COARSE_LIMIT)
    assert (abs(read(io.BytesIO(made)) - expected) > LIMIT).mean() < 1e-3


def test_a_transparent_photograph_stays_so_and_is_painted_as_in_python(tab, page, stylizer,
                                                                       tmp_path):
    photograph = tmp_path / "cutout.png"
    Image.fromarray(cutout()).save(photograph)
    opened(tab, photograph)
    found = images.open_picture(photograph)
    expected = stylizer.stylize(photograph, stylizer.encode_style(page[1][1]))
    made = make(tab, format="png")
    assert_near(made, expected)  # also where nothing is seen
    assert (np.asarray(Image.open(io.BytesIO(made)))[..., 3] == found.opacity).all()
    assert "stay transparent" in tab.inner_text("#hint")
    difference = read(io.BytesIO(make(tab, format="jpg"))) - on_white(expected, found.opacity)
    assert abs(difference.mean(axis=(0, 1))).max() < 1 and not difference[:, 50:].any()
    assert "on white" in tab.inner_text("#hint")


def test_a_transparent_picture_of_another_size_has_the_opacity_of_python(tab, tmp_path):
    photograph = tmp_path / "cutout.png"
    Image.fromarray(cutout(240, 320)).save(photograph)
    opened(tab, photograph)
    slide(tab, "strokes", 5)
    tab.locator("#other").evaluate("input => { input.value = 400; }")
    made = make(tab, size="other", format="png")
    tab.select_option("#size", "own")
    slide(tab, "strokes", 2)
    expected = images.resize(images.open_picture(photograph).opacity, 300, 400).astype(int)
    assert abs(np.asarray(Image.open(io.BytesIO(made)))[..., 3] - expected).max() <= 1


def test_the_preview_of_a_small_photograph_has_the_strokes_of_the_picture(tab, page, stylizer,
                                                                          tmp_path):
    photograph = save(tmp_path / "photo.png", 60, 80, 1)
    opened(tab, photograph)
    tab.locator("#other").evaluate("input => { input.value = 200; }")
    tab.select_option("#size", "other")
    shown = tab.locator("#after").evaluate("""async (image) => {
        while (image.naturalWidth !== 200) {
            await new Promise((resolve) => image.addEventListener("load", resolve, {once: true}));
        }
        return [...new Uint8Array(await (await fetch(image.src)).arrayBuffer())];
    }""")
    assert "finer strokes" not in tab.inner_text("#hint")
    tab.select_option("#size", "own")
    expected = stylizer.stylize(images.resize_shorter_side(images.read(photograph), 150),
                                stylizer.encode_style(page[1][1]))
    difference = (read(io.BytesIO(bytes(shown))) - expected) @ (0.299, 0.587, 0.114)
    assert abs(difference).mean() < 5  # JPEG keeps luminance better than colours


def test_medium_strokes_of_a_large_picture_are_those_of_its_preview(tab, tmp_path):
    opened(tab, save(tmp_path / "photo.png", 60, 80, 1))
    tab.locator("#other").evaluate("input => { input.value = 3000; }")
    tab.select_option("#size", "other")
    hints = []
    for strokes in 2, 1:
        slide(tab, "strokes", strokes)
        hints.append("finer strokes" in tab.inner_text("#hint"))
    tab.select_option("#size", "own")
    slide(tab, "strokes", 2)
    assert hints == [False, True]


def test_jpeg_keeps_exif_and_is_upright(tab, tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    photograph = save(tmp_path / "photo.jpg", 48, 64, 1, exif=exif)
    opened(tab, photograph)
    for kind in "jpg", "png":
        made = Image.open(io.BytesIO(make(tab, format=kind)))
        assert made.size == (48, 64)  # upright: rotated by a quarter
        assert (made.getexif()[0x010F], made.getexif()[0x0112]) == ("Maker", 1)


def test_the_page_works_without_its_host_once_loaded(browser, page, tmp_path):
    context = browser.new_context()
    tab = context.new_page()
    with served(page[0]) as url:
        tab.goto(url)
        tab.wait_for_selector("html[data-ready]")
        assert tab.evaluate("crossOriginIsolated")  # so that WebAssembly may use threads
    tab.reload()  # from the service worker, as nobody serves it any more
    tab.wait_for_selector("html[data-ready]")
    opened(tab, save(tmp_path / "photo.png", 40, 56, 1))
    assert make(tab).startswith(b"\xff\xd8")
    context.close()


def test_the_page_works_if_its_service_worker_cannot_be_installed(browser, page, tmp_path):
    shutil.copytree(page[0], tmp_path / "page", copy_function=os.link)
    (tmp_path / "page" / "icon.svg").unlink()  # which the service worker wants to keep
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    with served(tmp_path / "page") as url:
        tab.goto(url)
        tab.wait_for_selector("html[data-ready]")
        opened(tab, save(tmp_path / "photo.png", 40, 56, 1))
        assert make(tab).startswith(b"\xff\xd8")
    context.close()


@pytest.mark.slow
def test_a_server_at_the_address_of_a_static_page_replaces_it(browser, page):
    """As when `adain web` starts at a port where a static page was looked at before."""
    context = browser.new_context()
    tab = context.new_page()
    with served(page[0]) as url:
        tab.goto(url)
        tab.wait_for_selector("html[data-ready]")
    with served(static.PAGE, int(url.split(":")[-1].strip("/"))):
        tab.goto(url)  # the old page, while its worker looks for a new one
        count, deadline = 1, time.monotonic() + 60
        while count and time.monotonic() < deadline:
            tab.wait_for_timeout(50)
            with contextlib.suppress(Exception):  # while the page is loaded again
                count = tab.evaluate(
                    "navigator.serviceWorker.getRegistrations().then((found) => found.length)")
        tab.goto(url)
        text = tab.evaluate("fetch('engine.js').then((found) => found.text())")
        assert "engine_server.js" in text
    context.close()


def test_a_picture_is_cancelled_in_the_middle(tab, tmp_path):
    opened(tab, save(tmp_path / "photo.png", 700, 900, 1))
    tab.click("#make")
    tab.wait_for_selector("#progress[value]:not([value='0'])")
    tab.click("#cancel")
    tab.wait_for_selector("#badge:text-is('Cancelled')")
    opened(tab, save(tmp_path / "other.png", 40, 56, 2))  # the page goes on
    assert make(tab, format="jpg").startswith(b"\xff\xd8")


def test_a_file_that_is_not_a_picture_is_refused_with_a_message(tab, tmp_path):
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    tab.set_input_files("#photo-file", tmp_path / "song.mp3")
    tab.wait_for_selector("#message-text:text('song.mp3 is not a picture')")


def test_a_picture_beyond_the_limit_is_refused_with_a_message(tab, tmp_path):
    Image.new("L", (9000, 6000)).save(tmp_path / "huge.png")
    tab.set_input_files("#photo-file", tmp_path / "huge.png")
    tab.wait_for_selector("#message-text:text('huge.png has 9000 × 6000 pixels; the limit')")


def test_controls_that_need_the_server_are_hidden(tab, page, tmp_path):
    opened(tab, save(tmp_path / "photo.png", 40, 56, 1))
    assert not tab.is_visible("#quality") and tab.is_visible("#strokes")
    assert not (page[0] / "engine_server.js").exists()


def test_the_security_policy_allows_no_other_sites(page):
    index = (page[0] / "index.html").read_text()
    assert "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'" in index


def test_a_folder_with_other_files_is_not_replaced(page, tmp_path):
    (tmp_path / "diary.txt").write_text("")
    with pytest.raises(OptionError, match="holds other files"):
        static.write(tmp_path)
    version = json.loads((page[0] / "models" / "networks.json").read_text())
    assert version["channels"] == 384


def test_paintings_may_be_tuned(tmp_path, small_references):
    """They are saved losslessly, and have the page's size already."""
    painting = save(tmp_path / "mosaic.png", 64, 80, 10)
    (tmp_path / "page").mkdir()
    static._write_pictures(tmp_path / "page", [painting], 1)
    [written] = json.loads((tmp_path / "page" / "pictures.json").read_text())["styles"]
    tuned = Stylizer("compact", precision="float32").encode_style(painting, tune=1)
    np.testing.assert_array_equal(np.float32([written["mean"], written["std"]]), tuned)
    with pytest.raises(OptionError, match="--tune is for the paintings of a page that --static"):
        web.main(["--tune"])


@pytest.mark.parametrize("checkout, command", [
    (True, r"npm ci --prefix .*node"), (False, "npm install onnxruntime-web@1.30.0")])
def test_without_its_runtime_the_page_is_not_written(tmp_path, monkeypatch, checkout, command):
    (tmp_path / "node").mkdir()
    if checkout:
        (tmp_path / "node" / "package.json").touch()
    monkeypatch.setattr(static, "NODE", tmp_path / "node")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=f"onnxruntime-web 1.30.0 .*install it with `{command}`"):
        static.write(tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_an_installation_without_paintings_reports_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    monkeypatch.setattr(static, "NODE", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="npm install"):
        web.main(["--static", "page"])
    assert "no paintings" in capsys.readouterr().err


def test_its_runtime_is_found_from_a_folder_below_as_node_does(tmp_path, monkeypatch):
    monkeypatch.setattr(static, "NODE", tmp_path / "none")
    package = tmp_path / "node_modules" / "onnxruntime-web"
    (tmp_path / "site").mkdir()
    package.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "site")
    for version in "1.29.0", static.RUNTIME_VERSION:
        (package / "package.json").write_text(json.dumps({"version": version}))
        with contextlib.suppress(OptionError):
            assert static.find_runtime() == package / "dist" and version == static.RUNTIME_VERSION
    wanted = json.loads((ROOT / "web" / "package.json").read_text())["dependencies"]
    assert wanted["onnxruntime-web"] == static.RUNTIME_VERSION


def test_the_package_lock_names_no_registry():
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    assert not [name for name, about in lock["packages"].items() if "resolved" in about]
