"""A worker's rooms are those of its partitions of the rooms topic."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from inference.clock import SystemClock
from inference.errors import InvalidSample, NotFound, Overloaded
from streams.alerts import Topic
from streams.fleet import SNAPSHOT, Fleet, RoomBook
from streams.inbox import Message
from streams.outbox import Outbox
from streams.urls import UrlPolicy

URLS = UrlPolicy(("*",), allow_private=True)
AT = datetime(2026, 11, 24, 8, tzinfo=UTC)


def said(room_id, value=b"{}", partition=0, offset=0):
    return Message(Topic.ROOMS, partition, offset, room_id, value, (), AT)


def titled(title):
    return msgspec.json.encode({"title": title})


@pytest.fixture
def book():
    return RoomBook(URLS, changed=lambda: None)


def read(book, *messages, partitions=frozenset({0})):
    """Give a book its partitions and all that stands in them."""
    book.assigned(frozenset(partitions))
    for message in messages:
        book.receive(message)
    book.caught_up()


def test_nothing_is_settled_before_the_topic_was_read_to_its_end(book):
    book.assigned(frozenset({0}))
    book.receive(said("a"))
    assert not book.settled
    assert not book.rooms()

    book.caught_up()
    assert book.settled
    assert set(book.rooms()) == {"a"}


def test_only_the_last_word_on_a_room_counts(book):
    read(book, said("a", titled("old")), said("b"), said("a", titled("new")), said("b", None))

    assert {room_id: room.spec.title for room_id, room in book.rooms().items()} == {"a": "new"}


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b'{"souce": "x"}', b'{"source": "ftp://x/y"}'])
def test_what_is_no_room_is_refused_with_the_reason_and_changes_nothing(book, value):
    read(book, said("a", titled("kept")))

    with pytest.raises(InvalidSample):
        book.receive(said("a", value))

    assert book.rooms()["a"].spec.title == "kept"


def test_rooms_are_kept_while_the_group_divides_its_partitions_and_go_with_the_one_that_is_lost(book):
    read(book, said("a", partition=0), said("b", partition=1), partitions={0, 1})

    book.revoked(frozenset({0, 1}))
    assert set(book.rooms()) == {"a", "b"}
    book.assigned(frozenset({1}))
    assert set(book.rooms()) == {"b"}


def test_a_partition_read_anew_replaces_what_was_held_only_at_its_end(book):
    read(book, said("a"), said("b"))

    book.revoked(frozenset({0}))
    book.assigned(frozenset({0}))
    book.receive(said("b"))
    assert set(book.rooms()) == {"a", "b"}
    book.caught_up()
    assert set(book.rooms()) == {"b"}


class Desk:
    """A desk that keeps what it is told, and refuses on demand."""

    def __init__(self):
        self.rooms, self.told, self.refusals = {}, [], {}

    async def watch(self, room):
        self.told.append(room.room_id)
        if self.refusals.get(room.room_id):
            raise self.refusals[room.room_id].pop()
        self.rooms[room.room_id] = room

    async def unwatch(self, room_id):
        if self.rooms.pop(room_id, None) is None:
            raise NotFound(room_id)


@pytest.fixture
def outbox(tmp_path):
    outbox = Outbox(tmp_path / "outbox.db", clock=SystemClock())
    yield outbox
    outbox.close()


def play(outbox, scene):
    """Run a scene beside a fleet; the scene gets desk, fleet and a way to wait for a condition."""

    async def stage():
        desk = Desk()
        fleet = Fleet(desk, outbox, URLS)
        task = asyncio.create_task(fleet.run())

        async def until(condition):
            async with asyncio.timeout(10):
                while not condition():
                    await asyncio.to_thread(lambda: None)

        try:
            await scene(desk, fleet, until)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(stage())


def saved(outbox):
    return msgspec.json.decode(outbox.load_snapshot(SNAPSHOT) or b"[]")


def test_the_desk_follows_the_topic(outbox):
    async def scene(desk, fleet, until):
        read(fleet.book, said("a"), said("b"))
        await until(lambda: set(desk.rooms) == {"a", "b"})
        fleet.book.receive(said("a", titled("new")))
        fleet.book.receive(said("b", None))
        await until(lambda: set(desk.rooms) == {"a"} and desk.rooms["a"].title == "new")
        assert desk.told.count("b") == 1
        await until(lambda: saved(outbox) == ["a"])

    play(outbox, scene)


def test_a_room_stopped_while_the_worker_was_down_is_stopped_when_it_comes_back(outbox):
    async def first(desk, fleet, until):
        read(fleet.book, said("a"), said("b"))
        await until(lambda: saved(outbox) == ["a", "b"])

    async def second(desk, fleet, until):
        desk.rooms = {"a": None, "b": None, "local": None}  # what the worker took up again from its own disk
        read(fleet.book, said("b"))
        await until(lambda: saved(outbox) == ["b"])
        assert set(desk.rooms) == {"b", "local"}

    play(outbox, first)
    play(outbox, second)


def test_a_full_worker_tries_again_and_the_other_rooms_are_watched(outbox, monkeypatch):
    monkeypatch.setattr("streams.fleet.RETRY_S", 0.0)

    async def scene(desk, fleet, until):
        desk.refusals["a"] = [Overloaded("full"), Overloaded("full")]
        read(fleet.book, said("a"), said("b"))
        await until(lambda: set(desk.rooms) == {"a", "b"})
        assert desk.told.count("a") == 3
        assert desk.told.count("b") == 1

    play(outbox, scene)


def test_rooms_are_followed_on_after_a_failure_of_the_desk(outbox, monkeypatch):
    monkeypatch.setattr("streams.fleet.RETRY_S", 0.0)

    async def scene(desk, fleet, until):
        desk.refusals["a"] = [OSError(28, "No space left on device")]
        read(fleet.book, said("a"))
        await until(lambda: set(desk.rooms) == {"a"})

    play(outbox, scene)


def test_a_room_that_can_never_be_watched_becomes_one_dead_letter_and_is_not_tried_again(outbox):
    async def scene(desk, fleet, until):
        desk.refusals["a"] = [InvalidSample("no policy 'x'")]
        read(fleet.book, said("a", offset=7))
        await until(lambda: outbox.since(0, 10))
        read(fleet.book, said("a", offset=7), said("b"))
        await until(lambda: "b" in desk.rooms)
        assert desk.told.count("a") == 1

    play(outbox, scene)
    [row] = outbox.since(0, 10)
    letter = msgspec.json.decode(row.event.value)
    assert (row.event.topic, letter["reason"], letter["offset"]) == (Topic.DEAD, "no policy 'x'", 7)


def test_rooms_are_handed_over_when_a_worker_leaves_the_cluster(outbox):
    async def scene(desk, fleet, until):
        read(fleet.book, said("a"))
        await until(lambda: "a" in desk.rooms)
        desk.rooms["local"] = None
        await fleet.hand_over()
        assert set(desk.rooms) == {"local"}

    play(outbox, scene)
    assert saved(outbox) == []
