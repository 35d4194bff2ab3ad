"""What is told to the moderation backend: the messages of every topic, field for field as they are on the wire, and their encoding.

Owns the wire. Building an alert from a tracker's transition is `streams/reports.py`; nothing that decides imports this module.
JSON Schemas of every message lie in `streams/schemas/`, the topics in `deploy/asyncapi.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from inference.samples import Modality
from inference.verdicts import Box, Decision
from streams.cloudevents import MAX_VALUE_BYTES, CloudEvent, stable_id
from streams.trimming import smaller

SOURCE = "/livewarden"
SCHEMA_VERSION = "1.0"


class Topic(StrEnum):
    """The topics that Livewarden writes and reads."""

    VIOLATIONS = "livewarden.violations.v1"
    LIFECYCLE = "livewarden.lifecycle.v1"
    ROOMS = "livewarden.rooms.v1"
    REVIEWS = "livewarden.reviews.v1"
    SHADOW = "livewarden.shadow.v1"
    DEAD = "livewarden.dead.v1"


class ViolationKind(StrEnum):
    """Where in its life a violation is."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    RETRACTED = "retracted"


class RoomKind(StrEnum):
    """What happened to the watching of a room."""

    STARTED = "started"
    DEGRADED = "degraded"
    RECOVERED = "recovered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class DetectorNote:
    """Which detector and model said it."""

    name: str
    model: str | None = None
    """`name@version`; None for a detector without a model."""
    sha256: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyNote:
    """Which rule of which policy decided."""

    id: str
    version: int
    rule: str
    """The label pattern that the rule is written under."""


@dataclass(frozen=True, slots=True)
class Temporal:
    """When it was seen, and how often among the samples looked at."""

    hits: int
    window: int
    first_seen_s: float
    """Session timeline, seconds."""
    last_seen_s: float
    """Session timeline, seconds."""
    captured_at: datetime
    """Aware UTC moment of the sample that made this alert."""


@dataclass(frozen=True, slots=True)
class StillEvidence:
    """One stored picture of the room, clean; what is on it is said by boxes."""

    pts_s: float
    """Session timeline, seconds."""
    captured_at: datetime
    uri: str
    sha256: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    boxes: tuple[Box, ...] = ()
    text: str | None = None
    """The line read from the picture."""
    qr: str | None = None
    """Payload of the code on the picture."""


@dataclass(frozen=True, slots=True)
class AudioEvidence:
    """One stored clip of the room's sound."""

    start_s: float
    """Session timeline, seconds."""
    end_s: float
    """Session timeline, seconds, exclusive."""
    uri: str
    sha256: str
    transcript: str | None = None
    spans: tuple[tuple[int, int], ...] = ()
    """Half-open code-point ranges of the transcript."""


@dataclass(frozen=True, slots=True)
class StripEvidence:
    """A few seconds around the violation as one moving picture."""

    start_s: float
    """Session timeline of the first picture, seconds."""
    end_s: float
    """Session timeline of the last picture, seconds."""
    uri: str
    sha256: str
    n_frames: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """The saved media that show the violation, by reference."""

    frames: tuple[StillEvidence, ...] = ()
    audio: tuple[AudioEvidence, ...] = ()
    strips: tuple[StripEvidence, ...] = ()
    notes: tuple[str, ...] = ()
    """What is not here and why: `missing: <reason>` where a file could not be stored, `trimmed: <what>` where the limit bit."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in words for a person."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ViolationAlert:
    """Data of `livewarden.violation.*`: one violation at one moment of its life."""

    violation_id: str
    kind: ViolationKind
    seq: int
    """1 for the opening, then one more for each alert of this violation."""
    room_id: str
    session_id: str
    biz: str
    anchor_uid: str | None
    decision: Decision
    severity: int
    """1 low .. 4 critical."""
    action_hint: str
    label: str
    sublabel: str | None
    score: float
    """Calibrated, 0..1."""
    modality: Modality
    detector: DetectorNote
    policy: PolicyNote
    temporal: Temporal
    reason: Reason
    evidence: Evidence = field(default_factory=Evidence)
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of each stage: capture_to_queue, queue_to_batch, infer, decide, capture_to_publish; those that were measured."""
    pass_through: Mapping[str, Any] = field(default_factory=dict)
    """What the platform gave with the room, unread."""
    schema_version: str = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class RoomAlert:
    """Data of `livewarden.room.*`: whether a room is being watched."""

    kind: RoomKind
    seq: int
    """1 for the first alert of the session, then one more each."""
    room_id: str
    session_id: str
    biz: str
    at: datetime
    """Aware UTC moment of the change."""
    at_s: float
    """The same moment on the session's timeline, seconds."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a modality is blind, by modality: `no_stream`, `decode_error`, `overload`, `model_down`, ..."""
    blind_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds of this session without a scored sample, by modality."""
    watched_s: float = 0.0
    """Seconds of this session so far."""
    worker: str = ""
    """Which worker says so."""
    worker_url: str | None = None
    """Where that worker takes pushed media and danmaku of the room, where it says so."""
    pass_through: Mapping[str, Any] = field(default_factory=dict)
    schema_version: str = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class ShadowAlert:
    """Data of `livewarden.shadow.*`: what a candidate would have decided where the live policy decided otherwise."""

    shadow_id: str
    room_id: str
    session_id: str
    biz: str
    candidate: str
    """Policy id or `model@version` of the candidate."""
    live: Decision
    candidate_decision: Decision
    label: str
    score: float
    modality: Modality
    pts_s: float
    captured_at: datetime
    policy: PolicyNote
    """The live policy."""
    schema_version: str = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Data of `livewarden.dead.*`: a message that could not be understood or sent, and why."""

    dead_id: str
    at: datetime
    key: str
    """The message's own key, the room's id where it had one; may be empty."""
    topic: str
    """Where it came from or was going to."""
    reason: str
    excerpt: str
    """Start of the message as text, addresses masked."""
    n_bytes: int
    """Size of the message's value."""
    sha256: str
    """Of the message's value."""
    partition: int | None = None
    offset: int | None = None
    ce_id: str | None = None
    """Id of the event that could not be sent, where it is one of ours."""
    schema_version: str = SCHEMA_VERSION


Alert = ViolationAlert | RoomAlert | ShadowAlert | DeadLetter

SHADOW_TYPE = "livewarden.shadow.decided.v1"
DEAD_TYPE = "livewarden.dead.received.v1"


def _plain(foreign: object) -> object:
    """Say what `pass_through` may hold beyond JSON: read-only mappings as objects, anything else by its text."""
    return dict(foreign) if isinstance(foreign, Mapping) else str(foreign)


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def violation_type(kind: ViolationKind) -> str:
    """CloudEvents type of a violation alert."""
    return f"livewarden.violation.{kind}.v1"


def room_type(kind: RoomKind) -> str:
    """CloudEvents type of a lifecycle alert."""
    return f"livewarden.room.{kind}.v1"


def encode(alert: Alert) -> CloudEvent:
    """Encode an alert; one that is too large is trimmed in a stated order (`streams/trimming.py`), never refused."""
    match alert:
        case ViolationAlert():
            return _violation_event(alert)
        case RoomAlert():
            return _room_event(alert)
        case ShadowAlert():
            return _shadow_event(alert)
        case DeadLetter():
            return _dead_event(alert)


def value_of(alert: Alert) -> bytes:
    """Encode an alert's data as JSON of at most `MAX_VALUE_BYTES`."""
    try:
        value = _encoder.encode(alert)
    except UnicodeEncodeError:
        value = _encoder.encode(_scrubbed(msgspec.to_builtins(alert, enc_hook=_plain)))
    return value if len(value) <= MAX_VALUE_BYTES else smaller(value, limit_bytes=MAX_VALUE_BYTES)


def _scrubbed(part: Any) -> Any:
    """Replace halves of surrogate pairs, which UTF-8 cannot carry, by U+FFFD."""
    if isinstance(part, str):
        return part.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(part, dict):
        return {_scrubbed(name): _scrubbed(entry) for name, entry in part.items()}
    return [_scrubbed(entry) for entry in part] if isinstance(part, list | tuple) else part


def _violation_event(alert: ViolationAlert) -> CloudEvent:
    return CloudEvent(
        id=f"{alert.violation_id}.{alert.seq}.{alert.kind}",
        type=violation_type(alert.kind),
        source=SOURCE,
        time=alert.temporal.captured_at,
        topic=Topic.VIOLATIONS,
        key=alert.room_id,
        subject=alert.violation_id,
        value=value_of(alert),
        severity=alert.severity,
    )


def _room_event(alert: RoomAlert) -> CloudEvent:
    return CloudEvent(
        id=stable_id(alert.room_id, alert.session_id, str(alert.seq), alert.kind),
        type=room_type(alert.kind),
        source=SOURCE,
        time=alert.at,
        topic=Topic.LIFECYCLE,
        key=alert.room_id,
        subject=alert.room_id,
        value=value_of(alert),
        severity=2 if alert.kind is RoomKind.DEGRADED else 1,
    )


def _shadow_event(alert: ShadowAlert) -> CloudEvent:
    return CloudEvent(
        id=alert.shadow_id,
        type=SHADOW_TYPE,
        source=SOURCE,
        time=alert.captured_at,
        topic=Topic.SHADOW,
        key=alert.room_id,
        subject=alert.candidate,
        value=value_of(alert),
        severity=0,
    )


def _dead_event(letter: DeadLetter) -> CloudEvent:
    return CloudEvent(
        id=letter.dead_id,
        type=DEAD_TYPE,
        source=SOURCE,
        time=letter.at,
        topic=Topic.DEAD,
        key=letter.key,
        subject=letter.topic,
        value=value_of(letter),
        severity=0,
    )
