"""One room under watch: its broadcast, its policy, its health and what its decoder last said. State of the worker's event loop only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inference.policy import Policy
from inference.samples import Modality
from streams.danmaku import DanmakuPulse
from streams.lifecycle import RoomHealth
from streams.looks import LookCounts
from streams.rooms import Broadcast, RoomSpec
from streams.status import SourceStatus

RATE_WINDOW_S = 30.0
"""Over how long a room's effective rate is taken, seconds."""


@dataclass(slots=True, eq=False)
class Watch:
    """Everything the worker keeps of one room."""

    broadcast: Broadcast
    policy: Policy
    health: RoomHealth
    pulse: DanmakuPulse = field(default_factory=DanmakuPulse)
    source: SourceStatus | None = None
    """What the decoder last said; None before it said anything, and for pushed rooms."""
    risk: float = 1.0
    last_pts_s: float = 0.0
    """Newest moment of the timeline that was seen; pushed samples never go back before it."""
    n_open: int = 0
    """Violations open now."""
    reopen_at_s: float | None = None
    """When a source that ended or failed for good is tried again, monotonic seconds."""

    @property
    def room(self) -> RoomSpec:
        """What was asked for."""
        return self.broadcast.room

    @property
    def pulled(self) -> bool:
        """Whether the worker fetches the media itself."""
        return self.room.source is not None

    def place(self, pts_s: float) -> float:
        """Put a moment on the timeline, which never goes back."""
        self.last_pts_s = max(self.last_pts_s, pts_s)
        return self.last_pts_s


def room_view(watch: Watch, looks: dict[str, LookCounts], *, now_s: float, missing: tuple[str, ...]) -> dict[str, Any]:
    """Describe a room for API and console; stream keys are masked."""
    source = watch.source
    blind = {modality.value: watch.health.blind_s(modality, now_s=now_s) for modality in (Modality.IMAGE, Modality.AUDIO)}
    return {
        **watch.room.body(reveal=False),
        "room_id": watch.room.room_id,
        "mode": "pull" if watch.pulled else "push",
        "state": source.state if source else ("connecting" if watch.pulled else "live" if watch.health.watching else "waiting"),
        "reason": source.reason if source else None,
        "session_id": watch.broadcast.session_id,
        "started_at": watch.broadcast.started_at.isoformat(),
        "watching": watch.health.watching,
        "blind_s": {name: None if seconds is None else round(seconds, 2) for name, seconds in blind.items()},
        "blind_reason": watch.health.blind_reason,
        "policy": {"id": watch.policy.id, "version": watch.policy.version},
        "risk": round(watch.risk, 2),
        "sampling": _sampling_view(watch),
        "detectors": {name: _look_view(counts, watch, now_s) for name, counts in looks.items()},
        "picture": {"width": source.width, "height": source.height, "codec": source.codec} if source else None,
        "open_violations": watch.n_open,
        "degraded": list(missing),
    }


def _sampling_view(watch: Watch) -> dict[str, Any]:
    source, interval_s = watch.source, watch.policy.sampling.interval_s / watch.risk
    if source is None:
        return {"mode": "pushed" if not watch.pulled else None, "interval_s": interval_s, "effective_fps": None, "gop_s": None}
    return {"mode": source.mode, "interval_s": interval_s, "effective_fps": source.effective_fps, "gop_s": source.gop_s}


def _look_view(counts: LookCounts, watch: Watch, now_s: float) -> dict[str, Any]:
    slot = counts.slot
    watched_s = max(1.0, watch.broadcast.at_s(now_s))
    return {
        "n_scored": counts.n_looks,
        "n_skipped": counts.n_repeated,
        "n_superseded": slot.n_superseded,
        "n_expired": slot.n_expired,
        "rate_hz": round((counts.n_looks + counts.n_repeated) / watched_s, 3),
        "last_scored_s_ago": None if slot.last_taken_s is None else round(now_s - slot.last_taken_s, 2),
        "every_s": slot.every_s,
        "floor_s": slot.floor_s,
    }
