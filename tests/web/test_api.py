"""The server of adain web: what it answers, and what it refuses."""

import io

import numpy as np
import pytest
from conftest import picture
from PIL import Image

pytest.importorskip("starlette", reason="needs the extra web")
pytest.importorskip("httpx", reason="needs httpx")

from starlette.testclient import TestClient

from adain.web.api import Api
from adain.web.app import create_app
from adain.web.gallery import Gallery
from adain.web.limits import Limits
from adain.web.painting import Painter
from adain.web.server import loaded


def encoded(rows=48, columns=64, seed=0, format="PNG", **settings):
    file = io.BytesIO()
    Image.fromarray(picture(rows, columns, seed)).save(file, format, **settings)
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("styles")
    for seed, name in enumerate(("mosaic", "flow_field")):
        (found / f"{name}.png").write_bytes(encoded(64, 64, 10 + seed))
    return found


@pytest.fixture
def client(stylizer, folder, request):
    limits = getattr(request, "param", Limits())
    api = Api("compact", Painter(loaded(stylizer), limits.max_pixels),
              Gallery([folder], "style", limits.max_pixels),
              Gallery([], "sample", limits.max_pixels), limits)
    with TestClient(create_app(api, 8000, limits), base_url="http://127.0.0.1:8000") as found:
        yield found


def decoded(answer):
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_a_result_is_what_stylizer_makes(client, stylizer, folder):
    answer = client.post("/api/stylize", data={"style": "mosaic", "alpha": "0.7", "format": "png"},
                         files={"content": ("photo.png", encoded())})
    style = stylizer.encode_style(folder / "mosaic.png")
    assert (decoded(answer) == stylizer.stylize(picture(), style, 0.7)).all()
    assert 'filename="photo_mosaic.png"' in answer.headers["content-disposition"]
