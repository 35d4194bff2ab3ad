"""Messages that come in over Kafka: what one is, who receives it, and what happens to one that cannot be understood.

The reading itself is `streams/kafka.py`; what rooms and reviews mean is their receivers' business.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from inference.clock import Clock
from inference.errors import DeadlineExceeded, LivewardenError, NotReady, Overloaded
from streams.alerts import encode
from streams.cloudevents import Header
from streams.deadletters import LostMessage, dead_letter
from streams.outbox import Outbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was read."""

    topic: str
    partition: int
    offset: int
    key: str
    """The room's id; bytes that are no UTF-8 read as U+FFFD."""
    value: bytes | None
    """None for a tombstone."""
    headers: tuple[Header, ...]
    at: datetime
    """Aware UTC moment that the broker gives it."""


class Receiver(Protocol):
    """Who understands the messages of some topics. One call at a time, never two at once; keep each call short."""

    def receive(self, message: Message) -> None:
        """Take one message; it may come again after a crash or a rebalance.

        Raises:
            NotReady, Overloaded, DeadlineExceeded: not now; the same message is given again, nothing after it in its partition
                before that.
            LivewardenError, ValueError: never; it becomes a dead letter with this reason.
        """
        ...

    def assigned(self, partitions: frozenset[int]) -> None:
        """These partitions are ours from now on; with `from_start` all their messages follow from the first."""
        ...

    def revoked(self, partitions: frozenset[int]) -> None:
        """These partitions are somebody else's from now on."""
        ...

    def caught_up(self) -> None:
        """Everything that was there when partitions were assigned has been given; called once after each assignment."""
        ...


class Taken(StrEnum):
    """What became of a message."""

    DONE = "done"
    DEAD = "dead"
    LATER = "later"


class Inbox:
    """Gives messages to their receiver; what cannot be understood goes to the dead letters instead of stopping the partition."""

    def __init__(self, receiver: Receiver, outbox: Outbox, *, clock: Clock) -> None:
        self.receiver = receiver
        self._outbox = outbox
        self._clock = clock

    def take(self, message: Message) -> Taken:
        """Give one message; a dead letter is committed before this returns DEAD."""
        try:
            self.receiver.receive(message)
        except (NotReady, Overloaded, DeadlineExceeded) as exc:
            log.info("message waits", extra={"topic": message.topic, "offset": message.offset, "reason": str(exc)})
            return Taken.LATER
        except (LivewardenError, ValueError) as exc:
            return self._bury(message, str(exc))
        except Exception as exc:  # receiver border: a receiver's mistake must not stop the partition for good
            log.exception("receiver failed", extra={"topic": message.topic, "offset": message.offset})
            return self._bury(message, f"{type(exc).__name__}: {exc}")
        return Taken.DONE

    def _bury(self, message: Message, reason: str) -> Taken:
        value = message.value or b""
        lost = LostMessage(message.topic, message.key, value, message.partition, message.offset)
        try:
            self._outbox.put([encode(dead_letter(lost, reason, at=message.at))]).result()
        except (LivewardenError, OSError) as exc:
            log.warning("dead letter waits", extra={"topic": message.topic, "offset": message.offset, "reason": str(exc)})
            return Taken.LATER
        return Taken.DEAD
