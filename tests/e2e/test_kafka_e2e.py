"""From rooms to a real broker: every alert arrives, keyed and described as the contract says, though both ends die on the way."""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from importlib.resources import files

import jsonschema
import pytest

from streams import demo_scenes
from streams.alerts import Topic
from tests.e2e.processes import running, until
from tests.e2e.test_up import DISGUISED, JPEG, picture
from tests.kafka_broker import deduped

pytestmark = [pytest.mark.kafka, pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]

SCHEMAS = {Topic.VIOLATIONS: "violation", Topic.LIFECYCLE: "lifecycle"}


def say(up, room_id):
    """Put a room up and have something found in what its viewers say."""
    up.watch(room_id, None)
    up.http.post(f"/v1/rooms/{room_id}/danmaku", json={"lines": [{"text": DISGUISED}]}).raise_for_status()


def broker_state(up):
    return up.get("/v1/status")["kafka"]


def all_sent(up):
    until(lambda: broker_state(up)["pending"] == 0, within_s=90, what="every alert acknowledged")


def by_room(pairs):
    rooms = defaultdict(list)
    for room_id, ce_id in pairs:
        rooms[room_id].append(ce_id)
    return dict(rooms)


def test_alerts_reach_a_real_broker_whole_once_and_in_order_though_both_ends_die(tmp_path, model_folder, cold_kafka):
    cold_kafka.start()
    kafka = cold_kafka.settings().model_dump(mode="json", exclude_none=True)
    with running(tmp_path / "up", model_folder, kafka=kafka) as up:
        up.watch("advert", None, pass_through={"ticket": "8"})
        advert = demo_scenes.advert("advert_wechat.png", x=300, y=200)
        for seed in (91, 92):
            up.http.post("/v1/rooms/advert/frames", params={"wait": "true"}, content=picture(seed, advert), headers=JPEG)
        say(up, "before")
        until(lambda: "livewarden.room.started.v1" in {one.type for one in up.outbox()}, within_s=30, what="the room started")
        all_sent(up)

        cold_kafka.kill()
        for number in range(5):
            say(up, f"dark{number}")
        assert broker_state(up)["pending"] >= 5
        killed = up.server_pid()
        os.kill(killed, signal.SIGKILL)
        until(lambda: up.server_pid() != killed, within_s=30, what="another server process")
        up.wait_ready()
        assert broker_state(up)["pending"] >= 5
        say(up, "darker")
        up.http.delete("/v1/rooms/dark0").raise_for_status()

        cold_kafka.restart()
        say(up, "after")
        all_sent(up)
        committed = up.outbox()

    for topic, schema in SCHEMAS.items():
        received = deduped(cold_kafka.consume(topic))
        family = "livewarden.violation." if topic is Topic.VIOLATIONS else "livewarden.room."
        expected = by_room((one.room_id, one.ce_id) for one in committed if one.type.startswith(family))
        arrived = by_room((one.key, one.id) for one in received)
        # Stopping in order ends the sessions, which is told after `committed` was read; nothing else may be more.
        assert {room_id: ids[: len(expected[room_id])] for room_id, ids in arrived.items() if room_id in expected} == expected
        assert_as_the_contract_says(received, schema)

    violations = [json.loads(one.value) for one in deduped(cold_kafka.consume(Topic.VIOLATIONS))]
    opened = [one["room_id"] for one in violations if one["kind"] == "opened"]
    assert sorted(opened) == sorted(["advert", "before", "after", "darker", *(f"dark{number}" for number in range(5))])
    assert [one["kind"] for one in violations if one["room_id"] == "dark0"][:2] == ["opened", "closed"]
    assert {one["pass_through"]["ticket"] for one in violations if one["room_id"] == "advert"} == {"8"}


def assert_as_the_contract_says(received, schema):
    """Key, headers and JSON of every message, and rising sequence numbers of each thing told about."""
    document = json.loads(files("streams").joinpath("schemas", f"{schema}.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(document)
    seqs = defaultdict(list)
    for one in received:
        data = json.loads(one.value)
        validator.validate(data)
        assert one.key == data["room_id"]
        assert one.headers["ce_specversion"] == "1.0"
        assert one.headers["ce_type"].split(".")[-2] == data["kind"]
        assert {"ce_id", "ce_source", "ce_time", "ce_subject"} <= set(one.headers)
        assert one.headers["content-type"] == "application/json"
        seqs[one.headers["ce_subject"], data["session_id"]].append(data["seq"])
    assert seqs
    for numbers in seqs.values():
        assert numbers == sorted(set(numbers))
