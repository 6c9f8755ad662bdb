"""Both pages in Firefox: a photograph, a region, a strength and the picture that is downloaded."""

import base64
import io

import numpy as np
import pytest
from conftest import picture, script
from firefox import firefox
from PIL import Image
from web_server import KEEP_MASKS, cutout, encoded, running, write_styles

pytest.importorskip("starlette", reason="needs the extra web")
pytest.importorskip("httpx", reason="needs httpx")
pytest.importorskip("onnxruntime", reason="needs the extra export")

from adain.errors import OptionError
from adain.files import images
from adain.web import static

pytestmark = pytest.mark.slow
ARROW_LEFT = "\ue012"  # as WebDriver writes it


@pytest.fixture(scope="module")
def styles(tmp_path_factory):
    return write_styles(tmp_path_factory.mktemp("styles"))


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with firefox(tmp_path_factory.mktemp("firefox")) as found:
        yield found


@pytest.fixture(params=["server", "static"])
def page(request, tab, stylizer, styles, tmp_path):
    """A tab with the page; the largest difference from Stylizer that is allowed, of 255."""
    if request.param == "server":
        with running(stylizer, styles) as client:
            tab.goto(str(client.base_url))
            yield tab, 0
        return
    try:
        static.find_runtime()
    except OptionError as error:
        pytest.skip(str(error))
    static.write(tmp_path / "page", sorted(styles.iterdir()))
    with script("measure_browser").served(tmp_path / "page") as url:
        tab.goto(url)
        yield tab, 1


SHOWS = "document.getElementById('picture').dataset.shows === "


def drop(tab, data):
    """Drop a photograph, and wait for its preview; finished pictures will be PNG."""
    tab.wait("document.documentElement.dataset.ready === ''")
    tab.script(KEEP_MASKS)
    tab.script(f"""const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from({list(data)})], "photo.png",
            {{type: "image/png"}}));
        for (const kind of ["dragenter", "dragover", "drop"]) {{
            document.getElementById("stage").dispatchEvent(new DragEvent(kind,
                {{dataTransfer: transfer, bubbles: true, cancelable: true}}));
        }}
        document.getElementById("format").value = "png";
        document.getElementById("format").dispatchEvent(new Event("change"));""")
    tab.wait(SHOWS + "'preview'")


def make(tab):
    """Return the finished picture, which is downloaded."""
    tab.script("document.getElementById('make').click();")
    tab.wait(SHOWS + "'finished'")
    path = tab.downloaded(tab.script("return document.getElementById('save').download;"))
    with Image.open(path) as image:
        found = np.asarray(image).astype(int)
    path.unlink()
    return found


def test_a_painted_region_is_downloaded_as_stylizer_makes_it(page, stylizer, styles):
    tab, limit = page
    drop(tab, encoded(96, 128))
    tab.script("document.getElementById('alpha').focus(); "
               "document.querySelector('[name=mode][value=regions]').click();")
    tab.press(*[ARROW_LEFT] * 20)
    tab.wait(SHOWS + "'photograph'")
    box = tab.script("return document.getElementById('surface').getBoundingClientRect();")
    tab.drag(*((box["x"] + x * box["width"], box["y"] + y * box["height"])
               for x, y in ((0.2, 0.3), (0.5, 0.6), (0.6, 0.3))))
    tab.wait(SHOWS + "'preview'")
    made = make(tab)[..., :3]
    mask = tab.script("return masks.at(-1);").partition(",")[2]
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(mask))).convert("RGB"))
    assert tab.script("return document.getElementById('alpha').value;") == "80"
    expected = stylizer.stylize(picture(96, 128), [styles / "flow_field.png"], 0.8, masks=[mask])
    assert made.shape == expected.shape and abs(made - expected).max() <= limit


def test_a_transparent_photograph_stays_so(page, stylizer, styles):
    tab, limit = page
    file = io.BytesIO()
    Image.fromarray(cutout()).save(file, "PNG")
    drop(tab, file.getvalue())
    made = make(tab)
    file.seek(0)
    expected = stylizer.stylize(images.read(file), styles / "flow_field.png")
    assert (made[..., 3] == cutout()[..., 3]).all()
    # Firefox gives the static page rounded colours where it is partly transparent.
    seen = abs(made[..., :3] - expected) * (made[..., 3:] / 255)
    assert seen.mean() <= 2 * limit
