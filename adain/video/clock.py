"""The clock of a clip: it starts at 0, and goes on where a recording's own jumps back."""

from __future__ import annotations

from fractions import Fraction

# Seconds. Within so many, packets of one stream may be out of order, in odd files.
JUMP = 0.5


class Clock:
    """Moves packets to the time since the start.

    Recordings that were joined begin anew in the middle; all streams then go on behind what was
    last. A single false time is that of a damaged packet: where the next one is right again, so is
    the clock.

    start: seconds on the recording's own clock.
    """

    def __init__(self, start: Fraction) -> None:
        self._start, self._jumped, self._end = start, Fraction(0), Fraction(0)
        self._last: dict[int, Fraction] = {}  # of each stream, the last packet's time, moved

    @property
    def seconds(self) -> Fraction:
        """How long the packets go on that were moved."""
        return self._end - self._start

    def move(self, packet) -> None:
        """Set a packet's times."""
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
