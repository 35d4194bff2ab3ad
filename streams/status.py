"""What is known of a room's source: its state, the typed reason behind it, and the figures of its decoding.

Shared by the worker and the decoder children; needs no decoder itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inference.errors import LivewardenError
from streams.sampling import SamplingMode


class SourceReason(StrEnum):
    """Why a source gives nothing, or not all that was wanted."""

    NOT_FOUND = "not_found"
    AUTH = "auth"
    TIMEOUT = "timeout"
    NO_VIDEO = "no_video"
    NO_AUDIO = "no_audio"
    CODEC_UNSUPPORTED = "codec_unsupported"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    TLS = "tls"
    REFUSED = "refused"
    """Our own rules forbid the address, or one it leads to."""
    ENDED = "ended"
    UNREACHABLE = "unreachable"
    DECODER_DIED = "decoder_died"
    """The process that decoded it died or hung; it is being moved."""


class SourceState(StrEnum):
    """Where a room's source is in its life."""

    CONNECTING = "connecting"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    """The stream said it is over; nothing more comes."""
    FAILED = "failed"
    """Given up after the whole budget of attempts; nothing more comes."""
    QUARANTINED = "quarantined"
    """Killed its decoder twice; decoded alone, with growing pauses."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more comes unless the room is watched anew."""
        return self in (SourceState.ENDED, SourceState.FAILED)


class SourceUnavailable(LivewardenError):
    """Raised when a source cannot be opened or read now; trying again later may help."""

    status = 502
    title = "source unavailable"

    def __init__(self, reason: SourceReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SourceEnded(LivewardenError):
    """Raised when a stream is over as streams are; nothing went wrong."""

    status = 410
    title = "source ended"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A room's source at one moment."""

    room_id: str
    session_id: str
    state: SourceState
    reason: SourceReason | None = None
    """Why it is not live, or what is missing while it is."""
    detail: str = ""
    """The reason in words, without secrets."""
    mode: SamplingMode = SamplingMode.STARTING
    effective_fps: float = 0.0
    """Samples per second of the stream's clock, over the last few; 0 while unknown."""
    gop_s: float | None = None
    """Measured distance of key frames, seconds."""
    width: int = 0
    height: int = 0
    codec: str = ""
    pts_s: float = 0.0
    """How far the session's timeline has been read."""
    duration_s: float | None = None
    """Length of a file, seconds; None for a live source."""
    n_frames: int = 0
    """Frames handed to the worker in this watch, whichever decoder they came from."""
    n_clips: int = 0
    n_corrupt: int = 0
    """Packets and frames that could not be decoded."""
    n_reconnects: int = 0
    n_moves: int = 0
    """How often the room went to another decoder process."""
    drops: tuple[tuple[str, int], ...] = ()
    """Samples lost inside the decoder, by reason (`slab_full`, `pipe_full`, `missed`)."""
