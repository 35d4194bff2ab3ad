"""The synchronous checks over HTTP: text, batches of texts, one picture, one clip.

They are answered by a bare ASGI layer in front of the app (`CheckFront`), because they stand before every danmaku and every picture
sent on its own; the same code behind the app's own routes keeps them in the OpenAPI document. What is checked and how is the
engine's (`inference/checks.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, FastAPI
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.answers import MediaAnswers
from inference.checks import CheckOrder, Checks
from inference.clock import Clock, SystemClock
from inference.errors import InvalidSample, SampleTooLarge
from inference.metrics import Metrics
from inference.pictures import MAX_PICTURE_BYTES, decode_picture
from inference.problems import PROBLEM_TYPE, TooManyRequests, install_problem_handlers, refusal
from inference.schemas import (
    MediaAnswer,
    MediaQuery,
    Problem,
    TextAnswer,
    TextBatchAnswer,
    TextBatchRequest,
    TextRequest,
    components,
    media_parameters,
)
from inference.sounds import ENCODED_SOUND, MAX_SOUND_BYTES, DecodeSound, decode_sound
from inference.text_answers import TextAnswers
from inference.text_desk import TextDesk, TextParts
from models.taxonomy import Taxonomy

TEXT_PATH = "/v1/text/check"
BATCH_PATH = "/v1/text/check/batch"
PICTURE_PATH = "/v1/images/check"
SOUND_PATH = "/v1/audio/check"

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

    async def picture(self, request: Request) -> bytes:
        """Answer `POST /v1/images/check`."""
        with self.in_flight:
            arrived_s = self.clock.now_s()
            asked = read_query(request.scope["query_string"])
            data, _ = await read_upload(request, MAX_PICTURE_BYTES)
            pixels = await asyncio.to_thread(decode_picture, data)
            checked = await self.checks.check_picture(pixels, order_of(asked, arrived_s))
            return _encode(self.media.answer(checked, request_id=asked.request_id, elapsed_s=self.clock.now_s() - arrived_s))

    async def sound(self, request: Request) -> bytes:
        """Answer `POST /v1/audio/check`."""
        with self.in_flight:
            arrived_s = self.clock.now_s()
            asked = read_query(request.scope["query_string"])
            data, content_type = await read_upload(request, MAX_SOUND_BYTES)
            pcm = await asyncio.to_thread(decode_sound, data, content_type, self.decode_sound)
            checked = await self.checks.check_audio(pcm, order_of(asked, arrived_s))
            return _encode(self.media.answer(checked, request_id=asked.request_id, elapsed_s=self.clock.now_s() - arrived_s))


def read_query(query: bytes) -> MediaQuery:
    """Read the query of a picture or sound check; of a name given twice the last counts.

    Raises:
        InvalidSample: a value out of its range; the message names both.
    """
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    try:
        return msgspec.convert(given, MediaQuery, strict=False)
    except msgspec.ValidationError as error:
        wanted, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        raise InvalidSample(f"query parameter {name}={given.get(name, '')[:64]!r}: {wanted[:1].lower()}{wanted[1:]}") from error


def order_of(asked: MediaQuery, arrived_s: float) -> CheckOrder:
    """Turn the query into what the engine is asked."""
    names = tuple(name.strip() for name in asked.detectors.split(",") if name.strip()) if asked.detectors else None
    deadline_s = None if asked.deadline_ms is None else arrived_s + asked.deadline_ms / 1000
    return CheckOrder(names, asked.policy, asked.biz, deadline_s)


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read a request's body.

    Raises:
        SampleTooLarge: it is over `limit` bytes; the rest is not read.
        ClientDisconnect: the caller has gone.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):  # nearly every body comes at once
        whole: bytes = message.get("body", b"")
        if len(whole) <= limit:
            return whole
    chunks: list[bytes] = []
    n_bytes = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        n_bytes += len(chunks[-1])
        if n_bytes > limit:
            raise SampleTooLarge(f"body of more than {limit} bytes; send a smaller one")
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()


async def read_upload(request: Request, limit: int) -> tuple[bytes, str]:
    """Read the one file of a request, as body or as multipart, and its content type.

    Raises:
        SampleTooLarge: it is over `limit` bytes.
        InvalidSample: a multipart body without a file, with several, or damaged.
    """
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit + MULTIPART_SLACK:  # refused unread: nobody uploads two gigabytes to be told
        raise SampleTooLarge(f"body of {told} bytes; at most {limit}, send a smaller one")
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        return await read_body(request.receive, limit), content_type
    body = await read_body(request.receive, limit + MULTIPART_SLACK)
    whole: Message = {"type": "http.request", "body": body, "more_body": False}

    async def again() -> Message:
        return whole

    try:
        async with Request(request.scope, again).form(max_files=1, max_fields=16) as form:
            for part in form.values():
                if isinstance(part, UploadFile):
                    return await part.read(), part.content_type or ""
    except (MultiPartException, HTTPException) as error:  # Starlette raises the second where the app has been reached
        why = error.message if isinstance(error, MultiPartException) else error.detail
        raise InvalidSample(f"the multipart body cannot be read: {why.rstrip('.')}; send one part with a file name") from error
    raise InvalidSample("the multipart body has no file; send one part with a file name")


class CheckFront:
    """ASGI layer that answers the check routes itself and hands everything else on."""

    def __init__(self, app: ASGIApp, desk: CheckDesk, metrics: Metrics | None = None) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = desk.clock
        self._texts: Mapping[str, Callable[[Receive], Awaitable[bytes]]] = {TEXT_PATH: desk.text, BATCH_PATH: desk.batch}
        self._media: Mapping[str, Callable[[Request], Awaitable[bytes]]] = {PICTURE_PATH: desk.picture, SOUND_PATH: desk.sound}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a check, or pass the call on."""
        path = scope["path"] if scope["type"] == "http" and scope["method"] == "POST" else ""
        answer_text, answer_media = self._texts.get(path), self._media.get(path)
        if answer_text is None and answer_media is None:
            await self._app(scope, receive, send)
            return
        began_s = self._clock.now_s()
        try:
            if answer_text is not None:
                body = await answer_text(receive)
            elif answer_media is not None:
                body = await answer_media(Request(scope, receive))
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  the border of HTTP: every error becomes an answer
            refused = refusal(error)
            self._count(scope, refused.status, began_s)
            await refused.response()(scope, receive, send)
            return
        self._count(scope, 200, began_s)
        await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    def _count(self, scope: Scope, status: int, began_s: float) -> None:
        if self._metrics is not None:
            self._metrics.http_answered(scope["path"], "POST", status, self._clock.now_s() - began_s)


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
    async def images_check(request: Request) -> Response:
        return Response(await desk.picture(request), media_type="application/json")

    @router.post("/audio/check", summary="Check one clip of sound", **_uploaded("audio/pcm", "audio/wav", *ENCODED_SOUND))
    async def audio_check(request: Request) -> Response:
        return Response(await desk.sound(request), media_type="application/json")

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
    extra = {"parameters": media_parameters(), "requestBody": body}
    return {"responses": _responses(MediaAnswer), "response_class": Response, "openapi_extra": extra}


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
