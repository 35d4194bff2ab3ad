"""Whether a room is being watched: blind seconds by modality and reason, and the four lifecycle transitions. Pure.

*Blind* is the time since the last scored (or unchanged) sample of a modality. A room has `started` only after its first verdict;
it is `degraded` when a modality that the policy asks for has been blind for longer than its bound, `recovered` when every one is
seen again, `ended` when it is taken down. A degradation is told once, not per tick, and again only when its reasons change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inference.samples import Modality


class HealthKind(StrEnum):
    """What happened to the watching of a room."""

    STARTED = "started"
    DEGRADED = "degraded"
    RECOVERED = "recovered"
    ENDED = "ended"


NO_MEDIA = "no_media"
"""Reason of a blind room whose source is up, or is pushed to, but brings nothing."""
OVERLOAD = "overload"
"""Reason of a blind room whose samples wait for the models longer than they are worth."""


@dataclass(frozen=True, slots=True)
class HealthTransition:
    """One lifecycle change."""

    kind: HealthKind
    seq: int
    at_s: float
    """Monotonic seconds."""
    reasons: Mapping[str, str]
    """By modality that is blind: why."""
    blind_s: Mapping[str, float]
    """Seconds of the session without a scored sample, by modality."""
    watched_s: float
    """Seconds since the session began."""


@dataclass(frozen=True, slots=True)
class HealthMark:
    """How far a session was told, for whoever takes it up again after a crash."""

    seq: int
    """Of the last transition."""
    started: bool
    """Whether its start was told."""
    told: dict[str, str] | None
    """Modalities last told as blind, with the reason; None where nothing is told."""


@dataclass(slots=True)
class _Sense:
    """One modality of a room."""

    bound_s: float
    seen_s: float
    """When it was last seen; the start of the session before the first time."""
    n_seen: int = 0
    blind_total_s: float = 0.0
    counted_s: float = 0.0
    """Up to when blind seconds have been counted."""
    blind_by_reason: dict[str, float] = field(default_factory=dict)
    failure: str | None = None
    """Why the last sample could not be scored; None after one was."""


class RoomHealth:
    """Health of one session of one room."""

    def __init__(self, bounds_s: Mapping[Modality, float], *, now_s: float, mark: HealthMark | None = None) -> None:
        """Begin a session, or take one up again.

        Args:
            bounds_s: modalities the policy asks for, and how long each may be blind before that is told, seconds.
            now_s: monotonic seconds.
            mark: how far the session was told before; its sequence goes on, and what was told is not told again.
        """
        self._senses = {modality: _Sense(bound, now_s, counted_s=now_s) for modality, bound in bounds_s.items()}
        self._began_s = now_s
        self._source_reason: str | None = None
        self._missing: dict[Modality, str] = {}
        mark = mark or HealthMark(0, False, None)
        self._told = mark.told
        self._start_told = mark.started
        self._started = False
        self._ended = False
        self._seq = mark.seq

    @property
    def watching(self) -> bool:
        """Whether the room has had a verdict and no modality is told as blind."""
        return self._started and self._told is None

    @property
    def mark(self) -> HealthMark:
        """How far the session is told."""
        return HealthMark(self._seq, self._start_told, self._told)

    @property
    def blind_reason(self) -> str | None:
        """Why the room is not watched, or not wholly; None where nothing is told."""
        if self._told:
            return next(iter(self._told.values()))
        return None if self._started else self._source_reason

    def blind_s(self, modality: Modality, *, now_s: float) -> float | None:
        """Seconds since the modality was last seen; None where the policy does not ask for it."""
        sense = self._senses.get(modality)
        return None if sense is None else max(0.0, now_s - sense.seen_s)

    def source_says(self, reason: str | None) -> None:
        """Take the source's own reason for bringing nothing; None while it is up."""
        self._source_reason = reason

    def lacks(self, modality: Modality, reason: str | None) -> None:
        """Note that a modality cannot come (no such track, no such model), or can again."""
        if reason is None:
            self._missing.pop(modality, None)
        else:
            self._missing[modality] = reason

    def failed(self, modality: Modality, reason: str) -> None:
        """Note why a sample was not scored; it is the reason told if the modality stays blind."""
        if modality in self._senses:
            self._senses[modality].failure = reason

    def scored(self, modality: Modality, *, now_s: float) -> list[HealthTransition]:
        """Note that a sample got its verdict, or is the picture that had one."""
        sense = self._senses.get(modality)
        if sense is None:
            return []
        self._count_blind(now_s)
        sense.seen_s, sense.failure, sense.counted_s = now_s, None, now_s
        sense.n_seen += 1
        if not self._started:
            self._started = True
            if self._start_told:
                return self._review(now_s)
            self._start_told = True
            return [self._transition(HealthKind.STARTED, now_s, self._blind(now_s)), *self._review(now_s)]
        return self._review(now_s)

    def tick(self, *, now_s: float) -> list[HealthTransition]:
        """Let time pass."""
        self._count_blind(now_s)
        return self._review(now_s)

    def end(self, *, now_s: float) -> list[HealthTransition]:
        """End the session; told once."""
        if self._ended:
            return []
        self._ended = True
        self._count_blind(now_s)
        return [self._transition(HealthKind.ENDED, now_s, self._told or {})]

    def take_blind(self) -> dict[tuple[Modality, str], float]:
        """Hand over the blind seconds counted since the last call, by modality and reason, for metrics."""
        counted = {(m, reason): s for m, sense in self._senses.items() for reason, s in sense.blind_by_reason.items()}
        for sense in self._senses.values():
            sense.blind_by_reason.clear()
        return counted

    def blind_now(self, *, now_s: float) -> dict[Modality, str]:
        """List the modalities that are blind beyond their bound, with the reason."""
        return {
            modality: self._reason(modality, sense)
            for modality, sense in self._senses.items()
            if now_s - sense.seen_s > sense.bound_s
        }

    def _count_blind(self, now_s: float) -> None:
        """Count the time beyond each bound as blind."""
        for modality, sense in self._senses.items():
            begins_s = max(sense.counted_s, sense.seen_s + sense.bound_s if sense.n_seen else sense.seen_s)
            if now_s > begins_s:
                reason = self._reason(modality, sense)
                sense.blind_total_s += now_s - begins_s
                sense.blind_by_reason[reason] = sense.blind_by_reason.get(reason, 0.0) + now_s - begins_s
            sense.counted_s = max(sense.counted_s, now_s)

    def _reason(self, modality: Modality, sense: _Sense) -> str:
        return self._missing.get(modality) or self._source_reason or sense.failure or NO_MEDIA

    def _review(self, now_s: float) -> list[HealthTransition]:
        blind = self._blind(now_s)
        if blind:
            if blind == self._told:
                return []
            self._told = blind
            return [self._transition(HealthKind.DEGRADED, now_s, blind)]
        # A session taken up again has seen nothing yet of what it told as blind.
        if self._told is not None and self._started and all(s.n_seen for m, s in self._senses.items() if m.value in self._told):
            self._told = None
            return [self._transition(HealthKind.RECOVERED, now_s, {})]
        return []

    def _blind(self, now_s: float) -> dict[str, str]:
        return {modality.value: reason for modality, reason in self.blind_now(now_s=now_s).items()}

    def _transition(self, kind: HealthKind, now_s: float, reasons: Mapping[str, str]) -> HealthTransition:
        self._seq += 1
        blind_s = {modality.value: round(sense.blind_total_s, 3) for modality, sense in self._senses.items()}
        return HealthTransition(kind, self._seq, now_s, dict(reasons), blind_s, now_s - self._began_s)
