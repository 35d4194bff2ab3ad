"""`livewarden up` as its users see it: rooms in, violations with evidence out, checks answered, nonsense refused."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from websockets.sync.client import connect

from inference.clock import rfc3339
from streams import demo_scenes
from tests.e2e.processes import until
from tests.streams.sound_maker import encoded

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]

JPEG = {"Content-Type": "image/jpeg"}
DISGUISED = "加薇❤❤abc123"


@pytest.fixture(scope="module")
def rooms(platform, up):
    """Six rooms put up at once, one of them pushed."""
    up.watch("clean", platform.url("clean.flv"))
    up.watch("advert", platform.url("advert.flv"), anchor_uid="a77", pass_through={"ticket": 8})
    up.watch("qrcode", platform.url("qrcode.m3u8"))
    up.watch("breaks", platform.url("breaks.flv"))
    up.watch("garbage", platform.url("garbage.flv"))
    up.watch("pushed", None)
    return up


def picture(seed, *painted):
    """JPEG of a game nobody has seen, with things painted on it."""
    frame = demo_scenes.Game(seed).frame(seed)
    for one in painted:
        one.over(frame)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return jpeg.tobytes()


def png_header(width, height):
    """A PNG that claims a size and has next to no content."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def assert_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_an_advert_painted_on_a_flv_room_is_found_with_its_picture(rooms):
    found = rooms.found("advert", "ads.contact")
    assert (found["modality"], found["temporal"]["hits"] >= 1) == ("image", True)
    assert found["decision"] in {"review", "block"}
    assert (found["anchor_uid"], found["pass_through"]) == ("a77", {"ticket": 8})
    assert 0 <= found["temporal"]["first_seen_s"] <= found["temporal"]["last_seen_s"]
    [still, *_] = found["evidence"]["frames"]
    answer = rooms.http.get(f"/v1/violations/{found['violation_id']}/evidence/{still['n']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert hashlib.sha256(answer.content).hexdigest() == still["sha256"]
    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (still["height"], still["width"], 3)
    assert pixels.std() > 10


def test_a_qr_code_on_an_hls_room_is_found_with_its_payload(rooms):
    found = rooms.found("qrcode", "ads.qr_code")
    assert found["evidence"]["frames"][0]["qr"] == demo_scenes.QR_PAYLOAD
    [box, *_] = found["evidence"]["frames"][0]["boxes"]
    assert box["x"] + box["w"] / 2 == pytest.approx((1040 + 95) / 1280, abs=0.04)
    assert box["y"] + box["h"] / 2 == pytest.approx((60 + 95) / 720, abs=0.04)


def test_a_garbage_room_says_why_it_is_blind_and_the_others_go_on(rooms):
    seen = until(lambda: (room := rooms.room("garbage")) and room["reason"] and room, within_s=60, what="a typed reason")
    assert seen["reason"] in {"corrupt", "codec_unsupported", "no_video", "timeout"}
    assert not seen["watching"]
    until(lambda: rooms.room("garbage")["blind_reason"], within_s=60, what="the room told as blind")
    told = [one for one in rooms.outbox() if one.room_id == "garbage"]
    assert "livewarden.room.started.v1" not in {one.type for one in told}
    rooms.wait_scored("advert", "codes", 1)
    rooms.wait_scored("clean", "codes", 1)
    assert rooms.room("clean")["watching"]


def test_a_room_that_breaks_recovers_in_the_same_session(rooms):
    session_id = rooms.room("breaks")["session_id"]
    until(lambda: rooms.room("breaks")["state"] == "reconnecting", within_s=60, what="the room broken")
    until(lambda: rooms.room("breaks")["state"] == "live", within_s=60, what="the room live again")
    rooms.wait_scored("breaks", "codes", 1)
    assert rooms.room("breaks")["session_id"] == session_id
    assert rooms.found("breaks", "gambling.promo")["session_id"] == session_id


def test_a_pushed_picture_is_judged_in_the_answer(rooms):
    advert = demo_scenes.advert("advert_wechat.png", x=300, y=200)
    answer = rooms.http.post("/v1/rooms/pushed/frames", params={"wait": "true"}, content=picture(81, advert), headers=JPEG)
    assert answer.status_code == 200, answer.text
    [frame] = answer.json()["frames"]
    assert frame["verdict"]["decision"] in {"review", "block"}
    assert "ads.contact" in {one["label"] for one in frame["verdict"]["findings"]}
    rooms.found("pushed", "ads.contact", within_s=20)
    clean = rooms.http.post("/v1/rooms/pushed/frames", params={"wait": "true"}, content=picture(82), headers=JPEG)
    assert clean.json()["frames"][0]["verdict"]["decision"] == "pass"


def test_several_pictures_go_in_one_request_without_waiting(rooms):
    files = [("picture", (f"{seed}.jpg", picture(seed), "image/jpeg")) for seed in (83, 84)]
    answer = rooms.http.post("/v1/rooms/pushed/frames", files=files)
    assert answer.status_code == 202
    assert [frame["queued"] in {"accepted", "not_due", "repeated"} for frame in answer.json()["frames"]] == [True, True]


@pytest.mark.parametrize(
    ("container", "codec", "kind"), [("mp4", "aac", "audio/mp4"), ("ogg", "libopus", ""), ("wav", "pcm_s16le", "audio/wav")]
)
def test_a_clip_of_any_codec_is_checked(rooms, container, codec, kind):
    headers = {"content-type": kind or "application/octet-stream"}

    answer = rooms.http.post("/v1/audio/check", content=encoded(container, codec, rate_hz=48_000), headers=headers)

    assert answer.status_code == 200, answer.text
    assert answer.json()["decision"] == "pass"
    refused = rooms.http.post("/v1/audio/check", content=b"garbage" * 99, headers={"content-type": "audio/mp4"})
    assert refused.status_code == 422
    assert "MP3" in refused.json()["detail"]


def test_a_socket_acknowledges_each_push_and_survives_a_bad_one(rooms):
    with connect(f"ws://127.0.0.1:{rooms.port}/v1/rooms/pushed/push") as socket:

        def push(head, media):
            socket.send(json.dumps(head))
            socket.send(media)
            return json.loads(socket.recv(timeout=20))

        code = demo_scenes.qr_code("https://never.example/x?y=1", side_px=200, x=500, y=300)
        told = push({"kind": "frame", "id": 1, "wait": True}, picture(85, code))
        assert told["ack"] == 1
        assert [one["qr"] for one in told["verdict"]["findings"] if one["label"] == "ads.qr_code"] == [
            "https://never.example/x?y=1"
        ]
        bad = push({"kind": "frame", "id": 2}, b"no picture")
        assert (bad["ack"], bad["problem"]["status"] // 100) == (2, 4)
        assert push({"kind": "audio", "id": 3, "content_type": "audio/pcm"}, b"\0\0" * 16_000)["modality"] == "audio"
        mp3 = encoded("mp3", "libmp3lame")
        assert push({"kind": "audio", "id": 5, "content_type": "audio/mpeg"}, mp3)["modality"] == "audio"
        assert push({"kind": "frame", "id": 4}, picture(86))["ack"] == 4


@pytest.mark.parametrize(
    ("content", "statuses"),
    [
        (b"\x13\x37" * 500, {400, 415, 422}),
        (b"", {400, 415, 422}),
        (png_header(6000, 6000), {413, 422}),
        (png_header(2**31 - 1, 2**31 - 1), {413, 422}),
        (picture(87)[:4000], {400, 415, 422}),
    ],
    ids=["random bytes", "nothing", "36 megapixels", "absurd size", "cut off"],
)
def test_what_is_no_picture_of_bearable_size_is_refused_with_the_reason(rooms, content, statuses):
    answer = rooms.http.post("/v1/rooms/pushed/frames", content=content, headers={"Content-Type": "image/png"})
    assert answer.status_code in statuses, answer.text
    assert_problem(answer, answer.status_code)


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-24T08:00:00", "2001-01-01T00:00:00Z", "in future"])
def test_a_moment_of_capture_that_cannot_be_is_refused(rooms, moment):
    if moment == "in future":
        moment = rfc3339(datetime.now(UTC) + timedelta(hours=3))
    answer = rooms.http.post("/v1/rooms/pushed/frames", content=picture(88), headers={**JPEG, "Livewarden-Captured-At": moment})
    assert "Livewarden-Captured-At" in assert_problem(answer, 422)["detail"]


def test_a_disguised_contact_in_danmaku_is_blocked_and_becomes_a_violation(rooms):
    lines = [{"text": "主播好厉害", "uid": "u1"}, {"text": DISGUISED, "uid": "u2", "message_id": "m2"}]
    results = rooms.http.post("/v1/rooms/clean/danmaku", json={"lines": lines}).json()["results"]
    assert [one["decision"] for one in results] == ["pass", "block"]
    assert (results[1]["label"], results[1]["request_id"]) == ("ads.contact", "m2")
    found = rooms.found("clean", "ads.contact", within_s=20)
    assert (found["decision"], found["modality"]) == ("block", "text")


def test_a_violation_that_a_person_overturns_is_retracted(rooms):
    rooms.watch("reviewed", None)
    rooms.http.post("/v1/rooms/reviewed/danmaku", json={"lines": [{"text": DISGUISED}]}).raise_for_status()
    violation_id = rooms.found("reviewed", "ads.contact", within_s=20)["violation_id"]
    said = rooms.http.post(f"/v1/violations/{violation_id}/review", json={"action": "overturn", "reviewer": "li"})
    assert said.status_code == 200, said.text
    until(lambda: rooms.get(f"/v1/violations/{violation_id}")["state"] == "retracted", within_s=20, what="the violation retracted")
    kinds = [one.type for one in rooms.outbox() if one.data.get("violation_id") == violation_id]
    assert kinds[0] == "livewarden.violation.opened.v1"
    assert kinds[-1] == "livewarden.violation.retracted.v1"
    assert rooms.get(f"/v1/violations/{violation_id}")["reviews"][0]["reviewer"] == "li"


def test_a_text_is_checked_alone_and_in_a_batch(up):
    one = up.http.post("/v1/text/check", json={"text": DISGUISED, "scene": "danmaku", "request_id": "r1"}).json()
    assert (one["decision"], one["label"], one["request_id"]) == ("block", "ads.contact", "r1")
    assert one["contacts"] == [{"type": "wechat", "value": "abc123"}]
    assert set(one["masked_text"]) == {"*"}
    start, end = one["findings"][0]["spans"][0]
    assert DISGUISED[start:end].startswith("加薇")
    texts = [{"text": "下一局打什么", "scene": "danmaku"}, {"text": DISGUISED, "scene": "nickname"}]
    batch = up.http.post("/v1/text/check/batch", json={"texts": texts}).json()
    assert [each["decision"] for each in batch["results"]] == ["pass", "block"]


def test_wrong_requests_get_problem_documents(up):
    assert_problem(up.http.get("/v1/rooms/nowhere"), 404)
    assert_problem(up.http.delete("/v1/rooms/nowhere"), 404)
    assert_problem(up.http.post("/v1/rooms/nowhere/frames", content=picture(89), headers=JPEG), 404)
    assert_problem(up.http.get("/v1/violations/none"), 404)
    assert_problem(up.http.post("/v1/text/check", json={"text": 1}), 422)
    assert_problem(up.http.post("/v1/text/check", json={"text": "x" * 10_001, "scene": "danmaku"}), 413)
    assert_problem(up.http.put("/v1/rooms/x", json={"source": "gopher://a/b"}), 422)
    assert_problem(up.http.put("/v1/rooms/x", content=b"{"), 422)
    assert_problem(up.http.put("/v1/rooms/x", json={"policy": "no-such-policy"}), 422)
    assert_problem(up.http.get("/v1/violations", params={"limit": 0}), 422)
    assert_problem(up.http.get("/v1/nothing-here"), 404)


def test_metrics_are_exposed_for_what_was_done(rooms):
    rooms.wait_scored("clean", "codes", 1)
    lines = rooms.http.get("/metrics").text.splitlines()
    scored = [line for line in lines if line.startswith("livewarden_samples_scored_total") and 'detector="codes"' in line]
    assert scored
    assert float(scored[0].rpartition(" ")[2]) > 0
    assert any(line.startswith("livewarden_violations_total") for line in lines)


def test_a_clean_room_stays_without_any_finding_on_its_picture(rooms):
    rooms.wait_scored("clean", "ocr", 1)
    rooms.wait_scored("clean", "porn", 2)
    assert [one for one in rooms.violations("clean") if one["evidence"]["frames"]] == []
