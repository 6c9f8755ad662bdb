"""Small videos for tests, written with PyAV."""

import struct
from fractions import Fraction

import av
import numpy as np

KR_KB = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def to_yuv(colour, matrix, full):
    """Y, Cb, Cr of an RGB colour, by the definition (ITU-T H.273, equations 33 to 43)."""
    kr, kb = KR_KB[matrix]
    red, green, blue = (value / 255 for value in colour)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    if full:
        return round(255 * luma), round(255 * cb + 128), round(255 * cr + 128)
    return round(16 + 219 * luma), round(16 + 224 * (cb + 0.5)), round(16 + 224 * (cr + 0.5))


def constant(rows, columns, colour, matrix, full, pixels="yuv420p"):
    """A frame of one colour, made without any library's conversion."""
    frame = av.VideoFrame(columns, rows, pixels)
    for plane, value in zip(frame.planes, to_yuv(colour, matrix, full)):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def write(path, frames, times=None, unit=Fraction(1, 25), codec="libx264", sound=None,
          subtitles=0, turn=None, late=0, title=None,
          container_options=None, **context):
    """Write frames (RGB arrays or av.VideoFrames) to be shown at `times` in `unit`s.

    sound: an audio codec, for a tone of a second; subtitles: how many lines of them.
    late: seconds on the clock at the start; title: in the container.
    turn: (a, b, c, d) of a QuickTime matrix, so that players show the pixel (x, y) at
    (a x + c y, b x + d y); context: attributes of the codec context,
    and `options` of its codec.
    """
    with av.open(str(path), "w", container_options=container_options) as container:
        video = container.add_stream(codec, 1 / unit if unit.numerator == 1 else 25)
        if title:
            container.metadata["title"] = title
        if codec == "libx264":
            video.options = {"preset": "ultrafast", "crf": "5"}
        video.options = {**video.options, **context.pop("options", {})}
        frames = [frame if isinstance(frame, av.VideoFrame)
                  else av.VideoFrame.from_ndarray(frame, format="rgb24") for frame in frames]
        video.width, video.height = frames[0].width, frames[0].height
        video.pix_fmt = context.pop("pix_fmt", "yuv420p")
        video.codec_context.time_base = unit
        for name, value in context.items():
            setattr(video.codec_context, name, value)
        tone = container.add_stream(sound, 48000) if sound else None
        lines = container.add_mux_stream("subrip") if subtitles else None
        packets = []
        for frame, pts in zip(frames, times or range(len(frames))):
            frame.pts, frame.time_base = pts, unit
            packets += video.encode(frame)
        packets += video.encode(None)
        if tone:
            tone.codec_context.layout = "mono"
            wave = np.sin(np.arange(48000) / 16)[None]
            wave = wave.astype(np.float32) if tone.format.name == "fltp" else (
                (wave * 9000).astype(np.int16))
            frame = av.AudioFrame.from_ndarray(wave, format=tone.format.name, layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
            packets += [*tone.encode(frame), *tone.encode(None)]
        for index in range(subtitles):
            packet = av.Packet(b"line %d" % index)
            packet.stream, packet.time_base = lines, Fraction(1, 1000)
            packet.pts = packet.dts = 300 * index
            packet.duration = 200
            packets.append(packet)
        for packet in packets:
            packet.pts += round(late / packet.time_base)
            packet.dts += round(late / packet.time_base)
            container.mux(packet)
    if turn:
        content = bytearray(path.read_bytes())
        matrix = content.index(b"tkhd") + 44
        assert content[matrix:matrix + 4] == struct.pack(">i", 1 << 16)
        a, b, c, d = (value << 16 for value in turn)
        content[matrix:matrix + 20] = struct.pack(">5i", a, b, 0, c, d)
        path.write_bytes(content)


def frames(path):
    """The frames of a video as [(time in seconds, av.VideoFrame)]."""
    with av.open(str(path)) as container:
        return [(frame.pts * frame.time_base, frame) for frame in container.decode(video=0)]


def packets(path, kind):
    """The packets of the first stream of a kind, as [(time in seconds, its length, bytes)]."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(packet.pts * packet.time_base, packet.duration * packet.time_base, bytes(packet))
                for packet in container.demux(stream) if packet.size]
