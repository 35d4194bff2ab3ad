"""From a stream's own time stamps to the session's timeline: seconds that never go back, whatever the stream's clock does.

Pure: the caller says when (`now_s`) a packet was read.
"""

from __future__ import annotations

from dataclasses import dataclass

BACK_S = 1.0
"""A step back by more than this is a new clock (wrap, encoder restart); smaller ones are disorder."""
AHEAD_S = 10.0
"""A live stream's clock that runs ahead of the wall clock by more than this in one step has jumped."""


@dataclass(slots=True)
class _Track:
    """What is known of one elementary stream."""

    offset_s: float
    last_stamp_s: float
    last_read_s: float
    highest_s: float
    """Largest session time given out."""


class Timeline:
    """The timeline of one opening of a source; tracks (video, audio) share the first one's anchor.

    Live: the first packet lies at the moment it was read, counted from the session's start, and never before `floor_s` (what was
    given out before a reconnect). File: the first stamp lies at 0.
    """

    def __init__(
        self, *, session_started_s: float, floor_s: float = 0.0, live: bool = True, first_stamp_s: float | None = None
    ) -> None:
        self._started_s = session_started_s
        self._floor_s = floor_s
        self._live = live
        self._anchor_s: float | None = None if live or first_stamp_s is None else -first_stamp_s
        self._tracks: dict[int, _Track] = {}

    def note(self, track: int, stamp_s: float, *, now_s: float) -> None:
        """Take notice of one packet, in the order of decoding.

        Args:
            track: the stream's index.
            stamp_s: its decoding time stamp on the stream's own clock, seconds.
            now_s: monotonic time at which it was read.
        """
        known = self._tracks.get(track)
        if known is None:
            self._tracks[track] = _Track(self._first_offset_s(stamp_s, now_s), stamp_s, now_s, self._floor_s)
            return
        step_s, elapsed_s = stamp_s - known.last_stamp_s, now_s - known.last_read_s
        if step_s < -BACK_S or (self._live and step_s > elapsed_s + AHEAD_S):
            resumed_s = known.last_stamp_s + known.offset_s + (max(elapsed_s, 0.0) if self._live else 0.0)
            known.offset_s = max(resumed_s, known.highest_s) - stamp_s
        known.last_stamp_s, known.last_read_s = stamp_s, now_s

    def at(self, track: int, stamp_s: float) -> float:
        """Where a stamp of a known track lies on the session's timeline, seconds; may be less than what was given out before."""
        return stamp_s + self._tracks[track].offset_s

    def give_out(self, track: int, stamp_s: float) -> float:
        """Like `at`, for what leaves the decoder: never less than what was given out before."""
        known = self._tracks[track]
        known.highest_s = max(known.highest_s, stamp_s + known.offset_s)
        return known.highest_s

    @property
    def highest_s(self) -> float:
        """Largest session time given out on any track, seconds."""
        return max((known.highest_s for known in self._tracks.values()), default=self._floor_s)

    def _first_offset_s(self, stamp_s: float, now_s: float) -> float:
        if self._anchor_s is None:
            self._anchor_s = (max(now_s - self._started_s, self._floor_s) if self._live else 0.0) - stamp_s
        return self._anchor_s
