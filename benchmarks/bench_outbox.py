"""What the outbox costs, and how long an alert takes to the broker's acknowledgement.

1. Rows per second: our outbox under 64 callers, each waiting for its commit, beside bare SQLite with the same file settings
   (one row per commit; all rows in one commit) and the same table.
2. Milliseconds from `put` to a resolved commit, one caller, beside one bare SQLite commit.
3. Milliseconds from a committed row to the broker's acknowledgement being written down, beside a bare producer's `send().get()`
   (needs Java and Maven, as the tests do; left out where they are missing).

    python -m benchmarks.bench_outbox [--rounds 5] [--json] [--no-kafka]
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from kafka import KafkaProducer

from benchmarks.report import Contender, Report, arguments, compare, publish
from inference.clock import SystemClock
from inference.metrics import Metrics
from streams.alerts import Topic
from streams.cloudevents import CloudEvent
from streams.kafka import client_options, ensure_topics, kafka_publisher, open_client
from streams.outbox import Outbox
from streams.outbox_file import SCHEMA, put_events
from tests.kafka_broker import KafkaBroker, fetch_jars

N_CALLERS = 64
ROWS_PER_ROUND = 2000
ROWS_BY_ONE = 200
VALUE = b'"' + b"x" * 1022 + b'"'
"""One kilobyte, the usual size of an alert."""
_numbers = itertools.count()


def event() -> CloudEvent:
    n = next(_numbers)
    now = datetime.now(UTC)
    return CloudEvent(f"bench-{n}", "livewarden.bench.v1", "/livewarden", now, Topic.VIOLATIONS, f"room-{n % 50}", "v", VALUE, 2)


@contextmanager
def fresh_outbox() -> Iterator[Outbox]:
    with tempfile.TemporaryDirectory(prefix="bench-outbox-", dir=Path.cwd()) as folder:
        outbox = Outbox(Path(folder) / "outbox.db", clock=SystemClock())
        try:
            yield outbox
        finally:
            outbox.close()


@contextmanager
def bare_sqlite() -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory(prefix="bench-outbox-", dir=Path.cwd()) as folder:
        connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(SCHEMA)
        try:
            yield connection
        finally:
            connection.close()


def commit_bare(connection: sqlite3.Connection, events: list[CloudEvent]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    put_events(events, created_s=time.time(), snapshots={})(connection)
    connection.execute("COMMIT")


def outbox_rate() -> float:
    """64 callers put one row at a time and wait for it."""
    with fresh_outbox() as outbox:

        def call() -> None:
            for _ in range(ROWS_PER_ROUND // N_CALLERS):
                outbox.put([event()]).result()

        callers = [threading.Thread(target=call) for _ in range(N_CALLERS)]
        began = time.perf_counter()
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        return ROWS_PER_ROUND // N_CALLERS * N_CALLERS / (time.perf_counter() - began)


def one_by_one_rate() -> float:
    with bare_sqlite() as connection:
        began = time.perf_counter()
        for _ in range(ROWS_BY_ONE):
            commit_bare(connection, [event()])
        return ROWS_BY_ONE / (time.perf_counter() - began)


def all_at_once_rate() -> float:
    with bare_sqlite() as connection:
        events = [event() for _ in range(ROWS_PER_ROUND)]
        began = time.perf_counter()
        commit_bare(connection, events)
        return ROWS_PER_ROUND / (time.perf_counter() - began)


def median_ms(once: Callable[[], None], n: int = ROWS_BY_ONE) -> float:
    figures = []
    for _ in range(n):
        began = time.perf_counter()
        once()
        figures.append((time.perf_counter() - began) * 1000)
    return statistics.median(figures)


def outbox_commit_ms() -> float:
    with fresh_outbox() as outbox:
        return median_ms(lambda: outbox.put([event()]).result())


def bare_commit_ms() -> float:
    with bare_sqlite() as connection:
        return median_ms(lambda: commit_bare(connection, [event()]))


def bare_ack_ms(broker: KafkaBroker) -> float:
    options = client_options(broker.settings())
    producer = open_client(KafkaProducer, **options, acks="all", enable_idempotence=False, linger_ms=0)
    try:
        producer.send(Topic.VIOLATIONS, key=b"room", value=VALUE).get(10)
        return median_ms(lambda: producer.send(Topic.VIOLATIONS, key=b"room", value=VALUE).get(10) and None)
    finally:
        producer.close()


def outbox_ack_ms(broker: KafkaBroker) -> float:
    """From `put` until the row is marked as sent: commit, send, acknowledgement, commit."""
    with fresh_outbox() as outbox:
        marked = threading.Event()
        mark_sent = outbox.mark_sent

        def noted(rows: list[object]) -> object:
            done = mark_sent(rows)  # type: ignore[arg-type]
            marked.set()
            return done

        outbox.mark_sent = noted  # type: ignore[method-assign, assignment]
        publisher = kafka_publisher(broker.settings(), outbox, clock=SystemClock(), metrics=Metrics())
        publisher.start()

        def once() -> None:
            marked.clear()
            outbox.put([event()])
            marked.wait(10)

        once()
        figure = median_ms(once)
        publisher.close()
        return figure


def kafka_report(n_rounds: int) -> Report | None:
    missing = fetch_jars()
    if missing is not None:
        print(f"without Kafka: {missing}", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory(prefix="bench-kafka-") as folder:
        broker = KafkaBroker(Path(folder))
        broker.start()
        try:
            ensure_topics(broker.settings())
            contenders = [
                Contender("bare producer, send().get()", lambda: bare_ack_ms(broker)),
                Contender("outbox: put, commit, send, acknowledged", lambda: outbox_ack_ms(broker)),
            ]
            return compare("One alert to the broker's acknowledgement", "ms p50", contenders, n_rounds=n_rounds)
        finally:
            broker.stop()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--no-kafka", action="store_true", help="leave the broker out")
    chosen = parser.parse_args()
    reports = [
        compare(
            "Rows committed per second (SQLite WAL, synchronous FULL, 1 KiB)",
            "rows/s",
            [
                Contender("bare SQLite, one row per commit", one_by_one_rate),
                Contender(f"outbox, {N_CALLERS} callers that each wait", outbox_rate),
                Contender(f"bare SQLite, {ROWS_PER_ROUND} rows in one commit", all_at_once_rate),
            ],
            n_rounds=chosen.rounds,
        ),
        compare(
            "One alert to its commit, one caller",
            "ms p50",
            [Contender("bare SQLite commit", bare_commit_ms), Contender("outbox put().result()", outbox_commit_ms)],
            n_rounds=chosen.rounds,
        ),
    ]
    with_broker = None if chosen.no_kafka else kafka_report(chosen.rounds)
    publish([*reports, *([with_broker] if with_broker else [])], packages=("kafka-python",), as_json=chosen.json)


if __name__ == "__main__":
    main()
