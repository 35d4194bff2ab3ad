"""Layouts of rooms over time: what one frame seems to show counts once others agree, and stays while some still do.

Bars and tiles come and go together. An inset is held by itself: it stands still while the scene's own edges move, and one frame in
a few does not show its sides.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from inference.samples import FrameSample
from inference.verdicts import Box
from inference.vision.layout import INSET, WHOLE, Layout, layout_of, near

HIT, MOST = 2, 6
"""What a frame that shows an inset adds to it, and how much it has at most; one that does not takes 1, and at 0 it is gone."""


@dataclass(slots=True)
class _Inset:
    """A small picture that was seen at one place."""

    box: Box
    worth: int = HIT
    counts: bool = False


@dataclass(slots=True)
class _Room:
    """What a room's last frames looked like; layouts without insets."""

    held: Layout
    rival: Layout | None = None
    n_rival: int = 0
    insets: list[_Inset] = field(default_factory=list)

    def settle(self, seen: Layout, agree: int) -> Layout:
        """Take a frame's layout; return what counts."""
        self._take_frame(Layout(seen.content, tuple(tile for tile in seen.tiles if tile.name != INSET)), agree)
        self._take_insets([tile for tile in seen.tiles if tile.name == INSET], agree)
        held = self.held
        if held.tiles:
            return held
        return Layout(held.content, tuple(inset.box for inset in self.insets if inset.counts))

    def _take_frame(self, seen: Layout, agree: int) -> None:
        if seen.like(self.held):
            self.rival, self.n_rival = None, 0
            return
        if self.rival is None or not seen.like(self.rival):
            self.rival, self.n_rival = seen, 0
        self.n_rival += 1
        if self.n_rival >= agree:
            self.held, self.rival, self.n_rival = self.rival, None, 0

    def _take_insets(self, seen: list[Box], agree: int) -> None:
        left = list(seen)
        for inset in self.insets:
            again = next((box for box in left if near(box, inset.box)), None)
            if again is not None:
                left.remove(again)
            inset.worth = min(MOST, inset.worth + HIT) if again is not None else inset.worth - 1
            inset.counts = inset.counts or inset.worth > HIT * (agree - 1)
        self.insets = [inset for inset in self.insets if inset.worth > 0]
        held = [inset.box for inset in self.insets if inset.counts]
        self.insets += [_Inset(box, counts=agree <= 1) for box in left if not any(_overlap(box, one) for one in held)]


class LayoutMemory:
    """Layouts of rooms, bounded: the room asked longest ago goes first.

    Safe from any thread. A picture of no room (id "") is taken as it is.
    """

    def __init__(self, *, max_rooms: int = 4096, agree: int = 2) -> None:
        """Remember nothing yet.

        Args:
            max_rooms: rooms remembered.
            agree: frames running that must show a layout; of an inset, frames with not more of others between them.
        """
        self._max_rooms = max_rooms
        self._agree = agree
        self._rooms: OrderedDict[str, _Room] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, sample: FrameSample) -> Layout:
        """Return what counts as the layout of a frame."""
        return self.settle(sample.room_id, layout_of(sample.picture))

    def settle(self, room_id: str, seen: Layout) -> Layout:
        """Take what a frame looks like; return what counts for it: what the frames before agreed on, until new ones do."""
        if not room_id:
            return seen
        with self._lock:
            room = self._rooms.setdefault(room_id, _Room(WHOLE))
            self._rooms.move_to_end(room_id)
            while len(self._rooms) > self._max_rooms:
                self._rooms.popitem(last=False)
            return room.settle(seen, self._agree)

    def forget(self, room_id: str) -> None:
        """Drop a room."""
        with self._lock:
            self._rooms.pop(room_id, None)

    def __len__(self) -> int:
        return len(self._rooms)


def _overlap(one: Box, other: Box) -> bool:
    return one.x < other.x + other.w and other.x < one.x + one.w and one.y < other.y + other.h and other.y < one.y + one.h
