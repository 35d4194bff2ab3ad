"""HTTP routes of rooms: put up, describe, stop, push media, hand in danmaku. Thin: everything is asked of the desk."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import JSONResponse

from inference.errors import InvalidSample, SampleTooLarge
from inference.pictures import MAX_PICTURE_BYTES
from inference.sounds import ENCODED_SOUND, MAX_SOUND_BYTES
from streams.desk import DanmakuLine, RoomDesk
from streams.push import Intake, PushSocket, push_view, read_uploads
from streams.rooms import RoomSpec
from streams.urls import UrlPolicy

MAX_BODY_BYTES = 1_000_000
MAX_LINES = 500
"""Danmaku lines in one request."""


class DanmakuBody(msgspec.Struct, frozen=True):
    """Chat lines of one room, in the order they were said."""

    lines: list[LineBody]


class LineBody(msgspec.Struct, frozen=True):
    """One chat line."""

    text: str
    uid: str | None = None
    message_id: str | None = None


_decode_lines = msgspec.json.Decoder(DanmakuBody).decode
_encode = msgspec.json.Encoder().encode


def room_routes(desk: RoomDesk, intake: Intake, urls: UrlPolicy) -> APIRouter:
    """Build the routes over a desk; `urls` says which sources may be opened."""
    router = APIRouter(prefix="/v1/rooms", tags=["rooms"])
    _add_rooms(router, desk, urls)
    _add_media(router, desk, intake)
    return router


def _add_rooms(router: APIRouter, desk: RoomDesk, urls: UrlPolicy) -> None:
    @router.put("/{room_id}", summary="Watch a room, or change how it is watched", openapi_extra=_ROOM_BODY)
    async def put_room(room_id: str, request: Request) -> JSONResponse:
        room = RoomSpec.from_body(room_id, _json(await _bounded(request)), urls=urls)
        await desk.watch(room)
        return JSONResponse({"room_id": room_id, **room.body(reveal=False)})

    @router.get("", summary="Describe every room")
    async def get_rooms() -> Response:
        return _answer({"rooms": await desk.views()})

    @router.get("/{room_id}", summary="Describe one room")
    async def get_room(room_id: str) -> Response:
        return _answer(await desk.view(room_id))

    @router.delete("/{room_id}", status_code=204, summary="Stop watching a room")
    async def delete_room(room_id: str) -> None:
        await desk.unwatch(room_id)


def _add_media(router: APIRouter, desk: RoomDesk, intake: Intake) -> None:
    @router.post("/{room_id}/frames", status_code=202, summary="Push pictures of a room", openapi_extra=_FRAME_BODY)
    async def push_frames(room_id: str, request: Request, wait: bool = False) -> JSONResponse:
        uploads = await read_uploads(request, max_bytes=MAX_PICTURE_BYTES)
        answers = await intake.frames(room_id, uploads, wait=wait)
        return JSONResponse({"frames": [push_view(answer) for answer in answers]}, status_code=200 if wait else 202)

    @router.post("/{room_id}/audio", status_code=202, summary="Push sound of a room", openapi_extra=_SOUND_BODY)
    async def push_audio(room_id: str, request: Request) -> JSONResponse:
        uploads = await read_uploads(request, max_bytes=MAX_SOUND_BYTES)
        answers = [await intake.sound(room_id, upload) for upload in uploads]
        return JSONResponse({"audio": [push_view(answer) for answer in answers]}, status_code=202)

    @router.websocket("/{room_id}/push")
    async def push_socket(socket: WebSocket, room_id: str) -> None:
        await PushSocket(socket, intake, room_id).serve()

    @router.post("/{room_id}/danmaku", summary="Check chat lines of a room", openapi_extra=_LINES_BODY)
    async def post_danmaku(room_id: str, request: Request) -> Response:
        body = _decode_lines(await _bounded(request))
        if not 1 <= len(body.lines) <= MAX_LINES:
            raise InvalidSample(f"lines must be 1..{MAX_LINES}, got {len(body.lines)}")
        lines = [DanmakuLine(line.text, line.uid, line.message_id) for line in body.lines]
        return _answer({"results": await desk.danmaku(room_id, lines)})


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise SampleTooLarge(f"body of more than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _json(body: bytes) -> Any:
    return msgspec.json.decode(body or b"{}")


def _answer(view: object) -> Response:
    return Response(_encode(view), media_type="application/json")


def _body_of(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


_NULLABLE_TEXT = {"type": ["string", "null"]}
_ROOM_BODY = _body_of(
    {
        "application/json": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "source": {**_NULLABLE_TEXT, "description": "URL to pull; absent: media are pushed"},
                    "biz": _NULLABLE_TEXT,
                    "policy": _NULLABLE_TEXT,
                    "title": _NULLABLE_TEXT,
                    "anchor_uid": _NULLABLE_TEXT,
                    "pass_through": {"type": ["object", "null"], "description": "handed on with every alert"},
                },
            }
        }
    }
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FRAME_BODY = _body_of(dict.fromkeys(("image/jpeg", "image/png", "image/webp", "multipart/form-data"), _BINARY))
_SOUND_BODY = _body_of(dict.fromkeys(("audio/pcm", "audio/wav", *ENCODED_SOUND, "multipart/form-data"), _BINARY))
_LINES_BODY = _body_of(
    {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["lines"],
                "properties": {
                    "lines": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MAX_LINES,
                        "items": {
                            "type": "object",
                            "required": ["text"],
                            "properties": {"text": {"type": "string"}, "uid": _NULLABLE_TEXT, "message_id": _NULLABLE_TEXT},
                        },
                    }
                },
            }
        }
    }
)
