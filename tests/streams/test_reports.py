"""Reports: what was decided, told field by field; numbers rounded to what they mean."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from inference.rules import Reason
from inference.samples import Modality
from inference.verdicts import Box, Decision, Finding, Judged, ModelRef, PolicyRef, Verdict
from streams.alerts import DetectorNote, Evidence, PolicyNote, RoomKind, StillEvidence, ViolationKind, encode
from streams.lifecycle import HealthKind, HealthTransition
from streams.reports import Moment, room_alert, shadow_alerts, violation_alert
from streams.transitions import Kind, RoomRef, Transition

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
ROOM = RoomRef("9999", "s1", "game", "u1", {"k": 1})
MODEL = ModelRef("logo", "3", "a" * 64)


def transition(kind: Kind = Kind.OPENED) -> Transition:
    return Transition(
        kind=kind,
        violation_id="v1",
        seq=1,
        room=ROOM,
        label="competitor.logo",
        sublabel="platform_b",
        decision=Decision.REVIEW,
        severity=2,
        action_hint="warn",
        score=0.973456789,
        modality=Modality.IMAGE,
        detector="logo",
        model=MODEL,
        policy=PolicyRef("default", 1),
        rule="competitor.*",
        hits=3,
        window=4,
        first_seen_s=12.00049,
        last_seen_s=18.1239,
        captured_at=NOW,
        reason=Reason("水印", "watermark"),
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_every_step_of_a_violation_is_told(kind: Kind) -> None:
    alert = violation_alert(transition(kind), Evidence(), {"infer": 12.0})

    assert alert.kind is ViolationKind(kind)
    assert (alert.room_id, alert.session_id, alert.biz, alert.anchor_uid) == ("9999", "s1", "game", "u1")
    assert alert.detector == DetectorNote("logo", "logo@3", "a" * 64, "CPUExecutionProvider")
    assert alert.policy == PolicyNote("default", 1, "competitor.*")
    assert (alert.score, alert.temporal.first_seen_s, alert.temporal.last_seen_s) == (0.9735, 12.0, 18.124)
    assert (alert.reason.zh, alert.reason.en) == ("水印", "watermark")
    assert alert.timing_ms == {"infer": 12.0}
    assert encode(alert).subject == "v1"


def test_detector_without_a_model_names_none() -> None:
    alert = violation_alert(dataclasses.replace(transition(), model=None), Evidence(), {})

    assert alert.detector == DetectorNote("logo", None, None, None)


def test_boxes_are_rounded_and_nothing_else_is_lost() -> None:
    box = Box(0.123456, 0.2, 0.300049, 0.4, 0.98765, "加微信")
    still = StillEvidence(1.23456, NOW, "file:///e", "b" * 64, 1280, 720, (box,), "text", "qr")

    shown = violation_alert(transition(), Evidence((still,), notes=("missing: x",)), {}).evidence

    assert shown.frames[0].boxes == (Box(0.1235, 0.2, 0.3, 0.4, 0.9877, "加微信"),)
    assert (shown.frames[0].pts_s, shown.frames[0].text, shown.notes) == (1.235, "text", ("missing: x",))


@pytest.mark.parametrize("kind", list(HealthKind))
def test_every_change_of_health_is_told(kind: HealthKind) -> None:
    change = HealthTransition(kind, 2, 5000.0, {"image": "no_media"}, {"image": 12.3456}, 61.23456)

    alert = room_alert(change, ROOM, Moment(NOW, 61.2), worker="w1")

    assert alert.kind is RoomKind(kind)
    assert (alert.seq, alert.at, alert.at_s, alert.worker) == (2, NOW, 61.2, "w1")
    assert (alert.reasons, alert.blind_s, alert.watched_s) == ({"image": "no_media"}, {"image": 12.346}, 61.235)


def verdict(shadow: dict[str, Decision]) -> Verdict:
    finding = Finding("ads.contact", 0.87654, Modality.TEXT, "lexicon")
    return Verdict(Decision.REVIEW, PolicyRef("default", 1), (Judged(finding, Decision.REVIEW, "ads.*", 2, "warn"),), shadow)


def test_only_candidates_that_differ_are_told() -> None:
    shadow = {"strict": Decision.BLOCK, "same": Decision.REVIEW, "mild": Decision.PASS}

    told = shadow_alerts(verdict(shadow), ROOM, Moment(NOW, 3.0), detector="danmaku", modality=Modality.TEXT)

    assert [(one.candidate, one.candidate_decision) for one in told] == [("strict", Decision.BLOCK), ("mild", Decision.PASS)]
    assert {(one.live, one.label, one.score) for one in told} == {(Decision.REVIEW, "ads.contact", 0.8765)}
    assert len({one.shadow_id for one in told}) == 2


def test_nothing_found_or_all_agreed_is_not_told() -> None:
    empty = Verdict(Decision.PASS, PolicyRef("default", 1), (), {"strict": Decision.BLOCK})

    assert shadow_alerts(empty, ROOM, Moment(NOW, 3.0), detector="porn", modality=Modality.IMAGE) == ()
    assert shadow_alerts(verdict({"a": Decision.REVIEW}), ROOM, Moment(NOW, 3.0), detector="x", modality=Modality.TEXT) == ()
