"""The last few seconds of every room as small pictures, and a moving picture made of them when something is found.

Owns the ring of recent frames. Where the moving picture is stored is `streams/evidence.py`.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from inference.samples import FrameSample

LAST_FRAME_MS = 1000
"""How long the last picture of a strip stays before it begins again."""


@dataclass(frozen=True, slots=True)
class RecentFrame:
    """One small picture of a room's recent past."""

    session_id: str
    pts_s: float
    """Session timeline, seconds."""
    jpeg: bytes

    def __repr__(self) -> str:
        return f"RecentFrame({self.session_id} @ {self.pts_s:.2f}s, {len(self.jpeg)} bytes)"


class RecentFrames:
    """Ring of small pictures per room; overflow rule: the room's oldest goes, and over the byte bound the stalest room's oldest.

    `add` is called for every scored frame, from any thread; it costs one scaling and one small JPEG.
    """

    def __init__(self, *, frames_per_room: int, max_bytes: int, width_px: int = 320, quality: int = 70) -> None:
        if frames_per_room < 1 or max_bytes < 1:
            raise ValueError(f"frames_per_room and max_bytes must be at least 1, got {frames_per_room} and {max_bytes}")
        self._frames_per_room = frames_per_room
        self._max_bytes = max_bytes
        self._width_px = width_px
        self._quality = quality
        self._rooms: OrderedDict[str, deque[RecentFrame]] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    @property
    def n_bytes(self) -> int:
        """Bytes held for all rooms."""
        return self._n_bytes

    def add(self, sample: FrameSample) -> None:
        """Keep a small copy of the sample's picture."""
        picture = sample.picture
        width = min(self._width_px, picture.width)
        height = max(1, round(picture.height * width / picture.width))
        rgb = picture.rgb((width, height))
        _, encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        frame = RecentFrame(sample.session_id, sample.pts_s, encoded.tobytes())
        with self._lock:
            ring = self._rooms.setdefault(sample.room_id, deque())
            self._rooms.move_to_end(sample.room_id)
            ring.append(frame)
            self._n_bytes += len(frame.jpeg)
            if len(ring) > self._frames_per_room:
                self._n_bytes -= len(ring.popleft().jpeg)
            self._shrink()

    def around(self, room_id: str, session_id: str, *, start_s: float, end_s: float) -> tuple[RecentFrame, ...]:
        """Return what is kept of `[start_s, end_s]` of the session, in order."""
        with self._lock:
            ring = tuple(self._rooms.get(room_id, ()))
        return tuple(frame for frame in ring if frame.session_id == session_id and start_s <= frame.pts_s <= end_s)

    def forget(self, room_id: str) -> None:
        """Drop a room that is no longer watched."""
        with self._lock:
            for frame in self._rooms.pop(room_id, ()):
                self._n_bytes -= len(frame.jpeg)

    def _shrink(self) -> None:
        while self._n_bytes > self._max_bytes and self._rooms:
            room_id, ring = next(iter(self._rooms.items()))
            self._n_bytes -= len(ring.popleft().jpeg)
            if not ring:
                del self._rooms[room_id]


def encode_strip(frames: Sequence[RecentFrame], *, quality: int = 60) -> bytes:
    """Encode the frames as an animated WebP that plays at the pace at which they were taken.

    Raises:
        ValueError: there are no frames.
    """
    if not frames:
        raise ValueError("a strip needs at least one frame")
    pictures = [np.asarray(cv2.imdecode(np.frombuffer(frame.jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)) for frame in frames]
    height, width = pictures[0].shape[:2]
    animation = cv2.Animation()
    animation.frames = [
        picture if picture.shape[:2] == (height, width) else cv2.resize(picture, (width, height)) for picture in pictures
    ]
    gaps_ms = [max(1, round((after.pts_s - before.pts_s) * 1000)) for before, after in itertools.pairwise(frames)]
    animation.durations = [*gaps_ms, LAST_FRAME_MS]
    animation.loop_count = 0
    _, encoded = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return encoded.tobytes()
