"""Danmaku completion over HTTP: `POST /v1/danmaku/suggest`, and what it learns of the texts that the check has passed.

What is learnt and offered is `inference/text/suggest.py`'s business; the check that every offer must pass is the engine's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from inference.api import InFlight, read_body
from inference.checks import TextChecks
from inference.clock import Clock, SystemClock
from inference.errors import InvalidSample, SampleTooLarge
from inference.ids import Ids
from inference.problems import PROBLEM_TYPE
from inference.samples import Scene
from inference.schemas import Problem, TextRequest
from inference.suggest_schemas import MAX_PREFIX, SuggestAnswer, SuggestionBody, SuggestRequest, components
from inference.text.check import require_text
from inference.text.suggest import MIN_PREFIX, Suggester
from inference.verdicts import Decision

log = logging.getLogger(__name__)

SUGGEST_PATH = "/v1/danmaku/suggest"

MAX_BODY = 16 * 1024
"""Bytes of one request: four fields of 256 code points as escaped JSON, and the rest."""

LEARN_EVERY_S = 0.01
"""Between two turns of learning: with `MAX_FOLDED` lines a turn it bounds what learning costs, and how much is learnt a second."""

_decode = msgspec.json.Decoder(SuggestRequest).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Vetting:
    """The check that an offer must pass: as danmaku, under the policy that such texts have when nobody names one."""

    checks: TextChecks
    generation: Callable[[], Hashable]
    """Tells the present lists and policies apart from earlier ones; changes after they are in force, never before."""

    def passes(self, text: str) -> bool:
        """Check one text as it would be checked if somebody sent it."""
        findings = self.checks.text.findings(text, Scene.DANMAKU)
        return self.checks.decide_text(findings, Scene.DANMAKU, None, "").decision is Decision.PASS


@dataclass(frozen=True, slots=True)
class SuggestDesk:
    """Everything the route needs. `heard` may be called from any thread, the rest on one event loop."""

    suggester: Suggester
    vetting: Vetting
    in_flight: InFlight
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=Ids)

    def heard(self, request: TextRequest) -> None:
        """Learn of a text that passed whole: of danmaku, under the policy that offers are checked with."""
        by_default = request.policy is None and request.labels is None
        if request.scene is Scene.DANMAKU and by_default and request.room_id and request.uid:
            self.suggester.learn(request.room_id, request.uid, request.text, self.clock.now_s())

    async def keep_learning(self) -> None:
        """Index what was heard, a bounded number of lines a turn, until cancelled."""
        while True:
            try:
                self.suggester.fold_in()
            except Exception:  # the rim of learning: what goes wrong with one line must not end it for all
                log.exception("could not learn a line")
            await asyncio.sleep(LEARN_EVERY_S)

    async def suggest(self, receive: Receive) -> bytes:
        """Answer `POST /v1/danmaku/suggest`: body in, body out; raises what `refusal` translates."""
        with self.in_flight:
            arrived_s = self.clock.now_s()
            request = _decode(await read_body(receive, MAX_BODY))
            self._require_prefix(request.prefix)
            offers = self.suggester.offer(
                request.room_id,
                request.prefix,
                arrived_s,
                limit=request.limit,
                passes=self.vetting.passes,
                generation=self.vetting.generation(),
            )
            found = [SuggestionBody(one.text, one.score, one.source) for one in offers]
            elapsed_ms = round((self.clock.now_s() - arrived_s) * 1000, 3)
            return _encode(SuggestAnswer(request.request_id or self.ids.next(), found, elapsed_ms))

    def _require_prefix(self, prefix: str) -> None:
        """Refuse a prefix that cannot be looked at, or is too short to mean anything.

        Raises:
            SampleTooLarge: more than 256 code points.
            InvalidSample: NUL, half a surrogate pair, or less than two characters when folded.
        """
        if len(prefix) > MAX_PREFIX:
            raise SampleTooLarge(f"$.prefix: {len(prefix)} code points; at most {MAX_PREFIX}")
        try:
            require_text(prefix)
        except InvalidSample as error:
            raise InvalidSample(f"$.prefix: {error}") from error
        n_typed = len(self.suggester.fold(prefix).rstrip())
        if n_typed < MIN_PREFIX:
            raise InvalidSample(f"$.prefix: {n_typed} characters after folding; send at least {MIN_PREFIX}")


def suggest_routes(desk: SuggestDesk) -> APIRouter:
    """Build the route; the app needs `install_suggestions` to describe it."""
    router = APIRouter(tags=["danmaku"])

    @router.post(SUGGEST_PATH, summary="Complete what somebody is typing", **_described())
    async def danmaku_suggest(request: Request) -> Response:
        return Response(await desk.suggest(request.receive), media_type="application/json")

    return router


def install_suggestions(app: FastAPI, desk: SuggestDesk) -> None:
    """Add the route to an app that has the problem handlers (`install_checks`), with its bodies in the OpenAPI document."""
    app.include_router(suggest_routes(desk))
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {}).setdefault("schemas", {}).update(components())
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _described() -> dict[str, Any]:
    refused = {"content": {PROBLEM_TYPE: {"schema": _ref(Problem)}}}
    meanings = {401: "no API key", 413: "too long or too large", 422: "bad request", 429: "too many requests"}
    ok = {"description": "what may be offered now", "content": {"application/json": {"schema": _ref(SuggestAnswer)}}}
    return {
        "responses": {200: ok, **{status: {"description": meaning, **refused} for status, meaning in meanings.items()}},
        "response_class": Response,
        "openapi_extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": _ref(SuggestRequest)}}}},
    }


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
