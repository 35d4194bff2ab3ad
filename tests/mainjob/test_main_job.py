"""Rooms in, explained violations out: the whole product, real streams, real models."""

from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import pytest

from streams import demo_scenes

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]


def jpeg_of(picture) -> bytes:
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def test_pulled_rooms_are_watched_and_what_they_show_is_found_with_evidence(start, platform):
    product = start()
    product.watch("advert", f"{platform}/advert.flv")
    product.watch("qrcode", f"{platform}/qrcode.m3u8")
    product.watch("clean", f"{platform}/clean.flv")
    product.watch("garbage", f"{platform}/garbage.flv")

    advert = product.wait_for_violation("advert", "ads.contact")
    code = product.wait_for_violation("qrcode", "ads.qr_code")
    product.wait(lambda: product.api.get("/v1/rooms/garbage").json()["reason"])
    product.wait(lambda: product.api.get("/v1/rooms/clean").json()["detectors"]["ocr"]["n_scored"] >= 3)

    still = advert["evidence"]["frames"][0]
    media = product.api.get(f"/v1/violations/{advert['violation_id']}/evidence/{still['n']}").content
    picture = cv2.imdecode(np.frombuffer(media, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[:2] == (still["height"], still["width"]) == (720, 1280)
    assert hashlib.sha256(media).hexdigest() == still["sha256"]
    assert "abc8421" in still["text"]
    assert still["boxes"][0]["x"] < 0.1
    assert code["evidence"]["frames"][0]["qr"] == demo_scenes.QR_PAYLOAD
    assert product.violations(room_id="clean") == []
    assert not product.api.get("/v1/rooms/garbage").json()["watching"]
    assert product.api.get("/v1/rooms/clean").json()["watching"]


def test_pushed_pictures_and_danmaku_go_the_same_way(start):
    product = start()
    product.watch("pushed", None)
    game = demo_scenes.Game(21)
    picture = game.frame(7, demo_scenes.advert("advert_gambling.png", x=300, y=300))

    answer = product.api.post("/v1/rooms/pushed/frames?wait=true", content=jpeg_of(picture), headers={"Content-Type": "image/jpeg"})
    said = product.api.post("/v1/rooms/pushed/danmaku", json={"lines": [{"text": "加薇❤❤abc123", "uid": "u1"}, {"text": "你好"}]})

    verdict = answer.json()["frames"][0]["verdict"]
    assert answer.status_code == 200
    assert verdict["decision"] == "block"
    assert "gambling.promo" in {finding["label"] for finding in verdict["findings"]}
    assert [result["decision"] for result in said.json()["results"]] == ["block", "pass"]
    product.wait_for_violation("pushed", "gambling.promo")
    contact = product.wait_for_violation("pushed", "ads.contact")
    assert contact["modality"] == "text"


def test_bad_input_is_refused_with_the_value_and_nothing_is_lost(start):
    product = start()
    product.watch("pushed", None)
    bomb = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00" + b"\0" * 64

    def push(content: bytes, **headers: str):
        return product.api.post("/v1/rooms/pushed/frames", content=content, headers=headers)

    refused = [
        push(b"garbage"),
        push(b""),
        push(bomb),
        push(jpeg_of(demo_scenes.Game(3).frame(1)), **{"Livewarden-Captured-At": "yesterday"}),
        product.api.put("/v1/rooms/x", json={"source": "file:///etc/passwd"}),
        product.api.put("/v1/rooms/x", json={"sauce": "rtmp://a/b"}),
        product.api.put("/v1/rooms/x", content=b"{"),
        product.api.get("/v1/rooms/nowhere"),
        product.api.post("/v1/text/check", json={"text": 5}),
        product.api.get("/v1/violations", params={"cursor": "???"}),
    ]

    assert [answer.status_code // 100 for answer in refused] == [4] * len(refused)
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in refused)
    assert all(json.loads(answer.content)["detail"] for answer in refused)
    assert product.api.get("/readyz").status_code == 200


def test_killed_server_comes_back_with_its_rooms_and_tells_no_happening_twice(start, platform):
    product = start()
    product.watch("advert", f"{platform}/advert.flv")
    before = product.wait_for_violation("advert", "ads.contact")
    session = product.api.get("/v1/rooms/advert").json()["session_id"]

    product.kill_server()
    product.wait(lambda: not product.is_ready())
    product.wait(product.is_ready)
    product.wait(lambda: product.api.get("/v1/rooms/advert").json().get("watching"))
    product.wait(lambda: product.api.get("/v1/rooms/advert").json()["detectors"]["ocr"]["n_scored"] >= 3)

    after = product.violations(room_id="advert", label="ads.contact")
    assert [one["violation_id"] for one in after] == [before["violation_id"]]
    assert product.api.get("/v1/rooms/advert").json()["session_id"] == session
    assert product.stop() == 0


def test_overturned_violation_is_retracted(start):
    product = start()
    product.watch("chat", None)
    product.api.post("/v1/rooms/chat/danmaku", json={"lines": [{"text": "加微信abc123"}]})
    found = product.wait_for_violation("chat", "ads.contact")

    product.api.post(f"/v1/violations/{found['violation_id']}/review", json={"action": "overturn", "note": "ours"})

    product.wait(lambda: product.violations(room_id="chat")[0]["state"] == "retracted")
    assert product.violations(room_id="chat")[0]["review"] == {"action": "overturn", "label": None}
