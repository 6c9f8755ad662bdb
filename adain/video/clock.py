"""Timestamps of a clip: shift them to start at 0, and correct jumps back in time."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av

# Seconds by which packets of one stream may be out of order in irregular files.
JUMP = 0.5


class Clock:
    """Shifts packets to the time since the start.

    In joined recordings the time starts again in the middle; all streams then continue after the
    last packet. A single wrong time comes from a damaged packet, and the next one corrects it.

    Args:
        start: time of the recording's first packet, in seconds.
    """

    def __init__(self, start: Fraction) -> None:
        self._start, self._jumped, self._end = start, Fraction(0), Fraction(0)
        self._last: dict[int, Fraction] = {}  # shifted time of the last packet by stream

    @property
    def seconds(self) -> Fraction:
        """Duration of the packets shifted so far."""
        return self._end - self._start

    def move(self, packet: av.Packet[Any]) -> None:
        """Shift the pts and dts of a packet."""
        unit, index = packet.time_base, packet.stream.index
        if packet.dts is not None and packet.stream.type in ("video", "audio"):
            time = packet.dts * unit
            last = self._last.get(index, time)
            if time >= last:
                self._jumped = Fraction(0)
            elif time + self._jumped < last - JUMP:
                self._jumped = self._end - time
            self._last[index] = time + self._jumped
        shown = packet.dts if packet.pts is None else packet.pts
        if shown is not None:
            self._end = max(self._end, (shown + (packet.duration or 0)) * unit + self._jumped)
        shift = round((self._jumped - self._start) / unit)
        if packet.pts is not None:
            packet.pts += shift
        if packet.dts is not None:
            packet.dts += shift
