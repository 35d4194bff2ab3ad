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
from dataclasses import dataclass, field
from typing import Any

import msgspec

from inference.errors import InvalidSample, NotFound
from inference.policy import Policy, scene_of
from inference.policy_book import PolicyBook
from inference.rules import Rule
from inference.samples import Scene
from inference.verdicts import Decision, Judged
from streams.happening import MAX_EVIDENCE, Context, Happening, Name, still_shows
from streams.label_state import LabelState, Past, strongest_by_name
from streams.quota import HourlyQuota
from streams.temporal import HIT_AGE_S, Hit, HitWindow
from streams.transitions import Kind, Observation, RoomRef, Transition

__all__ = ["Kind", "Observation", "RoomRef", "Transition", "ViolationTracker"]

MAX_KEYS_PER_ROOM = 256
"""Labels and sublabels followed in one room; overflow rule: the one quiet for longest and not open goes; where all are open, the
new one is refused, so that nothing that was told as open is forgotten."""
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
        """Violations whose block was told as a review because the hourly quota was used up, by label."""
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
            return not key.holds_back(judged.decision, pts_s)
        return len(key.open.evidence) < MAX_EVIDENCE or pts_s - key.open.told_s >= rule.update_every_s

    def observe(self, seen: Observation, policy: Policy) -> list[Transition]:
        """Take one sample's verdict; call it for every sample that was looked at, also with nothing found.

        A new session id ends the room's session before, and what is over by this sample's moment is closed before it counts: the
        same observations give the same transitions however often `tick` was called in between.

        Args:
            seen: the sample; its findings may show several labels, one of them several times.
            policy: the room's policy at this moment.
        """
        transitions = self._end_session_before(seen.room, seen.pts_s)
        room = self._room(seen.room)
        transitions += _close_due(room, seen.pts_s)
        found = strongest_by_name(seen.judged)
        for name, judged in found.items():
            transitions += self._see(room, name, judged, seen, policy)
        for name, key in room.keys.items():
            if name not in found:
                key.miss(seen.detector, seen.pts_s)
        return transitions

    def tick(self, room_id: str, pts_s: float) -> list[Transition]:
        """Close what has been quiet for long enough by `pts_s` of the room's timeline, and forget keys without a past."""
        room = self._rooms.get(room_id)
        if room is None:
            return []
        closed = _close_due(room, pts_s)
        for name in [name for name, key in room.keys.items() if key.is_idle(pts_s)]:
            del room.keys[name]
        return closed

    def end_session(self, room_id: str, pts_s: float) -> list[Transition]:
        """Close everything of a room and forget it."""
        room = self._rooms.pop(room_id, None)
        if room is None:
            return []
        return [key.close(key.open, pts_s) for key in room.keys.values() if key.open is not None]

    def retract(self, violation_id: str) -> list[Transition]:
        """Take a violation back because a person overturned it, open or closed a moment ago; its key holds still for a while."""
        for room in self._rooms.values():
            for key in room.keys.values():
                if key.named(violation_id):
                    told = key.retract()
                    return [] if told is None else [told]
        return []

    def opened(self) -> list[Transition]:
        """List the last transition of every open violation; with `resume` a worker carries them on after a restart."""
        return [key.open.current() for room in self._rooms.values() for key in room.keys.values() if key.open is not None]

    def resume(self, told: Transition, policy: Policy, scene: Scene | None) -> None:
        """Take up an open violation where a worker before this one left it."""
        key = self._room(told.room).keys.setdefault(Name(told.label, told.sublabel), LabelState())
        key.seen_s = told.last_seen_s
        key.windows[told.detector] = HitWindow()
        key.open = Happening.resumed(told, policy.rule_for(told.label, told.modality, scene) or Rule(), scene)

    def snapshot(self) -> dict[str, Any]:
        """Write what must survive a restart as plain data: open violations, those that cool down, blocks within the hour."""
        opened, past, blocks = [], [], []
        for room_id, room in self._rooms.items():
            for key in room.keys.values():
                if key.open is not None:
                    opened.append(_SavedOpen(key.open.current(), key.open.scene, key.open.peak, key.open.downgraded))
                elif key.past is not None:
                    past.append(key.past)
            if room.quota.blocks:
                blocks.append(_SavedBlocks(room_id, room.session_id, room.quota.blocks))
        plain: dict[str, Any] = msgspec.to_builtins(_Snapshot(SNAPSHOT_VERSION, opened, past, blocks))
        return plain

    def restore(self, snapshot: Mapping[str, Any], policies: PolicyBook) -> None:
        """Carry on where a snapshot ends, under the policies of now; where one is gone, under the default.

        Raises:
            InvalidSample: it is no snapshot of this version; begin without it.
        """
        kept = _read_snapshot(snapshot)
        for one in kept.open:
            try:
                policy = policies[one.told.policy.id]
            except NotFound:
                policy = policies.for_room(one.told.room.biz)
            self.resume(one.told, policy, one.scene)
            opened = self._room(one.told.room).keys[Name(one.told.label, one.told.sublabel)].open
            assert opened is not None  # just taken up
            opened.peak, opened.downgraded = one.peak, one.downgraded
        for past in kept.past:
            key = self._room(past.told.room).keys.setdefault(Name(past.told.label, past.told.sublabel), LabelState())
            key.past = past
        for saved in kept.blocks:
            self._rooms.setdefault(saved.room_id, _Room(saved.session_id)).quota.blocks.update(saved.blocks)

    def _room(self, ref: RoomRef) -> _Room:
        return self._rooms.setdefault(ref.room_id, _Room(ref.session_id))

    def _end_session_before(self, ref: RoomRef, pts_s: float) -> list[Transition]:
        room = self._rooms.get(ref.room_id)
        if room is None or room.session_id == ref.session_id:
            return []
        return self.end_session(ref.room_id, pts_s)

    def _new_key(self, room: _Room, name: Name) -> LabelState | None:
        if len(room.keys) >= MAX_KEYS_PER_ROOM:
            quiet = [known for known, key in room.keys.items() if key.open is None]
            if not quiet:
                self.n_refused += 1
                return None
            del room.keys[min(quiet, key=lambda known: room.keys[known].seen_s)]
        return room.keys.setdefault(name, LabelState())

    def _see(self, room: _Room, name: Name, judged: Judged, seen: Observation, policy: Policy) -> list[Transition]:
        """Take one finding in: as a hit, as a sign that an open violation lasts, or as a miss."""
        key = room.keys.get(name)
        if judged.decision is Decision.PASS:
            if key is not None:
                _see_faintly(key, judged, seen, policy)
            return []
        key = key or self._new_key(room, name)
        if key is None or key.is_late(seen.pts_s):
            return []
        if key.open is None:
            key.forget_stale(seen.pts_s)
        scene = scene_of(judged.finding, seen.scene)
        context = Context(seen, policy, policy.rule_for(name.label, judged.finding.modality, scene) or Rule(), scene)
        hit = Hit(seen.pts_s, judged, seen.evidence)
        window = key.windows.setdefault(seen.detector, HitWindow())
        window.add(hit, context.rule, keep_s=_keep_s(seen.detector, context))
        key.seen_s = max(key.seen_s, seen.pts_s)
        carrying = window.agreed(context.rule)
        if key.open is not None:
            return self._go_on(room, key.open, hit, carrying, context)
        if carrying is None or key.holds_back(carrying.decision, seen.pts_s):
            return []
        key.open = Happening.begin(name, window, carrying, context)
        if not self._affordable(room, key.open, carrying.decision, context):
            key.open.downgrade()
        return [key.open.told]

    def _go_on(self, room: _Room, current: Happening, hit: Hit, carrying: Hit | None, context: Context) -> list[Transition]:
        """Take a hit into an open violation; tell it where the decision rises, or where the last news is old enough."""
        current.see(context)
        current.fold(hit)
        rises = carrying is not None and carrying.decision.rank > current.told.decision.rank
        if carrying is not None and rises and self._affordable(room, current, carrying.decision, context):
            return [current.update(hit.pts_s, carrying.judged, context)]
        if hit.pts_s - current.told_s >= context.rule.update_every_s:
            return [current.update(hit.pts_s)]
        return []

    def _affordable(self, room: _Room, current: Happening, decision: Decision, context: Context) -> bool:
        """Count a block against the label's quota of the hour; False where it must be a review."""
        current.peak = max(current.peak, decision, key=lambda one: one.rank)
        label = current.told.label
        if decision is not Decision.BLOCK or room.quota.spend(label, context.rule.max_per_hour, pts_s=context.seen.pts_s):
            return True
        self.n_downgraded[label] += not current.downgraded
        current.downgraded = True
        return False


@dataclass(frozen=True, slots=True)
class _SavedOpen:
    """One open violation as it is saved."""

    told: Transition
    scene: Scene | None
    peak: Decision
    downgraded: bool


@dataclass(frozen=True, slots=True)
class _SavedBlocks:
    """The blocks of one room within the hour, as they are saved."""

    room_id: str
    session_id: str
    blocks: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Everything that must survive a restart, as plain data."""

    version: int
    open: list[_SavedOpen]
    past: list[Past] = field(default_factory=list)
    blocks: list[_SavedBlocks] = field(default_factory=list)


def _read_snapshot(snapshot: Mapping[str, Any]) -> _Snapshot:
    try:
        kept = msgspec.convert(snapshot, _Snapshot)
    except msgspec.ValidationError as error:
        raise InvalidSample(f"violations snapshot cannot be read: {error}; begin without it") from error
    if kept.version != SNAPSHOT_VERSION:
        raise InvalidSample(f"violations snapshot has version {kept.version}, not {SNAPSHOT_VERSION}; begin without it")
    return kept


def _close_due(room: _Room, pts_s: float) -> list[Transition]:
    """Close what is over by then; a cool-down begins when it was over, not when that was noticed."""
    return [key.close(key.open, key.open.due_s) for key in room.keys.values() if key.open is not None and pts_s >= key.open.due_s]


def _see_faintly(key: LabelState, judged: Judged, seen: Observation, policy: Policy) -> None:
    """Take in a finding that passes: it may keep open what is open, and is a miss otherwise."""
    scene = scene_of(judged.finding, seen.scene)
    rule = policy.rule_for(judged.finding.label, judged.finding.modality, scene)
    if key.open is None or rule is None or not still_shows(judged, rule):
        key.miss(seen.detector, seen.pts_s)
        return
    if (window := key.windows.get(seen.detector)) is not None:
        window.miss()
    key.open.see(Context(seen, policy, rule, scene))


def _keep_s(detector: str, context: Context) -> float:
    """How long a hit of this detector counts: longer where its cadence needs longer for the rule's window of samples."""
    cadence = context.policy.cadence.get(detector)
    return HIT_AGE_S if cadence is None else max(HIT_AGE_S, context.rule.window * cadence.floor_s)
