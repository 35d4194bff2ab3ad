"""Kafka, with a real broker: everything arrives, once after dedupe on `ce_id`, in order per room, whoever is killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from inference.clock import SystemClock
from inference.metrics import Metrics
from streams import kafka_reader
from streams import publisher as publisher_module
from streams.alerts import Topic
from streams.cloudevents import CloudEvent
from streams.kafka import TOPIC_CONFIGS, KafkaSink, client_options, ensure_topics, kafka_publisher, open_client
from streams.outbox import Outbox
from streams.publisher import Publisher
from streams.settings import KafkaSettings
from streams.sinks import SinkRefused, SinkUnavailable, TopicMissing
from tests.kafka_broker import KafkaBroker, Received, deduped

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def event(name: str, *, room: str = "r1", topic: str = Topic.VIOLATIONS, value: bytes = b"{}") -> CloudEvent:
    return CloudEvent(name, "livewarden.violation.opened.v1", "/livewarden", NOW, topic, room, "v1", value, 2)


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "LONGEST_PAUSE_S", 0.5)
    monkeypatch.setattr(kafka_reader, "REOPEN_PAUSE_S", 0.2)
    monkeypatch.setattr(kafka_reader, "LATER_PAUSE_S", 0.05)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", clock=SystemClock())
    yield box
    box.close()


def publisher_to(settings: KafkaSettings, outbox: Outbox) -> Publisher:
    publisher = kafka_publisher(settings, outbox, clock=SystemClock(), metrics=Metrics())
    publisher.start()
    return publisher


def assert_complete(received: list[Received], expected: dict[str, list[str]]) -> None:
    """Every room's ids are there, each once after dedupe, in the order in which they were put."""
    by_room: dict[str, list[str]] = {}
    for record in deduped(received):
        by_room.setdefault(record.key, []).append(record.id)
    assert by_room == expected


class Published:
    """Listens to an outbox and publisher until nothing is left to send."""

    def __init__(self, outbox: Outbox, publisher: Publisher) -> None:
        self.outbox, self.publisher = outbox, publisher

    def finish(self, timeout_s: float = 30.0) -> None:
        self.publisher.close(deadline_s=timeout_s)
        assert self.outbox.backlog().n_pending == 0


def test_everything_arrives_as_cloudevents_in_order_per_room(kafka: KafkaBroker, outbox: Outbox) -> None:
    names = {f"all-{room}": [f"all-{room}-{n}" for n in range(40)] for room in range(8)}
    outbox.put([event(names[room][n], room=room, value=b'{"n":%d}' % n) for n in range(40) for room in names]).result(10)
    publisher = publisher_to(kafka.settings(), outbox)

    received = kafka.consume(Topic.VIOLATIONS, until_ids={name for ids in names.values() for name in ids})
    Published(outbox, publisher).finish()

    own = [record for record in received if record.key in names]
    assert len(own) == 320
    assert_complete(own, names)
    assert own[0].headers["ce_type"] == "livewarden.violation.opened.v1"
    assert own[0].headers["ce_specversion"] == "1.0"
    assert own[0].headers["content-type"] == "application/json"


def test_topics_are_made_with_the_contracts_clean_up(kafka: KafkaBroker) -> None:
    ensure_topics(kafka.settings())
    ensure_topics(kafka.settings())

    admin = open_client(KafkaAdminClient, **client_options(kafka.settings()))
    try:
        assert set(Topic) <= set(admin.list_topics())
    finally:
        admin.close()
    assert TOPIC_CONFIGS[Topic.ROOMS] == {"cleanup.policy": "compact"}
    assert TOPIC_CONFIGS[Topic.SHADOW]["retention.ms"] == str(3 * 86_400_000)


def test_broker_killed_in_mid_flight_loses_and_doubles_nothing(kafka: KafkaBroker, outbox: Outbox) -> None:
    names = {f"kill-{room}": [f"kill-{room}-{n}" for n in range(50)] for room in range(6)}
    publisher = publisher_to(kafka.settings(), outbox)
    halfway = threading.Event()
    outbox.subscribe(lambda events: halfway.set() if any(one.id == "kill-0-25" for one in events) else None)

    for n in range(50):
        outbox.put([event(ids[n], room=room) for room, ids in names.items()]).result(10)
        if n == 25:
            assert halfway.wait(10)
            kafka.kill()
    assert outbox.backlog().n_pending > 0
    kafka.start()
    received = kafka.consume(Topic.VIOLATIONS, until_ids={name for ids in names.values() for name in ids}, timeout_s=60.0)
    Published(outbox, publisher).finish()

    assert_complete([record for record in received if record.key in names], names)


def test_broker_down_from_the_start_holds_nobody_up(cold_kafka: KafkaBroker, outbox: Outbox) -> None:
    publisher = publisher_to(cold_kafka.settings(), outbox)
    ids = [f"cold-{n}" for n in range(20)]
    outbox.put([event(name) for name in ids]).result(10)
    assert publisher.status().n_unpublished == 20
    assert not publisher.status().connected

    cold_kafka.start()
    received = cold_kafka.consume(Topic.VIOLATIONS, until_ids=set(ids), timeout_s=60.0)
    Published(outbox, publisher).finish()

    assert_complete(received, {"r1": ids})


WORKER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from inference.clock import SystemClock
from inference.metrics import Metrics
from streams.cloudevents import CloudEvent
from streams.kafka import kafka_publisher
from streams.outbox import Outbox
from streams.settings import KafkaSettings
path, address, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
outbox = Outbox(Path(path), clock=SystemClock())
settings = KafkaSettings(bootstrap_servers=(address,), partitions=3, row_deadline_s=4.0)
publisher = kafka_publisher(settings, outbox, clock=SystemClock(), metrics=Metrics())
publisher.start()
now = datetime(2026, 11, 24, tzinfo=UTC)
for n in range(first, last):
    room = f"proc-{n % 4}"
    outbox.put([CloudEvent(f"proc-{n}", "t", "/livewarden", now, "livewarden.violations.v1", room, "v", b"{}", 1)]).result()
    print(n, flush=True)
publisher.close(deadline_s=30.0)
outbox.close()
print("end", flush=True)
"""


def test_worker_killed_in_mid_flight_and_started_again_loses_nothing(kafka: KafkaBroker, tmp_path: Path) -> None:
    path = str(tmp_path / "worker.db")

    def run(first: int, last: int, *, kill_at: int | None) -> list[str]:
        command = [sys.executable, "-c", WORKER, path, kafka.address, str(first), str(last)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            if kill_at is not None and line.strip() == str(kill_at):
                os.kill(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait(30)
        return lines

    first = run(0, 100_000, kill_at=150)
    committed = int(first[-1]) + 1
    # A row may be committed whose line was not printed before the kill; its id is put again and stored once.
    second = run(committed, committed + 50, kill_at=None)

    assert second[-1] == "end"
    expected: dict[str, list[str]] = {}
    for n in range(committed + 50):
        expected.setdefault(f"proc-{n % 4}", []).append(f"proc-{n}")
    received = kafka.consume(Topic.VIOLATIONS, until_ids={name for ids in expected.values() for name in ids})
    assert_complete([record for record in received if record.key.startswith("proc-")], expected)


def test_event_too_large_for_the_broker_becomes_a_dead_letter(cold_kafka: KafkaBroker, outbox: Outbox) -> None:
    cold_kafka.start()
    settings = cold_kafka.settings()
    admin = open_client(KafkaAdminClient, **client_options(settings))
    try:
        narrow = {"num_partitions": 3, "replication_factor": 1, "configs": {"max.message.bytes": "2000"}}
        admin.create_topics({str(Topic.VIOLATIONS): narrow}, wait_for_metadata=True)
    finally:
        admin.close()
    ensure_topics(settings)
    outbox.put([event("large", value=b'"' + b"x" * 9000 + b'"'), event("next")]).result(10)

    publisher = publisher_to(settings, outbox)

    received = cold_kafka.consume(Topic.VIOLATIONS, until_ids={"next"})
    Published(outbox, publisher).finish()
    letters = cold_kafka.consume(Topic.DEAD)
    assert [record.id for record in received] == ["next"]
    assert len(letters) == 1
    assert b"MessageSizeTooLarge" in (letters[0].value or b"")
    assert letters[0].key == "r1"


def test_sink_names_what_it_cannot_do(kafka: KafkaBroker) -> None:
    ensure_topics(kafka.settings())
    sink = KafkaSink(kafka.settings(create_topics=False))
    try:
        with pytest.raises(SinkRefused, match="unknown topic 'elsewhere'; known: livewarden"):
            sink.send(event("e", topic="elsewhere"), lambda _: None)
    finally:
        sink.close(1.0)


def test_topic_that_the_broker_does_not_have_is_named(cold_kafka: KafkaBroker) -> None:
    cold_kafka.start()
    sink = KafkaSink(cold_kafka.settings(create_topics=False))
    try:
        with pytest.raises(
            TopicMissing, match=r"kafka has no topic livewarden\.shadow\.v1; create it, or set kafka\.create_topics"
        ):
            sink.send(event("e", topic=Topic.SHADOW), lambda _: None)
    finally:
        sink.close(1.0)


def test_no_broker_is_a_clear_error() -> None:
    with pytest.raises(SinkUnavailable, match=r"kafka at 127\.0\.0\.1:1: "):
        KafkaSink(KafkaSettings(bootstrap_servers=("127.0.0.1:1",), create_topics=False))
    with pytest.raises(SinkUnavailable, match="kafka topics could not be made"):
        ensure_topics(KafkaSettings(bootstrap_servers=("127.0.0.1:1",)))


def test_password_is_given_to_the_client_and_shown_nowhere() -> None:
    settings = KafkaSettings.model_validate(
        {
            "bootstrap_servers": ("b:1",),
            "sasl_mechanism": "PLAIN",
            "sasl_username": "u",
            "sasl_password": "pw-1234",
            "ssl_cafile": "/ca",
        }
    )

    options = client_options(settings)

    assert (options["sasl_plain_username"], options["sasl_plain_password"], options["ssl_cafile"]) == ("u", "pw-1234", "/ca")
    assert "pw-1234" not in repr(settings)
