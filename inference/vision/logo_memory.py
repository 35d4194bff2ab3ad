"""What was seen at which place of each room, look after look: see `models.logo_sightings`.

Bounded by rooms; what is kept of one is some kilobytes. Another session, or a look before the last one, begins anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from models.logo_matching import Seen
from models.logo_sightings import Track, followed, gathered


@dataclass(frozen=True, slots=True)
class LookAt:
    """Whose look it is."""

    room_id: str
    """Of an empty one nothing is remembered."""
    session_id: str
    pts_s: float
    """When it is, seconds of the session's timeline."""


@dataclass(frozen=True, slots=True, eq=False)
class _Room:
    look: LookAt
    size: tuple[int, int]
    tracks: tuple[Track, ...]


class LogoMemory:
    """Sightings by room; safe from any thread."""

    def __init__(self, max_rooms: int) -> None:
        """Set the bound; overflow rule: the room that was looked at longest ago is forgotten."""
        self._max_rooms = max_rooms
        self._lock = threading.Lock()
        self._rooms: OrderedDict[str, _Room] = OrderedDict()

    def add(self, look: LookAt, size: tuple[int, int], seen: Seen) -> Seen:
        """Remember a look.

        Args:
            look: whose and when.
            size: width and height of the frame, pixels; boxes of another size mean nothing to each other.
            seen: what is on it.

        Returns:
            the same overlays in the same order, each gathered with what it was before.
        """
        with self._lock:
            before = self._rooms.pop(look.room_id, None)
            goes_on = before is not None and before.size == size and _follows(before.look, look)
            tracks = followed(before.tracks if before is not None and goes_on else (), seen, look.pts_s)
            if look.room_id:
                self._rooms[look.room_id] = _Room(look, size, tracks)
            while len(self._rooms) > self._max_rooms:
                self._rooms.popitem(last=False)
        return gathered(tracks[: len(seen.boxes)])

    def forget(self, room_id: str) -> None:
        """Let a room go."""
        with self._lock:
            self._rooms.pop(room_id, None)

    def __len__(self) -> int:
        return len(self._rooms)


def _follows(before: LookAt, look: LookAt) -> bool:
    return before.session_id == look.session_id and before.pts_s <= look.pts_s
