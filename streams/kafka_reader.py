"""Reads Kafka topics in a consumer group, on a thread of its own; what a message means is its receiver's business.

The client is not trusted with the group either: it joins only when it knows the topics, and looks after itself when it was given
nothing to read.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors

from inference.metrics import Metrics
from streams.alerts import Topic
from streams.cloudevents import Header
from streams.inbox import Inbox, Message, Taken
from streams.kafka import client_options, ensure_topics, open_client, said
from streams.settings import KafkaSettings
from streams.sinks import SinkUnavailable

log = logging.getLogger(__name__)

POLL_MS = 250
MAX_POLL_RECORDS = 100
"""Messages taken from the client at once; the bound on what waits for the receiver."""
COMMIT_TIMEOUT_MS = 3000
LATER_PAUSE_S = 1.0
REOPEN_PAUSE_S = 3.0
IDLE_LOOK_S = 15.0
"""How long a member without a partition waits before it asks whether the others have them all."""


class KafkaConsumerLoop:
    """Reads topics in a consumer group on a background thread and gives each message to its inbox, at least once.

    An offset is committed after its message was taken. With `from_start` nothing is committed and every assignment is read from its
    beginning: that is how a compacted topic tells its whole state. The broker may be down at any time, the start included.
    """

    def __init__(
        self, settings: KafkaSettings, topics: Sequence[Topic], inbox: Inbox, *, from_start: bool = False, metrics: Metrics
    ) -> None:
        self._settings, self._topics, self._inbox, self._metrics = settings, tuple(topics), inbox, metrics
        self._from_start = from_start
        self._name = "-".join(topic.split(".")[1] for topic in topics)
        self._targets: dict[TopicPartition, int] = {}
        self._assigned: list[TopicPartition] | None = None
        self._behind = False
        self._stop = threading.Event()
        self._trouble: str | None = "not connected yet"
        self._thread = threading.Thread(target=self._run, name=f"kafka-{self._name}", daemon=True)

    @property
    def trouble(self) -> str | None:
        """Why nothing is read at present, or None."""
        return self._trouble

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Finish the message at hand, commit, leave the group."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    # Below: the consumer thread.

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except Exception as exc:  # noqa: BLE001  client border: whatever it raises, the consumer is opened anew
                log.warning("kafka is not read", extra={"topics": self._topics, "reason": said(exc)})
                self._metrics.kafka_errors.labels(type(exc).__name__).inc()
                self._trouble = said(exc)
                self._stop.wait(REOPEN_PAUSE_S)

    def _read(self) -> None:
        if self._settings.create_topics:
            ensure_topics(self._settings, self._topics)
        group = f"{self._settings.group_id}-{self._name}"
        consumer = open_client(
            KafkaConsumer,
            **client_options(self._settings),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=MAX_POLL_RECORDS,
            session_timeout_ms=10_000,
            reconnect_backoff_max_ms=1000,
            allow_auto_create_topics=False,
        )
        try:
            self._wait_for_topics(consumer)
            consumer.subscribe([str(topic) for topic in self._topics], listener=_Rebalance(self, consumer))
            share = Share(self._settings, group, self._topics)
            while not self._stop.is_set():
                records = consumer.poll(timeout_ms=POLL_MS)
                self._trouble = None
                self._take(consumer, records)
                self._check_caught_up(consumer)
                share.check(consumer, now_s=time.monotonic())
        finally:
            consumer.close(autocommit=False)

    def _wait_for_topics(self, consumer: Any) -> None:
        """Return when the client knows the partitions of all topics.

        A member that joins while they become known may be given none of them and keep none for good: the client compares what it
        divided with what it knows now, and takes an answer that came in between for neither (measured, one join in ten).
        """
        while not self._stop.is_set():
            missing = [topic for topic in self._topics if not consumer.partitions_for_topic(str(topic))]
            if not missing:
                return
            self._trouble = f"kafka has no topic {', '.join(missing)}; create it, or set kafka.create_topics"
            self._stop.wait(REOPEN_PAUSE_S if not self._settings.create_topics else POLL_MS / 1000)

    def _take(self, consumer: Any, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        has_to_wait = False
        for partition, batch in records.items():
            for record in batch:
                if self._stop.is_set() or self._inbox.take(_message(record)) is Taken.LATER:
                    consumer.seek(partition, record.offset)
                    has_to_wait = True
                    break
        if records and not self._from_start:
            self._commit(consumer)
        if has_to_wait:
            self._stop.wait(LATER_PAUSE_S)

    def _commit(self, consumer: Any) -> None:
        try:
            consumer.commit(timeout_ms=COMMIT_TIMEOUT_MS)
        except (kafka_errors.CommitFailedError, kafka_errors.RebalanceInProgressError, kafka_errors.KafkaTimeoutError) as exc:
            log.info("offsets not committed, messages come again", extra={"reason": said(exc)})

    def _check_caught_up(self, consumer: Any) -> None:
        if self._assigned is not None:
            self._targets = dict(consumer.end_offsets(self._assigned)) if self._assigned else {}
            self._assigned, self._behind = None, True
        if not self._behind:
            return
        own = consumer.assignment()
        if all(partition not in own or has_reached(consumer, partition, end) for partition, end in self._targets.items()):
            self._behind = False
            self._inbox.receiver.caught_up()

    def on_assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Take partitions; called while `poll` waits for the group, where nothing may be asked of the broker."""
        if self._from_start and partitions:
            consumer.seek_to_beginning(*partitions)
        self._assigned = partitions
        self._inbox.receiver.assigned(frozenset(partition.partition for partition in partitions))

    def on_revoked(self, partitions: list[TopicPartition]) -> None:
        """Give partitions up; called like `on_assigned`. All that was taken is committed already."""
        self._inbox.receiver.revoked(frozenset(partition.partition for partition in partitions))


class Share:
    """Notices partitions that the group has given to nobody while this member sits idle: nothing else would ever read them."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[Topic]) -> None:
        self._settings, self._group, self._topics = settings, group, topics
        self._idle_since_s: float | None = None

    def check(self, consumer: Any, *, now_s: float) -> None:
        """Look after a while without a partition, and again as long as there is none.

        Raises:
            SinkUnavailable: the group is settled and leaves partitions out; join it anew.
        """
        if consumer.assignment():
            self._idle_since_s = None
        elif self._idle_since_s is None:
            self._idle_since_s = now_s
        elif now_s - self._idle_since_s >= IDLE_LOOK_S:
            self._idle_since_s = now_s
            unread = ", ".join(f"{one.topic}[{one.partition}]" for one in self._unread(consumer))
            if unread:
                raise SinkUnavailable(f"nobody in group {self._group} reads {unread}")

    def _unread(self, consumer: Any) -> list[TopicPartition]:
        names = [str(topic) for topic in self._topics]
        there = {TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name)}
        try:
            described = self._described()
        except (kafka_errors.KafkaError, OSError) as exc:
            log.info("cannot ask who reads what", extra={"group": self._group, "reason": said(exc)})
            return []
        # While the group divides anew, partitions are nobody's by right.
        return sorted(there - _given(described)) if described["group_state"] == "Stable" else []

    def _described(self) -> Mapping[str, Any]:
        admin = open_client(KafkaAdminClient, **client_options(self._settings))
        try:
            return dict(admin.describe_groups([self._group])[self._group])
        finally:
            admin.close()


def has_reached(consumer: Any, partition: TopicPartition, end: int) -> bool:
    """Tell whether everything before an offset was read.

    Never without a limit: while the group divides anew, a client that waits for a position waits for ever, since only `poll` joins
    the group again; its heartbeats are off meanwhile, and the broker takes it for dead (one start in two on a busy machine).
    """
    position = consumer.position(partition, timeout_ms=POLL_MS)
    return position is not None and position >= end


def _given(described: Mapping[str, Any]) -> set[TopicPartition]:
    """Return the partitions that members of a described group have."""
    return {
        TopicPartition(entry["topic"], number)
        for member in described["members"]
        for entry in member["member_assignment"]["assigned_partitions"]
        for number in entry["partitions"]
    }


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Passes the group's decisions to the loop."""

    def __init__(self, loop: KafkaConsumerLoop, consumer: Any) -> None:
        self._loop = loop
        self._consumer = consumer

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._loop.on_assigned(self._consumer, list(assigned))

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._loop.on_revoked(list(revoked))


def _message(record: Any) -> Message:
    headers = tuple(Header(name, value or b"") for name, value in record.headers)
    key = (record.key or b"").decode("utf-8", "replace")
    at = datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC)
    return Message(record.topic, record.partition, record.offset, key, record.value, headers, at)
