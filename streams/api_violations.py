"""HTTP routes of violations: query, evidence media, reviews and feedback. Thin: asks the index, the evidence store and the desk."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from inference.clock import rfc3339
from inference.errors import InvalidSample, SampleTooLarge
from inference.verdicts import Box, Decision
from models.taxonomy import Taxonomy
from streams.desk import RoomDesk
from streams.evidence import EvidenceStore, render_boxes
from streams.index import Media, MediaKind, Review, ReviewAction, StoredViolation, ViolationIndex, ViolationQuery, ViolationState

MAX_BODY_BYTES = 64 * 1024
_TYPES = {"jpg": "image/jpeg", "webp": "image/webp", "wav": "audio/wav"}


class ReviewBody(msgspec.Struct, frozen=True):
    """What a person says of a violation."""

    action: ReviewAction
    label: str | None = None
    note: Annotated[str, msgspec.Meta(max_length=4000)] | None = None
    reviewer: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class FeedbackBody(ReviewBody, frozen=True):
    """The same, with the violation named in the body."""

    violation_id: str = ""


_decode_review = msgspec.json.Decoder(ReviewBody).decode
_decode_feedback = msgspec.json.Decoder(FeedbackBody).decode
_encode = msgspec.json.Encoder().encode


def violation_routes(index: ViolationIndex, evidence: EvidenceStore, desk: RoomDesk) -> APIRouter:
    """Build the routes."""
    router = APIRouter(prefix="/v1", tags=["violations"])
    taxonomy = Taxonomy.load()

    @router.get("/violations", summary="Query what was found, newest first")
    async def get_violations(
        room_id: str | None = None,
        label: str | None = None,
        decision: Decision | None = None,
        state: ViolationState | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: str | None = None,
    ) -> Response:
        asked = ViolationQuery(room_id, label, decision, state, limit=limit, cursor=cursor)
        page = await asyncio.to_thread(index.find, asked)
        return _answer({"violations": [_view(one) for one in page.violations], "next": page.cursor})

    @router.get("/violations/{violation_id}", summary="Describe one violation, with its reviews")
    async def get_violation(violation_id: str) -> Response:
        return _answer(await asyncio.to_thread(_full_view, index, violation_id))

    @router.get("/violations/{violation_id}/evidence/{n}", summary="Media number n, as each piece of evidence names it")
    async def get_evidence(violation_id: str, n: int, boxes: bool = False) -> Response:
        media = await asyncio.to_thread(index.evidence, violation_id, n)
        return await asyncio.to_thread(_media, evidence, media, boxes=boxes)

    @router.post("/violations/{violation_id}/review", summary="Confirm, overturn, relabel, undo")
    async def post_review(violation_id: str, request: Request) -> Response:
        return _answer(await _review(violation_id, _decode_review(await _body(request))))

    @router.post("/feedback", summary="A review, with the violation named in the body")
    async def post_feedback(request: Request) -> Response:
        body = _decode_feedback(await _body(request))
        if not body.violation_id:
            raise InvalidSample("feedback must name a violation_id")
        return _answer(await _review(body.violation_id, body))

    async def _review(violation_id: str, body: ReviewBody) -> dict[str, Any]:
        review = _checked(violation_id, body, taxonomy)
        stands = await asyncio.to_thread(index.review, review)
        await desk.review(violation_id, overturned=body.action is ReviewAction.OVERTURN)
        return _view(stands)

    return router


def _checked(violation_id: str, body: ReviewBody, taxonomy: Taxonomy) -> Review:
    """Make a review of a body.

    Raises:
        InvalidSample: a label where none belongs, none where one does, or one that the taxonomy does not know.
    """
    if (body.action is ReviewAction.RELABEL) != (body.label is not None):
        raise InvalidSample("relabel needs a label, and only relabel has one")
    if body.label is not None:
        try:
            taxonomy.check([body.label], where="label")
        except ValueError as error:
            raise InvalidSample(str(error)) from error
    return Review(violation_id, body.action, datetime.now(UTC), body.label, body.reviewer, body.note)


def _view(violation: StoredViolation) -> dict[str, Any]:
    """Write a violation as JSON: its latest alert, how it stands, and for every piece of evidence the number it is fetched by."""
    numbers = {media.uri: n for n, media in enumerate(violation.media)}
    shown = violation.data["evidence"]
    numbered = {
        kind: [{**entry, "n": numbers[entry["uri"]]} for entry in shown.get(kind, [])] for kind in ("frames", "audio", "strips")
    }
    review = None if violation.review is None else {"action": violation.review, "label": violation.review_label}
    return {
        **violation.data,
        "evidence": {**shown, **numbered},
        "state": violation.state,
        "review": review,
        "opened_at": rfc3339(violation.opened_at),
        "updated_at": violation.data["temporal"]["captured_at"],
    }


def _full_view(index: ViolationIndex, violation_id: str) -> dict[str, Any]:
    said = [msgspec.to_builtins(review) for review in index.reviews(violation_id)]
    return {**_view(index.get(violation_id)), "reviews": said, "history": index.history(violation_id)}


def _media(evidence: EvidenceStore, media: Media, *, boxes: bool) -> Response:
    content = evidence.read(media.uri)
    kind = _TYPES.get(media.uri.rpartition(".")[2], "application/octet-stream")
    if boxes and media.kind is MediaKind.STILL:
        content = render_boxes(content, msgspec.convert(media.data["boxes"], list[Box]))
    # A file's name has its content's hash in it, and its number never changes.
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=86400, immutable"})


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise SampleTooLarge(f"body of more than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _answer(view: object) -> Response:
    return Response(_encode(view), media_type="application/json")
