"""The newest frame of each room for one detector, handed out most urgent room first.

One mailbox per detector. A room has one slot: a newer sample takes the place of one that waits (overflow rule: newest wins, the
older one is counted as superseded). Who is next:

1. rooms below their coverage floor (not looked at for `floor_s`), the longest overdue in proportion to its floor first;
2. then the others by how much of their own cadence they have waited, times their risk: spare capacity goes where risk is.

So no room gets a second turn while another is below its floor, and rooms of equal risk share evenly under any overload.
Pure: no thread, no clock; the worker's loop owns it.
"""

from __future__ import annotations

import heapq
from collections.abc import Container
from dataclasses import dataclass
from typing import Generic, TypeVar

SampleT = TypeVar("SampleT")

_EARLY_SHARE = 0.15
"""A sample that comes this share of the cadence too early still counts as due: sampling is jittered, cadence is not a metronome."""


@dataclass(frozen=True, slots=True)
class Turn(Generic[SampleT]):
    """One room's sample, taken to be looked at."""

    room_id: str
    sample: SampleT
    waited_s: float
    """Since the room was last looked at by this detector, seconds; since it was added for the first look."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What the mailbox knows of one room, for status."""

    n_taken: int
    n_superseded: int
    n_expired: int
    last_taken_s: float | None
    floor_s: float
    every_s: float


@dataclass(slots=True)
class _Room(Generic[SampleT]):
    """One room's slot."""

    every_s: float
    floor_s: float
    risk: float
    added_s: float
    sample: SampleT | None = None
    expires_s: float = 0.0
    put_s: float | None = None
    asked_s: float | None = None
    last_taken_s: float | None = None
    n_taken: int = 0
    n_superseded: int = 0
    n_expired: int = 0

    def waited_s(self, now_s: float) -> float:
        return now_s - (self.added_s if self.last_taken_s is None else self.last_taken_s)

    def urgency(self, now_s: float) -> Urgency:
        waited_s = self.waited_s(now_s)
        overdue = waited_s / self.floor_s
        if overdue >= 1.0:
            return Urgency(True, overdue)
        return Urgency(False, self.risk * waited_s / self.every_s)


@dataclass(frozen=True, slots=True, order=True)
class Urgency:
    """Sort key: rooms below their floor come before all others."""

    below_floor: bool
    weight: float


class Mailbox(Generic[SampleT]):
    """Slots of all rooms for one detector."""

    def __init__(self, detector: str) -> None:
        self.detector = detector
        self._rooms: dict[str, _Room[SampleT]] = {}
        self._waiting: dict[str, None] = {}

    def __len__(self) -> int:
        """Return how many samples wait."""
        return len(self._waiting)

    def add_room(self, room_id: str, *, every_s: float, floor_s: float, now_s: float) -> None:
        """Open a slot, or change the cadence of the one that is there.

        Raises:
            ValueError: a cadence that is not positive, or a floor below it.
        """
        if not 0 < every_s <= floor_s:
            raise ValueError(f"cadence must be 0 < every_s <= floor_s, got every_s={every_s}, floor_s={floor_s}")
        room = self._rooms.get(room_id)
        if room is None:
            self._rooms[room_id] = _Room(every_s=every_s, floor_s=floor_s, risk=1.0, added_s=now_s)
        else:
            room.every_s, room.floor_s = every_s, floor_s

    def remove_room(self, room_id: str) -> None:
        """Close a slot with whatever waits in it; an unknown room is no error, rooms end while their frames are under way."""
        self._rooms.pop(room_id, None)
        self._waiting.pop(room_id, None)

    def set_risk(self, room_id: str, risk: float) -> None:
        """Let a room look more often: its cadence is divided, and its weight multiplied, by `risk` >= 1."""
        if room_id in self._rooms:
            self._rooms[room_id].risk = max(1.0, risk)

    def due(self, room_id: str, *, now_s: float) -> bool:
        """Tell whether the room's cadence asks for a look now; false for a room without a slot."""
        room = self._rooms.get(room_id)
        if room is None:
            return False
        if room.asked_s is None:
            return True
        # From sample to sample: counted from its turn, one that had to wait would cost the room the next.
        return now_s - room.asked_s >= room.every_s / room.risk * (1 - _EARLY_SHARE)

    def put(self, room_id: str, sample: SampleT, *, expires_s: float, now_s: float | None = None) -> bool:
        """Lay a sample in the room's slot; the cadence counts from `now_s`, or from its turn where that is not given.

        Returns:
            True where an older sample that still waited was superseded.
        """
        room = self._rooms.get(room_id)
        if room is None:
            return False
        superseded = room.sample is not None
        room.n_superseded += superseded
        room.sample, room.expires_s, room.put_s = sample, expires_s, now_s
        self._waiting[room_id] = None
        return superseded

    def touch(self, room_id: str, *, now_s: float) -> None:
        """Count the room as looked at without a turn: its picture is the one that was looked at before."""
        room = self._rooms.get(room_id)
        if room is not None:
            room.last_taken_s = room.asked_s = now_s

    def expire(self, *, now_s: float) -> list[SampleT]:
        """Drop what could not be answered in time any more.

        Returns:
            What was dropped; each is counted for its room.
        """
        late = [room_id for room_id in self._waiting if self._rooms[room_id].expires_s <= now_s]
        gone = []
        for room_id in late:
            room = self._rooms[room_id]
            gone.append(self._taken_out(room, room_id))
            room.n_expired += 1
        return gone

    def take(self, n: int, *, now_s: float, busy: Container[str] = ()) -> list[Turn[SampleT]]:
        """Take up to `n` samples, most urgent room first, none of a room in `busy`; call `expire` before."""
        if n <= 0 or not self._waiting:
            return []
        free = [room_id for room_id in self._waiting if room_id not in busy]
        chosen = heapq.nlargest(n, free, key=lambda room_id: self._rooms[room_id].urgency(now_s))
        return [self._turn(room_id, now_s) for room_id in chosen]

    def head(self, *, now_s: float, busy: Container[str] = ()) -> Urgency | None:
        """Return how urgent the next turn would be; None where nothing can be taken. Urgencies of two mailboxes compare."""
        waiting = (self._rooms[room_id].urgency(now_s) for room_id in self._waiting if room_id not in busy)
        return max(waiting, default=None)

    def slot(self, room_id: str) -> Slot | None:
        """Describe one room's slot, or None where it has none."""
        room = self._rooms.get(room_id)
        if room is None:
            return None
        return Slot(room.n_taken, room.n_superseded, room.n_expired, room.last_taken_s, room.floor_s, room.every_s)

    def _turn(self, room_id: str, now_s: float) -> Turn[SampleT]:
        room = self._rooms[room_id]
        waited_s = room.waited_s(now_s)
        sample = self._taken_out(room, room_id)
        room.last_taken_s = now_s
        room.asked_s = now_s if room.put_s is None else room.put_s
        room.n_taken += 1
        return Turn(room_id, sample, waited_s)

    def _taken_out(self, room: _Room[SampleT], room_id: str) -> SampleT:
        sample = room.sample
        assert sample is not None  # only rooms with a sample are in _waiting
        room.sample = None
        del self._waiting[room_id]
        return sample
