"""Pushed media and danmaku on their way from the API role to the worker that watches the room, over that worker's own HTTP API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import cv2
import httpx
import msgspec
import numpy as np

from inference.clock import rfc3339
from inference.errors import DeadlineExceeded, InvalidSample, LivewardenError, NotFound, NotReady, Overloaded, SampleTooLarge
from inference.pictures import MAX_PICTURE_BYTES
from inference.samples import Modality, Pixels
from inference.schemas import TextAnswer
from inference.verdicts import Box, Decision, Finding, Heard, Judged, PolicyRef, Verdict
from models.taxonomy import Taxonomy
from streams.desk import DanmakuLine, PushAnswer, PushedFrame, PushedSound, Queued
from streams.push import CAPTURED_AT

TIMEOUT_S = 10.0
"""How long a worker may take for its answer, seconds; a verdict that is waited for has its own deadline there."""
JPEG_QUALITY = 95
"""Of pictures that are too large to travel without loss."""

_ERRORS: dict[int, type[LivewardenError]] = {
    404: NotFound,
    413: SampleTooLarge,
    422: InvalidSample,
    429: Overloaded,
    504: DeadlineExceeded,
}


class WorkerClient:
    """Speaks to workers. Awaited on the API's loop."""

    def __init__(self, *, key: str | None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Prepare the client; nothing is opened before the first call.

        Args:
            key: API key that the workers accept; None where they need none.
            transport: how requests travel, for tests; None: over the network.
        """
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=TIMEOUT_S, transport=transport)
        self._taxonomy = Taxonomy.load()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def push_frame(self, worker: str, room_id: str, frame: PushedFrame, *, wait: bool) -> PushAnswer:
        """Hand a picture on, without loss where it fits; raises as `RoomDesk.push_frame` says."""
        body, content_type = encoded(frame.pixels)
        headers = {"Content-Type": content_type, **_captured(frame.captured_at)}
        answer = await self._post(worker, room_id, f"frames?wait={str(wait).lower()}", content=body, headers=headers)
        return self._push_answer(answer["frames"][0])

    async def push_sound(self, worker: str, room_id: str, sound: PushedSound) -> PushAnswer:
        """Hand sound on, as 16 bit PCM; raises as `RoomDesk.push_sound` says."""
        body = np.clip(np.round(sound.pcm * 32768.0), -32768, 32767).astype("<i2").tobytes()
        headers = {"Content-Type": "audio/pcm", **_captured(sound.captured_at)}
        answer = await self._post(worker, room_id, "audio", content=body, headers=headers)
        return self._push_answer(answer["audio"][0])

    async def danmaku(self, worker: str, room_id: str, lines: Sequence[DanmakuLine]) -> Sequence[TextAnswer]:
        """Hand chat lines on; raises as `RoomDesk.danmaku` says."""
        body = msgspec.json.encode({"lines": lines})
        answer = await self._post(worker, room_id, "danmaku", content=body, headers={"Content-Type": "application/json"})
        return msgspec.convert(answer["results"], list[TextAnswer])

    async def _post(self, worker: str, room_id: str, what: str, *, content: bytes, headers: dict[str, str]) -> Any:
        url = f"{worker.rstrip('/')}/v1/rooms/{quote(room_id, safe='')}/{what}"
        try:
            answer = await self._http.post(url, content=content, headers=headers)
            if answer.is_success:
                return answer.json()
            detail = str(answer.json().get("detail", answer.reason_phrase))
        except httpx.TimeoutException as error:
            raise DeadlineExceeded(f"worker at {worker} did not answer within {TIMEOUT_S:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Overloaded(f"worker at {worker} cannot be asked: {error}") from error
        raise _ERRORS.get(answer.status_code, NotReady)(detail)

    def _push_answer(self, view: dict[str, Any]) -> PushAnswer:
        verdict, modality = view.get("verdict"), Modality(view["modality"])
        return PushAnswer(
            modality=modality,
            queued=Queued(view["queued"]),
            pts_s=float(view["pts_s"]),
            verdict=None if verdict is None else self._verdict(verdict, modality),
            degraded=() if verdict is None else tuple(verdict["degraded"]),
        )

    def _verdict(self, view: dict[str, Any], modality: Modality) -> Verdict:
        judged = tuple(self._judged(one, modality) for one in view["findings"])
        return Verdict(Decision(view["decision"]), PolicyRef(**view["policy"]), judged)

    def _judged(self, view: dict[str, Any], modality: Modality) -> Judged:
        finding = Finding(
            label=view["label"],
            score=view["score"],
            modality=modality,
            detector=view["source"],
            boxes=tuple(msgspec.convert(box, Box) for box in view["boxes"]),
            text=view["text"],
            qr=view["qr"],
            heard=msgspec.convert(view.get("heard"), Heard | None),
        )
        severity = self._taxonomy[finding.label].severity
        return Judged(finding, Decision(view["decision"]), rule=finding.label, severity=severity, action_hint=view["decision"])


def encoded(pixels: Pixels) -> tuple[bytes, str]:
    """Encode an RGB picture for the way: PNG, or JPEG where PNG would be too large; returns the bytes and their type."""
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])
    png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    if png.nbytes <= MAX_PICTURE_BYTES:
        return png.tobytes(), "image/png"
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes(), "image/jpeg"


def _captured(moment: datetime | None) -> dict[str, str]:
    return {} if moment is None else {CAPTURED_AT: rfc3339(moment)}
