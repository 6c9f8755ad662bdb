"""Decode the alpha channel of VP8 and VP9 clips: a second, grey video in the packets' side data.

FFmpeg's native decoders ignore it. Those of libvpx decode it, but cannot limit the size of frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adain.video.clips import import_av

if TYPE_CHECKING:
    import av

_ID_BYTES = 8  # Matroska's BlockAddID, before the data


class AlphaDecoder:
    """Decodes the opacity of frames from their packets, which must be added before decoding.

    Args:
        codec: "vp8" or "vp9".
        options: options of the decoder.
    """

    def __init__(self, codec: str, options: dict[str, str]) -> None:
        self._context = import_av().CodecContext.create(codec, "r")
        self._context.options = options
        self._context.thread_type = "SLICE"  # frame threads would delay frames
        self._decoded: dict[int | None, np.ndarray] = {}

    def add(self, packet: av.Packet[Any]) -> int:
        """Decode the side data of a packet; return 1 if they are damaged, else 0.

        A frame with damaged side data is opaque.
        """
        av, damaged = import_av(), 0
        for data in packet.iter_sidedata():
            if data.data_type == "matroska_block_additional":
                grey = av.Packet(bytes(data)[_ID_BYTES:])
                grey.pts, grey.time_base = packet.pts, packet.time_base
                try:
                    self._decoded.update((frame.pts, _luma(frame))
                                         for frame in self._context.decode(grey))
                except av.FFmpegError:
                    damaged = 1
        return damaged

    def take(self, pts: int | None) -> np.ndarray | None:
        """Return the opacity, uint8 (rows, columns), of the frame at `pts`; None if opaque."""
        opacity = self._decoded.pop(pts, None)
        # Drop the opacity of frames that were never decoded.
        self._decoded = {time: other for time, other in self._decoded.items()
                         if pts is None or time is None or time > pts}
        return opacity


def _luma(frame: av.VideoFrame) -> np.ndarray:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    luma: np.ndarray = rows[:, :plane.width].copy()
    return luma
