"""One label in one room: its windows of samples, the violation that is open under it, and the quiet that follows. Pure state."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from inference.policy import Policy
from inference.rules import Rule
from inference.samples import Modality, Scene
from inference.verdicts import Decision, Judged
from streams.temporal import Hit, HitWindow
from streams.transitions import Observation, RoomRef, Transition

MAX_EVIDENCE = 3
"""References a violation carries: its first hits, the last slot is always the newest."""

UNSEEN_FACTOR = 3.0
"""Without a sample to say that it is gone, a violation stays open this many times longer: a blind room is not a clean one."""

IDLE_S = 120.0
"""Hits older than this are not counted on, whatever the window: at any cadence that is watching, n samples took less."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a violation is about within its room."""

    label: str
    sublabel: str | None


@dataclass(slots=True)
class Happening:
    """One open violation: the last transition told, and what has happened since."""

    told: Transition
    policy: Policy
    scene: Scene | None
    told_s: float
    last_seen_s: float
    evidence: list[Any] = field(default_factory=list)
    n_hits: int = 0
    n_samples: int = 0
    missed: bool = False
    """Whether a sample since it was last seen did not show it."""

    @property
    def rule(self) -> Rule:
        """The rule it stands under."""
        return self.policy.rule_for(self.told.label, self.told.modality, self.scene) or Rule()

    def keep(self, references: Iterable[Any]) -> None:
        """Carry a hit's media: the first ones stay, the newest takes the last slot."""
        for reference in references:
            if len(self.evidence) >= MAX_EVIDENCE:
                self.evidence[-1] = reference
            else:
                self.evidence.append(reference)

    def look(self, pts_s: float, *, shows: bool) -> None:
        """Count one sample that does, or does not, show it."""
        self.n_samples += 1
        self.missed = not shows
        if shows:
            self.last_seen_s = max(self.last_seen_s, pts_s)

    def is_over(self, pts_s: float) -> bool:
        """Tell whether it has been quiet for long enough."""
        # In a chat, no message is all there is to see of quiet; of a picture that nobody looked at it says nothing.
        looked = self.missed or self.told.modality is Modality.TEXT
        return pts_s - self.last_seen_s >= self.rule.quiet_s * (1.0 if looked else UNSEEN_FACTOR)

    def as_it_stands(self) -> Transition:
        """Write it as it is now, whatever was told last."""
        return replace(
            self.told,
            hits=self.n_hits,
            window=self.n_samples,
            last_seen_s=self.last_seen_s,
            evidence=tuple(self.evidence),
        )


@dataclass(slots=True)
class LabelState:
    """What is remembered of one label and sublabel of one room."""

    windows: dict[str, HitWindow] = field(default_factory=dict)
    """By detector."""
    evidence: deque[Any] = field(default_factory=lambda: deque(maxlen=MAX_EVIDENCE))
    """Media of the newest hits while nothing is open."""
    open: Happening | None = None
    closed_s: float = float("-inf")
    closed_decision: Decision = Decision.PASS
    hold_s: float = 0.0
    """How long after `closed_s` nothing milder or equal opens, seconds."""
    seen_s: float = 0.0

    def may_open(self, strongest: Hit, pts_s: float) -> bool:
        """Tell whether the last close is long enough ago, or this is harsher than what was closed."""
        cooled = pts_s - self.closed_s >= self.hold_s
        return cooled or strongest.judged.decision.rank > self.closed_decision.rank

    def close(self, decision: Decision, *, at_s: float, hold_s: float) -> None:
        """Forget what was open, and hold still for a while."""
        self.open, self.closed_s, self.closed_decision, self.hold_s = None, at_s, decision, hold_s
        self.windows.clear()
        self.evidence.clear()

    def is_idle(self, pts_s: float) -> bool:
        """Tell whether nothing is left that could matter: not open, cooled down, and its hits long past."""
        return self.open is None and pts_s - self.closed_s >= self.hold_s and pts_s - self.seen_s >= IDLE_S


def strongest_by_name(judged: Iterable[Judged]) -> dict[Name, Judged]:
    """Keep one finding per label and sublabel: the harshest, then the surest."""
    best: dict[Name, Judged] = {}
    for one in judged:
        name = Name(one.finding.label, one.finding.sublabel)
        if name not in best or _strength(one) > _strength(best[name]):
            best[name] = one
    return best


def rule_now(name: Name, judged: Judged | None, seen: Observation, policy: Policy) -> Rule:
    """Look up the rule that judged the finding; for a sample without one, the label's rule of that modality."""
    if judged is not None:
        return policy.rule_of(judged.finding, scene=seen.scene) or Rule()
    return policy.rule_for(name.label, seen.modality, seen.scene) or Rule()


def still_shows(judged: Judged | None, rule: Rule) -> bool:
    """Tell whether a score is high enough to keep a violation open, where on the frame the rule looks."""
    looked_at = rule.within(judged.finding) if judged is not None else None
    return looked_at is not None and looked_at.score >= rule.keeps_open


def violation_id(room: RoomRef, name: Name, first_seen_s: float) -> str:
    """Derive a violation's id from what it is, so that a replay gives the same: 24 hexadecimal digits."""
    parts = (room.room_id, room.session_id, name.label, name.sublabel or "", str(round(first_seen_s * 1000)))
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _strength(judged: Judged) -> tuple[int, float]:
    return (judged.decision.rank, judged.finding.score)
