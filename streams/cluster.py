"""The desk of the API role: rooms go to the workers over Kafka, what the workers say comes back over it, pushed media go to them.

Nothing is watched in this process. Which worker has a room is known from the room's own lifecycle events.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from inference.engine import Engine
from inference.errors import InvalidSample, NotFound, NotReady, Overloaded
from inference.samples import Modality
from inference.schemas import TextAnswer
from streams.alerts import RoomAlert, RoomKind, Topic
from streams.desk import DanmakuLine, PushAnswer, PushedFrame, PushedSound, View
from streams.fleet import RoomBook, WantedRoom
from streams.forwarding import WorkerClient
from streams.hearing import RoomNews
from streams.index import ViolationIndex, ViolationQuery, ViolationState
from streams.reviews import review_value
from streams.rooms import RoomSpec
from streams.settings import Settings

MAX_WRITES = 200
"""Rooms and reviews that may wait for the broker; one more is refused (Overflow.REJECT)."""
READ_BACK_S = 5.0
"""How long a change of a room waits until this API itself has read it: whoever asks next sees it."""
OWNER_WAIT_S = 5.0
"""When to push again where no worker has a room yet: the time in which one takes it and says so."""
PAGE = 500


class TopicWriter(Protocol):
    """Writes single messages and waits for the broker."""

    def put(self, topic: Topic, key: str, value: bytes | None) -> None:
        """Write one; None is a tombstone. Raises NotReady where the broker does not take it."""
        ...


@dataclass(frozen=True, slots=True)
class ClusterParts:
    """What the desk stands on."""

    engine: Engine
    index: ViolationIndex
    news: RoomNews
    writer: TopicWriter
    workers: WorkerClient
    broker: Callable[[], Mapping[str, Any]]
    """Describes the connection to the broker."""


class ClusterDesk:
    """Stands for the workers of a cluster; implements `RoomDesk`. Make it on the API's loop."""

    def __init__(self, parts: ClusterParts, settings: Settings) -> None:
        self._parts = parts
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._stirred = asyncio.Event()
        self.book = RoomBook(settings.url_policy, changed=self._stir)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="kafka-write")
        self._n_writes = 0

    def _stir(self) -> None:
        self._loop.call_soon_threadsafe(self._stirred.set)

    async def close(self) -> None:
        """Finish what is being written."""
        await asyncio.to_thread(self._writing.shutdown, cancel_futures=True)
        await self._parts.workers.close()

    async def watch(self, room: RoomSpec) -> None:
        """Write a room to the topic; it is durable when this returns, and some worker takes it."""
        try:
            self._parts.engine.policies.for_room(room.biz, room.policy)
        except NotFound as error:
            raise InvalidSample(f"room field policy: {error}") from error
        await self._write(Topic.ROOMS, room.room_id, msgspec.json.encode(room.body(reveal=True)))
        await self._read_back(lambda: (held := self.book.rooms().get(room.room_id)) is not None and held.spec == room)

    async def unwatch(self, room_id: str) -> None:
        """Write a tombstone; raises NotFound where there is no such room."""
        self._room(room_id)
        await self._write(Topic.ROOMS, room_id, None)
        await self._read_back(lambda: room_id not in self.book.rooms())

    async def views(self) -> Sequence[View]:
        """Describe every room as far as the workers told."""
        n_open = await asyncio.to_thread(self._open_violations, None)
        return [self._view(room, n_open) for room in self.book.rooms().values()]

    async def view(self, room_id: str) -> View:
        """Describe one room; raises NotFound where there is none."""
        room = self._room(room_id)
        return self._view(room, await asyncio.to_thread(self._open_violations, room_id))

    async def push_frame(self, room_id: str, frame: PushedFrame, *, wait: bool) -> PushAnswer:
        """Hand a picture to the room's worker."""
        return await self._parts.workers.push_frame(self._owner(room_id, media=True), room_id, frame, wait=wait)

    async def push_sound(self, room_id: str, sound: PushedSound) -> PushAnswer:
        """Hand sound to the room's worker."""
        return await self._parts.workers.push_sound(self._owner(room_id, media=True), room_id, sound)

    async def danmaku(self, room_id: str, lines: Sequence[DanmakuLine]) -> Sequence[TextAnswer]:
        """Hand chat lines to the room's worker."""
        return await self._parts.workers.danmaku(self._owner(room_id, media=False), room_id, lines)

    async def review(self, violation_id: str, *, overturned: bool) -> None:
        """Tell the workers and the other APIs what was just written into this index."""
        said, violation = await asyncio.to_thread(
            lambda: (self._parts.index.reviews(violation_id), self._parts.index.get(violation_id))
        )
        if said:
            await self._write(Topic.REVIEWS, str(violation.data["room_id"]), review_value(said[-1]))

    async def status(self) -> View:
        """Describe this API and what it knows of the cluster."""
        rooms = self.book.rooms()
        n_open = await asyncio.to_thread(self._open_violations, None)
        n_watched = sum(_is_watched(self._parts.news.of(room_id)) for room_id in rooms)
        return {
            "worker": self._settings.worker_id,
            "device": self._parts.engine.device.share.name,
            "missing": dict(self._parts.engine.missing),
            "kafka": dict(self._parts.broker()),
            "decoders": 0,
            "totals": {
                "rooms": len(rooms),
                "watched": n_watched,
                "blind": len(rooms) - n_watched,
                "open_violations": n_open.total(),
                "samples_per_s": 0.0,
            },
        }

    def unready(self) -> Sequence[str]:
        """Say what is not up yet. A broker that goes away later does not make the API unready: texts are still checked."""
        return [] if self.book.settled else ["the rooms are not read from Kafka yet"]

    async def _write(self, topic: Topic, key: str, value: bytes | None) -> None:
        if self._n_writes >= MAX_WRITES:
            raise Overloaded(f"{self._n_writes} changes wait for kafka", retry_after_s=self._settings.kafka.row_deadline_s)
        self._n_writes += 1
        try:
            await self._loop.run_in_executor(self._writing, self._parts.writer.put, topic, key, value)
        finally:
            self._n_writes -= 1

    async def _read_back(self, is_there: Callable[[], bool]) -> None:
        """Wait until the change was read, but not for ever: it is durable already."""
        try:
            async with asyncio.timeout(READ_BACK_S):
                while not is_there():
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            return

    def _room(self, room_id: str) -> WantedRoom:
        room = self.book.rooms().get(room_id)
        if room is None:
            raise NotFound(f"room {room_id!r} is not watched; put it up with PUT /v1/rooms/{room_id}")
        return room

    def _owner(self, room_id: str, *, media: bool) -> str:
        """Return the address of the worker that watches a room."""
        if media and self._room(room_id).spec.source is not None:
            raise InvalidSample(f"room {room_id!r} is pulled from its source; put it up without source to push media")
        self._room(room_id)
        news = self._parts.news.of(room_id)
        if news is None or news.kind is RoomKind.ENDED:
            raise Overloaded(f"no worker has said yet that it watches room {room_id!r}", retry_after_s=OWNER_WAIT_S)
        if not (news.worker_url or "").startswith(("http://", "https://")):
            raise NotReady(f"worker {news.worker!r} does not say where it can be reached; set advertise_url in its settings")
        return str(news.worker_url)

    def _open_violations(self, room_id: str | None) -> Counter[str]:
        """Count open violations by room; blocks on the database."""
        found: Counter[str] = Counter()
        cursor = None
        while True:
            page = self._parts.index.find(ViolationQuery(room_id, state=ViolationState.OPEN, limit=PAGE, cursor=cursor))
            found.update(str(one.data["room_id"]) for one in page.violations)
            cursor = page.cursor
            if cursor is None:
                return found

    def _view(self, room: WantedRoom, n_open: Counter[str]) -> View:
        spec = room.spec
        news = self._parts.news.of(spec.room_id)
        alive = None if news is None or news.kind is RoomKind.ENDED else news
        reasons = {} if alive is None or alive.kind is not RoomKind.DEGRADED else dict(alive.reasons)
        return {
            **spec.body(reveal=False),
            "room_id": spec.room_id,
            "mode": "push" if spec.source is None else "pull",
            "state": "waiting" if alive is None else "degraded" if reasons else "live",
            "reason": next(iter(reasons.values()), None),
            "session_id": alive and alive.session_id,
            "started_at": None,
            "watching": _is_watched(news),
            "blind_s": {name: self._blind_s(alive, name) for name in (Modality.IMAGE.value, Modality.AUDIO.value)},
            "blind_reason": next(iter(reasons.values()), None),
            "sampling": {"mode": None, "interval_s": None, "effective_fps": None, "gop_s": None},
            "detectors": {},
            "picture": None,
            "open_violations": n_open[spec.room_id],
            "degraded": [],
            "worker": alive and alive.worker,
            "worker_url": alive and alive.worker_url,
        }

    def _blind_s(self, news: RoomAlert | None, modality: str) -> float | None:
        """Seconds since a worker said that a modality is blind; None where none says so."""
        if news is None or news.kind is not RoomKind.DEGRADED or modality not in news.reasons:
            return None
        return round(max(0.0, (self._parts.engine.clock.utc() - news.at).total_seconds()), 2)


def _is_watched(news: RoomAlert | None) -> bool:
    return news is not None and news.kind in (RoomKind.STARTED, RoomKind.RECOVERED)
