"""What was read before, per room, so that a line that stands still is read once.

A line counts as unchanged when the place where it was read last time looks the same, not when the new box is equal: boxes tremble
by a pixel or two from frame to frame.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels
from inference.vision.crops import cut_line
from inference.vision.ctc import Reading
from inference.vision.textboxes import TextBox

CELLS_HIGH = 16
"""Rows of a line's look: fine enough that 8 and 6 differ, coarse enough that compression does not show."""
CELLS_WIDE = 256
"""Most columns of a line's look."""
SAME_SPREAD = 0.12
"""Part of a line's own contrast that no cell may differ by. Between frames of one broadcast cells move by 0.05 to 0.12; another
digit moves one by 0.16 to 0.8, on a faint line of large letters by as little as 0.1, which the age of a line has to catch."""
SAME_LEVELS = 6.0
"""Levels of brightness (of 255) that compression moves a cell by on a picture without contrast."""
MIN_OVERLAP = 0.6
"""Intersection over union of the upright rectangles for two boxes to be the same place."""
MAX_AGE_S = 30.0
"""A line is read again after this long, whatever it looks like."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadLine:
    """A line as it was read, and what it looked like."""

    box: TextBox
    reading: Reading
    look: NDArray[np.float32]
    """Brightness in cells, shape (CELLS_HIGH, up to CELLS_WIDE)."""
    read_s: float
    """When, on the session's timeline, seconds."""


def look_of(line: Pixels) -> NDArray[np.float32]:
    """Shrink a line that was cut out to its look."""
    columns = int(np.clip(round(CELLS_HIGH * line.shape[1] / line.shape[0]), 1, CELLS_WIDE))
    grey = cv2.cvtColor(line, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (columns, CELLS_HIGH), interpolation=cv2.INTER_AREA), dtype=np.float32)


def same_look(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Tell whether two looks show the same text: no cell differs by more than a part of the line's contrast."""
    if one.shape != other.shape:
        return False
    allowed = max(SAME_LEVELS, SAME_SPREAD * float(np.ptp(one)))
    return float(np.abs(one - other).max()) <= allowed


def _overlap(one: TextBox, other: TextBox) -> float:
    low = np.maximum(one.corners.min(axis=0), other.corners.min(axis=0))
    high = np.minimum(one.corners.max(axis=0), other.corners.max(axis=0))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = sum(float(np.prod(np.ptp(box.corners, axis=0))) for box in (one, other))
    return shared / (areas - shared) if areas > shared else 1.0


class LineMemory:
    """Lines of each room as they were read last; bounded in rooms and in lines, the room looked at longest ago goes first."""

    def __init__(self, *, max_rooms: int, max_age_s: float = MAX_AGE_S) -> None:
        self._max_rooms = max_rooms
        self._max_age_s = max_age_s
        self._rooms: OrderedDict[str, tuple[ReadLine, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rooms)

    def recall(self, room_id: str, pixels: Pixels, box: TextBox, *, now_s: float) -> ReadLine | None:
        """Find what stood in this place, if it still looks the same.

        Args:
            room_id: "" remembers nothing.
            pixels: the frame, RGB uint8 (H, W, 3).
            box: where text was found on it.
            now_s: on the session's timeline.
        """
        with self._lock:
            lines = self._rooms.get(room_id, ())
        for line in lines:
            fresh = 0 <= now_s - line.read_s < self._max_age_s
            if fresh and _overlap(line.box, box) >= MIN_OVERLAP and same_look(line.look, look_of(cut_line(pixels, line.box))):
                return line
        return None

    def keep(self, room_id: str, lines: tuple[ReadLine, ...]) -> None:
        """Remember the lines of the newest frame in place of those before."""
        if not room_id:
            return
        with self._lock:
            self._rooms[room_id] = lines
            self._rooms.move_to_end(room_id)
            while len(self._rooms) > self._max_rooms:
                self._rooms.popitem(last=False)

    def forget(self, room_id: str) -> None:
        """Drop a room."""
        with self._lock:
            self._rooms.pop(room_id, None)
