"""The server of adain web: what it answers, what it refuses, and that it goes on answering."""

import asyncio
import contextlib
import io
import json
import os
import random
import re
import socket
import threading

import numpy as np
import pytest
from conftest import ROOT, picture
from PIL import ExifTags, Image

pytest.importorskip("starlette", reason="needs the extra web")
pytest.importorskip("uvicorn", reason="needs the extra web")
httpx = pytest.importorskip("httpx", reason="needs httpx")

from web_server import encoded, huge, running, write_styles

from adain.errors import NetworkMemoryError, OptionError
from adain.files import images
from adain.networks.stats import merge
from adain.transfer import color
from adain.web.api import Api
from adain.web.gallery import Gallery
from adain.web.guard import Guard
from adain.web.limits import BusyError, Limits, SlowError
from adain.web.server import serve
from adain.web.settings import NAMES
from adain.web.work import Job, JobQueue

PHOTO = {"content": ("photo.png", encoded())}
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def styles(tmp_path_factory):
    return write_styles(tmp_path_factory.mktemp("styles"))


@pytest.fixture(scope="module")
def client(stylizer, styles):
    with running(stylizer, styles, Limits(max_pixels=1_000_000, body_bytes=3_000_000)) as found:
        yield found


def stylize(client, files=PHOTO, headers=None, **fields):
    return client.post("/api/stylize", data={"style": "mosaic", "format": "png", **fields},
                       files=files, headers=headers)


def decoded(answer):
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def events(answer):
    """Return the names and the data of the events in a stream."""
    parts = [part.split("\n") for part in answer.text.split("\n\n") if part.startswith("event")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
            for name, data in parts]


def test_a_result_equals_that_of_stylizer(client, stylizer, styles):
    answer = stylize(client, alpha="0.7")
    expected = stylizer.stylize(picture(), stylizer.encode_style(styles / "mosaic.png"), 0.7)
    assert (decoded(answer) == expected).all()
    assert 'filename="photo_mosaic.png"' in answer.headers["content-disposition"]


def test_a_mixture_has_the_weights_of_the_request(client, stylizer, styles):
    answer = stylize(client, style=["mosaic", "flow_field"], style_weights="0.7, 0.3")
    mixed = merge([stylizer.encode_style(styles / f"{name}.png")
                   for name in ("mosaic", "flow_field")], (0.7, 0.3))
    assert (decoded(answer) == stylizer.stylize(picture(), mixed)).all()


def test_masks_give_each_style_its_region(client, stylizer, styles):
    left = np.zeros((48, 64), np.uint8)
    left[:, :30] = 255
    masks = []
    for mask in (left, 255 - left):
        file = io.BytesIO()
        Image.fromarray(mask).save(file, "PNG")
        masks.append(("mask", ("mask.png", file.getvalue())))
    answer = stylize(client, [*PHOTO.items(), *masks], style=["mosaic", "flow_field"])
    expected = stylizer.stylize(picture(), [styles / "mosaic.png", styles / "flow_field.png"],
                                masks=[left, 255 - left])
    assert (decoded(answer) == expected).all()


@pytest.mark.parametrize("mode", color.COLOR_MODES)
def test_colours_are_kept_as_stylizer_keeps_them(client, stylizer, styles, mode):
    expected = stylizer.stylize(picture(), styles / "mosaic.png", keep_colors=mode)
    assert (decoded(stylize(client, keep_colors=mode)) == expected).all()


def test_size_strokes_and_refinement_are_stylizer_s(client, stylizer, styles):
    answer = stylize(client, content_size="96", coarse_size="40", refine="1")
    expected = stylizer.stylize(images.resize_shorter_side(picture(), 96), styles / "mosaic.png",
                                coarse_size=40, refine=1)
    assert (decoded(answer) == expected).all()


@pytest.mark.parametrize("format", ["jpg", "png"])
def test_a_result_is_upright_and_keeps_its_exif(client, format):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist], exif[ExifTags.Base.Orientation] = "Ada", 6
    photo = ("photo.jpg", encoded(48, 64, format="JPEG", exif=exif))
    result = Image.open(io.BytesIO(stylize(client, {"content": photo}, format=format).content))
    assert result.size == (48, 64) and result.getexif()[ExifTags.Base.Artist] == "Ada"
    sent = client.post("/api/pictures?name=photo.jpg", content=photo[1]).json()
    assert (sent["width"], sent["height"]) == (48, 64)
    assert decoded(client.get(sent["picture"])).shape == (64, 48, 3)


def test_an_uploaded_picture_is_used_by_its_id(client):
    sent = [client.post(f"/api/pictures?name={name}.png", content=PHOTO["content"][1]).json()
            for name in "ab"]
    assert sent[0] == sent[1]
    painted = stylize(client, None, content=sent[0]["id"])
    assert (decoded(painted) == decoded(stylize(client))).all()
    assert client.delete(f"/api/pictures/{sent[0]['id']}").status_code == 204
    assert stylize(client, None, content=sent[0]["id"]).status_code == 404


def test_progress_grows_and_ends_with_the_address_of_the_result(client):
    answer = stylize(client, headers=STREAM, content_size="700", coarse_size="100")
    assert answer.headers["content-type"].startswith("text/event-stream")
    names, data = zip(*events(answer))
    assert set(names) == {"progress", "done"} and names[-1] == "done"
    shares = [each["share"] for each in data[:-1]]
    assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] <= 1
    done = data[-1]
    result = client.get(done["url"])
    assert decoded(result).shape == (700, 933, 3) == (done["height"], done["width"], 3)
    assert len(result.content) == done["bytes"]
    assert client.delete(done["url"]).status_code == 204
    assert client.get(done["url"]).status_code == 404


def test_a_preview_is_a_small_jpeg(client):
    photo = ("photo.png", encoded(700, 800))
    answer = stylize(client, {"content": photo}, preview="320", refine="40", content_size="9000")
    assert answer.headers["content-type"] == "image/jpeg"
    assert decoded(answer).shape == (320, 366, 3)
    assert decoded(stylize(client, preview="96")).shape == (96, 128, 3)
    panorama = stylize(client, {"content": ("wide.png", encoded(20, 2000))}, preview="640")
    assert decoded(panorama).shape == (78, 7800, 3)


def test_styles_and_samples_are_listed_with_their_pictures(client):
    listed = client.get("/api/styles").json()
    assert [each["title"] for each in listed] == ["Flow field", "Mosaic"]
    assert decoded(client.get(listed[0]["picture"])).shape == (64, 64, 3)
    for sample in client.get("/api/samples").json():
        assert client.get(sample["picture"]).status_code == 200


def test_paintings_with_equal_or_invalid_names_are_listed(tmp_path):
    for folder, name in (("a", b"sea.png"), ("b", b"sea.png"), ("b", b"\xff.png")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / os.fsdecode(name)).write_bytes(encoded())
    gallery = Gallery([tmp_path], "style", 10_000)
    assert [each["id"] for each in gallery.listing()] == ["sea", "sea-2", "?"]
    assert gallery.get("sea-2").shape == (48, 64)


def test_two_requests_at_once_are_both_answered(client):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(stylize(client, content_size="300")))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, *others = map(decoded, answers)
    assert all((first == other).all() for other in others)


BLACK = io.BytesIO()
Image.new("L", (8, 8)).save(BLACK, "PNG")


@pytest.mark.parametrize("fields, files, status, words", [
    ({}, {"content": ("notes.txt", b"not a picture")}, 415, "notes.txt is not a readable image"),
    ({}, {"content": ("none.png", b"")}, 415, "none.png is empty"),
    ({}, {"content": ("huge.png", huge(20000, 15000))}, 413, "300 megapixels; the limit is 1"),
    ({}, {"content": ("cut.png", PHOTO["content"][1][:200])}, 415, "cut.png is not a readable"),
    ({}, {"content": ("large.png", bytes(4_000_000))}, 413, "may have at most 3 MB"),
    ({}, None, 400, "one `content` is needed"),
    ({"content": "f" * 32}, None, 404, "there is no picture"),
    ({"content": "none"}, None, 404, "there is no sample 'none'"),
    ({"style": []}, PHOTO, 400, "`style` is missing"),
    ({"style": "monet"}, PHOTO, 404, "no style 'monet'; there are: flow_field, mosaic"),
    ({"alhpa": "1"}, PHOTO, 400, "`alhpa` is unknown; the fields are content, style, mask, alpha"),
    ({"alpha": ["1", "0"]}, PHOTO, 400, "`alpha` is given 2 times"),
    ({"alpha": "strong"}, PHOTO, 400, "`alpha` must be a number; received 'strong'"),
    ({"alpha": "1.5"}, PHOTO, 400, "`alpha` must be from 0 to 1; received 1.5"),
    ({"alpha": "nan"}, PHOTO, 400, "`alpha` must be from 0 to 1; received nan"),
    ({"refine": "1.5"}, PHOTO, 400, "`refine` must be a whole number"),
    ({"refine": "9999"}, PHOTO, 400, "`refine` must be from 0 to 500"),
    ({"format": "gif"}, PHOTO, 400, "`format` must be one of jpg, png; received gif"),
    ({"keep_colors": "all"}, PHOTO, 400, "`keep_colors` must be one of coral"),
    ({"content_size": "5000"}, PHOTO, 413, "`content_size=5000` would make 6667 x 5000"),
    ({"style_weights": "1 2"}, PHOTO, 400, "1 styles need as many weights; received 2"),
    ({"style_weights": "much"}, PHOTO, 400, "`style_weights` must be numbers"),
    ({"alpha": "1"}, {**PHOTO, "alpha": ("a.png", b"x")}, 400, "`alpha` is a file"),
    ({"style": ["mosaic", "flow_field"]}, {**PHOTO, "mask": ("m.png", BLACK.getvalue())}, 400,
     "2 styles need 2 `mask`; received 1"),
    ({}, {**PHOTO, "mask": ("m.png", BLACK.getvalue())}, 400, "mask number 1 is all black"),
    ({"style_weights": "1"}, {**PHOTO, "mask": ("m.png", BLACK.getvalue())}, 400,
     "`style_weights` mixes styles everywhere, `mask`")])
def test_a_bad_request_gets_its_status_and_one_clear_sentence(client, fields, files, status, words):
    answer = stylize(client, files, **fields)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    assert decoded(stylize(client)).shape == (48, 64, 3)


@pytest.mark.parametrize("method, path, options, status", [
    ("GET", "/api/none", {}, 404), ("GET", "/none.html", {}, 404), ("PUT", "/api/stylize", {}, 405),
    ("GET", "/../../setup.cfg", {}, 404), ("GET", "/%2e%2e/%2e%2e/setup.cfg", {}, 404),
    ("GET", "/api/results/none", {}, 404), ("GET", "/api/styles/none", {}, 404),
    ("POST", "/api/stylize", {"json": {"style": "mosaic"}}, 400),
    ("POST", "/api/stylize", {"content": b"--", "headers": {
        "Content-Type": "multipart/form-data"}}, 400),
    ("GET", "/api", {"headers": {"Host": "evil.example"}}, 421),
    ("GET", "/", {"headers": {"Host": "127.0.0.1:1"}}, 421),
    ("GET", "/", {"headers": {"Host": ""}}, 421),
    ("GET", "/api", {"headers": {"Origin": "http://evil.example"}}, 403),
    ("POST", "/api/stylize", {"headers": {"Origin": "null"}}, 403),
    ("POST", "/api/pictures", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
    ("POST", "/api/pictures", {"content": iter([bytes(1 << 20)] * 5)}, 413)])
def test_other_addresses_hosts_and_sites_are_refused(client, method, path, options, status):
    answer = client.request(method, path, **options)
    assert answer.status_code == status and answer.json()["error"]


def test_a_body_far_beyond_the_limit_is_refused_before_it_is_sent(client):
    with socket.create_connection(("127.0.0.1", client.base_url.port)) as other:
        other.sendall(f"POST /api/pictures HTTP/1.1\r\nHost: {client.base_url.netloc.decode()}\r\n"
                      "Content-Length: 99999999999\r\n\r\n".encode())
        assert other.recv(100).startswith(b"HTTP/1.1 413 ")


def test_every_answer_forbids_other_sites_scripts_and_frames(client):
    for answer in (client.get("/"), client.get("/api/none"),
                   client.get("/", headers={"Host": "evil.example"})):
        assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers


def test_every_field_is_in_the_docs():
    table = (ROOT / "docs" / "web.md").read_text().partition("| field |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.M)
    assert sorted(named) == sorted(("content", "style", "mask", *NAMES))


def test_links_of_other_sites_to_the_page_work(client):
    answer = client.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert answer.status_code == 200


def test_only_this_machine_can_connect_to_the_server(client):
    with socket.socket() as other, pytest.raises(OSError):
        other.connect(("127.0.0.2", client.base_url.port))  # as any address but 127.0.0.1


def test_a_port_in_use_is_refused_with_a_way_out(client, styles):
    port = client.base_url.port
    with pytest.raises(OptionError, match=f"port {port} is used by another program.*`port=0`"):
        serve(port, style_path=[styles])
    with pytest.raises(OptionError, match="`port` must be from 0 to 65535; received 70000"):
        serve(70000, style_path=[styles])


def test_the_server_still_answers_after_two_hundred_malformed_requests(client, capfd):
    generator = random.Random(0)
    body = client.build_request("POST", "/api/stylize", data={"style": "mosaic"}, files=PHOTO)
    body.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in body.headers.items())
    whole = f"POST /api/stylize HTTP/1.1\r\n{head}\r\n".encode() + body.content
    for _ in range(200):
        broken = bytearray(whole)
        for _ in range(generator.randint(1, 12)):
            place = generator.randrange(min(len(broken), generator.choice((60, 400, 1 << 20))))
            broken[place:place + generator.randint(0, 3)] = generator.randbytes(
                generator.randint(0, 3))
        with socket.create_connection(("127.0.0.1", client.base_url.port)) as other:
            other.sendall(broken[:generator.choice((len(broken), generator.randrange(2000)))])
    answer = None
    while answer is None or answer.status_code == 503:
        # Until it has noticed that those connections are closed; before, it may also close the
        # connection while the client is still sending. One that is gone is a ConnectError.
        with contextlib.suppress(httpx.ReadError, httpx.WriteError):
            answer = stylize(client)
    assert decoded(answer).shape == (48, 64, 3)
    assert "Traceback" not in capfd.readouterr().err


def test_a_closed_request_ends_its_work(client):
    """Else the next picture would wait for hundreds of iterations on a large one."""
    fields = {"style": "mosaic", "refine": "500", "content_size": "800"}
    with client.stream("POST", "/api/stylize", data=fields, files=PHOTO, headers=STREAM) as answer:
        next(answer.iter_text())
    assert decoded(stylize(client)).shape == (48, 64, 3)


def test_an_error_of_the_computation_ends_the_stream_of_events(client):
    files = {**PHOTO, "mask": ("m.png", BLACK.getvalue())}
    (name, data), = events(stylize(client, files, STREAM))[-1:]
    assert name == "error" and data["status"] == 400 and "all black" in data["error"]


def test_a_body_that_does_not_arrive_is_an_error():
    async def silent():
        await asyncio.Event().wait()

    async def read(scope, receive, send):
        with pytest.raises(SlowError, match="not sent on for 0.01 seconds"):
            await receive()

    scope = {"type": "http", "headers": [(b"host", b"localhost:80")]}
    asyncio.run(Guard(read, 80, Limits(pause=0.01))(scope, silent, None))


def test_networks_that_ran_out_of_memory_stop_the_server():
    errors = []
    api = Api("compact", None, Gallery([], "style", 1), Gallery([], "sample", 1), Limits(),
              errors.append)
    assert api.answer_to(MemoryError())[0] == 503 and errors == []
    assert api.answer_to(NetworkMemoryError("short"))[0] == 503 and len(errors) == 1
    api.close()


def test_more_jobs_than_the_queue_holds_are_refused_until_one_is_done():
    queue, may_end = JobQueue("test", 1, 60), threading.Event()
    jobs = [Job() for _ in range(4)]
    for job in jobs[:2]:
        queue.add(job, lambda job: may_end.wait())
    with pytest.raises(BusyError, match="2 pictures are waiting"):
        queue.add(jobs[2], lambda job: None)
    jobs[1].stop.ask("its request was closed")
    queue.add(jobs[3], lambda job: "made")
    may_end.set()
    assert jobs[3].future.result() == "made"
    with pytest.raises(BusyError, match="ended: its request was closed"):
        jobs[1].future.result()
    queue.close()


def test_a_job_that_takes_too_long_is_ended():
    queue, job = JobQueue("test", 1, 0.01), Job()

    def work(job):
        while True:
            job.stop.check()

    queue.add(job, work)
    with pytest.raises(BusyError, match="took longer than 0.01 seconds"):
        job.future.result()
    queue.close()
