import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from fractions import Fraction

import pytest
from conftest import ROOT, picture

av = pytest.importorskip("av", reason='needs pip install -e ".[video]"')
import videos

from adain import Stylizer
from adain.commands import stylize
from adain.errors import ImageError, OptionError
from adain.files import find, images
from adain.progress import Stopped, StopRequest
from adain.video import stylize as video


def test_a_clip_comes_out_stylised_with_its_times_and_sound(tmp_path, stylizer, style):
    pts = [0, 1, 2, 3, 7, 8, 9, 20]
    videos.write(tmp_path / "a.mp4", [picture(48, 64, 1)] * len(pts), pts, sound="aac")
    seen = []
    summary = video.stylize_video(stylizer, tmp_path / "a.mp4", tmp_path / "new" / "b.mp4", style,
                                 progress=lambda *numbers: seen.append(numbers))
    assert summary[0] == 8 and summary.seconds > 0 and summary[2:] == (0, 0, (), 0)
    assert seen == [(index, 8) for index in range(1, 9)]
    before, after = (videos.frames(path) for path in (tmp_path / "a.mp4", tmp_path / "new/b.mp4"))
    assert [time for time, _ in before] == [time for time, _ in after]
    expected = stylizer.stylize(before[3][1].to_ndarray(format="rgb24"), style).astype(int)
    shown = after[3][1].to_ndarray(format="rgb24")
    assert abs(shown - expected).mean() < abs(shown - picture(48, 64, 1)).mean() / 2
    assert ([packet[2] for packet in videos.packets(tmp_path / "new/b.mp4", "audio")]
            == [packet[2] for packet in videos.packets(tmp_path / "a.mp4", "audio")])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["b.mp4"]


@pytest.mark.parametrize("failing, error", [("reader", ImageError), ("progress", RuntimeError),
                                            ("writer", ImageError)])
def test_nothing_half_written_stays_after_an_error(tmp_path, stylizer, style, monkeypatch, failing,
                                                   error):
    def fail(*_, **__):
        raise RuntimeError("enough") if failing == "progress" else av.error.ExternalError(5, "lost")

    videos.write(tmp_path / "a.mp4", [picture(48, 64)] * 30, sound="aac")
    (tmp_path / "b.mp4").write_bytes(b"an older result")
    if failing == "reader":
        real = video.Source._convert
        monkeypatch.setattr(video.Source, "_convert", lambda clip, frame: fail() if
                            frame.pts > frame.duration * 20 else real(clip, frame))
    if failing == "writer":
        monkeypatch.setattr(av.VideoFrame, "from_ndarray", fail)
    before = threading.active_count()
    with pytest.raises(error, match="enough|(a.mp4 cannot be read on|b.mp4 cannot be written)"
                                    ": lost"):
        video.stylize_video(stylizer, tmp_path / "a.mp4", tmp_path / "b.mp4", style,
                           progress=fail if failing == "progress" else None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
    assert (tmp_path / "b.mp4").read_bytes() == b"an older result"
    assert threading.active_count() <= before  # those of earlier tests may have ended


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent in another way on Windows")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_clip_leaves_nothing_behind(tmp_path, name):
    videos.write(tmp_path / "a.mp4", [picture(48, 64, seed % 5) for seed in range(2000)])
    command = [sys.executable, "stylize.py", "--model", "compact", "--content-path",
               tmp_path / "a.mp4", "--style-path", "styles/mosaic.jpg", "--out-path",
               tmp_path / "b.mp4"]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        while len(list(tmp_path.iterdir())) < 2:  # the result is written beside its name
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_what_cannot_work_is_said_before_any_work(tmp_path, stylizer, style):
    videos.write(tmp_path / "a.mp4", [picture(48, 64)] * 3, sound="aac")
    source = tmp_path / "a.mp4"
    for target, options, message in [
            ("b.gif", {}, "cannot write '.gif' videos"), ("b.webm", {}, "cannot hold the aac"),
            ("b.mp4", {"alpha": 2}, "`alpha` must be"),
            ("b.mp4", {"smoothing": -1}, "`smoothing` must be a number of seconds"),
            ("b.mp4", {"smoothing": float("nan")}, "`smoothing` must be a number of seconds")]:
        with pytest.raises(OptionError, match=message):
            video.stylize_video(stylizer, source, tmp_path / target, style, **options)
    with pytest.raises(OptionError, match="is the source itself"):
        video.stylize_video(stylizer, source, source, style)
    other = style._replace(mean=style.mean[:5])
    with pytest.raises(OptionError, match="5 channels, the model compact has 384"):
        video.stylize_video(stylizer, source, tmp_path / "b.mp4", other)
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="cannot be written"):
        video.stylize_video(stylizer, source, tmp_path / "file" / "b.mp4", style)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "file"]


def test_memory_does_not_grow_with_the_length(tmp_path, stylizer, style):
    peaks = []
    for count in (40, 160):
        videos.write(tmp_path / "a.mp4", [picture(96, 128)] * count, sound="aac")
        tracemalloc.start()
        video.stylize_video(stylizer, tmp_path / "a.mp4", tmp_path / "b.mp4", style)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 120 frames more are 4.4 MB as pictures; NumPy reports its arrays to tracemalloc
    assert peaks[1] < peaks[0] + 500_000


def test_odd_sizes_and_a_single_frame(tmp_path, stylizer, style):
    videos.write(tmp_path / "a.mkv", [picture(31, 35)], codec="ffv1", pix_fmt="bgr0")
    assert video.stylize_video(stylizer, tmp_path / "a.mkv", tmp_path / "b.mp4", style).frames == 1
    [(time, frame)] = videos.frames(tmp_path / "b.mp4")
    assert (time, frame.height, frame.width) == (0, 32, 36)


@pytest.mark.parametrize("name, expected", [("a.mp4", True), ("b.MOV", True), ("c.webm", True),
                                            ("d.jpg", False), ("e.gif", False), ("f", False)])
def test_videos_are_known_by_their_ending(name, expected):
    assert find.is_video(name) is expected


def test_importing_the_module_needs_no_pyav():
    code = ("import sys; sys.modules['av'] = None\n"
            "from adain.video import stylize as video\nfrom adain.video.reader import Source\n"
            "from adain.errors import OptionError\n"
            "try: Source('setup.cfg')\nexcept OptionError as error: print(error)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert done.stdout == "videos need PyAV: pip install -e '.[video]'\n"


def test_the_command_stylizes_a_clip(tmp_path, capsys, small_references):
    videos.write(tmp_path / "a.mp4", [picture(48, 64)] * 3)
    images.write(tmp_path / "style.png", picture(64, 64, 9))
    command = ["--model", "compact", "--content-path", str(tmp_path / "a.mp4"), "--style-path",
               str(tmp_path / "style.png"), "--out-path", str(tmp_path / "out")]
    assert stylize.main(command) == 0
    assert "3 frames in" in capsys.readouterr().out
    assert len(videos.frames(tmp_path / "out" / "a__style.mp4")) == 3
    tuned = [*command[:-1], str(tmp_path / "tuned.mp4"), "--tune", "1"]
    assert stylize.main(tuned) == 0
    assert "tunes the style style.png in 1 iteration\n" in capsys.readouterr().err
    for option in (["--passes", "2"], ["--sheet", "sheet.jpg"], ["--json"], ["--format", "png"]):
        with pytest.raises(OptionError, match=f"{option[0]} is not supported, .* is a video"):
            stylize.main([*command, *option])
    with pytest.raises(OptionError, match="--smoothing is not .*style.png is not a video"):
        stylize.main([*command[:3], str(tmp_path / "style.png"), *command[4:], "--smoothing", "0"])
    command[3] = "0"
    with pytest.raises(OptionError, match="a camera needs one style; received 2"):
        stylize.main([*command, "--alpha", "0.5", "1"])


def command(content, out, *styles):
    return ["--model", "compact", "--content-path", str(content), "--out-path", str(out),
            "--style-path", *map(str, styles)]


def test_large_frames_are_stopped_between_their_tiles(tmp_path):
    small = Stylizer("compact", precision="float32", tile_size=128)
    videos.write(tmp_path / "a.mkv", [picture(200, 300)], codec="mjpeg", pix_fmt="yuvj420p")
    seen, stop = [], StopRequest()

    def show(*numbers):
        seen.append(numbers)
        if len(seen) == 3:
            stop.ask("enough")

    with pytest.raises(Stopped, match="enough"):
        video.stylize_video(small, tmp_path / "a.mkv", tmp_path / "b.mp4",
                            small.encode_style(picture(64, 64, 9)), progress=show, stop=stop)
    assert [done for done, _ in seen] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


@pytest.mark.parametrize("name", ["a.avi", "a.MPG", "a.ts"])
def test_containers_that_cannot_be_written_become_mp4_in_a_folder(tmp_path, capsys, name):
    videos.write(tmp_path / name, [picture(48, 64)] * 3, codec="mpeg2video")
    images.write(tmp_path / "style.png", picture(64, 64, 9))
    assert stylize.main(command(tmp_path / name, tmp_path / "out", tmp_path / "style.png")) == 0
    said = capsys.readouterr().err
    assert said == f"{tmp_path / name}: {name[1:]} cannot be written, the result is .mp4\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a__style.mp4"]
    with pytest.raises(OptionError, match="cannot write '.avi' videos"):
        stylize.main(command(tmp_path / name, tmp_path / "b.avi", tmp_path / "style.png"))


def test_a_style_that_fails_leaves_the_others_their_clips(tmp_path, capsys):
    videos.write(tmp_path / "a.mp4", [picture(48, 64)] * 3)
    images.write(tmp_path / "style.png", picture(64, 64, 9))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    code = stylize.main(command(tmp_path / "a.mp4", tmp_path / "out", tmp_path / "bad.png",
                                tmp_path / "style.png"))
    assert code == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a__style.mp4"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "bad.png is not a readable image" in said[0]
    assert said[1] == f"failed 1: {tmp_path / 'out' / 'a__bad.mp4'}"


def test_a_clip_that_cannot_be_read_is_named_once(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    for name in ("one.png", "two.png"):
        images.write(tmp_path / name, picture(64, 64, 9))
    with pytest.raises(ImageError, match="a.mp4 is not a readable video: it is text"):
        stylize.main(command(tmp_path / "a.mp4", tmp_path / "out", tmp_path / "one.png",
                             tmp_path / "two.png"))


def test_damaged_packets_and_streams_that_are_left_out_are_named(tmp_path, capsys):
    videos.write(tmp_path / "a.mkv", [picture(48, 64, seed) for seed in range(9)],
                 codec="mjpeg", pix_fmt="yuvj420p", subtitles=2)
    content = (tmp_path / "a.mkv").read_bytes()
    packet = videos.packets(tmp_path / "a.mkv", "video")[4][2]
    (tmp_path / "b.mkv").write_bytes(content.replace(packet, bytes(len(packet))))
    images.write(tmp_path / "style.png", picture(64, 64, 9))
    assert stylize.main(command(tmp_path / "b.mkv", tmp_path / "b.mp4",
                                tmp_path / "style.png")) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{tmp_path / 'b.mkv'}: left out 1 damaged packet",
                    f"{tmp_path / 'b.mp4'} lacks: srt subtitles"]


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.mp4"])
def test_a_clip_that_was_cut_is_said_to_be(tmp_path, capsys, name):
    videos.write(tmp_path / name, [picture(48, 64, seed) for seed in range(10)],
                 unit=Fraction(1, 2), codec="mjpeg", pix_fmt="yuvj420p", subtitles=name == "a.mkv",
                 container_options={"movflags": "faststart"} if name == "a.mp4" else {})
    whole = (tmp_path / name).read_bytes()
    images.write(tmp_path / "style.png", picture(64, 64, 9))
    for size, said in ((len(whole), ""), (int(0.6 * len(whole)), "s early")):
        (tmp_path / name).write_bytes(whole[:size])
        assert stylize.main(command(tmp_path / name, tmp_path / "b.mkv", tmp_path / "style.png")
                            + ["--overwrite"]) == 0
        lines = capsys.readouterr().err
        assert said in lines and bool(said) == bool(lines)


def test_clips_in_a_folder_are_done_one_after_another(tmp_path, capsys):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.mp4", "a.avi", "sub/b.webm", ".hidden.mp4", ".c.0123abcd.1.2.partial.mp4"):
        videos.write(folder / name, [picture(48, 64)] * 2,
                     codec="libvpx-vp9" if name.endswith("webm") else "mpeg4")
    (folder / "bad.mp4").write_text("no video")
    images.write(tmp_path / "style.png", picture(64, 64, 9))
    out = tmp_path / "in" / "out"
    assert stylize.main(command(folder, out, tmp_path / "style.png")) == 1
    made = ["a_avi__style.mp4", "a_mp4__style.mp4", "b__style.webm"]
    assert sorted(path.name for path in out.rglob("*.*")) == made
    assert (out / "sub" / made[-1]).exists()
    said = capsys.readouterr().err
    assert "left out 2 hidden files" in said
    assert f"{folder / 'bad.mp4'} is not a readable video: it is text" in said
    assert said.splitlines()[-1] == f"failed 1: {folder / 'bad.mp4'}"
    assert stylize.main(command(folder, out, tmp_path / "style.png")) == 1
    assert capsys.readouterr().out.count("exists already") == 3


def test_several_clips_are_named_from_the_shell(tmp_path, capsys):
    for name in ("a.mp4", "b.mov"):
        videos.write(tmp_path / name, [picture(48, 64)] * 2)
    images.write(tmp_path / "style.png", picture(64, 64, 9))
    arguments = ["--model", "compact", "--style-path", str(tmp_path / "style.png"), "--out-path",
                 str(tmp_path / "out"), "--content-path", str(tmp_path / "a.mp4")]
    assert stylize.main([*arguments, str(tmp_path / "b.mov")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a__style.mp4", "b__style.mov"]
    with pytest.raises(OptionError, match="videos and pictures need separate commands"):
        stylize.main([*arguments, str(tmp_path / "style.png")])
    with pytest.raises(OptionError, match="a camera must be the only content"):
        stylize.main([*arguments, "0"])


def test_sound_that_does_not_fit_fails_its_clip_alone_before_any_work(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    videos.write(tmp_path / "a.mkv", [picture(48, 64)] * 2, sound="mp2")
    (tmp_path / "a.mkv").rename(tmp_path / "in" / "a.webm")
    videos.write(tmp_path / "in" / "b.mp4", [picture(48, 64)] * 2, sound="aac")
    images.write(tmp_path / "style.png", picture(64, 64, 9))
    assert stylize.main(command(tmp_path / "in", tmp_path / "out", tmp_path / "style.png")) == 1
    assert "webm cannot hold the mp2 sound" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b__style.mp4"]
