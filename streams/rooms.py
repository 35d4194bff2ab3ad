"""What a room is: what was asked for (`RoomSpec`) and the broadcast that is being watched (`Broadcast`).

Owns identity and validation of rooms; how a room is looked at is `streams/looks.py`, how it is doing is `streams/lifecycle.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from inference.errors import InvalidSample
from streams.urls import StreamUrl, UrlPolicy

MAX_PASS_THROUGH_BYTES = 4096
"""Size of a room's `pass_through` as JSON; it rides in every alert of the room, and an alert has 64 KiB."""

_ROOM_ID = re.compile(r"[A-Za-z0-9._:@\-]{1,128}")
_FIELDS = ("source", "biz", "policy", "title", "anchor_uid", "pass_through")


@dataclass(frozen=True, slots=True)
class RoomSpec:
    """A room as its owner described it: the body of `PUT /v1/rooms/{room_id}` and of `livewarden.rooms.v1`."""

    room_id: str
    """1..128 letters, digits or `. _ : @ -`."""
    source: StreamUrl | None = None
    """Where to pull media from; None: media are pushed."""
    biz: str = "default"
    """The business it belongs to; picks the policy where none is named."""
    policy: str | None = None
    """Policy id, where the business's own is not meant."""
    title: str | None = None
    anchor_uid: str | None = None
    pass_through: Mapping[str, Any] = field(default_factory=dict)
    """Handed on with every alert, unread."""

    @classmethod
    def from_body(cls, room_id: str, body: object, *, urls: UrlPolicy) -> RoomSpec:
        """Check a decoded JSON body.

        Raises:
            InvalidSample: the id, a field or the source is wrong; the message names it and what would be right.
        """
        _check_room_id(room_id)
        if not isinstance(body, Mapping):
            raise InvalidSample(f"a room must be a JSON object with any of {', '.join(_FIELDS)}, got {type(body).__name__}")
        unknown = sorted(set(body) - {*_FIELDS, "room_id"})
        if unknown:
            raise InvalidSample(f"unknown room field {unknown[0]!r}; known: {', '.join(_FIELDS)}")
        if body.get("room_id", room_id) != room_id:
            raise InvalidSample(f"room_id in the body is {str(body['room_id'])[:160]!r}, but the room is {room_id!r}; leave it out")
        source = _text(body, "source", 4096)
        return cls(
            room_id=room_id,
            source=StreamUrl.parse(source, urls) if source else None,
            biz=_text(body, "biz", 64) or "default",
            policy=_text(body, "policy", 64),
            title=_text(body, "title", 500),
            anchor_uid=_text(body, "anchor_uid", 128),
            pass_through=_pass_through(body.get("pass_through")),
        )

    def body(self, *, reveal: bool) -> dict[str, Any]:
        """Write the room as a body again.

        Args:
            reveal: whether the source's stream key is written out (for the worker's own disk) or masked (for anybody's eyes).
        """
        source = None if self.source is None else self.source.reveal() if reveal else self.source.masked
        return {
            "source": source,
            "biz": self.biz,
            "policy": self.policy,
            "title": self.title,
            "anchor_uid": self.anchor_uid,
            "pass_through": dict(self.pass_through),
        }


def _check_room_id(room_id: str) -> None:
    if not _ROOM_ID.fullmatch(room_id):
        raise InvalidSample(f"room_id must be 1..128 letters, digits or . _ : @ -, got {room_id[:160]!r}")


def _text(body: Mapping[str, Any], name: str, max_chars: int) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidSample(f"room field {name} must be a string, got {type(value).__name__}")
    if len(value) > max_chars:
        raise InvalidSample(f"room field {name} may have {max_chars} characters, got {len(value)}")
    return value


def _pass_through(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidSample(f"room field pass_through must be a JSON object, got {type(value).__name__}")
    n_bytes = len(msgspec.json.encode(value))
    if n_bytes > MAX_PASS_THROUGH_BYTES:
        raise InvalidSample(f"room field pass_through may have {MAX_PASS_THROUGH_BYTES} bytes as JSON, got {n_bytes}")
    return dict(value)


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One session of a room: from when it is first watched until it ends; its id is the same for whoever computes it again."""

    room: RoomSpec
    session_id: str
    started_at: datetime
    """Aware UTC moment of the timeline's 0."""
    started_s: float
    """The same moment on the machine's monotonic clock."""

    @classmethod
    def begin(cls, room: RoomSpec, *, started_at: datetime, started_s: float) -> Broadcast:
        """Start a session; room and start make its id."""
        digest = hashlib.sha256(f"{room.room_id}\n{started_at.isoformat()}".encode()).hexdigest()
        return cls(room, digest[:16], started_at, started_s)

    def at_s(self, now_s: float) -> float:
        """Return a monotonic moment on the session's timeline, seconds, never negative."""
        return max(0.0, now_s - self.started_s)


@dataclass(frozen=True, slots=True)
class SavedRoom:
    """A broadcast as it is kept on the worker's own disk."""

    room_id: str
    body: dict[str, Any]
    """As `RoomSpec.body`, the stream key written out."""
    session_id: str
    started_at: datetime

    def broadcast(self, urls: UrlPolicy, *, utc: datetime, now_s: float) -> Broadcast:
        """Take the broadcast up again, its timeline going on.

        Raises:
            InvalidSample: the rules for sources do not allow it any more.
        """
        room = RoomSpec.from_body(self.room_id, self.body, urls=urls)
        return Broadcast(room, self.session_id, self.started_at, now_s - (utc - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class SavedRooms:
    """All broadcasts of a worker at one moment."""

    at: datetime
    rooms: list[SavedRoom]

    @classmethod
    def of(cls, broadcasts: Sequence[Broadcast], *, at: datetime) -> SavedRooms:
        """Write broadcasts down."""
        return cls(
            at, [SavedRoom(one.room.room_id, one.room.body(reveal=True), one.session_id, one.started_at) for one in broadcasts]
        )
