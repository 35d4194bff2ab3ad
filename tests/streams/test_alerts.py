"""Alerts: every message matches its schema, stays within 64 KiB and is the same bytes for the same facts."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema
import pytest
import yaml

from inference.samples import Modality
from inference.verdicts import Box, Decision
from streams import alerts
from streams.alerts import (
    AudioEvidence,
    DeadLetter,
    DetectorNote,
    Evidence,
    PolicyNote,
    Reason,
    RoomAlert,
    RoomKind,
    ShadowAlert,
    StillEvidence,
    StripEvidence,
    Temporal,
    Topic,
    ViolationAlert,
    ViolationKind,
    encode,
)
from streams.cloudevents import MAX_MESSAGE_BYTES, CloudEvent, Header, header, stable_id
from streams.deadletters import LostMessage, dead_letter
from streams.trimming import smaller

NOW = datetime(2026, 11, 24, 8, 0, 0, 123000, tzinfo=UTC)
SHA = "a" * 64
SCHEMAS = ("violation", "lifecycle", "shadow", "dead", "room", "review")


def still(n_boxes: int = 1, *, text: str | None = "加微信", pts_s: float = 12.0) -> StillEvidence:
    boxes = tuple(Box(0.1, 0.2, 0.3, 0.4, n / max(1, n_boxes), f"box-{n}") for n in range(n_boxes))
    return StillEvidence(pts_s, NOW, "file:///e/1.jpg", SHA, 1280, 720, boxes, text, "https://qr")


def violation(**changes: Any) -> ViolationAlert:
    audio = AudioEvidence(10.0, 20.0, "file:///e/1.wav", SHA, "加微信", ((0, 3),))
    strip = StripEvidence(8.0, 13.0, "file:///e/1.webp", SHA, 6)
    alert = ViolationAlert(
        violation_id="v1",
        kind=ViolationKind.OPENED,
        seq=1,
        room_id="9999",
        session_id="s1",
        biz="game",
        anchor_uid="u1",
        decision=Decision.REVIEW,
        severity=2,
        action_hint="warn",
        label="competitor.logo",
        sublabel="platform_b",
        score=0.973,
        modality=Modality.IMAGE,
        detector=DetectorNote("logo", "logo@3", SHA, "CPUExecutionProvider"),
        policy=PolicyNote("default", 1, "competitor.logo"),
        temporal=Temporal(3, 4, 12.0, 18.0, NOW),
        reason=Reason("连续4帧中3帧检出竞品水印", "3 of 4 frames show a competitor watermark"),
        evidence=Evidence((still(),), (audio,), (strip,), ("missing: disk full",)),
        timing_ms={"capture_to_queue": 35.0, "infer": 12.0},
        pass_through={"k": [1, None, {"z": "值"}]},
    )
    return dataclasses.replace(alert, **changes)


def room(kind: RoomKind = RoomKind.DEGRADED) -> RoomAlert:
    return RoomAlert(kind, 2, "9999", "s1", "game", NOW, 61.5, {"image": "no_stream"}, {"image": 12.5, "audio": 0.0}, 61.5, "w1")


def shadow() -> ShadowAlert:
    policy = PolicyNote("default", 1, "ads.*")
    block, review = Decision.BLOCK, Decision.REVIEW
    return ShadowAlert("sh1", "9999", "s1", "game", "next", review, block, "ads.contact", 0.8, Modality.TEXT, 3.0, NOW, policy)


def letter() -> DeadLetter:
    return dead_letter(LostMessage(Topic.ROOMS, "9999", b"{", 3, 17), "not JSON", at=NOW)


def schema(name: str) -> dict[str, Any]:
    return json.loads((resources.files("streams") / "schemas" / f"{name}.json").read_text())


def check(name: str, event: CloudEvent) -> dict[str, Any]:
    data = json.loads(event.value)
    validator = jsonschema.Draft202012Validator(schema(name), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    validator.validate(data)
    return data


EXAMPLES = [
    *[("violation", violation(kind=kind)) for kind in ViolationKind],
    ("violation", violation(evidence=Evidence(), anchor_uid=None, sublabel=None, detector=DetectorNote("codes"), timing_ms={})),
    *[("lifecycle", room(kind)) for kind in RoomKind],
    ("shadow", shadow()),
    ("dead", letter()),
]


@pytest.mark.parametrize(("name", "alert"), EXAMPLES)
def test_every_message_matches_its_schema(name: str, alert: alerts.Alert) -> None:
    event = encode(alert)

    data = check(name, event)
    assert data["schema_version"] == "1.0"
    assert event.n_bytes <= MAX_MESSAGE_BYTES


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_themselves_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"urn:livewarden:schema:{name}:1.0"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("violation", ViolationAlert), ("lifecycle", RoomAlert), ("shadow", ShadowAlert), ("dead", DeadLetter)],
)
def test_schema_names_exactly_the_fields_that_are_sent(name: str, kind: type) -> None:
    assert set(schema(name)["required"]) == {field.name for field in dataclasses.fields(kind)}


def test_violation_is_on_the_wire_as_the_contract_has_it() -> None:
    data = json.loads(encode(violation()).value)

    assert data["temporal"] == {
        "hits": 3,
        "window": 4,
        "first_seen_s": 12.0,
        "last_seen_s": 18.0,
        "captured_at": "2026-11-24T08:00:00.123000Z",
    }
    assert data["detector"] == {"name": "logo", "model": "logo@3", "sha256": SHA, "provider": "CPUExecutionProvider"}
    assert data["policy"] == {"id": "default", "version": 1, "rule": "competitor.logo"}
    assert data["evidence"]["frames"][0]["boxes"] == [{"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4, "score": 0.0, "name": "box-0"}]
    assert data["evidence"]["audio"][0]["spans"] == [[0, 3]]
    assert (data["kind"], data["decision"], data["modality"]) == ("opened", "review", "image")
    assert data["reason"]["zh"] == "连续4帧中3帧检出竞品水印"


def test_envelope_is_cloudevents_binary_mode() -> None:
    event = encode(violation())

    assert {entry.name: entry.value.decode() for entry in event.headers} == {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_type": "livewarden.violation.opened.v1",
        "ce_source": "/livewarden",
        "ce_time": "2026-11-24T08:00:00.123Z",
        "ce_subject": "v1",
        "content-type": "application/json",
    }
    assert (event.topic, event.key, event.severity) == ("livewarden.violations.v1", "9999", 2)
    assert header(event.headers, "ce_id") == event.id
    assert header(event.headers, "none") is None


def test_same_facts_make_the_same_event() -> None:
    assert encode(violation()) == encode(violation())
    assert encode(room()) == encode(room())


def test_every_alert_of_a_violation_has_an_id_of_its_own() -> None:
    steps = [violation(), violation(kind=ViolationKind.UPDATED, seq=2), violation(kind=ViolationKind.UPDATED, seq=3)]

    assert len({encode(step).id for step in steps}) == 3


def test_parts_of_an_id_cannot_run_into_one_another() -> None:
    assert stable_id("ab", "c") != stable_id("a", "bc")
    assert stable_id("a", "") != stable_id("a")
    assert re.fullmatch("[0-9a-f]{32}", stable_id("\ud800"))


def test_too_many_boxes_go_first_and_the_best_stay() -> None:
    event = encode(violation(evidence=Evidence((still(2000),))))

    data = check("violation", event)
    kept = data["evidence"]["frames"][0]
    assert len(kept["boxes"]) == 16
    assert kept["boxes"][0]["score"] == 1999 / 2000
    assert data["evidence"]["notes"] == ["trimmed: boxes"]
    assert kept["text"] == "加微信"


def test_long_texts_go_second() -> None:
    audio = AudioEvidence(0.0, 9.0, "u", SHA, "话" * 50_000, ((0, 3), (49_000, 49_003)))
    data = check("violation", encode(violation(evidence=Evidence((still(),), (audio,)))))

    assert len(data["evidence"]["audio"][0]["transcript"]) == 500
    assert data["evidence"]["audio"][0]["spans"] == [[0, 3]]
    assert data["evidence"]["notes"] == ["trimmed: boxes", "trimmed: texts"]


def test_pictures_go_third_and_the_first_and_last_stay() -> None:
    frames = tuple(still(pts_s=float(n), text="话" * 400) for n in range(100))
    data = check("violation", encode(violation(evidence=Evidence(frames))))

    assert [frame["pts_s"] for frame in data["evidence"]["frames"]] == [0.0, 99.0]
    assert data["evidence"]["notes"][-1] == "trimmed: media"


def test_pass_through_goes_fourth() -> None:
    data = check("violation", encode(violation(pass_through={"big": ["x" * 100] * 1000})))

    assert data["pass_through"] == {}
    assert data["evidence"]["notes"][-1] == "trimmed: pass_through"
    assert len(data["evidence"]["frames"]) == 1


def test_whatever_is_too_large_then_is_cut_too() -> None:
    data = check("violation", encode(violation(sublabel="s" * 100_000, action_hint="a" * 100_000)))

    assert (len(data["sublabel"]), len(data["action_hint"])) == (200, 200)
    assert data["violation_id"] == "v1"


def test_lifecycle_and_letters_are_trimmed_alike() -> None:
    large = dataclasses.replace(room(), pass_through={"big": "x" * 100_000})

    assert check("lifecycle", encode(large))["pass_through"] == {}
    assert len(check("dead", encode(dataclasses.replace(letter(), excerpt="话" * 50_000)))["excerpt"]) == 500


def test_what_cannot_be_trimmed_says_so() -> None:
    with pytest.raises(ValueError, match="cannot be trimmed to 10 bytes"):
        smaller(b'{"numbers": [1, 2, 3, 4, 5, 6]}', limit_bytes=10)


def test_odd_values_do_not_lose_an_alert() -> None:
    class Odd(StrEnum):
        ONE = "one"

    odd = {"proxy": MappingProxyType({"a": 1}), "half": "a\ud800b", "complex": 1j, "enum": Odd.ONE, "list": ("\udfff",)}

    data = check("violation", encode(violation(pass_through=odd)))

    assert data["pass_through"] == {"proxy": {"a": 1}, "half": "a\ufffdb", "complex": "1j", "enum": "one", "list": ["\ufffd"]}


@pytest.mark.parametrize("change", [{"id": ""}, {"topic": ""}, {"key": "x" * 600}, {"value": b"x" * 70_000}])
def test_envelope_refuses_what_no_broker_should_see(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="of "):
        dataclasses.replace(encode(violation()), **change)


def test_header_that_is_not_text_reads_as_absent() -> None:
    assert header([Header("ce_id", b"\xff")], "ce_id") is None


@pytest.mark.parametrize(
    "value",
    [
        b'{"source": "rtmp://user:pw@live.example/app/KEY?sign=x", "biz": 1}',
        rb'{"source": "rtmp:\/\/live.example\/app\/KEY?sign=pw"}',
        b"source: HTTPS://live.example/app/KEY.flv?pw=1 and more",
    ],
)
def test_dead_letter_shows_no_address(value: bytes) -> None:
    dead = dead_letter(LostMessage(Topic.ROOMS, "9999", value), f"bad source {value.decode()!r}", at=NOW)

    for text in (dead.excerpt, dead.reason):
        assert "KEY" not in text
        assert "pw" not in text
        assert "://***" in text
    assert dead.n_bytes == len(value)


def test_dead_letter_of_the_same_message_has_the_same_id() -> None:
    assert letter() == letter()
    assert letter().dead_id != dead_letter(LostMessage(Topic.ROOMS, "9999", b"{", 3, 18), "x", at=NOW).dead_id


def test_dead_letter_survives_bytes_that_are_no_text() -> None:
    dead = dead_letter(LostMessage(Topic.ROOMS, "k" * 900, b"\xff\xfe" * 9000), "not UTF-8", at=NOW)

    data = check("dead", encode(dead))
    assert data["n_bytes"] == 18_000
    assert len(data["excerpt"]) <= 2000


def asyncapi() -> dict[str, Any]:
    return yaml.safe_load((Path(__file__).resolve().parents[2] / "deploy" / "asyncapi.yaml").read_text())


def test_asyncapi_names_every_topic_and_its_key() -> None:
    document = asyncapi()

    assert document["asyncapi"].startswith("3.")
    assert {channel["address"] for channel in document["channels"].values()} == set(Topic)
    for message in document["components"]["messages"].values():
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


def test_asyncapi_names_every_type_under_its_topic() -> None:
    document = asyncapi()
    listed: dict[str, set[str]] = {}
    for channel in document["channels"].values():
        for reference in channel["messages"].values():
            message = document["components"]["messages"][reference["$ref"].rsplit("/", 1)[1]]
            if "headers" in message:
                listed.setdefault(channel["address"], set()).update(message["headers"]["properties"]["ce_type"]["enum"])

    assert listed == {
        Topic.VIOLATIONS: {alerts.violation_type(kind) for kind in ViolationKind},
        Topic.LIFECYCLE: {alerts.room_type(kind) for kind in RoomKind},
        Topic.SHADOW: {alerts.SHADOW_TYPE},
        Topic.DEAD: {alerts.DEAD_TYPE},
    }


def test_asyncapi_refers_to_the_shipped_schemas() -> None:
    payloads = {message["payload"]["$ref"] for message in asyncapi()["components"]["messages"].values()}

    assert payloads == {f"../streams/schemas/{name}.json" for name in SCHEMAS}


def test_asyncapi_headers_are_those_that_are_sent() -> None:
    sent = {entry.name for entry in encode(violation()).headers}

    for message in asyncapi()["components"]["messages"].values():
        if "headers" in message:
            assert set(message["headers"]["required"]) == sent
