import threading
from pathlib import Path

import pytest

from adain import batch
from adain.errors import ImageError


def run(jobs, **changes):
    """Run jobs whose pictures are words; return the outcomes and what was written."""
    written = {}

    def write(path, word):
        written[path] = word
        return path

    steps = {"read": lambda path: path.stem, "write": write, "exists": lambda path: False,
             "stylize": lambda word, style: f"{word} in {style}", **changes}
    return list(batch.run(jobs, steps["read"], steps["stylize"], steps["write"],
                          steps["exists"])), written


JOBS = [batch.Job(Path(content), style, Path(f"{content}{style}"))
        for content in "abc" for style in "xy"]


def test_every_job_is_done_once():
    outcomes, written = run(JOBS)
    assert [outcome.status for outcome in outcomes] == [batch.DONE] * 6
    assert written == {job.out_path: f"{job.content} in {job.style}" for job in JOBS}


def test_a_content_is_read_once_for_all_its_styles():
    read = []
    run(JOBS, read=lambda path: read.append(path) or "word")
    assert read == [Path("a"), Path("b"), Path("c")]


def test_reading_and_writing_overlap_with_computing():
    ahead = threading.Event()

    def read(path):
        if path == Path("b"):
            ahead.set()
        return "word"

    def stylize(word, style):
        assert ahead.wait(10), "the second content is not read while the first is computed"
        return word

    run(JOBS, read=read, stylize=stylize)


@pytest.mark.parametrize("step", ["read", "stylize", "write"])
def test_a_bad_picture_fails_alone(step):
    def fail(path, *rest):
        if str(path).startswith("b"):
            raise ImageError("bad")
        return path if step == "write" else "word"

    outcomes, _ = run(JOBS, **{"read": lambda path: path.stem, step: fail})
    failed = [outcome.job.content.name for outcome in outcomes if outcome.status == batch.FAILED]
    assert failed == ["b", "b"] and len(outcomes) == 6
    assert all(str(outcome.error) == "bad" for outcome in outcomes if outcome.error)


def test_anything_else_ends_the_batch():
    with pytest.raises(ZeroDivisionError):
        run(JOBS, stylize=lambda word, style: 1 / 0)


def test_what_exists_is_not_made_again():
    outcomes, written = run(JOBS, exists=lambda path: path == Path("ay"))
    assert [outcome.status for outcome in outcomes].count(batch.EXISTS) == 1
    assert Path("ay") not in written and len(written) == 5
