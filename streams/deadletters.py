"""Dead letters: what is written down of a message that could not be understood or sent.

Owns what may be shown of it: never an address, because a room's source carries its stream key.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from streams.alerts import DeadLetter
from streams.cloudevents import MAX_NAME_BYTES, stable_id

MAX_EXCERPT_CHARS = 2000
MAX_REASON_CHARS = 1000

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*):(?:\\*/){2}[^\s\"'<>,;]*", re.IGNORECASE)
"""An address as it stands in text or JSON, where slashes may be escaped."""


def masked(text: str) -> str:
    """Return the text with every address reduced to its scheme."""
    return _ADDRESS.sub(r"\1://***", text)


@dataclass(frozen=True, slots=True)
class LostMessage:
    """A message that was given up, with where it stood."""

    topic: str
    """Where it came from, or was going to."""
    key: str
    value: bytes
    partition: int | None = None
    """Where it was read; None for one of ours."""
    offset: int | None = None
    ce_id: str | None = None
    """Id of our event that could not be sent."""


def dead_letter(lost: LostMessage, reason: str, *, at: datetime) -> DeadLetter:
    """Describe a message that was given up; the same message makes the same letter, so it is told once.

    Args:
        lost: the message.
        reason: why it was given up; addresses in it are masked.
        at: aware UTC moment of the message, or of giving it up.
    """
    digest = hashlib.sha256(lost.value).hexdigest()
    return DeadLetter(
        dead_id=stable_id("dead", lost.topic, str(lost.partition), str(lost.offset), lost.ce_id or digest),
        at=at,
        key=lost.key.encode("utf-8", "replace")[:MAX_NAME_BYTES].decode("utf-8", "ignore"),
        topic=lost.topic,
        reason=masked(reason)[:MAX_REASON_CHARS],
        excerpt=masked(lost.value[: 4 * MAX_EXCERPT_CHARS].decode("utf-8", "replace"))[:MAX_EXCERPT_CHARS],
        n_bytes=len(lost.value),
        sha256=digest,
        partition=lost.partition,
        offset=lost.offset,
        ce_id=lost.ce_id,
    )
