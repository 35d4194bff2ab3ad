"""Texts from request to answer: counters, the network's opinion in time, and what happens without either."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from inference.errors import DeadlineExceeded, LivewardenError
from inference.metrics import Metrics
from inference.samples import Modality
from inference.schemas import TextRequest
from inference.testing import ManualClock
from inference.text.classifier import NAME
from inference.text.conversation import Said
from inference.text_answers import TextAnswers
from inference.text_desk import COUNTING, OPINION_S, TextDesk, TextParts
from inference.verdicts import Decision, Finding
from models.taxonomy import Taxonomy
from tests.inference.check_double import SmallChecks

INSULT = Finding("abuse.insult", 0.9, Modality.TEXT, NAME)


class Network:
    """Calls every text with 坏 in it an insult, or fails as it is told to."""

    def __init__(self, error: LivewardenError | None = None) -> None:
        self.error = error
        self.asked: list[tuple[list[str], float | None]] = []

    async def score(self, canonical_texts: Sequence[str], *, deadline_s: float | None = None) -> list[tuple[Finding, ...]]:
        self.asked.append((list(canonical_texts), deadline_s))
        if self.error is not None:
            raise self.error
        return [(INSULT,) if "坏" in text else () for text in canonical_texts]


class Replicas:
    """Counters that say the same of every message."""

    degraded = False

    def __init__(self, said: Said) -> None:
        self._said = said
        self.observed: list[tuple[str, str]] = []

    async def observe(self, room_id: str, uid: str, key: str, text: str, now_s: float) -> Said:
        self.observed.append((room_id, uid))
        return self._said

    def forget_earlier(self, room_id: str, uid: str) -> None:
        """Nothing is kept."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def desk_of(clock: ManualClock, parts: TextParts) -> TextDesk:
    return TextDesk(TextAnswers(SmallChecks(), clock, taxonomy=Taxonomy.load()), clock, parts)


async def test_the_network_has_its_say_on_texts_of_any_way_in(clock: ManualClock) -> None:
    network = Network()
    desk = desk_of(clock, TextParts(network))
    requests = [TextRequest("坏人"), TextRequest("你好"), TextRequest("坏蛋")]

    answers = await desk.answered(requests, clock.now_s())
    one = msgspec.json.decode(await desk.one(msgspec.json.encode(requests[0]), clock.now_s()))

    assert [answer.decision for answer in answers] == [Decision.BLOCK, Decision.PASS, Decision.BLOCK]
    assert [finding.source for finding in answers[0].findings] == [NAME]
    assert one["decision"] == "block"
    assert network.asked[0][0] == ["坏人", "你好", "坏蛋"]


async def test_the_network_is_waited_for_no_longer_than_it_may_be(clock: ManualClock) -> None:
    network = Network()
    desk = desk_of(clock, TextParts(network))

    await desk.answered([TextRequest("坏人")], clock.now_s())
    await desk.answered([TextRequest("坏蛋", deadline_ms=20)], clock.now_s())

    (_, usual), (_, hurried) = network.asked
    assert usual == pytest.approx(clock.now_s() + OPINION_S)
    assert hurried is not None
    assert hurried < clock.now_s() + 0.020


async def test_a_late_network_leaves_the_lists_answer_and_is_said(clock: ManualClock) -> None:
    metrics = Metrics()
    desk = desk_of(clock, TextParts(Network(DeadlineExceeded("too late")), metrics=metrics))

    (answer,) = await desk.answered([TextRequest("坏人")], clock.now_s())

    assert answer.decision is Decision.PASS
    assert answer.degraded == [NAME]
    assert metrics.text_degraded.labels(NAME)._value.get() == 1


async def test_shared_counters_hear_every_message_with_a_sender(clock: ManualClock) -> None:
    replicas = Replicas(Said(repeat_60s=40))
    desk = desk_of(clock, TextParts(shared=replicas))

    answers = await desk.answered([TextRequest("你好", room_id="r", uid="u"), TextRequest("你好")], clock.now_s())

    assert replicas.observed == [("r", "u")]
    assert answers[0].behaviour is not None
    assert answers[0].behaviour.repeat_60s == 40


async def test_counters_kept_alone_are_said(clock: ManualClock) -> None:
    replicas = Replicas(Said())
    replicas.degraded = True
    desk = desk_of(clock, TextParts(shared=replicas))

    (answer,) = await desk.answered([TextRequest("你好", room_id="r", uid="u")], clock.now_s())

    assert answer.degraded == [COUNTING]
