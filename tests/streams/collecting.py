"""A sink that keeps what it is given and lets a test wait for it, and a pool around it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference.samples import AudioClip, FrameSample
from streams.sampling import SamplingPlan
from streams.status import SourceState, SourceStatus
from streams.supervisor import DecoderPool, PoolLimits, ReadMode, WatchOrder
from streams.urls import StreamUrl, UrlPolicy
from tests.media import read_number

LOOPBACK = UrlPolicy(allow_loopback=True, allow_files=True)
WAIT_S = 40.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a frame showed; the frame itself is let go at once."""

    pts_s: float
    captured_s: float
    number: int
    size: tuple[int, int]


class CollectingSink:
    """Keeps everything by room."""

    def __init__(self) -> None:
        self.frames: dict[str, list[Seen]] = defaultdict(list)
        self.clips: dict[str, list[AudioClip]] = defaultdict(list)
        self.statuses: dict[str, list[SourceStatus]] = defaultdict(list)
        self._changed = threading.Condition()

    def on_frame(self, sample: FrameSample) -> None:
        picture = sample.picture
        seen = Seen(sample.pts_s, sample.captured_s, read_number(picture.rgb()), (picture.width, picture.height))
        with self._changed:
            self.frames[sample.room_id].append(seen)
            self._changed.notify_all()

    def on_clip(self, clip: AudioClip) -> None:
        with self._changed:
            self.clips[clip.room_id].append(clip)
            self._changed.notify_all()

    def on_status(self, status: SourceStatus) -> None:
        with self._changed:
            self.statuses[status.room_id].append(status)
            self._changed.notify_all()

    def wait(self, condition: Callable[[], object], *, within_s: float = WAIT_S) -> None:
        """Return once the condition holds; looked at after every arrival."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(condition()), within_s):
                last = {room: statuses[-1] for room, statuses in self.statuses.items()}
                raise AssertionError(f"did not come in {within_s} s; frames {dict(self.frames)}, last statuses {last}")

    def last(self, room_id: str) -> SourceStatus | None:
        """Newest status of a room."""
        return self.statuses[room_id][-1] if self.statuses[room_id] else None

    def reached(self, room_id: str, state: SourceState) -> SourceStatus | None:
        """First status of a room in that state."""
        return next((status for status in self.statuses[room_id] if status.state is state), None)


@contextmanager
def pool_of(sink: CollectingSink, *, policy: UrlPolicy = LOOPBACK, limits: PoolLimits | None = None) -> Iterator[DecoderPool]:
    """Run a pool for the length of a test."""
    pool = DecoderPool(sink, limits or PoolLimits(slab_bytes=16 * 1024 * 1024), policy=policy)
    pool.start()
    try:
        yield pool
    finally:
        pool.close()


def order(room_id: str, url: str | Path, plan: SamplingPlan | None = None, *, mode: ReadMode = ReadMode.LIVE) -> WatchOrder:
    """Order a room with a steady plan unless one is given."""
    chosen = plan or SamplingPlan(interval_s=1.0, jitter=0.0, off_key_share=0.0)
    return WatchOrder(room_id, "session", StreamUrl.parse(str(url), LOOPBACK), chosen, time.monotonic(), mode)
