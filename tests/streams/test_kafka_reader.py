"""Reading Kafka in a group, with a real broker: nobody's partitions, moving ones, messages that wait or make no sense."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from inference.clock import SystemClock
from inference.errors import InvalidSample, NotReady
from inference.metrics import Metrics
from streams import kafka_reader
from streams.alerts import Topic
from streams.inbox import Inbox, Message
from streams.kafka import client_options, ensure_topics, open_client
from streams.kafka_reader import KafkaConsumerLoop, Share, has_reached
from streams.outbox import Outbox
from streams.sinks import SinkUnavailable
from tests.e2e.processes import until
from tests.kafka_broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_reader, "REOPEN_PAUSE_S", 0.2)
    monkeypatch.setattr(kafka_reader, "LATER_PAUSE_S", 0.05)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", clock=SystemClock())
    yield box
    box.close()


class Rooms:
    """A receiver that keeps what it is given and refuses what is no JSON object."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.partitions: set[int] = set()
        self.n_caught_up = 0
        self.not_now = 0
        self.grown = threading.Condition()

    def receive(self, message: Message) -> None:
        with self.grown:
            if self.not_now:
                self.not_now -= 1
                raise NotReady("not now")
            if message.value == b"bug":
                raise RuntimeError("receiver's mistake")
            if message.value is not None and not message.value.startswith(b"{"):
                raise InvalidSample("body is not JSON: rtmp://live.example/app/KEY")
            self.messages.append(message)
            self.grown.notify_all()

    def assigned(self, partitions: frozenset[int]) -> None:
        with self.grown:
            self.partitions |= partitions
            self.grown.notify_all()

    def revoked(self, partitions: frozenset[int]) -> None:
        with self.grown:
            self.partitions -= partitions
            self.grown.notify_all()

    def caught_up(self) -> None:
        with self.grown:
            self.n_caught_up += 1
            self.grown.notify_all()

    def wait(self, condition: str, check: object, timeout_s: float = 30.0) -> None:
        with self.grown:
            assert self.grown.wait_for(check, timeout_s), f"{condition}: {len(self.messages)} messages, {self.partitions}"  # type: ignore[arg-type]


def produce(broker: KafkaBroker, topic: str, messages: list[tuple[str, bytes | None]]) -> None:
    producer = open_client(KafkaProducer, **client_options(broker.settings()))
    try:
        for key, value in messages:
            producer.send(topic, key=key.encode(), value=value).get(timeout=10)
    finally:
        producer.close()


def loop_for(
    broker: KafkaBroker, topic: Topic, rooms: Rooms, outbox: Outbox, *, group: str, from_start: bool = False, shared: bool = False
) -> KafkaConsumerLoop:
    inbox = Inbox(rooms, outbox, clock=SystemClock())
    settings = broker.settings(group_id=group)
    loop = KafkaConsumerLoop(settings, [topic], inbox, from_start=from_start, shared=shared, metrics=Metrics())
    loop.start()
    return loop


def test_rooms_are_read_from_the_start_and_the_end_of_the_old_is_told(cold_kafka: KafkaBroker, outbox: Outbox) -> None:
    cold_kafka.start()
    ensure_topics(cold_kafka.settings())
    produce(cold_kafka, Topic.ROOMS, [(f"r{n}", b"{}") for n in range(9)] + [("r0", None)])
    for _ in range(2):  # a second worker of the group's later life reads everything again
        rooms = Rooms()
        loop = loop_for(cold_kafka, Topic.ROOMS, rooms, outbox, group="g", from_start=True)

        rooms.wait("caught up", lambda rooms=rooms: rooms.n_caught_up == 1)
        loop.close()

        assert {message.key for message in rooms.messages} == {f"r{n}" for n in range(9)}
        assert [message.value for message in rooms.messages if message.key == "r0"] == [b"{}", None]


def test_partitions_move_when_a_worker_joins_and_leaves(cold_kafka: KafkaBroker, outbox: Outbox) -> None:
    cold_kafka.start()
    ensure_topics(cold_kafka.settings())
    first, second = Rooms(), Rooms()
    one = loop_for(cold_kafka, Topic.ROOMS, first, outbox, group="g", from_start=True, shared=True)
    first.wait("all partitions", lambda: first.partitions == {0, 1, 2})
    two = loop_for(cold_kafka, Topic.ROOMS, second, outbox, group="g", from_start=True, shared=True)
    second.wait("some partitions", lambda: bool(second.partitions))
    first.wait("fewer partitions", lambda: bool(first.partitions) and len(first.partitions) + len(second.partitions) == 3)

    assert not first.partitions & second.partitions

    one.close()
    second.wait("all partitions", lambda: second.partitions == {0, 1, 2})
    two.close()


def test_message_that_cannot_be_understood_becomes_a_dead_letter_and_the_next_goes_on(kafka: KafkaBroker, outbox: Outbox) -> None:
    ensure_topics(kafka.settings())
    produce(kafka, Topic.REVIEWS, [("mine", b"garbage"), ("mine", b"bug"), ("mine", b"{}")])
    rooms = Rooms()
    loop = loop_for(kafka, Topic.REVIEWS, rooms, outbox, group="dead")

    rooms.wait("the good one", lambda: any(message.key == "mine" for message in rooms.messages))
    loop.close()

    letters = [row.event for row in outbox.pending(100) if row.event.key == "mine"]
    assert [letter.topic for letter in letters] == [Topic.DEAD, Topic.DEAD]
    assert b"body is not JSON: rtmp://***" in letters[0].value
    assert b"RuntimeError: receiver's mistake" in letters[1].value


def test_message_that_must_wait_comes_again_in_order_and_what_was_taken_does_not(kafka: KafkaBroker, outbox: Outbox) -> None:
    ensure_topics(kafka.settings())
    produce(kafka, Topic.REVIEWS, [("later", b'{"n":%d}' % n) for n in range(5)])
    rooms = Rooms()
    rooms.not_now = 3
    loop = loop_for(kafka, Topic.REVIEWS, rooms, outbox, group="later")
    rooms.wait("all", lambda: len([message for message in rooms.messages if message.key == "later"]) == 5)
    loop.close()
    assert [message.value for message in rooms.messages if message.key == "later"] == [b'{"n":%d}' % n for n in range(5)]

    again = Rooms()
    produce(kafka, Topic.REVIEWS, [("later", b'{"n":5}')])
    loop = loop_for(kafka, Topic.REVIEWS, again, outbox, group="later")
    again.wait("the new one", lambda: any(message.key == "later" for message in again.messages))
    loop.close()
    assert [message.value for message in again.messages if message.key == "later"] == [b'{"n":5}']


def test_consumer_outlives_the_broker(cold_kafka: KafkaBroker, outbox: Outbox) -> None:
    rooms = Rooms()
    loop = loop_for(cold_kafka, Topic.ROOMS, rooms, outbox, group="g", from_start=True, shared=True)
    assert loop.trouble is not None
    cold_kafka.start()
    ensure_topics(cold_kafka.settings())
    produce(cold_kafka, Topic.ROOMS, [("before", b"{}")])
    rooms.wait("first", lambda: {message.key for message in rooms.messages} == {"before"})

    cold_kafka.restart()
    produce(cold_kafka, Topic.ROOMS, [("after", b"{}")])

    rooms.wait("second", lambda: {message.key for message in rooms.messages} == {"before", "after"})
    loop.close()


def test_readers_that_join_while_the_topics_are_made_get_all_their_partitions(cold_kafka: KafkaBroker, outbox: Outbox) -> None:
    cold_kafka.start()
    topics = [Topic.ROOMS, Topic.ROOMS, Topic.REVIEWS, Topic.REVIEWS, Topic.LIFECYCLE, Topic.VIOLATIONS]
    readers = [Rooms() for _ in topics]

    loops = [
        loop_for(cold_kafka, topic, rooms, outbox, group=f"g{n}")
        for n, (topic, rooms) in enumerate(zip(topics, readers, strict=True))
    ]

    for rooms in readers:
        rooms.wait("all partitions", lambda rooms=rooms: rooms.partitions == {0, 1, 2})
    for loop in loops:
        loop.close()


def test_topic_that_is_not_there_is_said_and_read_once_it_is(cold_kafka: KafkaBroker, outbox: Outbox) -> None:
    cold_kafka.start()
    rooms = Rooms()
    settings = cold_kafka.settings(group_id="g", create_topics=False)
    loop = KafkaConsumerLoop(settings, [Topic.ROOMS], Inbox(rooms, outbox, clock=SystemClock()), metrics=Metrics())
    loop.start()
    until(lambda: "livewarden.rooms.v1" in (loop.trouble or ""), within_s=20, what="the topic is named")

    ensure_topics(cold_kafka.settings(), [Topic.ROOMS])

    rooms.wait("all partitions", lambda: rooms.partitions == {0, 1, 2})
    loop.close()


class Forgetful(RangePartitionAssignor):  # type: ignore[misc]  # kafka-python has no types
    """Divides a group's partitions, and gives nobody any."""

    def assign(self, cluster: Any, group_subscriptions: Any) -> dict[str, ConsumerProtocolAssignment]:
        return {member.member_id: ConsumerProtocolAssignment(0, [], b"") for member in group_subscriptions}


def joined(broker: KafkaBroker, group: str, **options: Any) -> Any:
    """A member of a group that has been told what it has."""
    consumer = open_client(KafkaConsumer, **client_options(broker.settings()), group_id=group, **options)
    until(lambda: consumer.partitions_for_topic(str(Topic.ROOMS)), within_s=20, what="the topic")
    told = threading.Event()

    class Told(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
        def on_partitions_assigned(self, assigned: object) -> None:
            told.set()

        def on_partitions_revoked(self, revoked: object) -> None:
            told.clear()

    consumer.subscribe([str(Topic.ROOMS)], listener=Told())
    until(lambda: consumer.poll(timeout_ms=100) or told.is_set(), within_s=20, what="the group's decision")
    return consumer


def test_partitions_that_nobody_was_given_are_noticed_by_an_idle_member(kafka: KafkaBroker) -> None:
    ensure_topics(kafka.settings())
    share = Share(kafka.settings(), "nobodys", [Topic.ROOMS])
    idle = joined(kafka, "nobodys", partition_assignment_strategy=[Forgetful])
    try:
        share.check(idle, now_s=0.0)
        share.check(idle, now_s=kafka_reader.LOOK_S - 1.0)
        with pytest.raises(SinkUnavailable, match=r"nobody in group nobodys reads livewarden.rooms.v1\[0\], .*\[1\], .*\[2\]"):
            share.check(idle, now_s=kafka_reader.LOOK_S)
    finally:
        idle.close()


def test_a_member_that_the_group_has_forgotten_is_noticed(kafka: KafkaBroker) -> None:
    ensure_topics(kafka.settings())
    share = Share(kafka.settings(), "forgetting", [Topic.ROOMS])
    member = joined(kafka, "forgetting", session_timeout_ms=3_000, heartbeat_interval_ms=1_000)
    try:
        share.check(member, now_s=0.0)
        share.check(member, now_s=kafka_reader.LOOK_S)
        member._coordinator._disable_heartbeat()  # what the client was seen to do by itself
        until(lambda: described(kafka, "forgetting")["group_state"] == "Empty", within_s=20, what="the broker's decision")
        with pytest.raises(SinkUnavailable, match="group forgetting has forgotten this reader"):
            share.check(member, now_s=2 * kafka_reader.LOOK_S)
    finally:
        member.close(autocommit=False)


def described(broker: KafkaBroker, group: str) -> Any:
    admin = open_client(KafkaAdminClient, **client_options(broker.settings()))
    try:
        return admin.describe_groups([group])[group]
    finally:
        admin.close()


def test_a_reader_of_all_partitions_notices_new_ones(
    cold_kafka: KafkaBroker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "LOOK_S", 0.2)
    monkeypatch.setattr(kafka_reader, "METADATA_MAX_AGE_MS", 500)
    cold_kafka.start()
    ensure_topics(cold_kafka.settings())
    rooms = Rooms()
    loop = loop_for(cold_kafka, Topic.ROOMS, rooms, outbox, group="g", from_start=True)
    rooms.wait("three partitions", lambda: rooms.partitions == {0, 1, 2})
    admin = open_client(KafkaAdminClient, **client_options(cold_kafka.settings()))
    try:
        admin.create_partitions({str(Topic.ROOMS): 4})
    finally:
        admin.close()

    rooms.wait("four partitions", lambda: rooms.partitions == {0, 1, 2, 3})
    loop.close()


def test_a_member_that_others_left_nothing_for_stays(kafka: KafkaBroker) -> None:
    ensure_topics(kafka.settings())
    share = Share(kafka.settings(), "full", [Topic.ROOMS])
    busy = joined(kafka, "full")
    spare = open_client(KafkaConsumer, **client_options(kafka.settings()), group_id="full")  # knows the topic, and never joins
    try:
        share.check(spare, now_s=0.0)
        share.check(spare, now_s=100.0)
    finally:
        spare.close()
        busy.close()


class Dividing:
    """A client whose group is being divided anew: positions come late, or not at all."""

    def __init__(self, *positions: int | None) -> None:
        self._positions = list(positions)
        self.waits: list[int | None] = []

    def position(self, partition: object, timeout_ms: int | None = None) -> int | None:
        self.waits.append(timeout_ms)
        return self._positions.pop(0)


def test_a_place_that_is_not_known_yet_is_not_waited_for() -> None:
    client = Dividing(None, 2, 3)

    assert [has_reached(client, TopicPartition("t", 0), 3) for _ in range(3)] == [False, False, True]
    assert all(wait is not None and wait <= kafka_reader.POLL_MS for wait in client.waits)
