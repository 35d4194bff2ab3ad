"""The text checks of an API process, from body to body: counters shared or own, the network's opinion in time, metrics.

Stands behind `POST /v1/text/check` and its batch; what an answer is made of is `inference/text_answers.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from inference.clock import Clock
from inference.errors import LivewardenError
from inference.metrics import Metrics
from inference.samples import Scene
from inference.schemas import TextAnswer, TextBatchRequest, TextRequest
from inference.text.classifier import NAME as CLASSIFIER
from inference.text.conversation import Said
from inference.text_answers import TextAnswers
from inference.text_checking import Checking
from inference.verdicts import Decision, Finding

log = logging.getLogger(__name__)

INLINE_CHARS = 4_096
"""Code points checked on the event loop; more go to a thread, so that one long text does not hold up the short ones."""

OPINION_S = 0.050
"""The network is waited for so long, seconds; then the lists answer alone and `degraded` says so."""

ANSWERING_S = 0.002
"""What is left of a request's own deadline when waiting ends, for writing the answer, seconds."""

COUNTING = "conversation"
"""How `degraded` calls counters that this process kept alone because the shared ones did not answer."""

_decode_text = msgspec.json.Decoder(TextRequest).decode
_decode_batch = msgspec.json.Decoder(TextBatchRequest).decode
_encode = msgspec.json.Encoder().encode


class Opinion(Protocol):
    """The network; `inference.text.classifier.TextClassifier` is the real one."""

    async def score(self, canonical_texts: Sequence[str], *, deadline_s: float | None = None) -> list[tuple[Finding, ...]]:
        """Score folded texts, in order; raises a LivewardenError where it cannot in time."""
        ...


class Shared(Protocol):
    """Counters that several processes share; `inference.text.redis_conversation.RedisConversation` is the real one."""

    @property
    def degraded(self) -> bool:
        """Whether messages are counted by this process alone for now."""
        ...

    async def observe(self, room_id: str, uid: str, key: str, text: str, now_s: float) -> Said:
        """Count one message, see `Conversation.observe`."""
        ...

    def forget_earlier(self, room_id: str, uid: str) -> None:
        """Join nothing this user has said so far."""
        ...


@dataclass(slots=True)
class TextParts:
    """What a text desk may be given beside the lists; everything may be absent."""

    opinion: Opinion | None = None
    shared: Shared | None = None
    fold: Callable[[str], str] = str
    """Makes the canonical text that the network reads."""
    metrics: Metrics | None = None


class TextDesk:
    """Answers texts; for one event loop."""

    def __init__(self, answers: TextAnswers, clock: Clock, parts: TextParts | None = None) -> None:
        self.answers = answers
        self._clock = clock
        self._parts = parts or TextParts()
        self._alone = self._parts.shared is None and self._parts.opinion is None
        self._counters: dict[tuple[str, str], Callable[[float], None]] = {}

    async def one(self, body: bytes, arrived_s: float) -> bytes:
        """Answer one request; raises what `problems.refusal` translates."""
        request = _decode_text(body)
        try:
            if self._alone and len(request.text) <= INLINE_CHARS:
                begun = self.answers.answer_plain(request, arrived_s)
            else:
                begun = await self._begin(request, arrived_s)
            if isinstance(begun, bytes):
                answer = begun
                self._count(request.scene, Decision.PASS, 1)
            else:
                answer = self._written(begun)
        except Exception as error:  # noqa: BLE001  the caller may have asked for an answer whatever happens
            answer = _encode(self.answers.failed(request, arrived_s, error))
            self._count(request.scene, request.on_error or Decision.PASS, 1)
        if self._parts.metrics is not None:
            self._parts.metrics.text_check_seconds.observe(self._clock.now_s() - arrived_s)
        return answer

    async def _begin(self, request: TextRequest, arrived_s: float) -> Checking:
        """Read a text, and wait for whatever may have a say: a thread for a long text, shared counters, the network."""
        if len(request.text) <= INLINE_CHARS:
            checking = self.answers.begin(request, arrived_s)
        else:
            checking = await asyncio.to_thread(self.answers.begin, request, arrived_s)
        if checking.has_sender:
            await self._hear(checking)
        if self._parts.opinion is not None:
            await self._ask([checking])
        return checking

    async def many(self, body: bytes, arrived_s: float) -> bytes:
        """Answer a batch, in the order of its texts."""
        requests = _decode_batch(body).texts
        in_thread = sum([len(request.text) for request in requests]) > INLINE_CHARS
        if self._alone and all(request.on_error is None and request.deadline_ms is None for request in requests):
            read = self.answers.read_many
            readings = await asyncio.to_thread(read, requests) if in_thread else read(requests)
            written = self._all_written(requests, self.answers.hear_many(requests, readings, arrived_s))
        else:
            begun = await asyncio.to_thread(self._begun, requests, arrived_s) if in_thread else self._begun(requests, arrived_s)
            await self._weigh(begun)
            written = [self._written(one) if isinstance(one, Checking) else _encode(one) for one in begun]
        if self._parts.metrics is not None:
            self._parts.metrics.text_check_seconds.observe(self._clock.now_s() - arrived_s)
        return b'{"results":[' + b",".join(written) + b"]}"

    async def answered(self, requests: Sequence[TextRequest], arrived_s: float) -> list[TextAnswer]:
        """Answer texts that came otherwise than over the check routes, in order; counters and network have their say too."""
        begun = self._begun(requests, arrived_s)
        await self._weigh(begun)
        answers = [self.answers.finish(one) if isinstance(one, Checking) else one for one in begun]
        for request, answer in zip(requests, answers, strict=True):
            self._count(request.scene, answer.decision, 1)
        return answers

    async def _weigh(self, begun: Sequence[Checking | TextAnswer]) -> None:
        """Let the counters hear every message that has a sender, and ask the network."""
        checkings = [one for one in begun if isinstance(one, Checking)]
        for checking in checkings:
            if checking.has_sender:
                await self._hear(checking)
        if self._parts.opinion is not None:
            await self._ask(checkings)

    def _begun(self, requests: Sequence[TextRequest], arrived_s: float) -> list[Checking | TextAnswer]:
        """Begin all; those that fail and name a decision for that are answered already."""
        if all(request.on_error is None and request.deadline_ms is None for request in requests):
            return [*self.answers.begin_many(requests, arrived_s)]
        begun: list[Checking | TextAnswer] = []
        for request in requests:
            try:
                begun.append(self.answers.begin(request, arrived_s))
            except Exception as error:  # noqa: BLE001  as in `one`
                begun.append(self.answers.failed(request, arrived_s, error))
        return begun

    async def _hear(self, checking: Checking) -> None:
        """Count a message, and read it together with those before it."""
        answers, shared, request = self.answers, self._parts.shared, checking.request
        if shared is None:
            answers.hear(checking)
            return
        place = (str(request.room_id), str(request.uid))
        said = await shared.observe(*place, answers.key(checking), answers.piece(checking), self._clock.now_s())
        if shared.degraded:
            checking.degraded.append(COUNTING)
        if answers.heard(checking, said):
            shared.forget_earlier(*place)

    async def _ask(self, checkings: Sequence[Checking]) -> None:
        """Ask the network of every text that it could change something for; late or failed, the lists answer alone."""
        asked = [checking for checking in checkings if self.answers.wants_opinion(checking)]
        if not asked or self._parts.opinion is None:
            return
        now_s = self._clock.now_s()
        until = [now_s + OPINION_S]
        until += [
            one.arrived_s + one.request.deadline_ms / 1000 - ANSWERING_S for one in asked if one.request.deadline_ms is not None
        ]
        texts = [self._parts.fold(checking.request.text) for checking in asked]
        try:
            opinions = await self._parts.opinion.score(texts, deadline_s=min(until))
        except LivewardenError as error:
            self._skipped(asked, error)
            return
        for checking, findings in zip(asked, opinions, strict=True):
            if findings:
                self.answers.add_opinion(checking, findings)

    def _skipped(self, asked: Sequence[Checking], error: LivewardenError) -> None:
        log.debug("the network did not answer: %s", error)
        for checking in asked:
            checking.degraded.append(CLASSIFIER)
        if self._parts.metrics is not None:
            self._parts.metrics.text_degraded.labels(CLASSIFIER).inc(len(asked))

    def _written(self, checking: Checking) -> bytes:
        """Write an answer, and count it."""
        if checking.is_plain:
            body, decision = self.answers.finish_pass(checking), Decision.PASS
        else:
            answer = self.answers.finish(checking)
            body, decision = _encode(answer), answer.decision
        self._count(checking.request.scene, decision, 1)
        return body

    def _all_written(self, requests: Sequence[TextRequest], answers: Sequence[Checking | bytes]) -> list[bytes]:
        """Write what is left of the answers of a batch, and count all of them."""
        written = [one if isinstance(one, bytes) else self._written(one) for one in answers]
        if self._parts.metrics is not None:
            passed = Counter(request.scene for request, one in zip(requests, answers, strict=True) if isinstance(one, bytes))
            for scene, n in passed.items():
                self._count(scene, Decision.PASS, n)
        return written

    def _count(self, scene: Scene, decision: Decision, n: int) -> None:
        if self._parts.metrics is None:
            return
        key = (scene, decision)
        count = self._counters.get(key)
        if count is None:
            count = self._counters[key] = self._parts.metrics.text_checks.labels(*key).inc
        count(n)
