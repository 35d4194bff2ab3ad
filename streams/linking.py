"""Which topics a role reads, and into what: the worker its rooms and reviews, the API role all that the workers say.

Composition only. The broker may be down at any time: each reader keeps trying on its own thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inference.engine import Engine
from streams.alerts import Topic
from streams.api import Behind
from streams.cluster import ClusterDesk, ClusterParts
from streams.fleet import Fleet
from streams.forwarding import WorkerClient
from streams.hearing import RoomNews, ViolationReceiver
from streams.inbox import Inbox, Receiver
from streams.kafka import KafkaWriter
from streams.kafka_reader import KafkaConsumerLoop
from streams.reviews import ReviewReceiver
from streams.settings import Settings
from streams.stores import Stores
from streams.worker import Worker


class _Readers:
    """The consumers of one process."""

    def __init__(self, engine: Engine, stores: Stores, settings: Settings) -> None:
        self._engine = engine
        self._stores = stores
        self._settings = settings.kafka
        # What was read stands in the data folder: where that is new, everything is read anew.
        own = f"{settings.kafka.group_id}-{settings.worker_id}-{stores.outbox.identity()}"
        self._alone = settings.kafka.model_copy(update={"group_id": own})
        self._loops: list[KafkaConsumerLoop] = []

    def start(self, topic: Topic, receiver: Receiver, *, shared: bool = False, from_start: bool = False) -> None:
        """Begin to read a topic: all of it, or with `shared` this process's share among its group."""
        inbox = Inbox(receiver, self._stores.outbox, clock=self._engine.clock)
        given = self._settings if shared else self._alone
        loop = KafkaConsumerLoop(given, [topic], inbox, shared=shared, from_start=from_start, metrics=self._engine.metrics)
        loop.start()
        self._loops.append(loop)

    async def close(self) -> None:
        """Stop reading."""
        await asyncio.gather(*(asyncio.to_thread(loop.close) for loop in self._loops))


@asynccontextmanager
async def fed_by_kafka(
    worker: Worker, engine: Engine, stores: Stores, settings: Settings, *, hands_over: bool
) -> AsyncIterator[None]:
    """Keep a worker's rooms those of its partitions, and tell it of reviews, for the time of the context.

    Args:
        worker: it runs, or is about to.
        engine: for clock and metrics.
        stores: for dead letters and the index.
        settings: of the broker and of sources.
        hands_over: whether sessions of rooms from Kafka end with the context, because another worker takes the rooms.
    """
    readers = _Readers(engine, stores, settings)
    fleet = Fleet(worker, stores.outbox, settings.url_policy)

    async def follow() -> None:
        await worker.resumed.wait()
        await fleet.run()

    following = asyncio.create_task(follow(), name="fleet")
    readers.start(Topic.ROOMS, fleet.book, shared=True, from_start=True)
    readers.start(Topic.REVIEWS, ReviewReceiver(stores.index, worker, clock=engine.clock))
    try:
        yield
    finally:
        await readers.close()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        if hands_over:
            await fleet.hand_over()


@asynccontextmanager
async def clustered(engine: Engine, stores: Stores, settings: Settings) -> AsyncIterator[Behind]:
    """Stand for the workers of a cluster for the time of the context."""
    readers = _Readers(engine, stores, settings)
    writer, news = KafkaWriter(settings.kafka), RoomNews()
    key = settings.api.keys[0].get_secret_value() if settings.api.keys else None
    parts = ClusterParts(engine, stores.index, news, writer, WorkerClient(key=key), stores.broker_view)
    desk = ClusterDesk(parts, settings)
    readers.start(Topic.ROOMS, desk.book, from_start=True)
    readers.start(Topic.LIFECYCLE, news, from_start=True)
    readers.start(Topic.VIOLATIONS, ViolationReceiver(stores.index))
    readers.start(Topic.REVIEWS, ReviewReceiver(stores.index, None, clock=engine.clock))
    try:
        yield Behind(engine, desk, stores.index, stores.evidence)
    finally:
        await readers.close()
        await desk.close()
        await asyncio.to_thread(writer.close)
