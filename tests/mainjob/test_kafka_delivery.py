"""Alerts on a real broker: all of them, each once after dedupe on `ce_id`, in order per room, whatever dies in between."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from streams.alerts import Topic
from tests.kafka_broker import deduped

pytestmark = [pytest.mark.kafka, pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(300)]


def say(product, room_id: str) -> None:
    product.api.post(f"/v1/rooms/{room_id}/danmaku", json={"lines": [{"text": "加微信abc123"}]})


def test_broker_and_server_die_in_mid_flight_and_no_alert_is_lost_or_doubled(start, cold_kafka):
    cold_kafka.start()
    product = start(kafka={"bootstrap_servers": [cold_kafka.address], "partitions": 3, "row_deadline_s": 5.0})
    rooms = [f"room-{i}" for i in range(9)]
    for room_id in rooms:
        product.watch(room_id, None)

    for room_id in rooms[:3]:
        say(product, room_id)
    product.wait(lambda: product.api.get("/v1/status").json()["kafka"]["pending"] == 0)
    cold_kafka.kill()
    for room_id in rooms[3:6]:
        say(product, room_id)
    product.wait(lambda: len(product.violations()) == 6)
    product.kill_server()
    product.wait(lambda: not product.is_ready())
    product.wait(product.is_ready)
    for room_id in rooms[6:]:
        say(product, room_id)
    product.wait(lambda: len(product.violations()) == 9)
    cold_kafka.restart()
    product.wait(lambda: product.api.get("/v1/status").json()["kafka"]["pending"] == 0, within_s=90)

    expected = {one["violation_id"] for one in product.violations()}
    received = deduped(cold_kafka.consume(Topic.VIOLATIONS))
    opened = [json.loads(one.value) for one in received if json.loads(one.value)["kind"] == "opened"]
    assert sorted(one["violation_id"] for one in opened) == sorted(expected)
    assert {one["room_id"] for one in opened} == set(rooms)
    assert all(one.key == json.loads(one.value)["room_id"] for one in received)
    by_violation: dict[str, list[int]] = defaultdict(list)
    for one in received:
        data = json.loads(one.value)
        by_violation[data["violation_id"]].append(data["seq"])
    assert all(seqs == sorted(seqs) for seqs in by_violation.values())
