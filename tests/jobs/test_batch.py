import os
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT

from adain.errors import ImageError, OptionError
from adain.files import images
from adain.jobs import pipeline as batch
from adain.jobs.memory_budget import Size
from adain.jobs.order import stored_shape


def run(jobs, **changes):
    """Run jobs whose pictures are words; return the outcomes and what was written."""
    written = {}

    def write(path, word):
        written[path] = word
        return path

    steps = {"read": lambda path, claim: path.stem, "write": write, "existing": lambda path: None,
             "stylize": lambda word, job: f"{word} in {job.style}", **changes}
    return list(batch.run(jobs, **steps)), written


JOBS = [batch.Job(Path(content), style, Path(f"{content}{style}"))
        for content in "abc" for style in "xy"]


def test_every_job_is_done_once():
    outcomes, written = run(JOBS)
    assert [outcome.status for outcome in outcomes] == [batch.DONE] * 6
    assert written == {job.out_path: f"{job.content} in {job.style}" for job in JOBS}


def test_a_content_is_read_once_for_all_its_styles():
    read = []
    run(JOBS, read=lambda path, claim: read.append(path) or "word")
    assert read == [Path("a"), Path("b"), Path("c")]


def test_contents_of_equal_shape_are_consecutive_with_all_their_styles():
    shapes, read, prepared = {"a": (8, 16), "b": (8, 8), "c": (8, 16)}, [], []
    outcomes, written = run(JOBS, read=lambda path, claim: read.append(path.stem) or path.stem,
                            shape=lambda path: shapes[path.stem],
                            stylize=lambda word, job: prepared.append(job) or word)
    assert "".join(read) == "bac" and len(written) == 6
    assert [f"{job.content}{job.style}" for job in prepared] == ["bx", "by", "ax", "ay", "cx", "cy"]


def test_only_regular_files_are_opened_to_read_their_shape(tmp_path):
    images.write(tmp_path / "a.png", np.zeros((3, 5, 3), np.uint8))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    os.mkfifo(tmp_path / "c.png")
    assert [stored_shape(tmp_path / f"{name}.png") for name in ("a", "b", "c", "d", 300 * "e")] == [
        (3, 5), *4 * [None]]


def test_reading_and_writing_overlap_with_computing():
    ahead = threading.Event()

    def read(path, claim):
        if path == Path("b"):
            ahead.set()
        return "word"

    def stylize(word, job):
        assert ahead.wait(10), "the second content is not read while the first is computed"
        return word

    run(JOBS, read=read, stylize=stylize)


@pytest.mark.parametrize("step", ["read", "stylize", "write", "existing"])
@pytest.mark.parametrize("error, message", [
    (ImageError("no picture"), "bx?: no picture"), (OptionError("too large"), "bx?: too large"),
    (OSError(36, "File name too long"), "bx?: File name too long."),
    (MemoryError(), "bx?: there is not enough memory for it."),
    (cv2.error("std::bad_alloc"), "bx?: there is not enough memory for it.")])
def test_a_bad_picture_fails_alone(step, error, message):
    def fail(path, *rest):
        if str(path).startswith("b"):
            raise error
        return {"write": path, "existing": None}.get(step, path)

    outcomes, _ = run(JOBS, **{"read": lambda path, claim: str(path), step: fail})
    failed = [outcome.job.content.name for outcome in outcomes if outcome.status == batch.FAILED]
    assert failed == ["b", "b"] and len(outcomes) == 6
    assert re.fullmatch(message, str(next(found.error for found in outcomes if found.error)))


def test_a_bad_style_fails_the_results_that_need_it():
    def prepare(style):
        if style == "x":
            raise ImageError("bad")

    outcomes, written = run(JOBS, prepare=prepare)
    assert [outcome.status for outcome in outcomes].count(batch.FAILED) == 3
    assert sorted(map(str, written)) == ["ay", "by", "cy"]


def test_styles_of_existing_results_are_not_prepared():
    prepared = []
    run(JOBS, prepare=prepared.append,
        existing=lambda path: path if path.name.endswith("x") else None)
    assert prepared == ["y"] * 3


def test_a_batch_that_is_stopped_reads_no_more():
    read = []
    jobs = [batch.Job(Path(f"{index}"), "x", Path(f"out{index}")) for index in range(20)]
    outcomes = batch.run(jobs, lambda path, claim: read.append(path) or "word",
                         lambda word, style: word, lambda path, word: path)
    next(outcomes)
    outcomes.close()
    assert len(read) < 10


@pytest.mark.parametrize("error", [ZeroDivisionError, BrokenPipeError])
def test_other_errors_end_the_batch(error):
    def write(path, word):
        raise error

    with pytest.raises(error):
        run(JOBS, write=write)


def test_existing_results_are_not_made_again():
    outcomes, written = run(JOBS, existing=lambda path: path if path == Path("ay") else None)
    assert [outcome.status for outcome in outcomes].count(batch.EXISTS) == 1
    assert Path("ay") not in written and len(written) == 5


def test_pictures_in_memory_never_exceed_the_limit():
    """What is read ahead and written behind counts; a picture larger than the room is alone."""
    now, most, sizes = Counter(), [], {"a": 30, "b": 30, "c": 200, "d": 30}
    jobs = [batch.Job(Path(content), style, Path(f"{content}{style}"))
            for content in sizes for style in "xyz"]

    ahead, lock = threading.Event(), threading.Lock()

    def count(name, size):
        with lock:
            now[name] += size
            most.append(+now)

    def read(path, claim):
        claim(Size(sizes[path.name], 10))
        count(path.name, sizes[path.name])
        if path.name == "b":
            ahead.set()
        return path.name

    def stylize(word, job):
        assert word != "a" or ahead.wait(10), "there is room for the second content"
        count(f"{word}{job.style}", 10)
        return word

    def write(path, word):
        count(str(path), -10)
        if path.name.endswith("z"):
            count(path.name[0], -sizes[path.name[0]])
        return path

    outcomes, _ = run(jobs, read=read, stylize=stylize, write=write, memory_limit=100)
    assert [outcome.status for outcome in outcomes] == [batch.DONE] * 12
    assert all(sum(held.values()) <= 100 or {name[0] for name in held} == {"c"} for held in most)


def test_a_picture_that_fails_releases_its_memory():
    def read(path, claim):
        claim(Size(100, 0))
        if path.name == "a":
            raise ImageError("no picture")
        return path.name

    def stylize(word, job):
        if word == "b":
            raise ImageError("no picture")
        return word

    outcomes, written = run(JOBS, read=read, stylize=stylize, memory_limit=100)
    assert sorted(map(str, written)) == ["cx", "cy"] and len(outcomes) == 6


def test_a_batch_that_is_stopped_does_not_wait_for_memory():
    def read(path, claim):
        claim(Size(100, 0))
        return "word"

    outcomes = batch.run(JOBS, read, lambda word, style: word, lambda path, word: path,
                         memory_limit=100)
    next(outcomes)
    outcomes.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_released_by_whichever_thread_used_it(tmp_path):
    images.write(tmp_path / "a.bmp", np.zeros((3000, 4000, 3), np.uint8))
    program = """if True:
        import sys
        from concurrent.futures import ThreadPoolExecutor
        import adain.commands
        from adain.files import images

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096

        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            reader.submit(lambda: None).result(), writer.submit(lambda: None).result()
            before = resident()
            picture = reader.submit(images.read, sys.argv[1]).result()
            writer.submit(images.write, sys.argv[1], picture).result()
            del picture
            print(resident() - before)
        """
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "a.bmp"], cwd=ROOT,
                          capture_output=True, text=True, timeout=100)
    assert int(done.stdout) < 30_000_000, done.stderr
