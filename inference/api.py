"""The synchronous checks over HTTP: text, batches of texts, one picture, one clip.

The text route is answered by a bare ASGI layer in front of the app (`TextFront`), because it stands before every danmaku; the same
code behind the app's own route keeps it in the OpenAPI document. What is checked and how is the engine's (`inference/checks.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Query
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.answers import MediaAnswers
from inference.checks import CheckOrder, Checks
from inference.clock import Clock, SystemClock
from inference.errors import InvalidSample, SampleTooLarge
from inference.pictures import MAX_PICTURE_BYTES, decode_picture
from inference.problems import PROBLEM_TYPE, TooManyRequests, install_problem_handlers, refusal
from inference.schemas import (
    MediaAnswer,
    Problem,
    TextAnswer,
    TextBatchAnswer,
    TextBatchRequest,
    TextRequest,
    components,
)
from inference.sounds import MAX_SOUND_BYTES, DecodeSound, decode_sound
from inference.text_answers import TextAnswers
from inference.text_desk import TextDesk, TextParts
from models.taxonomy import Taxonomy

TEXT_PATH = "/v1/text/check"
BATCH_PATH = "/v1/text/check/batch"

MAX_TEXT_BODY = 256 * 1024
"""Bytes of one text request: 10,000 code points as escaped JSON, and the rest."""

MAX_BATCH_BODY = 8 * 1024 * 1024
"""Bytes of a batch."""

MULTIPART_SLACK = 64 * 1024
"""Bytes that boundaries and part headers may add to a file."""

RETRY_AFTER_S = 1.0

_encode = msgspec.json.Encoder().encode


class InFlight:
    """Bound on the requests worked on at once; overflow rule REJECT."""

    def __init__(self, max_n: int) -> None:
        self._max_n = max_n
        self.n = 0
        """Requests worked on now."""

    def __enter__(self) -> None:
        if self.n >= self._max_n:
            raise TooManyRequests(f"{self.n} requests in flight, at most {self._max_n}; try again", retry_after_s=RETRY_AFTER_S)
        self.n += 1

    def __exit__(self, *_: object) -> None:
        self.n -= 1


@dataclass(frozen=True, slots=True)
class CheckDesk:
    """Everything the check routes need, put together once."""

    checks: Checks
    texts: TextDesk
    media: MediaAnswers
    in_flight: InFlight
    clock: Clock = field(default_factory=SystemClock)
    decode_sound: DecodeSound | None = None
    """Decoder of sound that is neither PCM nor WAV."""

    @classmethod
    def over(
        cls,
        checks: Checks,
        *,
        max_in_flight: int = 512,
        clock: Clock | None = None,
        decode_other: DecodeSound | None = None,
        texts: TextParts | None = None,
        answers: TextAnswers | None = None,
    ) -> CheckDesk:
        """Build the desk over an engine.

        Args:
            checks: the engine.
            max_in_flight: requests worked on at once.
            clock: monotonic seconds.
            decode_other: decoder of sound that is neither PCM nor WAV.
            texts: what texts are checked with beside the lists.
            answers: how texts are answered; from the engine's lists with default windows where it is not given.
        """
        taxonomy, clock = Taxonomy.load(), clock or SystemClock()
        desk = TextDesk(answers or TextAnswers(checks, clock, taxonomy=taxonomy), clock, texts)
        return cls(checks, desk, MediaAnswers(taxonomy), InFlight(max_in_flight), clock, decode_other)

    async def text(self, receive: Receive) -> bytes:
        """Answer `POST /v1/text/check`: body in, body out; raises what `refusal` translates."""
        with self.in_flight:
            arrived_s = self.clock.now_s()
            return await self.texts.one(await read_body(receive, MAX_TEXT_BODY), arrived_s)

    async def batch(self, receive: Receive) -> bytes:
        """Answer `POST /v1/text/check/batch`, in the order of the texts."""
        with self.in_flight:
            arrived_s = self.clock.now_s()
            return await self.texts.many(await read_body(receive, MAX_BATCH_BODY), arrived_s)

    async def picture(self, request: Request, asked: MediaQuery) -> bytes:
        """Answer `POST /v1/images/check`."""
        with self.in_flight:
            arrived_s = self.clock.now_s()
            data, _ = await read_upload(request, MAX_PICTURE_BYTES)
            pixels = await asyncio.to_thread(decode_picture, data)
            checked = await self.checks.check_picture(pixels, asked.order(arrived_s))
            return _encode(self.media.answer(checked, request_id=asked.request_id, elapsed_s=self.clock.now_s() - arrived_s))

    async def sound(self, request: Request, asked: MediaQuery) -> bytes:
        """Answer `POST /v1/audio/check`."""
        with self.in_flight:
            arrived_s = self.clock.now_s()
            data, content_type = await read_upload(request, MAX_SOUND_BYTES)
            pcm = await asyncio.to_thread(decode_sound, data, content_type, self.decode_sound)
            checked = await self.checks.check_audio(pcm, asked.order(arrived_s))
            return _encode(self.media.answer(checked, request_id=asked.request_id, elapsed_s=self.clock.now_s() - arrived_s))


@dataclass(frozen=True, slots=True)
class MediaQuery:
    """What stands in the query of a picture or sound check."""

    detectors: str | None
    policy: str | None
    biz: str
    deadline_ms: float | None
    request_id: str | None

    def order(self, arrived_s: float) -> CheckOrder:
        """Turn the query into what the engine is asked."""
        names = tuple(name.strip() for name in self.detectors.split(",") if name.strip()) if self.detectors else None
        deadline_s = None if self.deadline_ms is None else arrived_s + self.deadline_ms / 1000
        return CheckOrder(names, self.policy, self.biz, deadline_s)


async def media_query(
    detectors: Annotated[str | None, Query(description="names, separated by commas; all by default", max_length=256)] = None,
    policy: Annotated[str | None, Query(description="id of the policy", max_length=256)] = None,
    biz: Annotated[str, Query(description="the business it belongs to", max_length=256)] = "",
    deadline_ms: Annotated[float | None, Query(gt=0, description="from the arrival of the request")] = None,
    request_id: Annotated[str | None, Query(max_length=256)] = None,
) -> MediaQuery:
    """Collect the query of a picture or sound check; a coroutine, because FastAPI sends plain functions to a thread."""
    return MediaQuery(detectors, policy, biz, deadline_ms, request_id)


Asked = Annotated[MediaQuery, Depends(media_query)]


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read a request's body.

    Raises:
        SampleTooLarge: it is over `limit` bytes; the rest is not read.
        ClientDisconnect: the caller has gone.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
    if len(body) > limit:
        raise SampleTooLarge(f"body of more than {limit} bytes")
    return body


async def read_upload(request: Request, limit: int) -> tuple[bytes, str]:
    """Read the one file of a request, as body or as multipart, and its content type.

    Raises:
        SampleTooLarge: it is over `limit` bytes.
        InvalidSample: a multipart body without a file.
    """
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        return await read_body(request.receive, limit), content_type
    body = await read_body(request.receive, limit + MULTIPART_SLACK)
    whole: Message = {"type": "http.request", "body": body, "more_body": False}

    async def again() -> Message:
        return whole

    async with Request(request.scope, again).form(max_files=1, max_fields=16) as form:
        for part in form.values():
            if isinstance(part, UploadFile):
                return await part.read(), part.content_type or ""
    raise InvalidSample("the multipart body has no file; send one part with a file name")


class TextFront:
    """ASGI layer that answers the two text routes itself and hands everything else on."""

    def __init__(self, app: ASGIApp, desk: CheckDesk) -> None:
        self._app = app
        self._answers: Mapping[str, Callable[[Receive], Any]] = {TEXT_PATH: desk.text, BATCH_PATH: desk.batch}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a text check, or pass the call on."""
        answer = self._answers.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        try:
            body = await answer(receive)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  the border of HTTP: every error becomes an answer
            await refusal(error).response()(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


_JSON = ((b"content-type", b"application/json"),)


def check_routes(desk: CheckDesk) -> APIRouter:
    """Build the four routes; the app needs `install_checks` to describe and refuse properly."""
    router = APIRouter(prefix="/v1", tags=["checks"])

    @router.post("/text/check", summary="Check one text", **_described(TextRequest, TextAnswer))
    async def text_check(request: Request) -> Response:
        return Response(await desk.text(request.receive), media_type="application/json")

    @router.post("/text/check/batch", summary="Check up to 100 texts", **_described(TextBatchRequest, TextBatchAnswer))
    async def text_check_batch(request: Request) -> Response:
        return Response(await desk.batch(request.receive), media_type="application/json")

    @router.post("/images/check", summary="Check one picture", **_uploaded("image/jpeg", "image/png", "image/webp"))
    async def images_check(request: Request, query: Asked) -> Response:
        return Response(await desk.picture(request, query), media_type="application/json")

    @router.post("/audio/check", summary="Check one clip of sound", **_uploaded("audio/pcm", "audio/wav"))
    async def audio_check(request: Request, query: Asked) -> Response:
        return Response(await desk.sound(request, query), media_type="application/json")

    return router


def install_checks(app: FastAPI, desk: CheckDesk) -> None:
    """Add the check routes to an app, with their bodies in its OpenAPI document and every error as problem+json."""
    app.include_router(check_routes(desk))
    install_problem_handlers(app)
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {}).setdefault("schemas", {}).update(components()[1])
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _described(asked: type, answered: type) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": _ref(asked)}}}
    return {"responses": _responses(answered), "response_class": Response, "openapi_extra": {"requestBody": body}}


def _uploaded(*types: str) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
    content = {**{kind: {"schema": binary} for kind in types}, "multipart/form-data": {"schema": form}}
    body = {"required": True, "content": content}
    return {"responses": _responses(MediaAnswer), "response_class": Response, "openapi_extra": {"requestBody": body}}


def _responses(answered: type) -> dict[int | str, dict[str, Any]]:
    refused = {"content": {PROBLEM_TYPE: {"schema": _ref(Problem)}}}
    meanings = {
        401: "no API key",
        413: "too long or too large",
        422: "bad request",
        429: "too many requests",
        503: "not ready or overloaded",
    }
    ok = {"description": "the verdict, whatever it is", "content": {"application/json": {"schema": _ref(answered)}}}
    return {200: ok, **{status: {"description": meaning, **refused} for status, meaning in meanings.items()}}


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
