"""The backend's decisions on violations, as they come over `livewarden.reviews.v1`: into the index, and to the desk."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from inference.clock import Clock, rfc3339
from inference.errors import InvalidSample, NotFound, NotReady
from models.taxonomy import Taxonomy
from streams.desk import RoomDesk
from streams.inbox import Message
from streams.index import Review, ReviewAction, ViolationIndex

log = logging.getLogger(__name__)

TAKE_S = 10.0
"""How long the desk may take for one review, seconds."""
EARLY = timedelta(seconds=10)
"""A review may overtake its violation on the way into the index by this much; after that it is about somebody else's."""


class ReviewBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The value of one message."""

    violation_id: str
    action: ReviewAction
    label: str | None = None
    reviewer: str | None = None
    note: str | None = None
    review_id: str | None = None
    at: datetime | None = None


_decode = msgspec.json.Decoder(ReviewBody).decode


def read_review(message: Message, taxonomy: Taxonomy) -> Review:
    """Read a message of the reviews topic; the same message always makes the same review.

    Raises:
        InvalidSample: it is no review; the message names what is wrong.
    """
    try:
        body = _decode(message.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidSample(f"review cannot be read: {error}") from error
    if (body.action is ReviewAction.RELABEL) != (body.label is not None):
        raise InvalidSample("relabel needs a label, and only relabel has one")
    if body.label is not None:
        try:
            taxonomy.check([body.label], where="label")
        except ValueError as error:
            raise InvalidSample(str(error)) from error
    at = body.at if body.at is not None and body.at.tzinfo is not None else message.at
    return Review(body.violation_id, body.action, at, body.label, body.reviewer, body.note, body.review_id)


def review_value(review: Review) -> bytes:
    """Write a review as a message's value."""
    body = {"violation_id": review.violation_id, "action": review.action, "review_id": review.id, "at": rfc3339(review.at)}
    optional = {"label": review.label, "reviewer": review.reviewer, "note": review.note}
    return msgspec.json.encode({**body, **{name: value for name, value in optional.items() if value is not None}})


class ReviewReceiver:
    """Receives on the consumer's thread. Every process reads all reviews; what is about nothing it knows is another's."""

    def __init__(self, index: ViolationIndex, desk: RoomDesk | None, *, clock: Clock) -> None:
        """Prepare to receive; make it on the event loop of the desk.

        Args:
            index: where reviews are written down.
            desk: told of them; None where there is nobody to tell.
            clock: for the age of a review.
        """
        self._index = index
        self._desk = desk
        self._clock = clock
        self._taxonomy = Taxonomy.load()
        self._loop = asyncio.get_running_loop()

    def receive(self, message: Message) -> None:
        """Take one review in."""
        review = read_review(message, self._taxonomy)
        try:
            self._index.review(review)
        except NotFound:
            if self._clock.utc() - message.at < EARLY:
                raise NotReady(f"violation {review.violation_id!r} is not in the index yet") from None
            log.info("review of a violation that is not here", extra={"violation_id": review.violation_id})
            return
        except SQLAlchemyError as error:
            raise NotReady(f"violation index: {type(error).__name__}") from error
        if self._desk is not None:
            told = self._desk.review(review.violation_id, overturned=review.action is ReviewAction.OVERTURN)
            call = asyncio.run_coroutine_threadsafe(told, self._loop)
            try:
                call.result(TAKE_S)
            except TimeoutError:
                call.cancel()
                raise NotReady(f"the worker did not take a review within {TAKE_S:g} s") from None

    def assigned(self, partitions: frozenset[int]) -> None:
        """Nothing is kept by partition."""

    def revoked(self, partitions: frozenset[int]) -> None:
        """Nothing is kept by partition."""

    def caught_up(self) -> None:
        """Nothing waits for the end of the topic."""
