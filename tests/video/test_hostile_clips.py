"""Whatever a clip holds, it becomes a whole clip or one line: no traceback, signal or hang."""

import itertools
import subprocess
import sys

import pytest
from conftest import ROOT

pytest.importorskip("av", reason='needs pip install -e ".[video]"')
import hostile_clips
import videos

from adain.errors import AdaINError
from adain.video.clips import Frame
from adain.video.reader import Source
from adain.video.writer import FORMATS, Sink


def test_hostile_clips_are_copied_or_refused(tmp_path):
    counts = {True: 0, False: 0}
    for name, content in hostile_clips.clips(tmp_path):
        source = tmp_path / name
        target = tmp_path / f"result{source.suffix if source.suffix in FORMATS else '.mp4'}"
        source.write_bytes(content)
        frames = 0
        try:
            with Source(source) as clip, Sink(target, clip) as sink:
                for item in clip:
                    if isinstance(item, Frame):
                        frames += 1
                        item = item._replace(image=sink.fit(item.image))
                    sink.write(item)
                sink.finish()
        except AdaINError as error:
            assert "\n" not in str(error)
            frames = 0
        else:
            assert len(videos.frames(target)) == frames
        counts[frames > 0] += 1
    assert counts[True] > 100 and counts[False] > 100


@pytest.mark.slow
def test_the_command_survives_hostile_clips(tmp_path):
    for name, content in itertools.chain(hostile_clips.clips(tmp_path),
                                         hostile_clips.enormous(tmp_path)):
        (tmp_path / name).write_bytes(content)
        done = subprocess.run(
            [sys.executable, "stylize.py", "--model", "compact", "--content-path", tmp_path / name,
             "--style-path", "styles/mosaic.jpg", "--out-path", tmp_path / "out"],
            cwd=ROOT, capture_output=True, timeout=60)
        said = done.stderr.decode(errors="replace")
        assert done.returncode in (0, 1) and "Traceback" not in said, (name, said)
        assert done.returncode == 0 or len(said.splitlines()) <= 2, (name, said)
        written = [path.name for path in (tmp_path / "out").glob("*")]
        assert len(written) == (done.returncode == 0), (name, written)
        for path in written:
            (tmp_path / "out" / path).unlink()
