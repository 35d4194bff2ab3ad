"""From what was decided to what is told: transitions, changes of health and candidates' verdicts as alerts.

Values in, values out; encoding is `streams/alerts.py`. Numbers are rounded here to what they mean: scores and boxes to four places,
seconds to milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from inference.samples import Modality
from inference.verdicts import Box, Decision, ModelRef, Verdict
from streams.alerts import (
    DetectorNote,
    Evidence,
    PolicyNote,
    Reason,
    RoomAlert,
    RoomKind,
    ShadowAlert,
    StillEvidence,
    Temporal,
    ViolationAlert,
    ViolationKind,
)
from streams.cloudevents import stable_id
from streams.lifecycle import HealthTransition
from streams.transitions import RoomRef, Transition


def violation_alert(transition: Transition, evidence: Evidence, timing_ms: Mapping[str, float]) -> ViolationAlert:
    """Tell one step of a violation, with the media that show it and the milliseconds that each stage of this step took."""
    room, model = transition.room, transition.model
    return ViolationAlert(
        violation_id=transition.violation_id,
        kind=ViolationKind(transition.kind),
        seq=transition.seq,
        room_id=room.room_id,
        session_id=room.session_id,
        biz=room.biz,
        anchor_uid=room.anchor_uid,
        decision=transition.decision,
        severity=transition.severity,
        action_hint=transition.action_hint,
        label=transition.label,
        sublabel=transition.sublabel,
        score=round(transition.score, 4),
        modality=transition.modality,
        detector=_detector_note(transition.detector, model),
        policy=PolicyNote(transition.policy.id, transition.policy.version, transition.rule),
        temporal=Temporal(
            hits=transition.hits,
            window=transition.window,
            first_seen_s=round(transition.first_seen_s, 3),
            last_seen_s=round(transition.last_seen_s, 3),
            captured_at=transition.captured_at,
        ),
        reason=Reason(transition.reason.zh, transition.reason.en),
        evidence=_rounded(evidence),
        timing_ms=timing_ms,
        pass_through=room.pass_through,
    )


def _detector_note(name: str, model: ModelRef | None) -> DetectorNote:
    return DetectorNote(name) if model is None else DetectorNote(name, str(model), model.sha256, model.provider)


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened, on both clocks that an alert names."""

    at: datetime
    """Aware UTC."""
    at_s: float
    """Session timeline, seconds."""


def room_alert(
    transition: HealthTransition, room: RoomRef, moment: Moment, *, worker: str, worker_url: str | None = None
) -> RoomAlert:
    """Tell one change in the watching of a room, and where its worker takes media."""
    return RoomAlert(
        kind=RoomKind(transition.kind),
        seq=transition.seq,
        room_id=room.room_id,
        session_id=room.session_id,
        biz=room.biz,
        at=moment.at,
        at_s=round(moment.at_s, 3),
        reasons=transition.reasons,
        blind_s={modality: round(seconds, 3) for modality, seconds in transition.blind_s.items()},
        watched_s=round(transition.watched_s, 3),
        worker=worker,
        worker_url=worker_url,
        pass_through=room.pass_through,
    )


def shadow_alerts(verdict: Verdict, room: RoomRef, moment: Moment, *, detector: str, modality: Modality) -> tuple[ShadowAlert, ...]:
    """Tell of each candidate that decided otherwise than the live policy did; none where all agree."""
    differing = differing_candidates(verdict)
    leading = verdict.leading
    if leading is None or not differing:
        return ()
    finding = leading.finding
    return tuple(
        ShadowAlert(
            shadow_id=stable_id("shadow", room.room_id, room.session_id, detector, candidate, f"{moment.at_s:.3f}", finding.label),
            room_id=room.room_id,
            session_id=room.session_id,
            biz=room.biz,
            candidate=candidate,
            live=verdict.decision,
            candidate_decision=decision,
            label=finding.label,
            score=round(finding.score, 4),
            modality=modality,
            pts_s=round(moment.at_s, 3),
            captured_at=moment.at,
            policy=PolicyNote(verdict.policy.id, verdict.policy.version, leading.rule),
        )
        for candidate, decision in differing.items()
    )


def differing_candidates(verdict: Verdict) -> Mapping[str, Decision]:
    """Return the candidates whose decision is not the live one."""
    return {candidate: decision for candidate, decision in verdict.shadow.items() if decision is not verdict.decision}


def _rounded(evidence: Evidence) -> Evidence:
    """Round boxes and seconds of the media."""
    return replace(evidence, frames=tuple(map(_rounded_still, evidence.frames)))


def _rounded_still(still: StillEvidence) -> StillEvidence:
    boxes = tuple(
        Box(round(box.x, 4), round(box.y, 4), round(box.w, 4), round(box.h, 4), round(box.score, 4), box.name)
        for box in still.boxes
    )
    return replace(still, pts_s=round(still.pts_s, 3), boxes=boxes)
