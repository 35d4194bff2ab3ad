"""What the API role hears of the workers: the violations they tell, into its own index, and how each room is doing."""

from __future__ import annotations

import threading
from datetime import datetime

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from inference.errors import InvalidSample, NotReady
from streams.alerts import SOURCE, RoomAlert, RoomKind, ViolationKind, violation_type
from streams.cloudevents import CloudEvent, header
from streams.inbox import Message
from streams.index import ViolationIndex

_VIOLATION_TYPES = frozenset(violation_type(kind) for kind in ViolationKind)
_NEEDED = ("violation_id", "kind", "seq", "room_id", "session_id", "biz", "label", "decision", "severity", "temporal", "evidence")

_decode_room = msgspec.json.Decoder(RoomAlert).decode


def read_event(message: Message) -> CloudEvent:
    """Read a violation as it is on the wire.

    Raises:
        InvalidSample: it is no CloudEvent of ours; the message names what is wrong.
    """
    wanted = {name: header(message.headers, name) for name in ("ce_id", "ce_type", "ce_time")}
    absent = [name for name, text in wanted.items() if not text]
    if absent or message.value is None:
        raise InvalidSample(f"violation without {', '.join(absent) or 'a value'}")
    if wanted["ce_type"] not in _VIOLATION_TYPES:
        raise InvalidSample(f"unknown ce_type {wanted['ce_type']!r}; known: {', '.join(sorted(_VIOLATION_TYPES))}")
    try:
        data = msgspec.json.decode(message.value, type=dict)
        time = datetime.fromisoformat(str(wanted["ce_time"]))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise InvalidSample(f"violation {wanted['ce_id']} cannot be read: {error}") from error
    lacking = [name for name in _NEEDED if name not in data]
    if lacking:
        raise InvalidSample(f"violation {wanted['ce_id']} lacks {', '.join(lacking)}")
    return CloudEvent(
        id=str(wanted["ce_id"]),
        type=str(wanted["ce_type"]),
        source=header(message.headers, "ce_source") or SOURCE,
        time=time,
        topic=message.topic,
        key=message.key,
        subject=str(data["violation_id"]),
        value=message.value,
        severity=int(data["severity"]),
    )


class ViolationReceiver:
    """Takes the violations topic into the index, on the consumer's thread; what comes twice counts once."""

    def __init__(self, index: ViolationIndex) -> None:
        self._index = index

    def receive(self, message: Message) -> None:
        """Take one violation event in."""
        event = read_event(message)
        try:
            self._index.apply([event])
        except SQLAlchemyError as error:
            raise NotReady(f"violation index: {type(error).__name__}") from error

    def assigned(self, partitions: frozenset[int]) -> None:
        """Nothing is kept by partition."""

    def revoked(self, partitions: frozenset[int]) -> None:
        """Nothing is kept by partition."""

    def caught_up(self) -> None:
        """Nothing waits for the end of the topic."""


class RoomNews:
    """The latest word on every room, from the lifecycle topic; receives on the consumer's thread and may be asked from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[str, RoomAlert] = {}

    def of(self, room_id: str) -> RoomAlert | None:
        """Return the latest word on a room; None where no worker has said any."""
        with self._lock:
            return self._latest.get(room_id)

    def receive(self, message: Message) -> None:
        """Take one lifecycle event in."""
        try:
            alert = _decode_room(message.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidSample(f"lifecycle event cannot be read: {error}") from error
        if alert.at.tzinfo is None:
            raise InvalidSample(f"lifecycle event of {alert.room_id!r} has a time without a zone: {alert.at.isoformat()}")
        with self._lock:
            known = self._latest.get(alert.room_id)
            if known is None or _supersedes(alert, known):
                self._latest[alert.room_id] = alert

    def assigned(self, partitions: frozenset[int]) -> None:
        """Nothing is kept by partition: a new reading of them says the same."""

    def revoked(self, partitions: frozenset[int]) -> None:
        """Nothing is kept by partition."""

    def caught_up(self) -> None:
        """Nothing waits for the end of the topic."""


def _supersedes(new: RoomAlert, known: RoomAlert) -> bool:
    """Tell whether a word is the newer one. The end of a session says nothing of the next, which another worker may have begun."""
    if new.session_id == known.session_id:
        return new.seq >= known.seq
    return new.kind is not RoomKind.ENDED and new.at >= known.at
