"""Opens Kafka clients, makes topics and writes; `streams/kafka_reader.py` reads, and no third module speaks to Kafka.

What is published, in which order and how often, is `streams/publisher.py`; this module only answers for single messages. The
client is not trusted to keep anything: the outbox holds every alert until the broker acknowledged it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket

from inference.clock import Clock
from inference.metrics import Metrics
from streams.alerts import Topic
from streams.cloudevents import MAX_MESSAGE_BYTES, CloudEvent
from streams.outbox import Outbox
from streams.publisher import Publisher, PublisherLimits
from streams.settings import KafkaSettings
from streams.sinks import Answer, SinkRefused, SinkUnavailable, TopicMissing

log = logging.getLogger(__name__)

logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it reports a missing broker many times a second; we report it once

BOOTSTRAP_TIMEOUT_MS = 3000
MAX_BLOCK_MS = 1500
"""How long `send` may wait for metadata before it raises; the publisher's thread waits, nobody else."""
DAY_MS = 24 * 3600 * 1000

TOPIC_CONFIGS: Mapping[Topic, Mapping[str, str]] = {
    Topic.VIOLATIONS: {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)},
    Topic.LIFECYCLE: {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)},
    Topic.ROOMS: {"cleanup.policy": "compact"},
    Topic.REVIEWS: {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)},
    Topic.SHADOW: {"cleanup.policy": "delete", "retention.ms": str(3 * DAY_MS)},
    Topic.DEAD: {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)},
}

_REFUSALS = (
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.InvalidRecordError,
    kafka_errors.InvalidTopicError,
    UnicodeEncodeError,
)


class TidySocket(KafkaNetSocket):  # type: ignore[misc]  # kafka-python has no types
    """A plain connection that closes its descriptor when it fails.

    kafka-python leaves that to the garbage collector: about one descriptor a second while a broker is down (measured). Its own seam
    for proxies lets us put this in: it is registered under its scheme and named as the "proxy".
    """

    SCHEMES = ("direct",)
    ADDRESS = "direct://"

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        """Connect, or close the socket."""
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


def open_client(kind: Callable[..., Any], **options: Any) -> Any:
    """Construct a client; when its constructor fails, close what it began.

    kafka-python's constructors leave a running thread and three descriptors behind each time that they find no broker (measured),
    and we try again for as long as it takes.
    """
    begun: list[Any] = []

    def begin(*arguments: Any, **settings: Any) -> Any:
        begun.append(KafkaNetClient(*arguments, **settings))
        return begun[-1]

    try:
        return kind(**options, kafka_client=begin)
    except BaseException:
        for client in begun:
            client.close()
        raise


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return what every client of the broker is told: addresses, name and security."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.client_id,
        "security_protocol": settings.security_protocol,
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        "proxy_url": TidySocket.ADDRESS,
    }
    if settings.sasl_mechanism:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password.get_secret_value() if settings.sasl_password else None
    if settings.ssl_cafile:
        options["ssl_cafile"] = str(settings.ssl_cafile)
    return options


def ensure_topics(settings: KafkaSettings, topics: Sequence[Topic] = tuple(Topic)) -> None:
    """Create the topics that are not there, with their clean-up rules; what another worker creates meanwhile is no error.

    Raises:
        SinkUnavailable: the broker is not there or does not let us.
    """
    try:
        admin = open_client(KafkaAdminClient, **client_options(settings))
        try:
            missing = [topic for topic in topics if topic not in admin.list_topics()]
            wanted = {
                str(topic): {
                    "num_partitions": settings.partitions,
                    "replication_factor": settings.replication,
                    "configs": dict(TOPIC_CONFIGS[topic]),
                }
                for topic in missing
            }
            if wanted:
                admin.create_topics(wanted, wait_for_metadata=True)
        finally:
            admin.close()
    except kafka_errors.TopicAlreadyExistsError:
        return
    except (kafka_errors.KafkaError, OSError) as exc:
        raise SinkUnavailable(f"kafka topics could not be made: {said(exc)}") from exc


def _open_producer(settings: KafkaSettings) -> Any:
    delivery_ms = int(settings.row_deadline_s * 1000 * 0.8)
    try:
        return open_client(
            KafkaProducer,
            **client_options(settings),
            acks="all",
            enable_idempotence=False,
            linger_ms=0,
            max_block_ms=MAX_BLOCK_MS,
            delivery_timeout_ms=delivery_ms,
            request_timeout_ms=max(1, delivery_ms // 2),
            reconnect_backoff_max_ms=1000,
            max_request_size=2 * MAX_MESSAGE_BYTES,
            allow_auto_create_topics=False,
        )
    except (kafka_errors.KafkaError, OSError) as exc:
        raise SinkUnavailable(f"kafka at {', '.join(settings.bootstrap_servers)}: {said(exc)}") from exc


class KafkaWriter:
    """Writes single messages that somebody waits for: rooms and reviews. Blocks, and is used by one thread at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None

    def put(self, topic: Topic, key: str, value: bytes | None) -> None:
        """Write one message; the broker has it when this returns. None is a tombstone.

        Raises:
            SinkUnavailable: the broker did not take it, or did not say so in time.
        """
        try:
            if self._producer is None:
                if self._settings.create_topics:
                    ensure_topics(self._settings, (topic,))
                self._producer = _open_producer(self._settings)
            self._producer.send(topic, key=key.encode(), value=value).get(timeout=self._settings.row_deadline_s)
        except (kafka_errors.KafkaError, OSError) as exc:
            self.close()
            raise SinkUnavailable(f"kafka did not take {topic} {key}: {said(exc)}") from exc

    def close(self) -> None:
        """Close the producer; the next message opens another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(kafka_errors.KafkaError, OSError):
                producer.close(timeout=1.0)


class KafkaSink:
    """One producer. `acks=all`, nothing lingers, and it is thrown away after the first failure.

    Idempotence is off on purpose: with it kafka-python leaves futures open for good when a broker dies (measured), and it protects
    from nothing here, because one event per room is in flight and consumers dedupe on `ce_id`.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        if settings.create_topics:
            ensure_topics(settings)
        self._producer = _open_producer(settings)

    def send(self, event: CloudEvent, answer: Answer) -> None:
        """Hand one event to the producer.

        Raises:
            SinkUnavailable: the broker does not answer.
            TopicMissing: the broker has no such topic.
            SinkRefused: the event is none that any broker would take.
        """
        if event.topic not in tuple(Topic):
            raise SinkRefused(f"unknown topic {event.topic!r}; known: {', '.join(Topic)}")
        headers = [(entry.name, entry.value) for entry in event.headers]
        try:
            future = self._producer.send(event.topic, key=event.key.encode(), value=event.value, headers=headers)
        except kafka_errors.KafkaTimeoutError as exc:
            raise self._explained(event.topic, exc) from exc
        except _REFUSALS as exc:
            raise SinkRefused(said(exc)) from exc
        except (kafka_errors.KafkaError, OSError) as exc:
            raise SinkUnavailable(said(exc)) from exc
        future.add_callback(lambda _: answer(None))
        future.add_errback(lambda error: answer(translated(error)))

    def close(self, timeout_s: float) -> None:
        """Close the producer; what it still held is sent again by the next one."""
        try:
            self._producer.close(timeout=timeout_s)
        except (kafka_errors.KafkaError, OSError) as exc:
            log.warning("producer did not close cleanly", extra={"error": said(exc)})

    def _explained(self, topic: str, error: Exception) -> SinkUnavailable:
        """Tell a broker that is gone from a topic that does not exist; the producer raises the same for both."""
        try:
            admin = open_client(KafkaAdminClient, **client_options(self._settings))
            try:
                known = admin.list_topics()
            finally:
                admin.close()
        except (kafka_errors.KafkaError, OSError):
            return SinkUnavailable(said(error))
        if topic in known:
            return SinkUnavailable(said(error))
        return TopicMissing(f"kafka has no topic {topic}; create it, or set kafka.create_topics")


def translated(error: BaseException) -> SinkRefused | SinkUnavailable:
    """Sort a producer's error into what never works and what may work later."""
    return SinkRefused(said(error)) if isinstance(error, _REFUSALS) else SinkUnavailable(said(error))


def kafka_publisher(settings: KafkaSettings, outbox: Outbox, *, clock: Clock, metrics: Metrics) -> Publisher:
    """Return a publisher from the outbox to the broker of the settings; start it, and close it before the outbox."""
    limits = PublisherLimits(row_deadline_s=settings.row_deadline_s)
    return Publisher(outbox, lambda: KafkaSink(settings), clock=clock, metrics=metrics, limits=limits)


def said(error: BaseException) -> str:
    """Say what a client raised, its kind first."""
    return f"{type(error).__name__}: {error}"
