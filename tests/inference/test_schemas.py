"""Bodies on the wire hold the fields of CONTRACTS, no more and no fewer."""

from __future__ import annotations

import msgspec
import pytest

from inference.samples import Scene
from inference.schemas import MediaAnswer, Problem, TextAnswer, TextFinding, TextRequest, components

CONTRACT = {
    TextRequest: ("text scene request_id uid room_id user published_at policy labels deadline_ms on_error pass_through"),
    TextAnswer: (
        "request_id check_id decision action_hint label severity score findings masked_text contacts behaviour context "
        "reason policy shadow degraded elapsed_ms pass_through"
    ),
    TextFinding: "label source list term spans matched transforms score decision",
}


@pytest.mark.parametrize("body", CONTRACT)
def test_fields_are_those_of_the_contract_in_its_order(body):
    assert [field.encode_name for field in msgspec.structs.fields(body)] == CONTRACT[body].split()


def test_only_the_text_is_required():
    request = msgspec.json.decode(b'{"text": "a", "unknown": 1}', type=TextRequest)

    assert request == TextRequest("a")
    assert request.scene is Scene.DANMAKU


def test_a_full_request_is_understood():
    body = (
        '{"text":"a","scene":"ocr","request_id":"r","uid":"u","room_id":"9","user":{"level":3,"register_days":1,"is_anchor":true},'
        '"published_at":"2026-11-24T08:00:00Z","policy":"p","labels":["ads.*"],"deadline_ms":5,"on_error":"pass","pass_through":{"a":{}}}'
    )

    request = msgspec.json.decode(body, type=TextRequest)
    assert (request.user.level, request.published_at.year, request.on_error) == (3, 2026, "pass")


def test_a_problem_leaves_out_what_is_not_there():
    assert msgspec.json.decode(msgspec.json.encode(Problem("t", 422, "d"))) == {"title": "t", "status": 422, "detail": "d"}


def test_every_body_has_its_component():
    schemas, parts = components()

    for body in (TextRequest, TextAnswer, MediaAnswer, Problem):
        assert schemas[body] == {"$ref": f"#/components/schemas/{body.__name__}"}
        assert body.__name__ in parts
    assert parts["TextRequest"]["properties"]["text"]["maxLength"] == 10_000
