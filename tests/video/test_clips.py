"""Times, sound, colours, sizes and turns of videos, without a network between."""

import os
from fractions import Fraction

import numpy as np
import pytest
from conftest import picture

av = pytest.importorskip("av", reason='needs pip install -e ".[video]"')
import videos

from adain.errors import ImageError, OptionError
from adain.video import hdr
from adain.video.clips import EXACT, Frame
from adain.video.clock import Clock
from adain.video.reader import Source
from adain.video.writer import Sink


def copy(source, target):
    """Write what was read, and return how many frames it was."""
    with Source(source) as clip, Sink(target, clip) as sink:
        count = 0
        for item in clip:
            if isinstance(item, Frame):
                count += 1
                item = item._replace(image=sink.fit(item.image))
            sink.write(item)
        sink.finish()
    return count


def times(path):
    return [time for time, _ in videos.frames(path)]


@pytest.mark.parametrize("unit, pts", [
    (Fraction(1, 25), list(range(12))),
    (Fraction(1001, 30000), list(range(12))),  # NTSC
    (Fraction(1, 600), [0, 20, 40, 41, 100, 300, 310, 900, 901, 902])])  # a phone's, not constant
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_every_frame_keeps_its_time(tmp_path, unit, pts, suffix):
    videos.write(tmp_path / "a.mp4", [picture(32, 48, seed) for seed in range(len(pts))], pts, unit)
    assert copy(tmp_path / "a.mp4", tmp_path / f"b{suffix}") == len(pts)
    assert times(tmp_path / f"b{suffix}") == times(tmp_path / "a.mp4") == [p * unit for p in pts]
    last, last_copied = (videos.frames(tmp_path / name)[-1][1] for name in ("a.mp4", f"b{suffix}"))
    assert last_copied.duration * last_copied.time_base == last.duration * last.time_base


@pytest.mark.parametrize("rate", [24, Fraction(30000, 1001), 50])
def test_the_frame_rate_stays(tmp_path, rate):
    videos.write(tmp_path / "a.mp4", [picture(32, 48)] * 20, unit=1 / Fraction(rate))
    copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as after:
        assert after.streams.video[0].average_rate == rate


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_keeps_times_to_its_millisecond(tmp_path, suffix):
    videos.write(tmp_path / "a.mp4", [picture(32, 48, seed) for seed in range(9)],
                 unit=Fraction(1001, 30000))
    copy(tmp_path / "a.mp4", tmp_path / f"b{suffix}")
    np.testing.assert_allclose(np.array(times(tmp_path / f"b{suffix}"), float),
                               np.array(times(tmp_path / "a.mp4"), float), atol=5e-4)


@pytest.mark.parametrize("source, target, codec", [
    ("a.mp4", "b.mp4", "aac"), ("a.mp4", "b.mkv", "aac"), ("a.mkv", "b.mp4", "ac3"),
    ("a.mkv", "b.mov", "pcm_s16le"), ("a.mkv", "b.webm", "libopus")])
def test_sound_is_copied_packet_for_packet(tmp_path, source, target, codec):
    videos.write(tmp_path / source, [picture(32, 48)] * 25, sound=codec)
    copy(tmp_path / source, tmp_path / target)
    before, after = (videos.packets(tmp_path / name, "audio") for name in (source, target))
    if codec == "pcm_s16le":  # has samples only, which mov hands out in other portions
        assert b"".join(p[2] for p in after) == b"".join(p[2] for p in before)
        return
    assert len(after) > 5 and [p[2] for p in after] == [p[2] for p in before]
    # AAC begins before 0. Matroska has no such times: it moves sound and pictures together.
    since = [[float(packet[0] - times(path)[0]) for packet in packets]
             for packets, path in ((before, tmp_path / source), (after, tmp_path / target))]
    np.testing.assert_allclose(*since, atol=1e-3)


def test_sound_that_the_container_cannot_hold_is_an_error(tmp_path):
    videos.write(tmp_path / "a.mp4", [picture(32, 48)] * 5, sound="aac")
    with pytest.raises(OptionError, match="webm cannot hold the aac sound of .*write .mkv"):
        copy(tmp_path / "a.mp4", tmp_path / "b.webm")


def test_subtitles_are_copied_or_named(tmp_path):
    videos.write(tmp_path / "a.mkv", [picture(32, 48)] * 25, subtitles=3)
    copy(tmp_path / "a.mkv", tmp_path / "b.mkv")
    before, after = (videos.packets(tmp_path / f"{name}.mkv", "subtitles") for name in "ab")
    assert before == after and [p[2] for p in after] == [b"line 0", b"line 1", b"line 2"]
    with Source(tmp_path / "a.mkv") as clip, Sink(tmp_path / "b.mp4", clip) as sink:
        assert sink.left_out == ("srt subtitles",)
    copy(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert len(times(tmp_path / "b.mp4")) == 25


def show(frame):
    """RGB of a frame's middle, by the matrix and range that it is tagged with, and no other."""
    y, cb, cr = (plane_middle(plane) for plane in frame.planes)
    kr, kb = videos.KR_KB[frame.colorspace]
    if frame.color_range == 2:
        y, cb, cr = y / 255, (cb - 128) / 255, (cr - 128) / 255
    else:
        y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    red, blue = y + cr * (2 - 2 * kr), y + cb * (2 - 2 * kb)
    return np.array([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue]) * 255


def plane_middle(plane):
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return float(rows[plane.height // 2, plane.width // 2])


COLOURS = [(200, 30, 60), (20, 180, 90), (10, 40, 230), (128, 128, 128), (250, 250, 5)]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("matrix, full", [(1, False), (1, True), (6, False), (5, True), (9, False)])
def test_colours_stay_by_the_source_s_matrix_and_range(tmp_path, colour, matrix, full):
    videos.write(tmp_path / "a.mp4", [videos.constant(32, 48, colour, matrix, full)] * 3,
                 colorspace=matrix, color_range=2 if full else 1)
    with Source(tmp_path / "a.mp4") as clip:
        first = next(item for item in clip if isinstance(item, Frame))
    # 2 levels: Y, Cb and Cr are whole numbers; the encoder may be off by another
    np.testing.assert_allclose(first.image.reshape(-1, 3), [colour] * 32 * 48, atol=3)
    copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    _, frame = videos.frames(tmp_path / "b.mp4")[1]
    assert frame.color_range == 1 and frame.colorspace == (1 if matrix == 9 else matrix)
    np.testing.assert_allclose(show(frame), colour, atol=3)


@pytest.mark.parametrize("rows, matrix", [(576, 6), (720, 1)])
def test_unnamed_colours_are_those_that_players_assume(tmp_path, rows, matrix):
    videos.write(tmp_path / "a.mp4", [videos.constant(rows, 64, (200, 30, 60), matrix, False)] * 2)
    assert videos.frames(tmp_path / "a.mp4")[0][1].colorspace == 2  # unspecified
    copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    _, frame = videos.frames(tmp_path / "b.mp4")[0]
    assert frame.colorspace == matrix
    np.testing.assert_allclose(show(frame), (200, 30, 60), atol=3)


def test_jpeg_frames_are_full_range_and_bt601_at_any_size(tmp_path):
    scene = videos.constant(720, 64, (200, 30, 60), 5, True, "yuvj420p")
    videos.write(tmp_path / "a.avi", [scene] * 2, codec="mjpeg", pix_fmt="yuvj420p", qmax=2)
    copy(tmp_path / "a.avi", tmp_path / "b.mp4")
    np.testing.assert_allclose(show(videos.frames(tmp_path / "b.mp4")[0][1]), (200, 30, 60), atol=3)


def test_sources_that_are_rgb_themselves(tmp_path):
    image = np.tile(np.uint8([200, 30, 60]), (32, 48, 1))
    videos.write(tmp_path / "a.mov", [image] * 2, codec="png", pix_fmt="rgb24")
    with Source(tmp_path / "a.mov") as clip:
        np.testing.assert_array_equal(next(iter(clip)).image, image)
    copy(tmp_path / "a.mov", tmp_path / "b.mp4")
    np.testing.assert_allclose(show(videos.frames(tmp_path / "b.mp4")[0][1]), (200, 30, 60), atol=3)


def quarters():
    """Red, green, blue and white quarters, clockwise from the top left; 32 x 48."""
    image = np.zeros((32, 48, 3), np.uint8)
    image[:16, :24], image[:16, 24:] = (220, 20, 20), (20, 220, 20)
    image[16:, 24:], image[16:, :24] = (20, 20, 220), (220, 220, 220)
    return image


@pytest.mark.parametrize("turn, turns", [
    ((0, -1, 1, 0), 1), ((-1, 0, 0, -1), 2),
    ((0, 1, -1, 0), 3)])  # the last as phones write that are held upright
def test_turned_clips_come_out_upright(tmp_path, turn, turns):
    videos.write(tmp_path / "a.mp4", [quarters()] * 3, turn=turn,
                 sample_aspect_ratio=Fraction(4, 3))
    copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    frame = videos.frames(tmp_path / "b.mp4")[0][1]
    assert frame.rotation == 0
    upright = np.rot90(quarters(), turns).astype(int)
    shown = frame.to_ndarray(format="rgb24")
    assert shown.shape == upright.shape
    assert abs(shown - upright).mean() < 8  # chroma of half the resolution blurs the borders
    with av.open(str(tmp_path / "b.mp4")) as container:
        expected = Fraction(4, 3) if turns == 2 else Fraction(3, 4)
        assert container.streams.video[0].sample_aspect_ratio == expected


@pytest.mark.parametrize("suffix, rows, columns", [(".mp4", 32, 36), (".webm", 31, 35)])
def test_odd_sizes(tmp_path, suffix, rows, columns):
    image = np.dstack([np.add.outer(5 * np.arange(31), np.arange(35))] * 3).astype(np.uint8)
    videos.write(tmp_path / "a.mkv", [image] * 2, codec="ffv1", pix_fmt="bgr0")
    copy(tmp_path / "a.mkv", tmp_path / f"b{suffix}")
    frame = videos.frames(tmp_path / f"b{suffix}")[0][1]
    assert (frame.height, frame.width) == (rows, columns)
    shown = frame.to_ndarray(format="rgb24").astype(int)
    whole = np.pad(image, ((0, rows - 31), (0, columns - 35), (0, 0)), "edge")
    assert abs(shown - whole).mean() < 3


def test_a_late_start_stays_beside_the_sound(tmp_path):
    videos.write(tmp_path / "a.mp4", [picture(32, 48)] * 9, list(range(300, 516, 24)),
                 Fraction(1, 600), sound="aac")
    copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    for name in "ab":
        assert times(tmp_path / f"{name}.mp4")[0] == Fraction(1, 2)
    starts = [videos.packets(tmp_path / f"{name}.mp4", "audio")[0][0] for name in "ab"]
    assert starts[0] == starts[1]


def test_the_clock_starts_at_zero(tmp_path):
    """Transport streams start at any time; what was played together stays together."""
    videos.write(tmp_path / "a.ts", [picture(32, 48)] * 25, sound="aac", late=2)
    copy(tmp_path / "a.ts", tmp_path / "b.mp4")
    before, after = (np.array(times(tmp_path / name), float) for name in ("a.ts", "b.mp4"))
    sound = [np.array([float(packet[0]) for packet in videos.packets(tmp_path / name, "audio")])
             for name in ("a.ts", "b.mp4")]
    start = min(before[0], sound[0][0])
    assert start > 1
    np.testing.assert_allclose(after, before - start, atol=1e-4)
    np.testing.assert_allclose(sound[1], sound[0] - start, atol=1e-4)
    with av.open(str(tmp_path / "b.mp4")) as container:  # the sound can be played
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 48000


def test_ten_bits_become_eight(tmp_path):
    scene = videos.constant(32, 48, (128, 128, 128), 1, False).reformat(format="yuv420p10le")
    videos.write(tmp_path / "a.mkv", [scene] * 3, codec="ffv1", pix_fmt="yuv420p10le",
                 colorspace=1, color_range=1)
    copy(tmp_path / "a.mkv", tmp_path / "b.mp4")
    frame = videos.frames(tmp_path / "b.mp4")[0][1]
    assert frame.format.name == "yuv420p" and frame.colorspace == 1
    np.testing.assert_allclose(show(frame), (128, 128, 128), atol=3)


@pytest.mark.parametrize("transfer, signals", [(hdr.PQ, (0, 0.381, 0.581, 0.752)),
                                               (hdr.HLG, (0, 0.387, 0.75, 1))])
def test_high_dynamic_range_becomes_standard(tmp_path, transfer, signals):
    """Black, 26 and 203 cd/m2 (18 % of the white, and the white) and the peak of 1000."""
    scenes = []
    for signal in signals:
        frame = av.VideoFrame(48, 32, "yuv420p10le")
        for plane, value in zip(frame.planes, (round(64 + 876 * signal), 512, 512)):
            plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
        scenes.append(frame)
    videos.write(tmp_path / "a.mkv", scenes, codec="ffv1", pix_fmt="yuv420p10le", colorspace=9,
                 color_primaries=9, color_trc=transfer, color_range=1)
    copy(tmp_path / "a.mkv", tmp_path / "b.mp4")
    found = [frame for _, frame in videos.frames(tmp_path / "b.mp4")]
    assert {(frame.colorspace, frame.color_primaries, frame.color_trc) for frame in found} == {
        (1, 1, 1)}
    # By hand: 255 (26 / 203) ** (1 / 2.4) is 108; the white gives some room to what is brighter.
    np.testing.assert_allclose([show(frame)[1] for frame in found], (0, 108, 230, 255), atol=3)


def interlaced(frames):
    """Frames of a bar that moves 6 columns a field; the lower rows come first, as x264 says."""
    for index in range(frames):
        image = np.full((96, 160, 3), 30, np.uint8)
        for field in range(2):
            start = 16 + 6 * (2 * index + field)
            image[1 - field::2, start:start + 40] = 220
        yield image


def combing(image):
    """How much rows differ from the mean of their neighbours."""
    green = image[..., 1].astype(float)
    return abs(green[1:-1] - (green[:-2] + green[2:]) / 2).mean()


def test_interlaced_frames_become_whole_ones(tmp_path):
    before = list(interlaced(8))
    videos.write(tmp_path / "a.mp4", before, unit=Fraction(1, 25), sound="aac",
                 options={"x264-params": "interlaced=1", "crf": "5"})
    assert all(frame.interlaced_frame for _, frame in videos.frames(tmp_path / "a.mp4"))
    copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert times(tmp_path / "b.mp4") == times(tmp_path / "a.mp4")
    after = videos.frames(tmp_path / "b.mp4")
    assert not any(frame.interlaced_frame for _, frame in after)
    for old, (_, frame) in zip(before, after):
        new = frame.to_ndarray(format="rgb24")
        assert combing(new) < 0.15 * combing(old)
        np.testing.assert_allclose(new[1::2], old[1::2].astype(int), atol=12)  # the first field


def test_progressive_frames_beside_interlaced_ones_stay(tmp_path):
    videos.write(tmp_path / "a.ts", list(interlaced(3)),
                 options={"x264-params": "interlaced=1", "crf": "5"})
    videos.write(tmp_path / "b.ts", [picture(96, 160, seed) for seed in range(3)])
    joined = b"".join((tmp_path / name).read_bytes() for name in ("b.ts", "a.ts", "b.ts"))
    (tmp_path / "joined.ts").write_bytes(joined)
    with Source(tmp_path / "joined.ts") as clip:
        found = [item.image for item in clip if isinstance(item, Frame)]
    with Source(tmp_path / "b.ts") as clip:
        alone = [item.image for item in clip if isinstance(item, Frame)]
    assert len(found) == 9
    np.testing.assert_array_equal(found[:3] + found[6:], alone * 2)


def test_a_clip_that_changes_its_size_keeps_the_first(tmp_path):
    for name, rows in (("a", 32), ("b", 64)):
        videos.write(tmp_path / f"{name}.ts", [picture(rows, rows)] * 3)
    joined = (tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes()
    (tmp_path / "joined.ts").write_bytes(joined)
    with Source(tmp_path / "joined.ts") as clip:
        found = [item for item in clip if isinstance(item, Frame)]
    assert len(found) == 6 and {item.image.shape for item in found} == {(32, 32, 3)}
    assert all(one.pts < other.pts for one, other in zip(found, found[1:]))


@pytest.mark.parametrize("name, message", [
    ("missing.mp4", "does not exist"), ("folder", "is a folder, not a video"),
    ("text.mp4", "is not a readable video"), ("empty.mp4", "is not a readable video"),
    ("sound.mp4", "has no video"), ("frameless.mkv", "has no readable frame"),
    ("headless.mp4", "is not a readable video")])
def test_files_without_frames_are_refused_in_one_line(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.mp4").write_text("no video " * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    if name in ("sound.mp4", "frameless.mkv"):
        with av.open(str(tmp_path / name), "w") as container:
            if name == "frameless.mkv":
                container.add_stream("libx264", 25)
            stream = container.add_stream("aac", 48000)
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), "fltp", "stereo")
            frame.sample_rate = 48000
            container.mux([*stream.encode(frame), *stream.encode(None)])
    if name == "headless.mp4":  # cut off before the index, which stands at the end
        videos.write(tmp_path / "a.mp4", [picture(32, 48)] * 3)
        (tmp_path / name).write_bytes((tmp_path / "a.mp4").read_bytes()[:-300])
    with pytest.raises(ImageError, match=message) as error:
        Source(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_file_names_are_nothing_but_names(tmp_path, monkeypatch):
    videos.write(tmp_path / "a.mp4", [picture(32, 48)] * 3)
    monkeypatch.chdir(tmp_path)
    for name in ("b %d.mp4", "-c.mp4", *["http:d.mp4"] * (os.name != "nt")):
        os.replace("a.mp4", name)
        assert copy(name, "a.mp4") == 3


def test_damaged_packets_are_skipped(tmp_path):
    videos.write(tmp_path / "a.mkv", [picture(32, 48, seed) for seed in range(20)],
                 codec="ffv1", pix_fmt="bgr0")
    content = bytearray((tmp_path / "a.mkv").read_bytes())
    middle = content.index(videos.packets(tmp_path / "a.mkv", "video")[10][2])
    content[middle:middle + 400] = bytes(400)
    (tmp_path / "b.mkv").write_bytes(content)
    with Source(tmp_path / "b.mkv") as clip:
        found = [item for item in clip if isinstance(item, Frame)]
    assert len(found) >= 19 and clip.damaged + len(found) == 20


def test_endings_that_cannot_be_written_are_named(tmp_path):
    videos.write(tmp_path / "a.mp4", [picture(32, 48)])
    with (Source(tmp_path / "a.mp4") as clip,
          pytest.raises(OptionError, match="cannot write '.avi' videos; use one of .mp4")):
        Sink(tmp_path / "b.avi", clip)


def test_swscale_is_exact_with_our_flags_only():
    """Why EXACT: the default conversion is up to 3 levels off."""
    def error(colour, flags):
        picture = videos.constant(32, 48, colour, 6, False).reformat(
            format="rgb24", interpolation=flags, src_colorspace=5)
        return abs(picture.to_ndarray()[8, 8].astype(int) - colour).max()

    assert max(error(colour, EXACT) for colour in COLOURS) <= 1
    assert max(error(colour, None) for colour in COLOURS) > 1


def cutout(index=0):
    """A frame of red, opaque on the left, half so in the middle, and its RGBA."""
    image = np.zeros((48, 64, 4), np.uint8)
    image[..., :3] = (200, 50, 30)
    image[:, :24, 3], image[:, 24:40, 3] = 255, 128
    image[:, 40:, :3] = (0, 255, 0)  # what nobody sees
    return av.VideoFrame.from_ndarray(np.roll(image, index, axis=0), format="rgba")


TRANSPARENT = [("a.webm", "libvpx-vp9", "yuva420p"), ("a.webm", "libvpx", "yuva420p"),
               ("a.mov", "prores_ks", "yuva444p10le"), ("a.mov", "qtrle", "argb"),
               ("a.mov", "png", "rgba"), ("a.mkv", "ffv1", "yuva420p")]


@pytest.mark.parametrize("name, codec, pixels", TRANSPARENT)
def test_transparency_is_kept_in_webm(tmp_path, name, codec, pixels):
    options = {"auto-alt-ref": "0"} if codec == "libvpx" else {}
    videos.write(tmp_path / name, [cutout(index) for index in range(9)], codec=codec,
                 pix_fmt=pixels, options=options)
    with Source(tmp_path / name) as clip:
        found = [item for item in clip if isinstance(item, Frame)]
    assert len(found) == 9
    for frame in found:
        assert [int(frame.opacity[24, column]) for column in (8, 32, 56)] == pytest.approx(
            [255, 128, 0], abs=6)
        assert frame.image[24, 56, 1] < 120  # a colour of what is visible beside it
    assert copy(tmp_path / name, tmp_path / "b.webm") == 9
    with Source(tmp_path / "b.webm") as clip, Sink(tmp_path / "c.webm", clip) as sink:
        again = [item for item in clip if isinstance(item, Frame)]
        assert sink.left_out == ()
    for frame in again:
        assert [int(frame.opacity[24, column]) for column in (8, 32, 56)] == pytest.approx(
            [255, 128, 0], abs=8)
        np.testing.assert_allclose(frame.image[24, [8, 32]], [[200, 50, 30]] * 2, atol=12)


@pytest.mark.parametrize("name, codec, pixels", TRANSPARENT[:3])
def test_transparency_that_is_lost_is_named_and_white(tmp_path, name, codec, pixels):
    videos.write(tmp_path / name, [cutout()] * 3, codec=codec, pix_fmt=pixels,
                 options={"auto-alt-ref": "0"} if codec == "libvpx" else {})
    with Source(tmp_path / name) as clip, Sink(tmp_path / "b.mp4", clip) as sink:
        for item in clip:
            sink.write(item)
        sink.finish()
        assert sink.left_out == ("transparency, which .webm keeps",)
    shown = videos.frames(tmp_path / "b.mp4")[1][1].to_ndarray(format="rgb24")[24, [8, 56]]
    np.testing.assert_allclose(shown, [[200, 50, 30], [255, 255, 255]], atol=12)


def test_an_alpha_channel_that_is_opaque_is_no_loss(tmp_path):
    scene = np.dstack([picture(48, 64), np.full((48, 64), 255, np.uint8)])
    videos.write(tmp_path / "a.mov", [av.VideoFrame.from_ndarray(scene, format="rgba")] * 2,
                 codec="png", pix_fmt="rgba")
    with Source(tmp_path / "a.mov") as clip, Sink(tmp_path / "b.mp4", clip) as sink:
        for item in clip:
            sink.write(item)
        assert sink.left_out == ()


def test_recordings_that_were_joined_go_on(tmp_path):
    videos.write(tmp_path / "a.ts", [picture(32, 48)] * 50, sound="mp2", late=3)
    content = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "b.ts").write_bytes(content + content)
    assert copy(tmp_path / "b.ts", tmp_path / "b.mp4") == 100
    seconds = np.array(times(tmp_path / "b.mp4"), float)
    assert seconds[-1] == pytest.approx(4, abs=0.1)
    assert min(np.diff(seconds)) > 0.001 and max(np.diff(seconds)) < 0.2
    sound = [float(packet[0]) for packet in videos.packets(tmp_path / "b.mp4", "audio")]
    assert np.median(np.diff(sound)) == pytest.approx(0.024)
    assert min(np.diff(sound)) > 0 and sound[-1] == pytest.approx(3, abs=0.1)


def test_one_false_time_moves_nothing_else(tmp_path):
    unit = Fraction(1, 25)
    clock = Clock(Fraction(0))
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream, moved = container.add_stream("mpeg4", 25), []
        for dts in (*range(100), 5, *range(101, 110)):
            packet = av.Packet(b"x")
            packet.stream, packet.time_base, packet.duration = stream, unit, 1
            packet.pts = packet.dts = dts
            clock.move(packet)
            moved.append(packet.dts)
    assert moved == list(range(110))


def test_damaged_transparency_is_counted(tmp_path):
    videos.write(tmp_path / "a.webm", [cutout(index) for index in range(9)], codec="libvpx-vp9",
                 pix_fmt="yuva420p")
    with av.open(str(tmp_path / "a.webm")) as container:
        alpha = [bytes(data)[8:] for packet in container.demux(video=0)
                 for data in packet.iter_sidedata()]
    content = (tmp_path / "a.webm").read_bytes()
    assert content.count(alpha[0]) == 1
    (tmp_path / "b.webm").write_bytes(content.replace(alpha[0], bytes(len(alpha[0]))))
    with Source(tmp_path / "b.webm") as clip:
        found = [item for item in clip if isinstance(item, Frame)]
    assert len(found) == 9 and found[0].opacity is None and clip.damaged >= 1
