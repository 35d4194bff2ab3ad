"""What was found, to be asked: the latest state of every violation, its media, and what people said of it.

Fed from the outbox (`streams/index_feed.py`), idempotent by `ce_id`, safe from any thread and for several workers on one database.
It can be thrown away: the outbox and Kafka hold the events themselves.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from inference.errors import InvalidSample, NotFound
from inference.verdicts import Decision
from streams.alerts import Topic, ViolationKind
from streams.cloudevents import CloudEvent, stable_id
from streams.index_tables import alerts, open_database, positions, reviews, violations

MAX_PAGE = 500

Data = dict[str, Any]


class ViolationState(StrEnum):
    """Where a violation stands."""

    OPEN = "open"
    CLOSED = "closed"
    RETRACTED = "retracted"


class ReviewAction(StrEnum):
    """What a person says of a violation."""

    CONFIRM = "confirm"
    OVERTURN = "overturn"
    RELABEL = "relabel"
    UNDO = "undo"
    """Take the latest of the others back."""


class MediaKind(StrEnum):
    """What a piece of evidence is."""

    STILL = "still"
    AUDIO = "audio"
    STRIP = "strip"


@dataclass(frozen=True, slots=True)
class ViolationQuery:
    """Which violations; None asks for any. Newest first."""

    room_id: str | None = None
    label: str | None = None
    """A code, or a family as `ads.*`."""
    decision: Decision | None = None
    state: ViolationState | None = None
    since: datetime | None = None
    """Opened at or after, aware."""
    until: datetime | None = None
    """Opened before, aware."""
    review: ReviewAction | None = None
    """What people say of it at present."""
    limit: int = 50
    """1..500."""
    cursor: str | None = None
    """Where the page before ended."""

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_PAGE:
            raise InvalidSample(f"limit must be within 1..{MAX_PAGE}, got {self.limit}")
        for name in ("since", "until"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise InvalidSample(f"{name} must have a time zone, got {moment.isoformat()}")


@dataclass(frozen=True, slots=True)
class Media:
    """One stored file that shows a violation."""

    kind: MediaKind
    data: Mapping[str, Any]
    """As in the alert: uri, sha256, boxes, transcript, ..."""

    @property
    def uri(self) -> str:
        """Where it is stored."""
        return str(self.data["uri"])


@dataclass(frozen=True, slots=True)
class StoredViolation:
    """One violation as it stands."""

    violation_id: str
    state: ViolationState
    opened_at: datetime
    data: Mapping[str, Any]
    """Its latest alert, as on the wire."""
    media: tuple[Media, ...]
    """Every file that ever showed it, in order of arrival; the place in this list never changes."""
    review: ReviewAction | None
    """What people say of it at present."""
    review_label: str | None
    """The right label, where they relabelled it."""


@dataclass(frozen=True, slots=True)
class ViolationPage:
    """Some violations, and where to read on."""

    violations: tuple[StoredViolation, ...]
    cursor: str | None
    """None where there are no more."""


@dataclass(frozen=True, slots=True)
class Review:
    """What one person said of one violation."""

    violation_id: str
    action: ReviewAction
    at: datetime
    label: str | None = None
    """With RELABEL: the right label."""
    reviewer: str | None = None
    note: str | None = None
    review_id: str | None = None
    """Dedupes repeats; derived from the rest where it is not given."""

    @property
    def id(self) -> str:
        """Its id, given or derived."""
        parts = (self.violation_id, self.action, self.at.isoformat(), self.label or "", self.reviewer or "", self.note or "")
        return self.review_id or stable_id("review", *parts)


class ViolationIndex:
    """Every method may block on the database: call them from threads, not from an event loop."""

    def __init__(self, address: str) -> None:
        """Open the database.

        Raises:
            ConfigError: the address cannot be used.
        """
        self._engine = open_database(address)
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def apply(self, events: Sequence[CloudEvent], *, position: tuple[str, int] | None = None) -> int:
        """Take events in, in any order, as often as they come; returns how many were new. Others than violations are passed over.

        Args:
            events: as they were committed.
            position: name of the feed and the outbox row up to which it is now; saved in the same transaction.
        """
        wanted = {event.id: event for event in events if event.topic == Topic.VIOLATIONS}
        try:
            return self._apply(wanted, position)
        except IntegrityError:
            return self._apply(wanted, position)  # another worker put the same event in between our look and our writing

    def position(self, name: str) -> int:
        """Return up to which outbox row that feed has been taken in; 0 for a new one."""
        with self._reading.connect() as connection:
            return connection.scalar(select(positions.c.seq).where(positions.c.name == name)) or 0

    def get(self, violation_id: str) -> StoredViolation:
        """Return one violation.

        Raises:
            NotFound: there is none of that id.
        """
        with self._reading.connect() as connection:
            row = connection.execute(select(violations).where(violations.c.violation_id == violation_id)).first()
        if row is None:
            raise NotFound(f"no violation {violation_id!r}")
        return _stored(row)

    def history(self, violation_id: str) -> tuple[Mapping[str, Any], ...]:
        """Return every alert of one violation in order, as on the wire."""
        query = select(alerts.c.data).where(alerts.c.violation_id == violation_id).order_by(alerts.c.seq)
        with self._reading.connect() as connection:
            return tuple(msgspec.json.decode(data) for data in connection.scalars(query))

    def find(self, query: ViolationQuery) -> ViolationPage:
        """Return one page.

        Raises:
            InvalidSample: the cursor is none of ours.
        """
        statement = _where(select(violations), query).order_by(violations.c.opened_s.desc(), violations.c.violation_id.desc())
        with self._reading.connect() as connection:
            rows = connection.execute(statement.limit(query.limit + 1)).all()
        page, more = rows[: query.limit], len(rows) > query.limit
        return ViolationPage(tuple(map(_stored, page)), _cursor(page[-1]) if more else None)

    def evidence(self, violation_id: str, n: int) -> Media:
        """Return the n-th file of a violation, from 0 in order of arrival; a file's number never changes.

        Raises:
            NotFound: there is no such violation or file.
        """
        media = self.get(violation_id).media
        if not 0 <= n < len(media):
            raise NotFound(f"violation {violation_id!r} has {len(media)} pieces of evidence, counted from 0; got {n}")
        return media[n]

    def review(self, review: Review) -> StoredViolation:
        """Write down what a person said; the same said again changes nothing. Returns the violation as it stands then.

        Raises:
            NotFound: there is no such violation.
            InvalidSample: a relabelling without a label, or nothing to undo.
        """
        if review.action is ReviewAction.RELABEL and not review.label:
            raise InvalidSample("relabel needs the right label")
        self.get(review.violation_id)
        with self._writing, self._engine.begin() as connection:
            said = _reviews_of(connection, review.violation_id)
            if not _is_repeat(review, said):
                said = (*said, review)
                standing = _standing(said)
                connection.execute(insert(reviews).values(_review_row(review)))
                change = {"review": standing and standing.action, "review_label": standing and standing.label}
                connection.execute(update(violations).where(violations.c.violation_id == review.violation_id).values(change))
        return self.get(review.violation_id)

    def reviews(self, violation_id: str) -> tuple[Review, ...]:
        """Return everything that was said of one violation, in order."""
        with self._reading.connect() as connection:
            return _reviews_of(connection, violation_id)

    def _apply(self, wanted: Mapping[str, CloudEvent], position: tuple[str, int] | None) -> int:
        with self._writing, self._engine.begin() as connection:
            known = set(connection.scalars(select(alerts.c.ce_id).where(alerts.c.ce_id.in_(list(wanted))))) if wanted else set()
            fresh = {ce_id: msgspec.json.decode(event.value) for ce_id, event in wanted.items() if ce_id not in known}
            if fresh:
                connection.execute(insert(alerts), [_alert_row(ce_id, data, wanted[ce_id]) for ce_id, data in fresh.items()])
                _merge(connection, list(fresh.values()))
            if position is not None:
                _move(connection, *position)
        return len(fresh)


def _merge(connection: Connection, fresh: Sequence[Data]) -> None:
    """Bring violations up to their latest alert, and add the media that are new."""
    ids = list(dict.fromkeys(data["violation_id"] for data in fresh))
    found = connection.execute(select(violations).where(violations.c.violation_id.in_(ids)))
    standing: dict[str, Data] = {row.violation_id: dict(row._mapping) for row in found}
    known = set(standing)
    for data in sorted(fresh, key=lambda data: int(data["seq"])):
        row = standing.get(data["violation_id"])
        media = _media_of(data) if row is None else _joined(msgspec.json.decode(row["media"]), _media_of(data))
        opened_s = _wall_s(data) if row is None else min(row["opened_s"], _wall_s(data))
        latest = data if row is None or data["seq"] >= row["seq"] else msgspec.json.decode(row["data"])
        standing[data["violation_id"]] = {
            **(row or {"review": None, "review_label": None}),
            **{
                name: latest[name]
                for name in ("violation_id", "seq", "room_id", "session_id", "biz", "label", "decision", "severity")
            },
            "state": _state(latest["kind"]),
            "opened_s": opened_s,
            "data": msgspec.json.encode(latest),
            "media": msgspec.json.encode(media),
        }
    added = [row for violation_id, row in standing.items() if violation_id not in known]
    if added:
        connection.execute(insert(violations), added)
    for violation_id in known:
        change = {name: value for name, value in standing[violation_id].items() if not name.startswith("review")}
        connection.execute(update(violations).where(violations.c.violation_id == violation_id).values(change))


def _move(connection: Connection, name: str, seq: int) -> None:
    if connection.execute(update(positions).where(positions.c.name == name).values(seq=seq)).rowcount == 0:
        connection.execute(insert(positions).values(name=name, seq=seq))


def _alert_row(ce_id: str, data: Data, event: CloudEvent) -> Data:
    return {"ce_id": ce_id, "violation_id": data["violation_id"], "seq": data["seq"], "data": event.value}


def _media_of(data: Data) -> list[Data]:
    evidence = data["evidence"]
    kinds = ((MediaKind.STILL, "frames"), (MediaKind.AUDIO, "audio"), (MediaKind.STRIP, "strips"))
    return [{"kind": kind, "data": entry} for kind, name in kinds for entry in evidence.get(name, [])]


def _joined(old: list[Data], new: list[Data]) -> list[Data]:
    uris = {entry["data"]["uri"] for entry in old}
    return old + [entry for entry in new if entry["data"]["uri"] not in uris]


def _state(kind: str) -> ViolationState:
    if kind == ViolationKind.CLOSED:
        return ViolationState.CLOSED
    return ViolationState.RETRACTED if kind == ViolationKind.RETRACTED else ViolationState.OPEN


def _wall_s(data: Data) -> float:
    return datetime.fromisoformat(data["temporal"]["captured_at"]).timestamp()


def _where(statement: Select[Any], query: ViolationQuery) -> Select[Any]:
    column = violations.c
    for name in ("room_id", "decision", "state", "review"):
        wanted = getattr(query, name)
        if wanted is not None:
            statement = statement.where(column[name] == wanted)
    if query.label is not None:
        family = query.label.removesuffix("*")
        is_family = query.label.endswith(".*")
        statement = statement.where(column.label.startswith(family, autoescape=True) if is_family else column.label == query.label)
    if query.since is not None:
        statement = statement.where(column.opened_s >= query.since.timestamp())
    if query.until is not None:
        statement = statement.where(column.opened_s < query.until.timestamp())
    if query.cursor is not None:
        opened_s, violation_id = _read_cursor(query.cursor)
        same = and_(column.opened_s == opened_s, column.violation_id < violation_id)
        statement = statement.where(or_(column.opened_s < opened_s, same))
    return statement


def _cursor(row: Row[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([row.opened_s, row.violation_id])).decode()


def _read_cursor(cursor: str) -> tuple[float, str]:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=tuple[float, str])
    except (binascii.Error, msgspec.MsgspecError, ValueError) as exc:
        raise InvalidSample(f"cursor {cursor[:100]!r} is none of ours; begin without one") from exc


def _stored(row: Row[Any]) -> StoredViolation:
    media = tuple(Media(MediaKind(entry["kind"]), entry["data"]) for entry in msgspec.json.decode(row.media))
    return StoredViolation(
        violation_id=row.violation_id,
        state=ViolationState(row.state),
        opened_at=datetime.fromtimestamp(row.opened_s, UTC),
        data=msgspec.json.decode(row.data),
        media=media,
        review=ReviewAction(row.review) if row.review else None,
        review_label=row.review_label,
    )


def _reviews_of(connection: Connection, violation_id: str) -> tuple[Review, ...]:
    found = connection.execute(select(reviews).where(reviews.c.violation_id == violation_id).order_by(reviews.c.number))
    return tuple(
        Review(
            row.violation_id,
            ReviewAction(row.action),
            datetime.fromtimestamp(row.at_s, UTC),
            row.label,
            row.reviewer,
            row.note,
            row.review_id,
        )
        for row in found
    )


def _review_row(review: Review) -> Data:
    return {
        "review_id": review.id,
        "violation_id": review.violation_id,
        "action": review.action,
        "label": review.label,
        "reviewer": review.reviewer,
        "note": review.note,
        "at_s": review.at.timestamp(),
    }


def _is_repeat(review: Review, said: Sequence[Review]) -> bool:
    """The same id, or the same words as the latest: a button pressed twice. An undo may well follow an undo."""
    if any(earlier.id == review.id for earlier in said):
        return True
    if not said or review.action is ReviewAction.UNDO:
        return False
    return replace(said[-1], at=review.at, review_id=None) == replace(review, review_id=None)


def _standing(said: Sequence[Review]) -> Review | None:
    """What holds after everything that was said: each undo takes the latest that still holds back."""
    holding: list[Review] = []
    for one in said:
        if one.action is not ReviewAction.UNDO:
            holding.append(one)
        elif holding:
            holding.pop()
        else:
            raise InvalidSample("there is nothing to undo")
    return holding[-1] if holding else None
