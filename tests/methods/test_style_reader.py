"""Styles of a batch: read when they are needed, kept within bounds."""

from pathlib import Path

import numpy as np
import pytest
from conftest import picture

from adain.errors import ImageError, StyleError
from adain.methods.style_reader import StyleReader

ENTRY = 4000  # bytes: about what the vectors of a style of compact take


@pytest.fixture
def read():
    """A function that makes a picture of a path's name, and remembers what it was asked for."""
    def read(path):
        read.paths.append(path.name)
        if path.name == "bad":
            raise ImageError("bad is no picture.")
        return picture(32, 32, len(path.name))

    read.paths = []
    return read


def test_a_style_is_read_once_while_it_is_kept(stylizer, read):
    reader = StyleReader(stylizer, read)
    first = reader.encoded(Path("a"))
    np.testing.assert_array_equal(reader.encoded(Path("a")).mean, first.mean)
    np.testing.assert_array_equal(first.mean, stylizer.encode_style(picture(32, 32, 1)).mean)
    assert read.paths == ["a"]


def test_what_is_kept_is_bounded_and_what_was_used_last_stays(stylizer, read):
    reader = StyleReader(stylizer, read, limit=3 * ENTRY)
    for name in ("a", "b", "c", "a", "d", "a", "b"):
        reader.encoded(Path(name))
    assert read.paths == ["a", "b", "c", "d", "b"]


def test_a_picture_serves_its_vectors_and_larger_ones_than_the_limit_are_usable(stylizer, read):
    reader = StyleReader(stylizer, read, limit=100)
    assert reader.picture(Path("a")).shape == (32, 32, 3)
    reader.encoded(Path("a"))
    assert read.paths == ["a"]
    reader.picture(Path("b"))
    reader.picture(Path("a"))
    assert read.paths == ["a", "b", "a"]


def test_a_style_that_cannot_be_read_is_not_tried_again(stylizer, read):
    reader = StyleReader(stylizer, read)
    for use in (reader.encoded, reader.picture, reader.encoded):
        with pytest.raises(StyleError, match="bad is no picture") as caught:
            use(Path("bad"))
        assert caught.value.path == Path("bad")
    assert read.paths == ["bad"]
