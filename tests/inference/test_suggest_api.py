"""Completion answers what the check passes, learns only what has passed whole, and refuses with problem+json."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from inference.api import CheckDesk, InFlight, install_checks
from inference.errors import NotFound
from inference.samples import Scene
from inference.schemas import TextRequest
from inference.suggest_api import MAX_BODY, SUGGEST_PATH, SuggestDesk, Vetting, install_suggestions
from inference.suggest_schemas import MAX_PREFIX, SuggestRequest
from inference.testing import ManualClock
from inference.text.normalise import Normaliser
from inference.text.suggest import MAX_FOLDED, Suggester
from inference.text.tables import Tables
from inference.text_answers import TextAnswers
from inference.verdicts import Decision
from models.taxonomy import Taxonomy
from tests.inference.check_double import SmallChecks

NORMALISER = Normaliser(Tables.load())
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def small():
    return SmallChecks()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def generation():
    return [1]


@pytest.fixture
def desk(small, clock, generation):
    small.broken = False
    return SuggestDesk(Suggester(NORMALISER), Vetting(small, lambda: generation[0]), InFlight(2), clock)


@pytest.fixture
def app(small, clock, desk):
    app = FastAPI()
    install_checks(app, CheckDesk.over(small, clock=clock))
    install_suggestions(app, desk)
    return app


@pytest.fixture
def client(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test")


def say(desk, text, users="abc", room_id="9"):
    for uid in users:
        desk.suggester.learn(room_id, uid, text, desk.clock.now_s())


async def ask(client, prefix, **more):
    response = await client.post(SUGGEST_PATH, json={"room_id": "9", "prefix": prefix, **more})
    assert response.status_code == 200, response.text
    return response.json()


def refused(response, status):
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert response.status_code == body["status"] == status
    return body


async def test_a_prefix_is_completed(client, desk):
    say(desk, "主播加油")
    say(desk, "主播唱得好", room_id="8")

    answer = await ask(client, "主播", request_id="r1", uid="u")
    assert answer["request_id"] == "r1"
    assert answer["elapsed_ms"] >= 0.0
    assert [set(one) for one in answer["suggestions"]] == [{"text", "score", "source"}] * 2
    assert [(one["text"], one["source"]) for one in answer["suggestions"]] == [("主播加油", "room"), ("主播唱得好", "platform")]


async def test_nothing_popular_is_an_empty_answer_with_an_id(client):
    first, second = await ask(client, "主播"), await ask(client, "主播")

    assert first["suggestions"] == second["suggestions"] == []
    assert first["request_id"] != second["request_id"]


async def test_eight_are_offered_unless_told(client, desk):
    for index in range(30):
        say(desk, f"主播{chr(0x4E00 + index)}好")
    while desk.suggester.fold_in():
        pass

    assert len((await ask(client, "主播"))["suggestions"]) == 8
    assert len((await ask(client, "主播", limit=20))["suggestions"]) == 20
    assert len((await ask(client, "主播", limit=1))["suggestions"]) == 1


async def test_what_the_shipped_lists_refuse_is_never_offered(client, desk):
    say(desk, "加油主播")
    say(desk, "加油傻逼")

    assert [one["text"] for one in (await ask(client, "加油"))["suggestions"]] == ["加油主播"]


async def test_a_new_generation_is_checked_before_it_is_offered(client, desk, small, generation, monkeypatch):
    say(desk, "主播加油")
    assert len((await ask(client, "主播"))["suggestions"]) == 1

    monkeypatch.setattr(small, "decide_text", lambda *_: small._decide([], "p") if generation[0] == 1 else refuse_all(small))
    assert len((await ask(client, "主播"))["suggestions"]) == 1
    generation[0] = 2
    assert (await ask(client, "主播"))["suggestions"] == []


def refuse_all(small):
    findings = small.text.findings("傻逼", Scene.DANMAKU)
    return small._decide(findings, "p")


async def test_a_check_that_fails_is_an_error_without_an_offer(client, desk, small):
    say(desk, "主播加油")
    small.broken = True

    body = refused(await client.post(SUGGEST_PATH, json={"room_id": "9", "prefix": "主播"}), 500)
    assert "fell over" not in str(body)


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"", 422, "$"),
        (b"{", 422, "truncated"),
        (b"[]", 422, "object"),
        (b"\xff\xfe", 422, "malformed"),
        (b'{"room_id": "9"}', 422, "prefix"),
        (b'{"prefix": "ab"}', 422, "room_id"),
        (b'{"room_id": "", "prefix": "ab"}', 422, "$.room_id"),
        (b'{"room_id": 9, "prefix": "ab"}', 422, "$.room_id"),
        (b'{"room_id": "9", "prefix": 5}', 422, "$.prefix"),
        (b'{"room_id": "9", "prefix": null}', 422, "$.prefix"),
        (b'{"room_id": "9", "prefix": ["ab"]}', 422, "$.prefix"),
        (b'{"room_id": "9", "prefix": ""}', 422, "$.prefix"),
        (b'{"room_id": "9", "prefix": "a"}', 422, "$.prefix: 1 characters"),
        (b'{"room_id": "9", "prefix": "   "}', 422, "$.prefix: 0 characters"),
        (b'{"room_id": "9", "prefix": "\\u202e\\u200f\\u0007\\u200b"}', 422, "$.prefix: 0 characters"),
        (b'{"room_id": "9", "prefix": "ab\\u0000"}', 422, "$.prefix: text has nul at 2"),
        (b'{"room_id": "9", "prefix": "ab\\ud800"}', 422, ""),
        (b'{"room_id": "9", "prefix": "ab\xff"}', 422, "utf-8"),
        (b'{"room_id": "9", "prefix": "ab\xed\xa0\x80"}', 422, "utf-8"),
        (b'{"room_id": "9", "prefix": "ab", "limit": 0}', 422, "$.limit"),
        (b'{"room_id": "9", "prefix": "ab", "limit": 21}', 422, "$.limit"),
        (b'{"room_id": "9", "prefix": "ab", "limit": 99999999999999999999999999}', 422, "$.limit"),
        (b'{"room_id": "9", "prefix": "ab", "limit": 1.5}', 422, "$.limit"),
        (b'{"room_id": "9", "prefix": "ab", "limit": "8"}', 422, "$.limit"),
        (b'{"room_id": "9", "prefix": "ab", "uid": {}}', 422, "$.uid"),
        (b'{"room_id": "9", "prefix": "ab", "uid": "' + b"u" * 257 + b'"}', 422, "$.uid"),
        (b'{"room_id": "9", "prefix": "ab", "request_id": "' + b"r" * 257 + b'"}', 422, "$.request_id"),
        (b'{"room_id": "' + b"9" * 257 + b'", "prefix": "ab"}', 422, "$.room_id"),
        (b'{"room_id": "9", "prefix": "' + b"x" * (MAX_PREFIX + 1) + b'"}', 413, "$.prefix: 257 code points"),
        (b'{"room_id": "9", "prefix": "ab", "more": "' + b"x" * MAX_BODY + b'"}', 413, str(MAX_BODY)),
        (b"x" * 10_000_000, 413, str(MAX_BODY)),
    ],
)
async def test_bad_bodies_are_refused_with_the_place(client, content, status, told):
    response = await client.post(SUGGEST_PATH, content=content, headers=JSON)

    assert told in str(refused(response, status)).lower()


@pytest.mark.parametrize(
    "prefix", ["主播\u202e", "主\u200f播", "主播\x07", "\u2066主播", "主\u0301播", "x" * MAX_PREFIX, "\U0001f468\u200d主播"]
)
async def test_odd_prefixes_that_can_be_looked_at_are_answered(client, desk, prefix):
    say(desk, "主播加油")

    answer = await ask(client, prefix)
    assert [one["text"] for one in answer["suggestions"]] == ([] if prefix[0] in "x\U0001f468" else ["主播加油"])


async def test_a_body_of_the_largest_fields_fits(client):
    astral = "\\ud83d\\ude00" * 256
    body = f'{{"room_id": "{astral}", "prefix": "{astral}", "uid": "{astral}", "request_id": "{astral}", "limit": 20}}'

    assert (await client.post(SUGGEST_PATH, content=body, headers=JSON)).status_code == 200


async def test_only_posting_is_allowed(client):
    refused(await client.get(SUGGEST_PATH), 405)


async def test_more_requests_than_the_bound_are_told_to_come_again(client, desk):
    with desk.in_flight, desk.in_flight:
        response = await client.post(SUGGEST_PATH, json={"room_id": "9", "prefix": "主播"})

    refused(response, 429)
    assert response.headers["retry-after"] == "1"


async def test_the_document_describes_what_is_answered(app, client, desk):
    say(desk, "主播加油")
    document = app.openapi()

    operation = document["paths"][SUGGEST_PATH]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/SuggestRequest")
    assert {"200", "401", "413", "422", "429"} <= set(operation["responses"])
    assert "TextRequest" in document["components"]["schemas"]
    validate("SuggestAnswer", document, await ask(client, "主播"))
    validate("SuggestRequest", document, {"room_id": "9", "prefix": "主播", "limit": 20})
    for bad in ({"room_id": "9"}, {"room_id": "9", "prefix": "ab", "limit": 21}, {"room_id": "9", "prefix": "x" * 257}):
        with pytest.raises(jsonschema.ValidationError):
            validate("SuggestRequest", document, bad)


def validate(name, document, body):
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(body)


def test_fields_are_those_of_the_contract():
    assert SuggestRequest.__struct_fields__ == ("room_id", "prefix", "uid", "limit", "request_id")


# learning


def checked(desk, small, clock, **fields):
    request = TextRequest(**{"text": "主播加油", "uid": "ann", "room_id": "1", **fields})
    return TextAnswers(small, clock, taxonomy=Taxonomy.load(), heard=desk.heard).answer(request, clock.now_s())


def test_a_text_that_passed_is_learnt(desk, small, clock):
    checked(desk, small, clock)

    assert desk.suggester.n_waiting == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "傻逼"},
        {"scene": Scene.PRIVATE_MSG},
        {"scene": Scene.NICKNAME},
        {"uid": None},
        {"room_id": None},
        {"policy": "lenient"},
        {"labels": ["ads.*"]},
    ],
)
def test_what_did_not_pass_whole_and_in_public_is_not_learnt(desk, small, clock, fields):
    checked(desk, small, clock, **fields)

    assert desk.suggester.n_waiting == 0


def test_what_could_not_be_checked_is_not_learnt(desk, small, clock):
    small.broken = True
    answer = checked(desk, small, clock, on_error=Decision.PASS)

    assert answer.decision is Decision.PASS
    assert desk.suggester.n_waiting == 0


async def test_what_was_heard_is_learnt_a_few_lines_a_turn_and_one_failure_does_not_end_it(desk, monkeypatch, caplog):
    learnt = []

    def fold_in():
        learnt.append(original())
        if len(learnt) == 1:
            raise RuntimeError("one line fell over")
        if len(learnt) == 3:
            done.set()

    original, done = desk.suggester.fold_in, asyncio.Event()
    monkeypatch.setattr(desk.suggester, "fold_in", fold_in)
    monkeypatch.setattr("inference.suggest_api.LEARN_EVERY_S", 0.0)
    say(desk, "主播加油", users=map(str, range(2 * MAX_FOLDED + 1)))

    learning = asyncio.create_task(desk.keep_learning())
    await done.wait()
    learning.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await learning

    assert learnt[:3] == [MAX_FOLDED, MAX_FOLDED, 1]
    assert "could not learn" in caplog.text


def test_a_policy_that_is_gone_is_no_pass(small, generation, monkeypatch):
    def gone(*_):
        raise NotFound("no policy")

    monkeypatch.setattr(small, "decide_text", gone)
    with pytest.raises(NotFound):
        Vetting(small, lambda: generation[0]).passes("主播加油")
