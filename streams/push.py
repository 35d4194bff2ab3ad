"""Media that platforms push over HTTP and WebSocket: from a request's bytes to frames and sound, with every refusal named.

Owns the forms a push may have. From `RoomDesk.push_frame` on, a pushed picture goes the same way as a decoded one.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect

from inference.errors import InvalidSample, LivewardenError, SampleTooLarge
from inference.pictures import MAX_PICTURE_BYTES, decode_picture
from inference.sounds import MAX_SOUND_BYTES, DecodeSound, decode_sound
from streams.desk import PushAnswer, PushedFrame, PushedSound, RoomDesk

CAPTURED_AT = "Livewarden-Captured-At"
"""Header with the moment of capture, RFC 3339."""

MAX_PARTS = 32
"""Pictures in one multipart request."""
MAX_REQUEST_BYTES = 64_000_000
"""All parts of one request together."""
MAX_AGE = timedelta(hours=1)
"""A capture longer ago than this is a mistake of units or of a clock."""
MAX_AHEAD = timedelta(seconds=60)
"""Clocks differ; more than this is a mistake."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")


def captured_at(text: str | None, *, now: datetime) -> datetime | None:
    """Read the moment of capture; None where none was sent.

    Raises:
        InvalidSample: it is no RFC 3339 moment, or one that cannot be.
    """
    if text is None:
        return None
    if not _RFC3339.fullmatch(text):
        raise InvalidSample(f"{CAPTURED_AT} must be RFC 3339 with a zone, e.g. 2026-11-24T08:00:00.250Z, got {text[:60]!r}")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidSample(f"{CAPTURED_AT} {text[:60]!r} is no date: {error}") from error
    if not now - MAX_AGE <= moment <= now + MAX_AHEAD:
        raise InvalidSample(f"{CAPTURED_AT} {text} is not within the last hour (the clock here is {now:%Y-%m-%dT%H:%M:%SZ})")
    return moment


@dataclass(frozen=True, slots=True)
class Upload:
    """One part of a push, as sent."""

    data: bytes
    content_type: str
    captured_at: str | None


async def read_uploads(request: Request, *, max_bytes: int) -> list[Upload]:
    """Read a request's media: its body, or the files of a multipart body.

    Raises:
        SampleTooLarge: a part or the whole is over its bound; the rest is not read.
        InvalidSample: a multipart body without files, or with too many.
    """
    shared = request.headers.get(CAPTURED_AT)
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data"):
        return [Upload(await _body(request, max_bytes), content_type, shared)]
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > MAX_REQUEST_BYTES:
        raise SampleTooLarge(f"request of {announced} bytes; at most {MAX_REQUEST_BYTES}")
    async with request.form(max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=max_bytes) as form:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not files:
            raise InvalidSample("the multipart body has no file; send each picture as a part with a file name")
        return [Upload(await part.read(), part.content_type or "", part.headers.get(CAPTURED_AT) or shared) for part in files]


async def _body(request: Request, max_bytes: int) -> bytes:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > max_bytes:
            raise SampleTooLarge(f"body of more than {max_bytes} bytes; send smaller media")
    return bytes(chunks)


@dataclass(frozen=True, slots=True)
class Intake:
    """Turns uploads into pushes to one desk."""

    desk: RoomDesk
    decode_other: DecodeSound | None = None
    """Decoder of encoded sound other than WAV."""

    async def frames(self, room_id: str, uploads: Sequence[Upload], *, wait: bool) -> list[PushAnswer]:
        """Push pictures in their order; one that is refused refuses the request, those before it are in."""
        answers = []
        for upload in uploads:
            moment = captured_at(upload.captured_at, now=datetime.now(UTC))
            if len(upload.data) > MAX_PICTURE_BYTES:
                raise SampleTooLarge(f"picture of {len(upload.data)} bytes; at most {MAX_PICTURE_BYTES}")
            pixels = await asyncio.to_thread(decode_picture, upload.data)
            answers.append(await self.desk.push_frame(room_id, PushedFrame(pixels, moment), wait=wait))
        return answers

    async def sound(self, room_id: str, upload: Upload) -> PushAnswer:
        """Push one stretch of sound."""
        moment = captured_at(upload.captured_at, now=datetime.now(UTC))
        if len(upload.data) > MAX_SOUND_BYTES:
            raise SampleTooLarge(f"clip of {len(upload.data)} bytes; at most {MAX_SOUND_BYTES}")
        pcm = await asyncio.to_thread(decode_sound, upload.data, upload.content_type, self.decode_other)
        return await self.desk.push_sound(room_id, PushedSound(pcm, moment))


class SocketHead(msgspec.Struct, frozen=True):
    """The text message that goes before each binary message of media."""

    kind: str
    """`frame` or `audio`."""
    id: int | str | None = None
    """Echoed in the acknowledgement."""
    captured_at: str | None = None
    content_type: str = ""
    wait: bool = False
    """Whether the acknowledgement of a frame carries the verdict."""


_decode_head = msgspec.json.Decoder(SocketHead).decode


class PushSocket:
    """One WebSocket of pushes: text head, binary media, acknowledgement, one at a time.

    Back-pressure: the next message is not read before the last is acknowledged, so a slow worker fills the sender's own socket
    buffer and nothing here. A bad message is answered with its problem and the socket stays open; a broken protocol closes it
    with 1003.
    """

    def __init__(self, socket: WebSocket, intake: Intake, room_id: str) -> None:
        self._socket = socket
        self._intake = intake
        self._room_id = room_id

    async def serve(self) -> None:
        """Answer until the other side hangs up."""
        await self._socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                head = await self._head()
                if head is None:
                    return
                media = await self._socket.receive()
                if media["type"] == "websocket.disconnect":
                    return
                data = media.get("bytes")
                if data is None:
                    await self._socket.close(1003, "a binary message must follow each head")
                    return
                await self._socket.send_json(await self._push(head, data))

    async def _head(self) -> SocketHead | None:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        try:
            if text is None:
                raise msgspec.ValidationError("got binary")
            return _decode_head(text)
        except msgspec.MsgspecError as error:
            await self._socket.close(1003, f"send a JSON head with kind frame or audio before each media message: {error}"[:120])
            return None

    async def _push(self, head: SocketHead, data: bytes) -> dict[str, Any]:
        upload = Upload(data, head.content_type, head.captured_at)
        try:
            if head.kind == "frame":
                [answer] = await self._intake.frames(self._room_id, [upload], wait=head.wait)
            elif head.kind == "audio":
                answer = await self._intake.sound(self._room_id, upload)
            else:
                raise InvalidSample(f"kind must be frame or audio, got {head.kind[:40]!r}")
        except LivewardenError as error:
            return {"ack": head.id, "problem": {"title": error.title, "status": error.status, "detail": str(error)}}
        return {"ack": head.id, **push_view(answer)}


def push_view(answer: PushAnswer) -> dict[str, Any]:
    """Write what became of a push as JSON."""
    view: dict[str, Any] = {"modality": answer.modality, "queued": answer.queued, "pts_s": round(answer.pts_s, 3)}
    if answer.verdict is not None:
        view["verdict"] = {
            "decision": answer.verdict.decision,
            "policy": {"id": answer.verdict.policy.id, "version": answer.verdict.policy.version},
            "findings": [
                {
                    "label": judged.finding.label,
                    "score": round(judged.finding.score, 4),
                    "decision": judged.decision,
                    "source": judged.finding.detector,
                    "text": judged.finding.text,
                    "qr": judged.finding.qr,
                    "boxes": [msgspec.to_builtins(box) for box in judged.finding.boxes],
                    "heard": msgspec.to_builtins(judged.finding.heard),
                }
                for judged in answer.verdict.judged
            ],
            "degraded": list(answer.degraded),
        }
    return view
