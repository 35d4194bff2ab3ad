"""What the worker asks of the decode side, and where it wants the media: orders in, samples and statuses out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inference.samples import AudioClip, FrameSample
from streams.messages import ReadMode
from streams.sampling import SamplingPlan
from streams.status import SourceStatus
from streams.urls import StreamUrl


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """One room to be watched for one session."""

    room_id: str
    session_id: str
    url: StreamUrl
    plan: SamplingPlan
    session_started_s: float
    """Monotonic time that is 0 on the session's timeline; a file begins at 0 whatever this says."""
    mode: ReadMode = ReadMode.LIVE


class MediaSink(Protocol):
    """Where media go. Called on the pool's thread, so every call must return at once and must not raise."""

    def on_frame(self, sample: FrameSample) -> None:
        """Take a picture; its memory is lent until the sample is let go."""
        ...

    def on_clip(self, clip: AudioClip) -> None:
        """Take a window of sound; its memory is its own."""
        ...

    def on_status(self, status: SourceStatus) -> None:
        """Take notice of how a room's source stands; at once on a change, else every two seconds."""
        ...
