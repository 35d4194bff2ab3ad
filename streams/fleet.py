"""A worker's share of the cluster's rooms: what `livewarden.rooms.v1` says of its partitions, kept true at the desk.

The consumer's thread only notes what is wanted; a task on the worker's loop makes it so and tries again what did not work. A
partition that was taken away counts as ours until the group has said whose it is: while the broker is down, better watched twice
than by nobody.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from inference.errors import InvalidSample, LivewardenError, NotFound, NotReady, Overloaded
from streams.alerts import encode
from streams.deadletters import LostMessage, dead_letter
from streams.desk import RoomDesk
from streams.inbox import Message
from streams.outbox import Outbox
from streams.rooms import RoomSpec
from streams.urls import UrlPolicy

log = logging.getLogger(__name__)

RETRY_S = 2.0
"""How often a room that could not be taken is tried again, seconds."""
SNAPSHOT = "fleet"
"""Where the outbox keeps the ids of the rooms that came from the topic: a tombstone may be written while this worker is down."""


@dataclass(frozen=True, slots=True)
class WantedRoom:
    """A room as the topic has it."""

    spec: RoomSpec
    message: Message
    """Where it says so."""


def read_room(message: Message, urls: UrlPolicy) -> WantedRoom | None:
    """Read a message of the rooms topic; None for a tombstone.

    Raises:
        InvalidSample: it is no room; the message names what is wrong.
    """
    if message.value is None:
        return None
    try:
        body = msgspec.json.decode(message.value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidSample(f"room is no JSON object: {error}") from error
    return WantedRoom(RoomSpec.from_body(message.key, body, urls=urls), message)


class RoomBook:
    """What the rooms topic says, by partition; receives on the consumer's thread and may be asked from any."""

    def __init__(self, urls: UrlPolicy, *, changed: Callable[[], None]) -> None:
        """Begin empty.

        Args:
            urls: which sources may be opened.
            changed: called on the consumer's thread after each change.
        """
        self._urls = urls
        self._changed = changed
        self._lock = threading.Lock()
        self._held: dict[int, dict[str, WantedRoom]] = {}
        self._replayed: dict[int, dict[str, WantedRoom]] = {}
        self._in_doubt: frozenset[int] = frozenset()
        self._settled = False

    @property
    def settled(self) -> bool:
        """Whether the topic was read to its end once: before that, a room that is not here may still come."""
        return self._settled

    def rooms(self) -> Mapping[str, WantedRoom]:
        """Return the rooms of our partitions by id."""
        with self._lock:
            return {room_id: room for rooms in self._held.values() for room_id, room in rooms.items()}

    def receive(self, message: Message) -> None:
        """Note a room, or that it is to be stopped; raises InvalidSample where it is no room."""
        room = read_room(message, self._urls)
        with self._lock:
            replayed = self._replayed.get(message.partition)
            rooms = self._held.setdefault(message.partition, {}) if replayed is None else replayed
            if room is None:
                rooms.pop(message.key, None)
            else:
                rooms[message.key] = room
        if replayed is None:
            self._changed()

    def assigned(self, partitions: frozenset[int]) -> None:
        """Begin to read partitions anew; those that were taken away and did not come back are somebody else's."""
        with self._lock:
            for partition in self._in_doubt - partitions:
                self._held.pop(partition, None)
                self._replayed.pop(partition, None)
            self._in_doubt = frozenset()
            self._replayed.update({partition: {} for partition in partitions})
        self._changed()

    def revoked(self, partitions: frozenset[int]) -> None:
        """Note that the group is dividing the partitions; who gets which is said by `assigned`."""
        with self._lock:
            self._in_doubt |= partitions

    def caught_up(self) -> None:
        """Put what was read anew in the place of what was held."""
        with self._lock:
            self._held.update(self._replayed)
            self._replayed = {}
            self._settled = True
        self._changed()


class Fleet:
    """Keeps the desk's rooms those of the topic. Belongs to the worker's loop; `book` is what the consumer feeds."""

    def __init__(self, desk: RoomDesk, outbox: Outbox, urls: UrlPolicy) -> None:
        self._desk = desk
        self._outbox = outbox
        self._loop = asyncio.get_running_loop()
        self._stirred = asyncio.Event()
        self.book = RoomBook(urls, changed=self._stir)
        self._watched: dict[str, RoomSpec] = {}
        self._refused: dict[str, RoomSpec] = {}
        self._left_over: set[str] = set()

    def _stir(self) -> None:
        self._loop.call_soon_threadsafe(self._stirred.set)

    async def run(self) -> None:
        """Follow the topic until cancelled; start it when the desk takes rooms."""
        saved = self._outbox.load_snapshot(SNAPSHOT)
        self._left_over = set(msgspec.json.decode(saved, type=list[str])) if saved is not None else set()
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            if self.book.settled and not await self._tried():
                self._loop.call_later(RETRY_S, self._stirred.set)

    async def hand_over(self) -> None:
        """End the sessions of all rooms of the topic: another worker begins its own."""
        for room_id in list(self._watched):
            await self._stop(room_id)
        await self._save()

    async def _tried(self) -> bool:
        """Follow; whatever fails, a full disk for one, is told and tried again, or no later change would ever be followed."""
        try:
            return await self._follow()
        except Exception:  # the task's border
            log.exception("rooms of the topic could not be followed")
            return False

    async def _follow(self) -> bool:
        """Make the desk's rooms those of the topic; returns whether all of them are."""
        wanted = self.book.rooms()
        before = {*self._watched, *self._left_over}
        for room_id in before - wanted.keys():
            await self._stop(room_id)
        self._left_over.clear()
        self._refused = {room_id: spec for room_id, spec in self._refused.items() if room_id in wanted}
        all_there = True
        for room_id, room in wanted.items():
            if room.spec not in (self._watched.get(room_id), self._refused.get(room_id)):
                all_there &= await self._take(room_id, room)
        if before != self._watched.keys():
            await self._save()
        return all_there

    async def _take(self, room_id: str, room: WantedRoom) -> bool:
        """Watch one room; False where that may work later."""
        try:
            await self._desk.watch(room.spec)
        except (NotReady, Overloaded) as error:
            log.warning("room waits: %s", error, extra={"room_id": room_id})
            return False
        except LivewardenError as error:
            self._refused[room_id] = room.spec
            message = room.message
            lost = LostMessage(message.topic, message.key, message.value or b"", message.partition, message.offset)
            await asyncio.wrap_future(self._outbox.put([encode(dead_letter(lost, str(error), at=message.at))]))
            return True
        self._watched[room_id] = room.spec
        return True

    async def _stop(self, room_id: str) -> None:
        self._watched.pop(room_id, None)
        try:
            await self._desk.unwatch(room_id)
        except NotFound:
            log.info("room was stopped before", extra={"room_id": room_id})

    async def _save(self) -> None:
        await asyncio.wrap_future(self._outbox.save_snapshot(SNAPSHOT, msgspec.json.encode(sorted(self._watched))))
