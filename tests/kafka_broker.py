"""A real Kafka broker for tests: one KRaft node on free loopback ports in a folder of its own, killed and started again at will.

Needs Java 17 and Maven; the broker's jars are fetched once into `tests/kafka/target` by whatever Maven repository the machine uses.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.kafka import client_options, open_client
from streams.settings import KafkaSettings
from tests.conftest import require
from tests.live_server import free_ports

FOLDER = Path(__file__).resolve().parent / "kafka"
JARS = FOLDER / "target" / "dependency"
COMPLETE = FOLDER / "target" / "complete"
FETCH_TIMEOUT_S = 600
READY_TIMEOUT_S = 60


def fetch_jars() -> str | None:
    """Have the broker's jars; returns why not, or None."""
    if COMPLETE.exists() and COMPLETE.read_text() == (FOLDER / "pom.xml").read_text():
        return None
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Kafka needs Java 17 and Maven)"
    command = ["mvn", "-q", "-B", "-f", str(FOLDER / "pom.xml"), "dependency:copy-dependencies"]
    fetched = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
    if fetched.returncode:
        return f"Maven could not fetch the Kafka broker: {(fetched.stdout + fetched.stderr).strip()[-300:]}"
    COMPLETE.write_text((FOLDER / "pom.xml").read_text())
    return None


class KafkaBroker:
    """One broker process. Ports and data stay the same from start to start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._controller_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "server.properties").write_text(self._properties())
        # With an equals sign: one id in 64 begins with a hyphen.
        format_it = ("format", f"--cluster-id={cluster_id()}", "-c", str(folder / "server.properties"))
        self._java("kafka.tools.StorageTool", *format_it).wait(60)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def settings(self, **changes: object) -> KafkaSettings:
        """Settings of a client of this broker, with few partitions and a short deadline."""
        return KafkaSettings.model_validate(
            {"bootstrap_servers": (self.address,), "partitions": 3, "row_deadline_s": 4.0, **changes}
        )

    def start(self) -> None:
        """Start and return when it really answers."""
        self._process = self._java("kafka.Kafka", str(self.folder / "server.properties"))
        for _ in range(READY_TIMEOUT_S):
            if self._process.poll() is not None:
                raise RuntimeError(f"broker ended: {(self.folder / 'broker.log').read_text()[-2000:]}")
            with contextlib.suppress(KafkaError, OSError):
                admin = open_client(KafkaAdminClient, **{**client_options(self.settings()), "bootstrap_timeout_ms": 1000})
                try:
                    admin.list_topics()
                finally:
                    admin.close()
                return
        raise RuntimeError(f"broker not ready after {READY_TIMEOUT_S} tries: {(self.folder / 'broker.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Start again on the same ports and data."""
        self.kill()
        self.start()

    def consume(self, topic: str, *, until_ids: set[str] | None = None, timeout_s: float = 20.0) -> list[Received]:
        """Read a topic from its beginning to its present end, or until all of the ids were seen."""
        consumer = open_client(KafkaConsumer, **client_options(self.settings()), auto_offset_reset="earliest", group_id=None)
        try:
            partitions = _partitions(consumer, topic)
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            received: list[Received] = []
            rounds = int(timeout_s / 0.25)
            for _ in range(rounds):
                for records in consumer.poll(timeout_ms=250).values():
                    received.extend(Received(record) for record in records)
                if until_ids is None:
                    ends = consumer.end_offsets(partitions)
                    if all(consumer.position(partition) >= ends[partition] for partition in partitions):
                        return received
                elif until_ids <= {record.id for record in received}:
                    return received
            return received
        finally:
            consumer.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        options = [
            "-Xmx384m",
            "-Xms64m",
            "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
        ]
        with (self.folder / "broker.log").open("ab") as log:
            command = ["java", *options, "-cp", f"{JARS}/*", main, *arguments]
            return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "LOG_DIR": str(self.folder)})

    def _properties(self) -> str:
        return f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{self._controller_port}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
controller.listener.names=CONTROLLER
log.dirs={self.folder / "data"}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=1
num.io.threads=2
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
"""


class Received:
    """One message as a consumer of the contract sees it."""

    def __init__(self, record: object) -> None:
        self.topic: str = record.topic  # type: ignore[attr-defined]
        self.key: str = (record.key or b"").decode()  # type: ignore[attr-defined]
        self.value: bytes | None = record.value  # type: ignore[attr-defined]
        self.headers: dict[str, str] = {name: value.decode() for name, value in record.headers}  # type: ignore[attr-defined]

    @property
    def id(self) -> str:
        return self.headers.get("ce_id", "")


def deduped(received: list[Received]) -> list[Received]:
    """What remains for a consumer that knows the ids it has seen, as the contract asks."""
    first: dict[str, Received] = {}
    for record in received:
        first.setdefault(record.id, record)
    return list(first.values())


def cluster_id() -> str:
    """22 characters, as the storage tool wants them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _partitions(consumer: KafkaConsumer, topic: str) -> list[object]:
    for _ in range(50):
        numbers = consumer.partitions_for_topic(topic)
        if numbers:
            return [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.poll(timeout_ms=100)
    raise AssertionError(f"no topic {topic}")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A running broker; a test that kills it starts it again before it ends."""
    missing = fetch_jars()
    require(missing is None, missing or "")
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def cold_kafka(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A broker of the test's own that is not started yet."""
    missing = fetch_jars()
    require(missing is None, missing or "")
    broker = KafkaBroker(tmp_path / "kafka")
    yield broker
    broker.stop()
