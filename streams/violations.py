"""Turns verdicts over time into violations: opened when m of n samples agree, updated while they last, closed after quiet.

One violation is one happening in one room under one label and sublabel. Pure: time is the session's timeline, nothing is stored or
sent here, the same observations give the same transitions with the same ids. Storing evidence and telling is `streams/judging.py`.

    hits      . x . x x x . . . . . . . . . . . . .
    m of n        opened ─────────┐ quiet_s  │ closed
                        updated at most every update_every_s, at once when the decision rises
    then cool_down_s: nothing milder or equal opens under the same key
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from inference.errors import InvalidSample, NotFound
from inference.policy import Policy
from inference.policy_book import PolicyBook
from inference.rules import Rule
from inference.samples import Scene
from inference.verdicts import Decision, Judged
from streams.temporal import Hit, HitWindow
from streams.transitions import Kind, Observation, RoomRef, Transition

__all__ = ["Kind", "Observation", "RoomRef", "Transition", "ViolationTracker"]

MAX_KEYS_PER_ROOM = 256
"""Labels and sublabels followed in one room; overflow rule: the one quiet for longest and not open goes; where all are open, the new
one is refused, so that nothing that was told as open is forgotten."""
MAX_EVIDENCE = 3
"""References a violation carries: its first hits, the last slot is always the newest."""
HOUR_S = 3600.0


@dataclass(slots=True)
class _Open:
    """One open violation: the last transition told, and what has happened since."""

    told: Transition
    policy: Policy
    scene: Scene | None
    told_s: float
    last_seen_s: float
    evidence: list[Any] = field(default_factory=list)
    n_hits: int = 0
    n_samples: int = 0


@dataclass(slots=True)
class _Key:
    """One label and sublabel of one room."""

    windows: dict[str, HitWindow] = field(default_factory=dict)
    evidence: deque[Any] = field(default_factory=lambda: deque(maxlen=MAX_EVIDENCE))
    open: _Open | None = None
    closed_s: float = float("-inf")
    closed_decision: Decision = Decision.PASS
    closed_rule: Rule | None = None
    seen_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Name:
    label: str
    sublabel: str | None


@dataclass(slots=True)
class _Room:
    session_id: str
    keys: dict[_Name, _Key] = field(default_factory=dict)
    blocks: dict[str, deque[float]] = field(default_factory=dict)
    """When blocks were opened, by label, for the hourly quota; session timeline, seconds."""


class ViolationTracker:
    """All rooms of one worker. Not thread-safe: it belongs to the worker's loop."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Room] = {}
        self.n_downgraded: dict[str, int] = {}
        """Blocks told as reviews because their hourly quota was used up, by label."""
        self.n_refused = 0
        """Hits whose label was not followed because the room had `MAX_KEYS_PER_ROOM` open."""

    @property
    def n_open(self) -> int:
        """Violations open in all rooms."""
        return sum(self.open_in(room_id) for room_id in self._rooms)

    def open_in(self, room_id: str) -> int:
        """Count the violations open in one room."""
        room = self._rooms.get(room_id)
        return sum(key.open is not None for key in room.keys.values()) if room else 0

    def wants_evidence(self, room_id: str, judged: Judged, pts_s: float, rule: Rule) -> bool:
        """Tell whether media of this hit would be carried: the first hits of a happening, then one per update."""
        room = self._rooms.get(room_id)
        key = room.keys.get(_Name(judged.finding.label, judged.finding.sublabel)) if room else None
        if key is None:
            return True
        if key.open is None:
            return pts_s - key.closed_s >= rule.cool_down_s or judged.decision.rank > key.closed_decision.rank
        return len(key.open.evidence) < MAX_EVIDENCE or pts_s - key.open.told_s >= rule.update_every_s

    def observe(self, seen: Observation, policy: Policy) -> list[Transition]:
        """Take one sample's verdict; call it for every sample that was looked at, also with nothing found.

        A new session id ends the room's session before: what was open is closed first.

        Args:
            seen: the sample; its findings may show several labels, one of them several times.
            policy: the room's policy at this moment.
        """
        transitions = self._end_session_before(seen.room)
        room = self._room(seen.room)
        found = _strongest_by_name(seen.judged)
        for name in [*found, *(known for known in room.keys if known not in found)]:
            judged = found.get(name)
            key = room.keys.get(name)
            if key is None:
                if judged is None or judged.decision is Decision.PASS:
                    continue
                key = self._new_key(room, name)
                if key is None:
                    self.n_refused += 1
                    continue
            elif judged is None and seen.detector not in key.windows:
                continue
            transitions += self._step(room, name, key, judged, _Context(seen, policy, _rule_now(name, judged, seen, policy)))
        return transitions

    def tick(self, room_id: str, pts_s: float) -> list[Transition]:
        """Close what has been quiet for long enough by `pts_s` of the room's timeline, and forget keys without a past."""
        room = self._rooms.get(room_id)
        if room is None:
            return []
        closed = [
            self._close(key, pts_s)
            for key in room.keys.values()
            if key.open is not None and pts_s - key.open.last_seen_s >= _rule_of(key.open).quiet_s
        ]
        for name in [name for name, key in room.keys.items() if _is_idle(key, pts_s)]:
            del room.keys[name]
        return closed

    def end_session(self, room_id: str, pts_s: float) -> list[Transition]:
        """Close everything of a room and forget it."""
        room = self._rooms.pop(room_id, None)
        if room is None:
            return []
        return [self._close(key, pts_s) for key in room.keys.values() if key.open is not None]

    def retract(self, violation_id: str) -> list[Transition]:
        """Take an open violation back because a person overturned it; its key cools down as after a close."""
        for room in self._rooms.values():
            for key in room.keys.values():
                if key.open is not None and key.open.told.violation_id == violation_id:
                    return [self._close(key, key.open.last_seen_s, kind=Kind.RETRACTED)]
        return []

    def opened(self) -> list[Transition]:
        """List the last transition of every open violation; with `resume` a worker carries them on after a restart."""
        return [_current(key.open) for room in self._rooms.values() for key in room.keys.values() if key.open is not None]

    def resume(self, told: Transition, policy: Policy, scene: Scene | None) -> None:
        """Take up an open violation where a worker before this one left it."""
        room = self._room(told.room)
        key = room.keys.setdefault(_Name(told.label, told.sublabel), _Key())
        key.seen_s = told.last_seen_s
        key.open = _Open(told, policy, scene, told.last_seen_s, told.last_seen_s, list(told.evidence), told.hits, told.window)

    def snapshot(self) -> dict[str, Any]:
        """Write every open violation as plain data, for the worker's own disk."""
        kept = []
        for room in self._rooms.values():
            for key in room.keys.values():
                if key.open is not None:
                    kept.append({"told": msgspec.to_builtins(_current(key.open)), "scene": key.open.scene})
        return {"version": SNAPSHOT_VERSION, "open": kept}

    def restore(self, snapshot: Mapping[str, Any], policies: PolicyBook) -> None:
        """Carry open violations on where a snapshot ends, under the policies of now; a policy that is gone gives way to the default.

        Raises:
            InvalidSample: it is no snapshot of this version; begin without it.
        """
        try:
            kept = msgspec.convert(snapshot, _Snapshot)
        except msgspec.ValidationError as error:
            raise InvalidSample(f"violations snapshot cannot be read: {error}; begin without it") from error
        if kept.version != SNAPSHOT_VERSION:
            raise InvalidSample(f"violations snapshot has version {kept.version}, not {SNAPSHOT_VERSION}; begin without it")
        for one in kept.open:
            try:
                policy = policies[one.told.policy.id]
            except NotFound:
                policy = policies.for_room(one.told.room.biz)
            self.resume(one.told, policy, one.scene)

    def _room(self, ref: RoomRef) -> _Room:
        return self._rooms.setdefault(ref.room_id, _Room(ref.session_id))

    def _end_session_before(self, ref: RoomRef) -> list[Transition]:
        room = self._rooms.get(ref.room_id)
        if room is None or room.session_id == ref.session_id:
            return []
        last_s = max((key.seen_s for key in room.keys.values()), default=0.0)
        return self.end_session(ref.room_id, last_s)

    def _new_key(self, room: _Room, name: _Name) -> _Key | None:
        if len(room.keys) >= MAX_KEYS_PER_ROOM:
            quiet = [known for known, key in room.keys.items() if key.open is None]
            if not quiet:
                return None
            del room.keys[min(quiet, key=lambda known: room.keys[known].seen_s)]
        return room.keys.setdefault(name, _Key())

    def _step(self, room: _Room, name: _Name, key: _Key, judged: Judged | None, context: _Context) -> list[Transition]:
        seen, rule = context.seen, context.rule
        hit = Hit(seen.pts_s, judged) if judged is not None and judged.decision is not Decision.PASS else None
        window = key.windows.setdefault(seen.detector, HitWindow())
        window.add(hit, rule)
        if hit is not None:
            key.seen_s = max(key.seen_s, seen.pts_s)
            if key.open is None:
                key.evidence.extend(seen.evidence)
        if key.open is not None:
            return self._go_on(room, key.open, judged, hit, context)
        if hit is None or not window.agrees(rule) or not _cooled_down(key, window.strongest, seen.pts_s):
            return []
        return [self._open(room, name, key, window, context)]

    def _open(self, room: _Room, name: _Name, key: _Key, window: HitWindow, context: _Context) -> Transition:
        seen, policy, rule = context.seen, context.policy, context.rule
        strongest, hits = window.strongest.judged, window.hits
        told = Transition(
            kind=Kind.OPENED,
            violation_id=_violation_id(seen.room, name, hits[0].pts_s),
            seq=1,
            room=seen.room,
            label=name.label,
            sublabel=name.sublabel,
            decision=strongest.decision,
            severity=strongest.severity,
            action_hint=strongest.action_hint,
            score=max(hit.judged.finding.score for hit in hits),
            modality=seen.modality,
            detector=seen.detector,
            model=strongest.finding.model,
            policy=policy.ref,
            rule=strongest.rule,
            hits=len(hits),
            window=len(window.samples),
            first_seen_s=hits[0].pts_s,
            last_seen_s=max(hit.pts_s for hit in hits),
            captured_at=seen.captured_at,
            reason=policy.reason(strongest, scene=seen.scene, hits=len(hits), window=len(window.samples)),
            evidence=tuple(key.evidence),
        )
        told = self._within_quota(room, told, rule, seen.pts_s)
        last_s = told.last_seen_s
        key.open = _Open(told, policy, seen.scene, seen.pts_s, last_s, list(key.evidence), told.hits, told.window)
        key.evidence.clear()
        return told

    def _go_on(self, room: _Room, current: _Open, judged: Judged | None, hit: Hit | None, context: _Context) -> list[Transition]:
        seen, rule = context.seen, context.rule
        current.n_samples += 1
        if judged is None or (hit is None and not _still_there(judged, rule)):
            return []
        current.last_seen_s = max(current.last_seen_s, seen.pts_s)
        if hit is None:
            return []
        current.n_hits += 1
        for reference in seen.evidence:
            if len(current.evidence) >= MAX_EVIDENCE:
                current.evidence[-1] = reference
            else:
                current.evidence.append(reference)
        decision = judged.decision
        if decision.rank > current.told.decision.rank:
            decision = self._affordable(room, current.told.label, decision, rule, seen.pts_s)
        rises = decision.rank > current.told.decision.rank
        if not rises and seen.pts_s - current.told_s < rule.update_every_s:
            current.told = replace(current.told, score=max(current.told.score, judged.finding.score))
            return []
        return [self._update(current, judged, context, rises=rises)]

    def _update(self, current: _Open, judged: Judged, context: _Context, *, rises: bool) -> Transition:
        told = replace(
            _current(current),
            kind=Kind.UPDATED,
            seq=current.told.seq + 1,
            score=max(current.told.score, judged.finding.score),
            captured_at=context.seen.captured_at,
        )
        if rises:
            reason = context.policy.reason(judged, scene=context.seen.scene, hits=told.hits, window=told.window)
            told = replace(
                told,
                decision=judged.decision,
                severity=judged.severity,
                action_hint=judged.action_hint,
                rule=judged.rule,
                modality=context.seen.modality,
                detector=context.seen.detector,
                model=judged.finding.model,
                reason=reason,
            )
            current.policy, current.scene = context.policy, context.seen.scene
        current.told, current.told_s = told, context.seen.pts_s
        return told

    def _close(self, key: _Key, pts_s: float, *, kind: Kind = Kind.CLOSED) -> Transition:
        current = key.open
        assert current is not None  # callers ask only open keys
        told = replace(_current(current), kind=kind, seq=current.told.seq + 1)
        key.open, key.closed_s, key.closed_decision, key.closed_rule = None, pts_s, told.decision, _rule_of(current)
        key.windows.clear()
        key.evidence.clear()
        return told

    def _within_quota(self, room: _Room, told: Transition, rule: Rule, pts_s: float) -> Transition:
        decision = self._affordable(room, told.label, told.decision, rule, pts_s)
        return told if decision is told.decision else replace(told, decision=decision, action_hint=rule.hint(decision))

    def _affordable(self, room: _Room, label: str, decision: Decision, rule: Rule, pts_s: float) -> Decision:
        """Count a block, or make a review of it once the label's blocks of the last hour are used up."""
        if decision is not Decision.BLOCK or rule.max_per_hour is None:
            return decision
        blocks = room.blocks.setdefault(label, deque())
        while blocks and blocks[0] <= pts_s - HOUR_S:
            blocks.popleft()
        if len(blocks) >= rule.max_per_hour:
            self.n_downgraded[label] = self.n_downgraded.get(label, 0) + 1
            return Decision.REVIEW
        blocks.append(pts_s)
        return decision


@dataclass(frozen=True, slots=True)
class _SavedOpen:
    """One open violation as it is saved."""

    told: Transition
    scene: Scene | None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Every open violation, as plain data."""

    version: int
    open: list[_SavedOpen]


@dataclass(frozen=True, slots=True)
class _Context:
    seen: Observation
    policy: Policy
    rule: Rule


def _rule_now(name: _Name, judged: Judged | None, seen: Observation, policy: Policy) -> Rule:
    """Look up the rule that judged the finding; for a sample without one, the label's rule of that modality."""
    if judged is not None:
        return policy.rule_of(judged.finding, scene=seen.scene) or Rule()
    return policy.rule_for(name.label, seen.modality, seen.scene) or Rule()


def _still_there(judged: Judged, rule: Rule) -> bool:
    """Tell whether a score too low to open is high enough to keep open, where on the frame the rule looks."""
    looked_at = rule.within(judged.finding)
    return looked_at is not None and looked_at.score >= rule.keeps_open


def _strongest_by_name(judged: Iterable[Judged]) -> dict[_Name, Judged]:
    """Keep one finding per label and sublabel: the harshest, then the surest."""
    best: dict[_Name, Judged] = {}
    for one in judged:
        name = _Name(one.finding.label, one.finding.sublabel)
        if name not in best or _strength(one) > _strength(best[name]):
            best[name] = one
    return best


def _strength(judged: Judged) -> tuple[int, float]:
    return (judged.decision.rank, judged.finding.score)


def _rule_of(current: _Open) -> Rule:
    return current.policy.rule_for(current.told.label, current.told.modality, current.scene) or Rule()


def _current(current: _Open) -> Transition:
    """Write an open violation as it stands, whatever was told last."""
    return replace(
        current.told,
        hits=current.n_hits,
        window=current.n_samples,
        last_seen_s=current.last_seen_s,
        evidence=tuple(current.evidence),
    )


def _cooled_down(key: _Key, strongest: Hit, pts_s: float) -> bool:
    """Tell whether a key may open: after the cool-down, or before it for something harsher than what was closed."""
    if key.closed_rule is None or pts_s - key.closed_s >= key.closed_rule.cool_down_s:
        return True
    return strongest.judged.decision.rank > key.closed_decision.rank


def _is_idle(key: _Key, pts_s: float) -> bool:
    """Tell whether a key has nothing left that could matter: not open, cooled down, and its hits long past."""
    cool_down_s = key.closed_rule.cool_down_s if key.closed_rule else 0.0
    return key.open is None and pts_s - key.closed_s >= cool_down_s and pts_s - key.seen_s >= _IDLE_S


_IDLE_S = 120.0
"""Hits older than this are not counted on, whatever the window: at any cadence that is watching, n samples took less."""


def _violation_id(room: RoomRef, name: _Name, first_seen_s: float) -> str:
    parts: Sequence[str] = (room.room_id, room.session_id, name.label, name.sublabel or "", str(round(first_seen_s * 1000)))
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]
