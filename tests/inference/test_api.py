"""The synchronous checks answer as CONTRACTS says, and refuse with problem+json that names the value and the fix."""

from __future__ import annotations

import io
import wave

import cv2
import httpx
import jsonschema
import numpy as np
import pytest
from fastapi import FastAPI

from inference.api import MAX_BATCH_BODY, CheckDesk, CheckFront, install_checks
from inference.auth import ApiKeys, KeyDoor
from inference.errors import ConfigError
from inference.metrics import Metrics
from inference.testing import ManualClock
from tests.inference.check_double import SmallChecks

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def small():
    return SmallChecks()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def desk(small, clock):
    small.broken = False
    small.now_s = clock.now_s
    return CheckDesk.over(small, clock=clock, max_in_flight=2)


@pytest.fixture(params=["front", "app"])
def client(request, desk):
    """The text routes behind the bare layer, and as the app's own."""
    app = FastAPI()
    install_checks(app, desk)
    served = CheckFront(app, desk) if request.param == "front" else app
    return httpx.AsyncClient(transport=httpx.ASGITransport(served, raise_app_exceptions=False), base_url="http://test")


def picture(kind=".jpg", *, shape=(64, 96, 3), value=128):
    return cv2.imencode(kind, np.full(shape, value, np.uint8))[1].tobytes()


def refused(response, status):
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert response.status_code == body["status"] == status
    return body


async def test_a_violation_is_answered_in_full(client):
    response = await client.post("/v1/text/check", json={"text": "加薇❤❤abc123", "request_id": "r1", "pass_through": {"k": [1]}})

    answer = response.json()
    assert response.status_code == 200
    assert (answer["request_id"], answer["decision"], answer["action_hint"]) == ("r1", "block", "drop")
    assert (answer["label"], answer["severity"], answer["score"]) == ("ads.contact", 2, 0.99)
    (finding,) = answer["findings"]
    assert finding == {
        "label": "ads.contact",
        "source": "lexicon",
        "list": "base@1",
        "term": "加微信",
        "spans": [[0, 10]],
        "matched": "加薇❤❤abc123",
        "transforms": ["homophone", "separator"],
        "score": 0.99,
        "decision": "block",
    }
    assert answer["masked_text"] == "*" * 10
    assert answer["contacts"] == [{"type": "wechat", "value": "abc123"}]
    assert answer["policy"] == {"id": "danmaku-default", "version": 1}
    assert answer["reason"]["zh"]
    assert answer["reason"]["en"]
    assert answer["pass_through"] == {"k": [1]}


async def test_a_clean_text_passes_and_gets_ids(client):
    first = (await client.post("/v1/text/check", json={"text": "主播加油"})).json()
    second = (await client.post("/v1/text/check", json={"text": "主播加油"})).json()

    assert first["decision"] == first["action_hint"] == "pass"
    assert (first["label"], first["severity"], first["score"], first["findings"], first["degraded"]) == (None, None, 0.0, [], [])
    assert first["context"] == {"joined_messages": 0}
    assert first["request_id"] == first["check_id"] != second["check_id"]
    assert "pass_through" not in first


async def test_repeats_in_a_room_are_counted_through_disguise(client, clock):
    body = {"text": "加微信", "uid": "ann", "room_id": "9"}
    await client.post("/v1/text/check", json=body)
    clock.advance(59.0)
    await client.post("/v1/text/check", json={**body, "uid": "bob"})
    answer = (await client.post("/v1/text/check", json={**body, "text": "加*微*信"})).json()

    assert answer["behaviour"] == {"repeat_60s": 2, "similar_uids_60s": 2}


async def test_labels_limit_what_is_judged(client):
    answer = (await client.post("/v1/text/check", json={"text": "傻逼加微信", "labels": ["ads.*"]})).json()

    assert [finding["label"] for finding in answer["findings"]] == ["ads.contact"]


async def test_a_batch_keeps_its_order(client):
    texts = [{"text": f"{'加微信' if i % 3 == 0 else '你好'}{i}", "request_id": str(i)} for i in range(100)]

    results = (await client.post("/v1/text/check/batch", json={"texts": texts})).json()["results"]
    assert [one["request_id"] for one in results] == [str(i) for i in range(100)]
    assert [one["decision"] != "pass" for one in results] == [i % 3 == 0 for i in range(100)]


async def test_a_batch_of_long_texts_is_answered_from_a_thread_in_order(client):
    texts = [{"text": "好" * 3000 + str(i)} for i in range(3)]

    results = (await client.post("/v1/text/check/batch", json={"texts": texts})).json()["results"]
    assert [one["masked_text"][-1] for one in results] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b'{"text": 1}', 422, "$.text"),
        (b"{}", 422, "text"),
        (b'{"text": "a", "scene": "chat"}', 422, "$.scene"),
        (b'{"text": "a", "deadline_ms": 0}', 422, "$.deadline_ms"),
        (b'{"text": "a", "labels": ["ads.contct"]}', 422, "ads.contact"),
        (b'{"text": "a", "policy": "absent"}', 404, "absent"),
        (b"{", 422, "truncated"),
        (b"\xff\xfe", 422, "malformed"),
        (b'{"text": "\xff"}', 422, "utf-8"),
        (b'{"text": "\\ud800"}', 422, ""),
        (b'{"text": "a\\u0000"}', 422, "nul at 1"),
        (b'{"text": "' + b"x" * 10_001 + b'"}', 413, "10001"),
        (b" " * 300_000, 413, "262144"),
        (b"", 422, ""),
    ],
)
async def test_bad_texts_are_refused_with_the_place_and_the_fix(client, content, status, told):
    response = await client.post("/v1/text/check", content=content, headers=JSON)

    assert told in str(refused(response, status)).lower()


@pytest.mark.parametrize(
    ("texts", "status"),
    [([], 422), ([{"text": "a"}] * 101, 422), ([{"text": "a"}, {"text": 5}], 422), ([{"text": "a"}, {"text": "x" * 10_001}], 413)],
)
async def test_bad_batches_are_refused(client, texts, status):
    refused(await client.post("/v1/text/check/batch", json={"texts": texts}), status)


async def test_an_endless_body_is_cut_off(desk):
    n_read = 0

    async def receive():
        nonlocal n_read
        n_read += 1
        return {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/text/check/batch", "headers": [], "query_string": b""}
    await CheckFront(FastAPI(), desk)(scope, receive, send)

    assert sent[0]["status"] == 413
    assert n_read == MAX_BATCH_BODY // 1_000_000 + 1


async def test_a_late_or_failed_check_is_decided_by_on_error(client, small):
    small.broken = True

    answer = (await client.post("/v1/text/check", json={"text": "a", "on_error": "review"})).json()
    assert (answer["decision"], answer["degraded"], answer["policy"]) == ("review", ["text"], None)
    body = refused(await client.post("/v1/text/check", json={"text": "a"}), 500)
    assert "fell over" not in str(body)


async def test_a_deadline_that_has_passed_is_said(desk, clock):
    async def receive():
        clock.advance(0.020)
        return {"type": "http.request", "body": b'{"text": "a", "deadline_ms": 10, "on_error": "pass"}', "more_body": False}

    answer = await desk.text(receive)

    assert b'"degraded":["text"]' in answer


async def test_more_requests_than_the_bound_are_told_to_come_again(client, desk):
    with desk.in_flight, desk.in_flight:
        response = await client.post("/v1/text/check", json={"text": "a"})

    refused(response, 429)
    assert response.headers["retry-after"] == "1"
    assert (await client.post("/v1/text/check", json={"text": "a"})).status_code == 200


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
async def test_a_picture_is_checked_as_body_or_as_multipart(client, small, kind):
    data = picture(kind, value=2)

    as_body = await client.post("/v1/images/check?policy=p&detectors=a,b&biz=game&deadline_ms=50&request_id=q", content=data)
    as_form = await client.post("/v1/images/check", files={"file": (f"x{kind}", data, "image/any")})

    answer = as_body.json()
    assert (answer["decision"], answer["label"], answer["request_id"]) == ("block", "quality.black", "q")
    assert answer["degraded"] == ["porn"]
    assert answer["findings"][0]["boxes"] == [{"x": 0, "y": 0, "w": 1, "h": 1, "score": 1.0, "name": ""}]
    assert small.orders[-2].detectors == ("a", "b")
    assert (small.orders[-2].policy, small.orders[-2].biz) == ("p", "game")
    assert as_form.json()["decision"] == "block"


async def test_pictures_that_cannot_be_looked_at_are_refused(client):
    jpeg = picture()
    for content, status in [(b"", 422), (b"GIF89a......", 422), (jpeg[: len(jpeg) // 2], 422)]:
        refused(await client.post("/v1/images/check", content=content), status)
    for query, said in [
        ("deadline_ms=-1", "deadline_ms='-1': expected `float` > 0.0"),
        ("deadline_ms=nan", "deadline_ms='nan'"),
        ("deadline_ms=soon", "deadline_ms='soon': expected `float | null`"),
        ("policy=" + "p" * 257, "policy='pppp"),
    ]:
        assert said in refused(await client.post(f"/v1/images/check?{query}", content=jpeg), 422)["detail"]
    refused(await client.post("/v1/images/check", data={"a": "b"}, files={}), 422)


async def test_a_damaged_or_crowded_multipart_body_is_refused(client):
    jpeg, form = picture(), "multipart/form-data"
    damaged = [
        (form, jpeg),
        (f"{form}; boundary=x", b"--x\r\nContent-Dispo"),
        (f"{form}; boundary=x", b"no boundary at all"),
        (f"{form}; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n"),
    ]
    for kind, content in damaged:
        refused(await client.post("/v1/images/check", content=content, headers={"content-type": kind}), 422)
    two = [("file", ("a.jpg", jpeg)), ("file", ("b.jpg", jpeg))]
    assert "too many files" in refused(await client.post("/v1/images/check", files=two), 422)["detail"].lower()


async def test_the_document_has_the_query_of_a_picture(desk):
    app = FastAPI()
    install_checks(app, desk)
    parameters = app.openapi()["paths"]["/v1/images/check"]["post"]["parameters"]
    assert {one["name"]: one["in"] for one in parameters} == dict.fromkeys(
        ("detectors", "policy", "biz", "deadline_ms", "request_id"), "query"
    )


async def test_the_front_counts_what_it_answers(desk):
    metrics = Metrics()
    client = httpx.AsyncClient(transport=httpx.ASGITransport(CheckFront(FastAPI(), desk, metrics)), base_url="http://test")

    await client.post("/v1/text/check", json={"text": "a"})
    await client.post("/v1/text/check", json={"text": "b"})
    await client.post("/v1/images/check", content=b"")
    await client.get("/v1/text/check")

    told = metrics.exposition().decode()
    assert 'http_requests_total{method="POST",route="/v1/text/check",status="200"} 2.0' in told
    assert 'http_requests_total{method="POST",route="/v1/images/check",status="422"} 1.0' in told
    assert 'http_request_seconds_count{route="/v1/text/check"} 2.0' in told
    assert "GET" not in told


async def test_sound_is_checked_as_pcm_and_as_wav(client):
    quiet = np.zeros(16_000, "<i2").tobytes()
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(np.full(3_200, 16_384, "<i2").tobytes())

    assert (await client.post("/v1/audio/check", content=quiet)).json()["label"] == "quality.mute"
    assert (await client.post("/v1/audio/check", content=file.getvalue())).json()["decision"] == "pass"
    refused(await client.post("/v1/audio/check", content=b"x" * 7), 422)
    refused(await client.post("/v1/audio/check", content=b"ID3...", headers={"content-type": "audio/mpeg"}), 422)


@pytest.mark.parametrize("path", ["/v1/audio/check", "/v1/images/check"])
async def test_a_body_that_is_announced_too_long_is_refused_unread(client, path):
    announced = {"content-length": "2000000000", "content-type": "audio/pcm"}

    told = refused(await client.post(path, content=b"", headers=announced), 413)

    assert "body of 2000000000 bytes; at most 20000000" in told["detail"]


async def test_other_paths_and_methods_are_refused_as_problems(client):
    refused(await client.get("/v1/text/check"), 405)
    refused(await client.get("/nowhere"), 404)


async def test_the_document_describes_what_is_answered(client, desk):
    app = FastAPI()
    install_checks(app, desk)
    document = app.openapi()
    asked = document["paths"]["/v1/text/check"]["post"]
    assert asked["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/TextRequest")
    assert set(document["paths"]) == {"/v1/text/check", "/v1/text/check/batch", "/v1/images/check", "/v1/audio/check"}

    answer = (await client.post("/v1/text/check", json={"text": "加vx abc123"})).json()
    schema = {"$ref": "#/components/schemas/TextAnswer", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**answer, "decision": "perhaps"})


async def test_calls_without_a_key_are_refused_and_never_reach_the_app(desk):
    app = FastAPI()
    install_checks(app, desk)
    door = KeyDoor(CheckFront(app, desk), ApiKeys(["sesame", "other"], host="0.0.0.0"))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://test")

    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sesame"}):
        response = await client.post("/v1/text/check", json={"text": "a"}, headers=headers)
        refused(response, 401)
        assert response.headers["www-authenticate"].startswith("Bearer")
    for key in ("sesame", "other"):
        assert (
            await client.post("/v1/text/check", json={"text": "a"}, headers={"Authorization": f"Bearer {key}"})
        ).status_code == 200
    assert (await client.get("/openapi.json")).status_code == 200


async def test_a_socket_without_a_key_is_closed():
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    door = KeyDoor(FastAPI(), ApiKeys(["sesame"], host="127.0.0.1"))
    await door({"type": "websocket", "path": "/v1/rooms/1/push", "headers": []}, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "api key missing or unknown"}]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", "127.8.8.8"])
def test_keys_may_be_left_out_on_loopback_only(host):
    assert not ApiKeys([], host=host).needed


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "live.example", ""])
def test_an_open_address_without_keys_is_refused(host):
    with pytest.raises(ConfigError, match="API key"):
        ApiKeys([], host=host)


def test_keys_are_in_no_repr():
    assert "sesame" not in repr(ApiKeys(["sesame"], host="127.0.0.1"))
