"""One open violation: what was told of it last, what has been seen since, and when it is over. Pure state."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from inference.policy import Policy
from inference.rules import Rule
from inference.samples import Modality, Scene
from inference.verdicts import Decision, Judged
from streams.temporal import Hit, HitWindow
from streams.transitions import Kind, Observation, RoomRef, Transition

MAX_EVIDENCE = 3
"""References a violation carries: its first hits, the last slot is always the newest."""

UNSEEN_FACTOR = 3.0
"""Without a look that missed it, a violation stays open this many times longer than `quiet_s`: a blind room is not a clean one."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a violation is about within its room."""

    label: str
    sublabel: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """One hit's observation, and what it was judged by."""

    seen: Observation
    policy: Policy
    rule: Rule
    scene: Scene | None
    """The scene the rule was looked up for, the finding's own included."""


@dataclass(slots=True)
class Happening:
    """One open violation: what was told last, and what has been seen since."""

    told: Transition
    rule: Rule
    """Of the last hit; its times hold between hits."""
    scene: Scene | None
    told_s: float
    """When an opening or update was last told, seconds of the session's timeline."""
    last_seen_s: float
    captured_at: datetime
    """Of the sample at `last_seen_s`."""
    peak: Decision
    """The harshest decision so far, before any quota."""
    modality: Modality
    """Of the last sighting."""
    evidence: list[Any] = field(default_factory=list)
    n_hits: int = 0
    n_samples: int = 0
    missed_s: float | None = None
    """First look since `last_seen_s` that did not see it."""
    downgraded: bool = False
    """Whether a block was told as a review because of the quota."""

    @classmethod
    def begin(cls, name: Name, window: HitWindow, carrying: Hit, context: Context) -> Happening:
        """Open a violation on the hits of a window; nothing about a quota yet."""
        seen, hits, judged = context.seen, window.hits, carrying.judged
        first_s, last_s = min(hit.pts_s for hit in hits), max(hit.pts_s for hit in hits)
        told = Transition(
            kind=Kind.OPENED,
            violation_id=violation_id(seen.room, name, first_s),
            seq=1,
            room=seen.room,
            label=name.label,
            sublabel=name.sublabel,
            decision=judged.decision,
            severity=judged.severity,
            action_hint=judged.action_hint,
            score=max(hit.judged.finding.score for hit in hits),
            modality=seen.modality,
            detector=seen.detector,
            model=judged.finding.model,
            policy=context.policy.ref,
            rule=judged.rule,
            hits=len(hits),
            window=len(window.samples),
            first_seen_s=first_s,
            last_seen_s=last_s,
            captured_at=seen.captured_at,
            reason=context.policy.reason(judged, scene=context.scene, hits=len(hits), window=len(window.samples)),
        )
        opened = cls.resumed(told, context.rule, context.scene)
        opened.told_s, opened.captured_at = seen.pts_s, seen.captured_at
        for hit in hits:
            opened.keep(hit.evidence)
        opened.told = opened.current()
        return opened

    @classmethod
    def resumed(cls, told: Transition, rule: Rule, scene: Scene | None) -> Happening:
        """Carry a violation on that was told as open before."""
        return cls(
            told,
            rule,
            scene,
            told_s=told.last_seen_s,
            last_seen_s=told.last_seen_s,
            captured_at=told.captured_at,
            peak=told.decision,
            modality=told.modality,
            evidence=list(told.evidence),
            n_hits=told.hits,
            n_samples=told.window,
        )

    @property
    def due_s(self) -> float:
        """When it is over unless it is seen again, seconds of the session's timeline.

        A message that does not come is all there is to see of quiet in a chat. A picture that nobody looked at says nothing: there,
        a look must have missed it, or much more time must pass.
        """
        quiet_s = self.last_seen_s + self.rule.quiet_s
        if self.modality is Modality.TEXT:
            return quiet_s
        unseen_s = self.last_seen_s + self.rule.quiet_s * UNSEEN_FACTOR
        return unseen_s if self.missed_s is None else min(unseen_s, max(quiet_s, self.missed_s))

    def keep(self, evidence: Sequence[Any]) -> None:
        """Take references in; a full list gives its last place to the newest."""
        for reference in evidence:
            if len(self.evidence) >= MAX_EVIDENCE:
                self.evidence[-1] = reference
            else:
                self.evidence.append(reference)

    def miss(self, pts_s: float) -> None:
        """Note a look that did not see it."""
        self.n_samples += 1
        if pts_s > self.last_seen_s and self.missed_s is None:
            self.missed_s = pts_s

    def see(self, context: Context) -> None:
        """Note that it is still there, clearly or faintly; its times are those of whoever saw it last."""
        seen = context.seen
        self.n_samples += 1
        self.rule, self.scene, self.modality = context.rule, context.scene, seen.modality
        if seen.pts_s >= self.last_seen_s:
            self.last_seen_s, self.captured_at, self.missed_s = seen.pts_s, seen.captured_at, None

    def fold(self, hit: Hit) -> None:
        """Take a hit in, without telling."""
        self.n_hits += 1
        self.keep(hit.evidence)
        self.told = replace(self.told, score=max(self.told.score, hit.judged.finding.score))

    def update(self, pts_s: float, risen: Judged | None = None, context: Context | None = None) -> Transition:
        """Tell how it stands, with a harsher decision where it rose."""
        told = replace(self.current(), kind=Kind.UPDATED, seq=self.told.seq + 1)
        if risen is not None and context is not None:
            told = replace(
                told,
                decision=risen.decision,
                severity=risen.severity,
                action_hint=risen.action_hint,
                rule=risen.rule,
                modality=context.seen.modality,
                detector=context.seen.detector,
                model=risen.finding.model,
                policy=context.policy.ref,
                reason=context.policy.reason(risen, scene=context.scene, hits=told.hits, window=told.window),
            )
        self.told, self.told_s = told, max(self.told_s, pts_s)
        return told

    def downgrade(self) -> None:
        """Make the opening's block a review; `peak` remembers it."""
        self.told = replace(self.told, decision=Decision.REVIEW, action_hint=self.rule.hint(Decision.REVIEW))

    def end(self, kind: Kind) -> Transition:
        """Tell that it is over, or taken back."""
        return replace(self.current(), kind=kind, seq=self.told.seq + 1)

    def current(self) -> Transition:
        """Write it as it stands, under the kind and number that were told last."""
        return replace(
            self.told,
            hits=self.n_hits,
            window=self.n_samples,
            last_seen_s=self.last_seen_s,
            captured_at=self.captured_at,
            evidence=tuple(self.evidence),
        )


def violation_id(room: RoomRef, name: Name, first_seen_s: float) -> str:
    """Derive a violation's id from what it is, so that a replay gives the same: 24 hexadecimal digits."""
    parts = (room.room_id, room.session_id, name.label, name.sublabel or "", str(round(first_seen_s * 1000)))
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def still_shows(judged: Judged, rule: Rule) -> bool:
    """Tell whether a score too low to open is high enough to keep open, where on the frame the rule looks."""
    looked_at = rule.within(judged.finding)
    return looked_at is not None and looked_at.score >= rule.keeps_open
