"""What was found in a room a moment ago, so that one modality may second another: pictures and sound are looked at apart.

Only looks at the room count; what viewers write does not, or a viewer could have a room blocked. Pure; belongs to the worker's
loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from inference.verdicts import Decision, Finding, Judged

SECONDS_S = 30.0
"""Findings this far apart on the session's timeline are about the same happening, seconds."""

MAX_REMEMBERED = 32
"""Findings remembered of one room; overflow rule: the oldest goes."""


@dataclass(frozen=True, slots=True)
class _Found:
    session_id: str
    pts_s: float
    finding: Finding


class Seconding:
    """The last findings of every room that did not pass."""

    def __init__(self) -> None:
        self._rooms: dict[str, deque[_Found]] = {}

    def beside(self, room_id: str, session_id: str, pts_s: float) -> tuple[Finding, ...]:
        """Return what was found around a moment of a broadcast."""
        found = self._rooms.get(room_id, ())
        return tuple(one.finding for one in found if one.session_id == session_id and abs(one.pts_s - pts_s) <= SECONDS_S)

    def note(self, room_id: str, session_id: str, pts_s: float, judged: Sequence[Judged]) -> None:
        """Remember the findings of one look that did not pass."""
        found = [_Found(session_id, pts_s, one.finding) for one in judged if one.decision is not Decision.PASS]
        if found:
            self._rooms.setdefault(room_id, deque(maxlen=MAX_REMEMBERED)).extend(found)

    def forget(self, room_id: str) -> None:
        """Drop a room."""
        self._rooms.pop(room_id, None)
