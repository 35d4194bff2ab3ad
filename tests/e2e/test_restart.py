"""Processes are killed in mid-flight: what was told stays told, once, and watching goes on by itself."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from tests.e2e.processes import running, until

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]

OPENED = "livewarden.violation.opened.v1"
DISGUISED = "加薇❤❤abc123"
PULLED = {"advert": "advert.flv", "qrcode": "qrcode.m3u8", "clean": "clean.flv"}


@pytest.fixture(scope="module")
def own(tmp_path_factory, model_folder, platform):
    """One to kill in, a decoder for each room, three pulled rooms watched and one that is pushed."""
    with running(tmp_path_factory.mktemp("restart"), model_folder, decoders={"rooms_per_decoder": 1}) as up:
        for room_id, stream in PULLED.items():
            up.watch(room_id, platform.url(stream))
        up.watch("chat", None)
        yield up


def opened(up, room_id):
    """Ids of the violations told as opened, by label."""
    told = [one.data for one in up.outbox() if one.type == OPENED and one.room_id == room_id]
    return Counter((one["label"], one["violation_id"]) for one in told)


def test_a_killed_decoder_costs_the_other_rooms_nothing(own, platform):
    for room_id in PULLED:
        until(lambda room_id=room_id: own.room(room_id)["watching"], within_s=60, what=f"room {room_id} watched")
    before = {room_id: own.room(room_id) for room_id in PULLED}
    [victim, *others] = own.decoders_of(platform.port)
    assert len(others) >= 1  # an HLS room need not hold a connection at this moment
    os.kill(victim, signal.SIGKILL)
    for room_id in PULLED:
        own.wait_scored(room_id, "codes", 2)
    after = {room_id: own.room(room_id) for room_id in PULLED}
    assert {name: one["session_id"] for name, one in after.items()} == {name: one["session_id"] for name, one in before.items()}
    degraded = {one.room_id for one in own.outbox() if one.type == "livewarden.room.degraded.v1"}
    assert len(degraded) <= 1
    assert "livewarden.room.ended.v1" not in {one.type for one in own.outbox()}


def test_a_killed_server_comes_back_with_its_rooms_and_opens_nothing_twice(own):
    own.found("advert", "ads.contact")
    own.found("qrcode", "ads.qr_code")
    own.http.post("/v1/rooms/chat/danmaku", json={"lines": [{"text": DISGUISED}]}).raise_for_status()
    own.found("chat", "ads.contact")
    rooms = {one["room_id"]: one["session_id"] for one in own.get("/v1/rooms")["rooms"]}
    ids = {room_id: opened(own, room_id) for room_id in rooms}
    killed, told = own.server_pid(), [one.ce_id for one in own.outbox()]
    os.kill(killed, signal.SIGKILL)
    until(lambda: own.server_pid() != killed, within_s=30, what="another server process")
    own.wait_ready()

    until(lambda: {one["room_id"] for one in own.get("/v1/rooms")["rooms"]} == set(rooms), within_s=20, what="the rooms of before")
    assert {one["room_id"]: one["session_id"] for one in own.get("/v1/rooms")["rooms"]} == rooms
    assert [one.ce_id for one in own.outbox()][: len(told)] == told
    own.wait_scored("advert", "ocr", 2)
    own.wait_scored("qrcode", "codes", 2)
    own.http.post("/v1/rooms/chat/danmaku", json={"lines": [{"text": DISGUISED}]}).raise_for_status()
    assert {room_id: opened(own, room_id) for room_id in rooms} == ids
    assert {one["violation_id"] for one in own.violations("advert", "ads.contact")} == {
        violation_id for label, violation_id in ids["advert"] if label == "ads.contact"
    }
    assert own.violations("advert", "ads.contact")[0]["state"] == "open"
    assert own.violations("clean") == []


def test_what_is_told_while_the_server_is_killed_is_told_once(own):
    """Lines that were answered before the kill are in the outbox after it: the answer comes after the commit."""
    answered = []
    for number in range(6):
        room_id = f"burst{number}"
        own.watch(room_id, None)
        said = own.http.post(f"/v1/rooms/{room_id}/danmaku", json={"lines": [{"text": DISGUISED}]})
        if said.status_code == 200:
            answered.append(room_id)
    os.kill(own.server_pid(), signal.SIGKILL)
    assert len(answered) == 6
    own.wait_ready()
    assert [sum(opened(own, room_id).values()) for room_id in answered] == [1] * 6
    found = until(
        lambda: [room_id for room_id in answered if own.violations(room_id)] == answered and answered,
        within_s=30,
        what="every violation in the index",
    )
    assert [len(own.violations(room_id)) for room_id in found] == [1] * 6
