"""Tells the first hearing of an utterance from the second: windows of sound overlap, so most words are heard twice.

    window 0  |-------x-|              heard
    window 1       |--x------|         the same label at the same time: an echo, unless it is now judged more harshly

Pure. Belongs to the worker's loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from inference.verdicts import Heard, Judged

MAX_REMEMBERED = 64
"""Utterances remembered of one room; overflow rule: the oldest goes. Windows overlap by seconds, which hold far fewer."""


@dataclass(frozen=True, slots=True)
class _Told:
    session_id: str
    detector: str
    label: str
    heard: Heard
    rank: int


class Echoes:
    """What was heard of late in every room."""

    def __init__(self) -> None:
        self._rooms: dict[str, deque[_Told]] = {}

    def fresh(self, room_id: str, session_id: str, judged: Iterable[Judged]) -> tuple[Judged, ...]:
        """Leave out what was heard before at the same time and judged no milder; the rest is remembered.

        Args:
            room_id: the room.
            session_id: its broadcast; times of another one mean nothing.
            judged: findings of one look; those that were not heard pass as they are.
        """
        kept: list[Judged] = []
        for one in judged:
            heard = one.finding.heard
            if heard is None:
                kept.append(one)
                continue
            told = _Told(session_id, one.finding.detector, one.finding.label, heard, one.decision.rank)
            room = self._rooms.setdefault(room_id, deque(maxlen=MAX_REMEMBERED))
            if not any(_echoes(told, before) for before in room):
                room.append(told)
                kept.append(one)
        return tuple(kept)

    def forget(self, room_id: str) -> None:
        """Drop a room."""
        self._rooms.pop(room_id, None)


def _echoes(told: _Told, before: _Told) -> bool:
    same = (told.session_id, told.detector, told.label) == (before.session_id, before.detector, before.label)
    overlaps = told.heard.start_s < before.heard.end_s and before.heard.start_s < told.heard.end_s
    return same and overlaps and told.rank <= before.rank
