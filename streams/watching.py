"""One room under watch: its broadcast, policy and health, and what its decoder last said. State of the worker's event loop only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference.detectors import Detector
from inference.metrics import Metrics
from inference.policy import Policy
from inference.samples import Modality
from streams.clips import ClipCutter
from streams.danmaku import DanmakuPulse
from streams.lifecycle import RoomHealth
from streams.looks import LookCounts
from streams.rooms import Broadcast, RoomSpec
from streams.sampling import AudioPlan, SamplingPlan
from streams.status import SourceReason, SourceState, SourceStatus

OPEN_RISK = 2.0
"""A room with an open violation is looked at this many times as often."""
JOIN_S = 0.5
"""Pushed sound that claims to begin within this of where the last push ended is its continuation: clocks are not that exact."""


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
    sound_until_s: float | None = None
    """Where pushed sound ends on the timeline; None before any."""
    offline: bool = False
    """True for a file that is read as fast as the machine goes: its time is that of its media."""
    _cutter: ClipCutter | None = None

    @property
    def room(self) -> RoomSpec:
        """What was asked for."""
        return self.broadcast.room

    @property
    def pulled(self) -> bool:
        """Whether the worker fetches the media itself."""
        return self.room.source is not None

    def at_s(self, now_s: float) -> float:
        """Return a monotonic moment on the session's timeline; of a file, how far it has been read."""
        return self.last_pts_s if self.offline else self.broadcast.at_s(now_s)

    def place(self, pts_s: float) -> float:
        """Put a moment on the timeline, which never goes back."""
        self.last_pts_s = max(self.last_pts_s, pts_s)
        return self.last_pts_s

    def joined(self, start_s: float) -> float:
        """Put the beginning of pushed sound where the last push ended, if that is about where it claims to be."""
        if self.sound_until_s is not None and abs(start_s - self.sound_until_s) <= JOIN_S:
            return self.sound_until_s
        return max(0.0, start_s, self.sound_until_s or 0.0)

    def cutter(self) -> ClipCutter:
        """Return what cuts this room's pushed sound into windows."""
        if self._cutter is None:
            sampling = self.policy.sampling
            self._cutter = ClipCutter(AudioPlan(sampling.audio_window_s, sampling.audio_hop_s))
        return self._cutter

    def take_status(self, status: SourceStatus) -> None:
        """Take what the decoder says of the source, and let health know why nothing may come."""
        if status.state is SourceState.CONNECTING and status.reason is None and self.source is not None:
            status = replace(status, reason=self.source.reason, detail=self.source.detail)  # why it has to connect again
        self.source = status
        up = status.state is SourceState.LIVE
        self.health.source_says(None if up else (status.reason or status.state).value)
        self.health.lacks(Modality.AUDIO, status.reason.value if up and status.reason is SourceReason.NO_AUDIO else None)
        self.health.lacks(Modality.IMAGE, status.reason.value if up and status.reason is SourceReason.NO_VIDEO else None)

    def wanted_risk(self, *, now_s: float) -> float:
        """Say how many times as often the room should be looked at."""
        return max(self.pulse.risk(now_s=now_s), OPEN_RISK if self.n_open else 1.0)


def sampling_plan(policy: Policy, risk: float) -> SamplingPlan:
    """Say how a room's decoder samples under a policy; risk makes it denser, and hides fewer moments between key frames."""
    sampling = policy.sampling
    audio = AudioPlan(sampling.audio_window_s, sampling.audio_hop_s) if sampling.audio else None
    interval_s = sampling.interval_s / risk
    return SamplingPlan(interval_s, min(0.5, sampling.jitter), min(1.0, 0.05 * risk), audio)


def blind_bounds(detectors: Mapping[str, Detector], room: RoomSpec, policy: Policy) -> dict[Modality, float]:
    """Say how long each modality of a room may be blind: twice the shortest cadence of its detectors, and a sampling interval."""
    bounds: dict[Modality, float] = {}
    for name, detector in detectors.items():
        cadence = policy.cadence.get(name)
        comes = detector.modality is not Modality.AUDIO or (policy.sampling.audio and room.source is not None)
        if cadence is not None and comes:
            bound_s = cadence.every_s * 2 + policy.sampling.interval_s
            bounds[detector.modality] = min(bounds.get(detector.modality, bound_s), bound_s)
    if Modality.AUDIO in bounds:
        bounds[Modality.AUDIO] += policy.sampling.audio_window_s
    return bounds or {Modality.IMAGE: policy.sampling.interval_s * 3}


def show_rooms(metrics: Metrics, watches: Iterable[Watch], *, n_open: int, now_s: float) -> None:
    """Bring the gauges of rooms and blind time up to date."""
    states: Counter[str] = Counter()
    longest_s = {Modality.IMAGE: 0.0, Modality.AUDIO: 0.0}
    reasons = {modality: Counter[str]() for modality in longest_s}
    for watch in watches:
        states[room_state(watch)] += 1
        for modality, reason in watch.health.blind_now(now_s=now_s).items():
            reasons[modality][reason] += 1
            longest_s[modality] = max(longest_s[modality], watch.health.blind_s(modality, now_s=now_s) or 0.0)
        for counted, seconds in watch.health.take_blind().items():
            metrics.blind_total.labels(*counted).inc(seconds)
    metrics.show_rooms(states, states=ROOM_STATES)
    metrics.violations_open.set(n_open)
    for modality, seconds in longest_s.items():
        metrics.show_blind(modality, reasons[modality], seconds)


def room_state(watch: Watch) -> str:
    """Name the state of a room: its source's, or for a pushed room whether anything comes."""
    if watch.source is not None:
        return watch.source.state.value
    if watch.pulled:
        return SourceState.CONNECTING.value
    return PUSHED_LIVE if watch.health.watching else PUSHED_WAITING


PUSHED_LIVE = "live"
PUSHED_WAITING = "waiting"
ROOM_STATES = (*(state.value for state in SourceState), PUSHED_WAITING)


def room_view(watch: Watch, looks: dict[str, LookCounts], *, now_s: float, missing: tuple[str, ...]) -> dict[str, Any]:
    """Describe a room for API and console; stream keys are masked."""
    source = watch.source
    blind = {modality.value: watch.health.blind_s(modality, now_s=now_s) for modality in (Modality.IMAGE, Modality.AUDIO)}
    return {
        **watch.room.body(reveal=False),
        "room_id": watch.room.room_id,
        "mode": "pull" if watch.pulled else "push",
        "state": room_state(watch),
        "reason": source.reason if source else None,
        "session_id": watch.broadcast.session_id,
        "started_at": watch.broadcast.started_at.isoformat(),
        "watching": watch.health.watching,
        "blind_s": {name: None if seconds is None else round(seconds, 2) for name, seconds in blind.items()},
        "blind_reason": watch.health.blind_reason,
        "policy": {"id": watch.policy.id, "version": watch.policy.version},
        "risk": round(watch.risk, 2),
        "sampling": _sampling_view(watch, looks),
        "detectors": {name: _look_view(counts, watch, now_s) for name, counts in looks.items()},
        "picture": {"width": source.width, "height": source.height, "codec": source.codec} if source else None,
        "open_violations": watch.n_open,
        "degraded": list(missing),
    }


def _sampling_view(watch: Watch, looks: Mapping[str, LookCounts]) -> dict[str, Any]:
    source, interval_s = watch.source, watch.policy.sampling.interval_s / watch.risk
    if source is None:
        seen_s = max(1.0, watch.last_pts_s)
        fps = None if watch.pulled else max((round(counts.n_looks / seen_s, 3) for counts in looks.values()), default=0.0)
        return {"mode": "pushed" if not watch.pulled else None, "interval_s": interval_s, "effective_fps": fps, "gop_s": None}
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
