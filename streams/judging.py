"""From a look to what is told: the policy's verdict, evidence of what is on it, the tracker's transitions, events in the outbox.

Owns the order in which that happens: evidence is stored, then the tracker takes the look, then its transitions are committed
together with the tracker's state, so that a killed worker loses nothing it told and tells nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from inference.clock import Clock
from inference.engine import Engine
from inference.errors import InvalidSample
from inference.samples import FrameSample, Modality, Scene
from inference.verdicts import Decision, Judged, Verdict
from streams.alerts import encode
from streams.echoes import Echoes
from streams.evidence import EvidenceUnavailable, missing_note
from streams.lifecycle import HealthKind, HealthMark, HealthTransition
from streams.looks import Look, modality_of
from streams.reports import Moment, room_alert, shadow_alerts, violation_alert
from streams.rooms import Broadcast
from streams.seconding import Seconding
from streams.showcase import Showcase
from streams.stores import Stores
from streams.violations import Kind, Observation, RoomRef, Transition, ViolationTracker
from streams.watching import Watch

log = logging.getLogger(__name__)

TRACKER_SNAPSHOT = "violations"
EVIDENCE_EVERY_S = 30.0
"""While a violation lasts, a new still is kept at most this often, seconds."""
FIRST_STILLS = 3
"""Stills kept of the first sightings of a happening."""
_UNTIMED: Mapping[str, float] = MappingProxyType({})
FORGET_S = 120.0
"""A label not seen for this long begins anew, seconds."""


@dataclass(frozen=True, slots=True)
class _SavedHealth:
    """What was told of a session, as it is kept with the events that told it."""

    session_id: str
    mark: HealthMark


def _health_of(room_id: str) -> str:
    return f"health:{room_id}"


class Judge:
    """Decides on looks and texts of rooms and commits what is to be told. Belongs to the worker's loop."""

    def __init__(self, engine: Engine, stores: Stores, *, clock: Clock) -> None:
        self._engine = engine
        self._stores = stores
        self._clock = clock
        self._tracker = ViolationTracker()
        self._gate = EvidenceGate()
        self._echoes = Echoes()
        self._seconding = Seconding()
        self._showcase = Showcase(stores.evidence, stores.recent)

    def restore(self) -> None:
        """Carry on the violations that the worker before this one had open."""
        saved = self._stores.outbox.load_snapshot(TRACKER_SNAPSHOT)
        if saved is None:
            return
        try:
            self._tracker.restore(msgspec.json.decode(saved), self._engine.policies)
        except (InvalidSample, msgspec.MsgspecError) as error:
            log.warning("open violations of the worker before could not be read: %s", error)

    def open_in(self, room_id: str) -> int:
        """Count a room's open violations."""
        return self._tracker.open_in(room_id)

    @property
    def n_open(self) -> int:
        """Violations open in all rooms."""
        return self._tracker.n_open

    async def look(self, look: Look, watch: Watch) -> Verdict:
        """Decide on one look that did not fail; what it makes of a room's violations is committed when this returns."""
        is_read = isinstance(look.sample, FrameSample) and any(finding.match is not None for finding in look.findings)
        scene = Scene.OCR if is_read else None  # what is heard brings its own scene
        verdict = self._verdict(look, watch, scene)
        decided_s = self._clock.now_s()
        observation = await self._observed(look, watch, verdict, scene)
        moment = Moment(look.sample.captured_at, _moment(look))
        shadows = shadow_alerts(verdict, room_ref(watch), moment, detector=look.detector, modality=modality_of(look.sample))
        if shadows:
            await asyncio.wrap_future(self._stores.outbox.put([encode(shadow) for shadow in shadows]))
        timing_ms = _timing(look, decided_s=decided_s, now_s=self._clock.now_s())
        opened = await self._tell(self._tracker.observe(observation, watch.policy), timing_ms)
        if isinstance(look.sample, FrameSample):
            await asyncio.to_thread(self._stores.recent.add, look.sample)
            for transition in opened:
                await asyncio.to_thread(self._showcase.keep_strip, transition, look.sample)
        return verdict

    async def text(self, watch: Watch, text: str, scene: Scene) -> None:
        """Decide on a text of the room: a danmaku line, its title."""
        findings = self._engine.words(text, scene)
        if not findings:
            return
        policy = self._engine.policies.for_text(watch.room.biz, scene)
        observation = Observation(
            room=room_ref(watch),
            detector=scene.value,
            modality=Modality.TEXT,
            pts_s=watch.place(watch.at_s(self._clock.now_s())),
            captured_at=self._clock.utc(),
            judged=self._engine.policies.verdict(policy, findings, scene=scene).judged,
            scene=scene,
        )
        await self._tell(self._tracker.observe(observation, policy))

    async def tick(self, watch: Watch) -> None:
        """Let time pass in a room."""
        await self._tell(self._tracker.tick(watch.room.room_id, watch.at_s(self._clock.now_s())))

    async def end(self, watch: Watch) -> None:
        """Close everything of a room whose session ends."""
        for memory in (self._gate, self._echoes, self._seconding):
            memory.forget(watch.room.room_id)
        await self._tell(self._tracker.end_session(watch.room.room_id, watch.at_s(self._clock.now_s())))

    async def health(self, watch: Watch, changes: Sequence[HealthTransition]) -> None:
        """Commit what is to be told of the watching of a room."""
        if not changes:
            return
        moment = Moment(self._clock.utc(), watch.at_s(self._clock.now_s()))
        own = self._stores.settings
        events = [
            encode(room_alert(change, room_ref(watch), moment, worker=own.worker_id, worker_url=own.advertise_url))
            for change in changes
        ]
        ended = any(change.kind is HealthKind.ENDED for change in changes)
        saved = None if ended else msgspec.json.encode(_SavedHealth(watch.broadcast.session_id, watch.health.mark))
        await asyncio.wrap_future(self._stores.outbox.put(events, snapshots={_health_of(watch.room.room_id): saved}))

    def told_of(self, broadcast: Broadcast) -> HealthMark | None:
        """Return how far the worker before this one told a session's health; None where it told nothing."""
        saved = self._stores.outbox.load_snapshot(_health_of(broadcast.room.room_id))
        if saved is None:
            return None
        try:
            health = msgspec.json.decode(saved, type=_SavedHealth)
        except msgspec.MsgspecError as error:
            log.warning("health told by the worker before could not be read: %s", error, extra={"room_id": broadcast.room.room_id})
            return None
        return health.mark if health.session_id == broadcast.session_id else None

    async def overturn(self, violation_id: str) -> None:
        """Take a violation back; one that is long over is only marked in the index."""
        await self._tell(self._tracker.retract(violation_id))

    async def _observed(self, look: Look, watch: Watch, verdict: Verdict, scene: Scene | None) -> Observation:
        """Store what shows the findings and put together what the tracker takes; echoes of what was heard before are left out."""
        judged = self._echoes.fresh(watch.room.room_id, watch.broadcast.session_id, verdict.judged)
        shown = [one for one in judged if one.decision is not Decision.PASS]
        evidence = await self._exhibit(look, shown, watch) if shown and not look.repeated else ()
        return Observation(
            room=room_ref(watch),
            detector=look.detector,
            modality=modality_of(look.sample),
            pts_s=min([one.finding.heard.start_s for one in shown if one.finding.heard], default=_moment(look)),
            captured_at=look.sample.captured_at,
            judged=judged,
            scene=scene,
            evidence=evidence,
        )

    def _verdict(self, look: Look, watch: Watch, scene: Scene | None) -> Verdict:
        """Ask the policy; what the room's other looks found a moment ago may second what this one found."""
        place = (watch.room.room_id, watch.broadcast.session_id, _moment(look))
        beside = self._seconding.beside(*place)
        verdict = self._engine.policies.verdict(watch.policy, look.findings, scene=scene, beside=beside)
        self._seconding.note(*place, verdict.judged)
        return verdict

    async def _exhibit(self, look: Look, judged: Sequence[Judged], watch: Watch) -> tuple[str, ...]:
        """Store what shows the findings, if the violation would carry it."""
        if not self._gate.admits(watch.room.room_id, judged, _moment(look)):
            return ()
        try:
            return await asyncio.to_thread(self._showcase.store, look.sample, judged)
        except EvidenceUnavailable as error:
            self._engine.metrics.evidence_failed.labels("unavailable").inc()
            return (self._showcase.note(missing_note(error)),)

    async def _tell(self, transitions: Sequence[Transition], timing_ms: Mapping[str, float] = _UNTIMED) -> list[Transition]:
        """Commit the alerts of these transitions together with the tracker's state; returns those that opened a violation."""
        if not transitions:
            return []
        for transition in transitions:
            self._engine.metrics.violations.labels(transition.label, transition.decision, transition.kind).inc()
        events = [
            encode(violation_alert(transition, self._showcase.evidence_of(transition), timing_ms)) for transition in transitions
        ]
        snapshot = msgspec.json.encode(self._tracker.snapshot())
        await asyncio.wrap_future(self._stores.outbox.put(events, snapshots={TRACKER_SNAPSHOT: snapshot}))
        for transition in transitions:
            if transition.kind in (Kind.CLOSED, Kind.RETRACTED):
                self._showcase.forget(transition.violation_id)
        return [transition for transition in transitions if transition.kind is Kind.OPENED]


class EvidenceGate:
    """Says which sightings are worth a stored still: the first few of a happening, then one now and then, and harsher ones."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[tuple[str, str | None], _Kept]] = {}

    def admits(self, room_id: str, judged: Sequence[Judged], pts_s: float) -> bool:
        """Decide on one look; it is counted for every label it shows."""
        room = self._kept.setdefault(room_id, {})
        wanted = [self._admits_one(room, one, pts_s) for one in judged]
        for name in [name for name, kept in room.items() if pts_s - kept.seen_s > FORGET_S]:
            del room[name]
        return any(wanted)

    def forget(self, room_id: str) -> None:
        """Drop a room."""
        self._kept.pop(room_id, None)

    def _admits_one(self, room: dict[tuple[str, str | None], _Kept], judged: Judged, pts_s: float) -> bool:
        name = (judged.finding.label, judged.finding.sublabel)
        kept = room.get(name)
        if kept is None:
            room[name] = _Kept(1, pts_s, pts_s, judged.decision.rank)
            return True
        kept.seen_s = pts_s
        if kept.n >= FIRST_STILLS and pts_s - kept.kept_s < EVIDENCE_EVERY_S and judged.decision.rank <= kept.rank:
            return False
        kept.n, kept.kept_s, kept.rank = kept.n + 1, pts_s, max(kept.rank, judged.decision.rank)
        return True


class _Kept(msgspec.Struct):
    """What was kept of one label in one room."""

    n: int
    kept_s: float
    seen_s: float
    rank: int


def room_ref(watch: Watch) -> RoomRef:
    """Name the broadcast for alerts."""
    room = watch.room
    return RoomRef(room.room_id, watch.broadcast.session_id, room.biz, room.anchor_uid, room.pass_through)


def _moment(look: Look) -> float:
    return look.sample.pts_s if isinstance(look.sample, FrameSample) else look.sample.end_s


def _timing(look: Look, *, decided_s: float, now_s: float) -> dict[str, float]:
    """Milliseconds of each stage of a look so far."""
    captured_s = look.sample.captured_s
    stages = {"capture_to_queue": look.offered_s - captured_s, "decide": decided_s - look.done_s, "evidence": now_s - decided_s}
    if look.detection is not None:
        timing = look.detection.timing
        waited_s = look.done_s - look.offered_s - timing.total_s
        stages["queue_to_batch"] = waited_s + timing.prepare_s + timing.queue_s
        stages["infer"] = timing.infer_s
        stages["findings"] = timing.findings_s
    stages["capture_to_publish"] = now_s - captured_s
    return {name: round(max(0.0, seconds) * 1000, 2) for name, seconds in stages.items()}
