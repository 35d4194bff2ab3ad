"""The last few frames of each room, as small as a detector needs them, for what only shows over time.

Bounded twice: frames of a room, and rooms. Frames of another session, another size or long ago are let go, since the scene they
show is another one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass

from inference.samples import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    session_id: str
    pts_s: float
    frame: Pixels


@dataclass(slots=True, eq=False)
class _Room:
    kept: deque[_Kept]
    n_added: int = 0
    """Frames since they began anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """The frames of a room that belong together."""

    frames: list[Pixels]
    """Oldest first, the one just added last."""
    number: int
    """Of the frame just added, from 0 where they began anew."""


class RecentFrames:
    """Frames by room; safe from any thread."""

    def __init__(self, *, n_frames: int, max_age_s: float, max_rooms: int) -> None:
        """Set the bounds.

        Args:
            n_frames: of one room; overflow rule: the oldest goes.
            max_age_s: between the oldest frame and the newest, seconds of the session's timeline.
            max_rooms: overflow rule: the room that was looked at longest ago is forgotten.
        """
        self._n_frames = n_frames
        self._max_age_s = max_age_s
        self._max_rooms = max_rooms
        self._lock = threading.Lock()
        self._rooms: OrderedDict[str, _Room] = OrderedDict()

    def add(self, room_id: str, session_id: str, pts_s: float, frame: Pixels) -> Recent:
        """Keep a frame.

        Args:
            room_id: whose it is; of an empty one nothing is kept.
            session_id: the broadcast.
            pts_s: where on its timeline, seconds.
            frame: kept as it is, never written to.
        """
        if not room_id:
            return Recent([frame], 0)
        with self._lock:
            room = self._rooms.setdefault(room_id, _Room(deque(maxlen=self._n_frames)))
            self._rooms.move_to_end(room_id)
            kept = room.kept
            if kept and (kept[-1].session_id != session_id or kept[-1].frame.shape != frame.shape or kept[-1].pts_s > pts_s):
                kept.clear()
            while kept and kept[0].pts_s < pts_s - self._max_age_s:
                kept.popleft()
            room.n_added = room.n_added + 1 if kept else 1
            kept.append(_Kept(session_id, pts_s, frame))
            while len(self._rooms) > self._max_rooms:
                self._rooms.popitem(last=False)
            return Recent([one.frame for one in kept], room.n_added - 1)

    def forget(self, room_id: str) -> None:
        """Let a room's frames go."""
        with self._lock:
            self._rooms.pop(room_id, None)

    @property
    def n_bytes(self) -> int:
        """Bytes held in all."""
        with self._lock:
            return sum(one.frame.nbytes for room in self._rooms.values() for one in room.kept)
