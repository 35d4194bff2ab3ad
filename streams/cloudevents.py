"""CloudEvents 1.0 in Kafka's binary mode: attributes travel as `ce_*` headers, the JSON data as the value.

Owns the envelope and its limits. What the data say is `streams/alerts.py`; how it reaches a broker is `streams/kafka.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from inference.clock import rfc3339

MAX_VALUE_BYTES = 60 * 1024
"""Largest value that is written, bytes. With key, headers and the record's own framing a message stays within 64 KiB."""

MAX_MESSAGE_BYTES = 64 * 1024
"""Largest message, key and headers included, bytes."""

MAX_NAME_BYTES = 512
"""Largest key, id or subject, bytes of UTF-8; rooms with longer ids are refused when they are added."""

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Header:
    """One Kafka header."""

    name: str
    value: bytes


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One message, encoded and ready for the outbox; equal inputs make equal events."""

    id: str
    """Deterministic; consumers dedupe on it."""
    type: str
    """Reverse-dotted kind with its version, e.g. `livewarden.violation.opened.v1`."""
    source: str
    """Who says it, a URI reference. The same on every worker, because the id is, too."""
    time: datetime
    """Aware UTC moment of what is told, not of its sending."""
    topic: str
    key: str
    """The room's id: Kafka keeps the order of one key."""
    subject: str
    """What it is about: the violation's id, the room's id."""
    value: bytes
    """UTF-8 JSON, at most `MAX_VALUE_BYTES`."""
    severity: int = 1
    """1 low .. 4 critical; decides who is sent first after an outage. Not on the wire."""

    def __post_init__(self) -> None:
        for name in ("id", "type", "source", "topic"):
            if not getattr(self, name):
                raise ValueError(f"{name} of a cloud event must not be empty")
        for name in ("id", "key", "subject"):
            n_bytes = len(getattr(self, name).encode())
            if n_bytes > MAX_NAME_BYTES:
                raise ValueError(f"{name} of a cloud event must be at most {MAX_NAME_BYTES} bytes, got {n_bytes}")
        if len(self.value) > MAX_VALUE_BYTES:
            raise ValueError(f"value of {self.id} must be at most {MAX_VALUE_BYTES} bytes, got {len(self.value)}")

    def __repr__(self) -> str:
        return f"CloudEvent({self.type} {self.id} -> {self.topic}, {len(self.value)} bytes)"

    @property
    def headers(self) -> tuple[Header, ...]:
        """The attributes as Kafka headers, in a fixed order."""
        attributes = (
            ("ce_specversion", SPEC_VERSION),
            ("ce_id", self.id),
            ("ce_type", self.type),
            ("ce_source", self.source),
            ("ce_time", rfc3339(self.time)),
            ("ce_subject", self.subject),
            ("content-type", CONTENT_TYPE),
        )
        return tuple(Header(name, text.encode()) for name, text in attributes if text)

    @property
    def n_bytes(self) -> int:
        """Size of value, key and headers, bytes."""
        return len(self.value) + len(self.key.encode()) + sum(len(header.name) + len(header.value) for header in self.headers)


def header(headers: Iterable[Header], name: str) -> str | None:
    """Return the first header of that name as text, or None where it is absent or not UTF-8."""
    for entry in headers:
        if entry.name == name:
            try:
                return entry.value.decode()
            except UnicodeDecodeError:
                return None
    return None


def stable_id(*parts: str) -> str:
    """Return 32 hex digits that are the same for the same parts everywhere; parts cannot run into one another."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(4, "big"))
        digest.update(encoded)
    return digest.hexdigest()[:32]
