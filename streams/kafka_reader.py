"""Reads Kafka topics, alone or in a consumer group, on a thread of its own; what a message means is its receiver's business.

Only who shares partitions joins a group, and the client is not trusted with it: it joins when it knows the topics, and looks after
itself among the group's members, since its heartbeats may stop for good after the group was divided anew (measured).
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
METADATA_MAX_AGE_MS = 60_000
"""After how long a client learns of new partitions."""
LOOK_S = 15.0
"""How often a reader makes sure that it still reads what it should, seconds."""


class KafkaConsumerLoop:
    """Reads topics on a background thread and gives each message to its inbox, at least once.

    An offset is committed after its message was taken. With `from_start` nothing is committed and every assignment is read from its
    beginning: that is how a compacted topic tells its whole state. The broker may be down at any time, the start included.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[Topic],
        inbox: Inbox,
        *,
        shared: bool = False,
        from_start: bool = False,
        metrics: Metrics,
    ) -> None:
        """Set a reader up.

        Args:
            settings: of the broker; the group's name begins with `group_id`.
            topics: what is read.
            inbox: takes the messages.
            shared: read this member's share of the partitions among its group; else all of them.
            from_start: read everything from its beginning.
            metrics: counts failures.
        """
        self._settings, self._topics, self._inbox, self._metrics = settings, tuple(topics), inbox, metrics
        self._shared = shared
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
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            allow_auto_create_topics=False,
        )
        try:
            self._wait_for_topics(consumer)
            self._begin(consumer)
            share = Share(self._settings, group if self._shared else None, self._topics)
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

    def _begin(self, consumer: Any) -> None:
        if self._shared:
            consumer.subscribe([str(topic) for topic in self._topics], listener=_Rebalance(self, consumer))
            return
        partitions = sorted(_partitions(consumer, self._topics))
        consumer.assign(partitions)
        self.on_assigned(consumer, partitions)

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
    """Makes sure now and then that a reader reads what it should, whatever its client believes."""

    def __init__(self, settings: KafkaSettings, group: str | None, topics: Sequence[Topic]) -> None:
        """Begin; `group` is None for a reader of all partitions."""
        self._settings, self._group, self._topics = settings, group, topics
        self._looked_s: float | None = None

    def check(self, consumer: Any, *, now_s: float) -> None:
        """Look, if it is time.

        Raises:
            SinkUnavailable: partitions are read by nobody, or the group does not know this reader; it is to be opened anew.
        """
        if self._looked_s is None:
            self._looked_s = now_s
        elif now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            lost = self._lost(consumer)
            if lost:
                raise SinkUnavailable(lost)

    def _lost(self, consumer: Any) -> str | None:
        """Say what is wrong; None where nothing is, or nobody can be asked."""
        own, there = set(consumer.assignment()), _partitions(consumer, self._topics)
        if self._group is None:
            return f"partitions were added: {_named(there - own)}" if there - own else None
        try:
            described = self._described(self._group)
        except (kafka_errors.KafkaError, OSError) as exc:
            log.info("cannot ask who reads what", extra={"group": self._group, "reason": said(exc)})
            return None
        if described["group_state"] not in ("Stable", "Empty", "Dead"):
            return None  # while the group divides anew, partitions are nobody's by right
        if own and consumer.group_metadata().member_id not in {member["member_id"] for member in described["members"]}:
            return f"group {self._group} has forgotten this reader"
        unread = there - _given(described)
        return f"nobody in group {self._group} reads {_named(unread)}" if unread else None

    def _described(self, group: str) -> Mapping[str, Any]:
        admin = open_client(KafkaAdminClient, **client_options(self._settings))
        try:
            return dict(admin.describe_groups([group])[group])
        finally:
            admin.close()


def _partitions(consumer: Any, topics: Sequence[Topic]) -> set[TopicPartition]:
    names = [str(topic) for topic in topics]
    return {TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name)}


def _named(partitions: set[TopicPartition]) -> str:
    return ", ".join(f"{one.topic}[{one.partition}]" for one in sorted(partitions))


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
