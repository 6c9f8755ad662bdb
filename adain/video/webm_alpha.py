"""The transparency of VP8 and VP9 clips: a second, grey video in the side data of the first.

FFmpeg's own decoders leave it aside. libvpx's, which do not, know no limit of a frame's size.
"""

from __future__ import annotations

import numpy as np

from adain.video.clips import import_av

_ID_BYTES = 8  # Matroska's BlockAddID, before the data


class AlphaDecoder:
    """Gives the opacity of frames whose packets it was given before they are decoded.

    codec: "vp8" or "vp9"; options: of the decoder.
    """

    def __init__(self, codec: str, options: dict[str, str]) -> None:
        self._context = import_av().CodecContext.create(codec, "r")
        self._context.options = options
        self._context.thread_type = "SLICE"  # a packet's frame comes at once
        self._found: dict[int, np.ndarray] = {}

    def add(self, packet) -> int:
        """Decode what a packet of the first video has beside it; return 1 if that is damaged.

        The frame then is opaque.
        """
        av, damaged = import_av(), 0
        for data in packet.iter_sidedata():
            if data.data_type == "matroska_block_additional":
                grey = av.Packet(bytes(data)[_ID_BYTES:])
                grey.pts, grey.time_base = packet.pts, packet.time_base
                try:
                    self._found.update((frame.pts, _luma(frame))
                                       for frame in self._context.decode(grey))
                except av.FFmpegError:
                    damaged = 1
        return damaged

    def take(self, pts: int | None) -> np.ndarray | None:
        """Return the opacity, uint8 (rows, columns), of the frame of that time; None if opaque."""
        found = self._found.pop(pts, None)
        # Those of frames that never came.
        self._found = {time: one for time, one in self._found.items() if pts is None or time > pts}
        return found


def _luma(frame) -> np.ndarray:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, :plane.width].copy()
