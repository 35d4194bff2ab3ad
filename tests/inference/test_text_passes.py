"""The written answer of a plain text says what a decided and encoded one says."""

from __future__ import annotations

import msgspec
import pytest

from inference.cli import TextOnly
from inference.ids import Ids
from inference.samples import Scene
from inference.schemas import TextAnswer, TextRequest
from inference.settings import InferenceSettings
from inference.testing import ManualClock
from inference.text.conversation import Said
from inference.text_answers import TextAnswers
from inference.text_checking import Checking
from inference.text_passes import Passes, asks_nothing
from models.taxonomy import Taxonomy

CHECKS = TextOnly.load(InferenceSettings())


@pytest.mark.parametrize("scene", [Scene.DANMAKU, Scene.NICKNAME])
@pytest.mark.parametrize("text", ["主播加油", 'a "quoted" %s line\n', "🎉", ""])
def test_a_written_pass_is_what_a_decided_answer_encodes_to(text, scene):
    answers = TextAnswers(CHECKS, ManualClock(), taxonomy=Taxonomy.load())
    request = TextRequest(text=text, scene=scene, request_id="r%1")
    checking = answers.begin(request, 0.0)
    checking.said = Said(2, 3)

    written = msgspec.json.decode(Passes(CHECKS, Ids()).one(request, checking.said, 0.0), type=TextAnswer)
    decided = answers.finish(checking)

    assert msgspec.structs.replace(written, check_id="", elapsed_ms=0) == msgspec.structs.replace(
        decided, check_id="", elapsed_ms=0
    )


def test_without_a_request_id_the_check_id_stands_for_it():
    written = msgspec.json.decode(Passes(CHECKS, Ids()).one(TextRequest(text="好"), Said(), 0.0))

    assert written["request_id"] == written["check_id"]


def test_texts_that_came_together_are_answered_as_one_by_one():
    texts = ["主播加油", "专业代打找我", "主播加油", "哈哈"]
    requests = [TextRequest(text=text, uid="u1", room_id="r1", request_id="x") for text in texts]
    alone, together = (TextAnswers(CHECKS, ManualClock(), taxonomy=Taxonomy.load()) for _ in range(2))

    one_by_one = [alone.answer_plain(request, 0.0) for request in requests]
    at_once = together.hear_many(requests, together.read_many(requests), 0.0)

    assert [decoded(alone, one) for one in one_by_one] == [decoded(together, one) for one in at_once]


def decoded(answers: TextAnswers, answer: Checking | bytes) -> TextAnswer:
    """Return an answer without what is told apart by nothing but when it was asked for."""
    whole = msgspec.json.decode(answer, type=TextAnswer) if isinstance(answer, bytes) else answers.finish(answer)
    return msgspec.structs.replace(whole, check_id="", elapsed_ms=0)


def test_a_request_that_shows_more_than_a_pass_asks_for_something():
    assert asks_nothing(TextRequest(text="好"))
    assert not asks_nothing(TextRequest(text="好", pass_through={"a": 1}))
    assert not asks_nothing(TextRequest(text="好", labels=["ads.*"]))
    assert not asks_nothing(TextRequest(text="好", policy="default"))
