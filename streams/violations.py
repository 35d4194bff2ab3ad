"""Turns verdicts over time into violations: opened when m of n samples agree, updated while they last, closed after quiet.

One violation is one happening in one room under one label and sublabel. Pure: time is the session's timeline, nothing is stored or
sent here, the same observations give the same transitions with the same ids. Storing evidence and telling is `streams/judging.py`.

    hits      . x . x x x . . . . . . . . . . . . .
    m of n        opened ─────────┐ quiet_s  │ closed
                        updated at most every update_every_s, at once when the decision rises
    then cool_down_s: nothing milder or equal opens under the same key
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from inference.errors import InvalidSample, NotFound
from inference.policy import Policy
from inference.policy_book import PolicyBook
from inference.rules import Rule
from inference.samples import Scene
from inference.verdicts import Decision, Judged
from streams.happening import (
    MAX_EVIDENCE,
    Happening,
    LabelState,
    Name,
    rule_now,
    still_shows,
    strongest_by_name,
    violation_id,
)
from streams.quota import HourlyQuota
from streams.temporal import Hit, HitWindow
from streams.transitions import Kind, Observation, RoomRef, Transition

__all__ = ["Kind", "Observation", "RoomRef", "Transition", "ViolationTracker"]

MAX_KEYS_PER_ROOM = 256
"""Labels and sublabels followed in one room; overflow rule: the one quiet for longest and not open goes; where all are open, the
new one is refused, so that nothing that was told as open is forgotten."""
OVERTURN_HOLD_S = 600.0
"""After a person overturned a violation, nothing milder or equal opens under its key for this long: the scene is still the same."""
SNAPSHOT_VERSION = 1


@dataclass(slots=True)
class _Room:
    session_id: str
    keys: dict[Name, LabelState] = field(default_factory=dict)
    quota: HourlyQuota = field(default_factory=HourlyQuota)


class ViolationTracker:
    """All rooms of one worker. Not thread-safe: it belongs to the worker's loop."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Room] = {}
        self.n_downgraded: Counter[str] = Counter()
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
        key = room.keys.get(Name(judged.finding.label, judged.finding.sublabel)) if room else None
        if key is None:
            return True
        if key.open is None:
            return key.may_open(Hit(pts_s, judged), pts_s)
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
        found = strongest_by_name(seen.judged)
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
            transitions += self._step(room, name, key, judged, _Context(seen, policy, rule_now(name, judged, seen, policy)))
        return transitions

    def tick(self, room_id: str, pts_s: float) -> list[Transition]:
        """Close what has been quiet for long enough by `pts_s` of the room's timeline, and forget keys without a past."""
        room = self._rooms.get(room_id)
        if room is None:
            return []
        closed = [
            self._close(key, key.open, pts_s) for key in room.keys.values() if key.open is not None and key.open.is_over(pts_s)
        ]
        for name in [name for name, key in room.keys.items() if key.is_idle(pts_s)]:
            del room.keys[name]
        return closed

    def end_session(self, room_id: str, pts_s: float) -> list[Transition]:
        """Close everything of a room and forget it."""
        room = self._rooms.pop(room_id, None)
        if room is None:
            return []
        return [self._close(key, key.open, pts_s) for key in room.keys.values() if key.open is not None]

    def retract(self, violation_id: str) -> list[Transition]:
        """Take an open violation back because a person overturned it; its key then holds still for `OVERTURN_HOLD_S`."""
        for room in self._rooms.values():
            for key in room.keys.values():
                if key.open is not None and key.open.told.violation_id == violation_id:
                    return [self._close(key, key.open, key.open.last_seen_s, kind=Kind.RETRACTED)]
        return []

    def opened(self) -> list[Transition]:
        """List the last transition of every open violation; with `resume` a worker carries them on after a restart."""
        return [key.open.as_it_stands() for room in self._rooms.values() for key in room.keys.values() if key.open is not None]

    def resume(self, told: Transition, policy: Policy, scene: Scene | None) -> None:
        """Take up an open violation where a worker before this one left it."""
        room = self._room(told.room)
        key = room.keys.setdefault(Name(told.label, told.sublabel), LabelState())
        key.seen_s = seen_s = told.last_seen_s
        evidence = list(told.evidence)
        key.open = Happening(told, policy, scene, seen_s, seen_s, evidence, told.hits, told.window)

    def snapshot(self) -> dict[str, Any]:
        """Write every open violation as plain data, for the worker's own disk."""
        kept = []
        for room in self._rooms.values():
            for key in room.keys.values():
                if key.open is not None:
                    kept.append({"told": msgspec.to_builtins(key.open.as_it_stands()), "scene": key.open.scene})
        return {"version": SNAPSHOT_VERSION, "open": kept}

    def restore(self, snapshot: Mapping[str, Any], policies: PolicyBook) -> None:
        """Carry open violations on where a snapshot ends, under the policies of now; where one is gone, under the default.

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

    def _new_key(self, room: _Room, name: Name) -> LabelState | None:
        if len(room.keys) >= MAX_KEYS_PER_ROOM:
            quiet = [known for known, key in room.keys.items() if key.open is None]
            if not quiet:
                return None
            del room.keys[min(quiet, key=lambda known: room.keys[known].seen_s)]
        return room.keys.setdefault(name, LabelState())

    def _step(self, room: _Room, name: Name, key: LabelState, judged: Judged | None, context: _Context) -> list[Transition]:
        seen, rule = context.seen, context.rule
        hit = Hit(seen.pts_s, judged) if judged is not None and judged.decision is not Decision.PASS else None
        window = key.windows.setdefault(seen.detector, HitWindow())
        if hit is None:
            window.miss()
        else:
            window.add(hit, rule)
            key.seen_s = max(key.seen_s, seen.pts_s)
            if key.open is None:
                key.evidence.extend(seen.evidence)
        if key.open is not None:
            return self._go_on(room, key.open, judged, hit, context)
        carrying = window.agreed(rule) if hit is not None else None
        if carrying is None or not key.may_open(carrying, seen.pts_s):
            return []
        return [self._open(room, name, key, carrying.judged, context)]

    def _open(self, room: _Room, name: Name, key: LabelState, strongest: Judged, context: _Context) -> Transition:
        seen, policy, rule = context.seen, context.policy, context.rule
        window = key.windows[seen.detector]
        hits = window.hits
        told = Transition(
            kind=Kind.OPENED,
            violation_id=violation_id(seen.room, name, hits[0].pts_s),
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
        decision = self._affordable(room, told.label, told.decision, context)
        if decision is not told.decision:
            told = replace(told, decision=decision, action_hint=rule.hint(decision))
        last_s, evidence = told.last_seen_s, list(key.evidence)
        key.open = Happening(told, policy, seen.scene, seen.pts_s, last_s, evidence, told.hits, told.window)
        key.evidence.clear()
        return told

    def _go_on(
        self, room: _Room, current: Happening, judged: Judged | None, hit: Hit | None, context: _Context
    ) -> list[Transition]:
        seen, rule = context.seen, context.rule
        current.look(seen.pts_s, shows=hit is not None or still_shows(judged, rule))
        if hit is None:
            return []
        judged = hit.judged
        current.n_hits += 1
        current.keep(seen.evidence)
        decision = judged.decision
        if decision.rank > current.told.decision.rank:
            decision = self._affordable(room, current.told.label, decision, context)
        rises = decision.rank > current.told.decision.rank
        if not rises and seen.pts_s - current.told_s < rule.update_every_s:
            current.told = replace(current.told, score=max(current.told.score, judged.finding.score))
            return []
        return [self._update(current, judged, context, rises=rises)]

    def _update(self, current: Happening, judged: Judged, context: _Context, *, rises: bool) -> Transition:
        told = replace(
            current.as_it_stands(),
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

    def _affordable(self, room: _Room, label: str, decision: Decision, context: _Context) -> Decision:
        """Count a block, or make a review of it once the label's blocks of the last hour are used up."""
        if decision is not Decision.BLOCK or room.quota.spend(label, context.rule.max_per_hour, pts_s=context.seen.pts_s):
            return decision
        self.n_downgraded[label] += 1
        return Decision.REVIEW

    def _close(self, key: LabelState, current: Happening, pts_s: float, *, kind: Kind = Kind.CLOSED) -> Transition:
        told = replace(current.as_it_stands(), kind=kind, seq=current.told.seq + 1)
        hold_s = OVERTURN_HOLD_S if kind is Kind.RETRACTED else current.rule.cool_down_s
        key.close(told.decision, at_s=pts_s, hold_s=hold_s)
        return told


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
