"""The API role: what it writes for the workers, what it hears of them, and how pushed media find their worker."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import msgspec
import numpy as np
import pytest

from inference.clock import SystemClock
from inference.errors import DeadlineExceeded, InvalidSample, LivewardenError, NotFound, NotReady, Overloaded
from inference.pictures import decode_picture
from inference.samples import Modality
from inference.sounds import decode_sound
from inference.verdicts import Box, Decision, Finding, Judged, PolicyRef, Verdict
from streams.alerts import RoomKind, Topic, ViolationKind, encode
from streams.cluster import ClusterDesk, ClusterParts
from streams.desk import DanmakuLine, PushAnswer, PushedFrame, PushedSound, Queued
from streams.forwarding import WorkerClient
from streams.hearing import RoomNews, ViolationReceiver
from streams.inbox import Message
from streams.index import Review, ReviewAction, ViolationIndex, ViolationQuery
from streams.push import push_view
from streams.reviews import ReviewReceiver
from streams.rooms import RoomSpec
from streams.settings import Settings
from streams.sinks import SinkUnavailable
from tests.streams.test_alerts import room, violation

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
URL = "http://worker-3:8080"


def message(event):
    """An event as it is read from its topic."""
    return Message(event.topic, 0, 0, event.key, event.value, event.headers, event.time)


def said(value, *, at=AT):
    return Message(Topic.REVIEWS, 0, 0, "r1", value, (), at)


class Broker:
    """Writes by handing every message to the desk's book, as the topic would."""

    def __init__(self):
        self.written, self.down, self.book = [], False, None

    def put(self, topic, key, value):
        if self.down:
            raise SinkUnavailable("kafka is down")
        self.written.append((topic, key, value))
        if topic is Topic.ROOMS:
            self.book.receive(Message(topic, 0, len(self.written), key, value, (), AT))


class Policies:
    def for_room(self, biz, policy):
        if policy == "gone":
            raise NotFound("no policy 'gone'")


@pytest.fixture
def index():
    index = ViolationIndex("sqlite://")
    yield index
    index.close()


def play(index, scene, answer=None):
    """Run a scene at a desk whose workers answer HTTP by a function."""

    async def stage():
        broker, news = Broker(), RoomNews()
        transport = httpx.MockTransport(answer or (lambda request: httpx.Response(500)))
        engine = SimpleNamespace(
            policies=Policies(), clock=SystemClock(), missing={}, device=SimpleNamespace(share=SimpleNamespace(name="cpu-0"))
        )
        parts = ClusterParts(engine, index, news, broker, WorkerClient(key="k-1", transport=transport), lambda: {"state": "up"})
        desk = ClusterDesk(parts, Settings(worker_id="api"))
        broker.book = desk.book
        desk.book.assigned(frozenset({0}))
        desk.book.caught_up()
        try:
            await scene(desk, broker, news)
        finally:
            await desk.close()

    asyncio.run(stage())


def told(room_id="r1", kind=RoomKind.DEGRADED, **changes):
    given = {"session_id": "s1", "seq": 1, "at": AT, "worker": "w3", "worker_url": URL, "reasons": {}, **changes}
    return message(encode(dataclasses.replace(room(kind=kind), room_id=room_id, **given)))


def test_a_room_is_a_message_and_its_end_a_tombstone(index):
    async def scene(desk, broker, news):
        await desk.watch(RoomSpec("r1", title="hello"))
        [view] = await desk.views()
        assert (view["room_id"], view["title"], view["state"], view["watching"]) == ("r1", "hello", "waiting", False)
        await desk.unwatch("r1")
        assert await desk.views() == []
        assert [(topic, key) for topic, key, _ in broker.written] == [(Topic.ROOMS, "r1")] * 2
        assert json.loads(broker.written[0][2])["title"] == "hello"
        assert broker.written[1][2] is None

    play(index, scene)


def test_what_cannot_be_is_refused_before_anything_is_written(index):
    async def scene(desk, broker, news):
        with pytest.raises(InvalidSample, match="gone"):
            await desk.watch(RoomSpec("r1", policy="gone"))
        with pytest.raises(NotFound, match="'r1'"):
            await desk.unwatch("r1")
        assert broker.written == []
        broker.down = True
        with pytest.raises(NotReady, match="kafka is down"):
            await desk.watch(RoomSpec("r1"))
        assert await desk.views() == []

    play(index, scene)


def test_a_room_is_described_by_its_worker_s_last_word_and_the_open_violations(index):
    async def scene(desk, broker, news):
        await desk.watch(RoomSpec("r1"))
        news.receive(told(kind=RoomKind.STARTED))
        index.apply([encode(violation(violation_id="v1", room_id="r1", kind=ViolationKind.OPENED, seq=1))])
        view = await desk.view("r1")
        assert (view["state"], view["watching"], view["worker"], view["open_violations"]) == ("live", True, "w3", 1)
        news.receive(told(seq=2, reasons={"image": "decode_error"}))
        view = await desk.view("r1")
        assert (view["state"], view["watching"], view["reason"]) == ("degraded", False, "decode_error")
        assert view["blind_s"]["image"] is not None
        assert view["blind_s"]["audio"] is None
        totals = (await desk.status())["totals"]
        assert (totals["rooms"], totals["watched"], totals["blind"], totals["open_violations"]) == (1, 0, 1, 1)

    play(index, scene)


def test_the_end_of_a_session_says_nothing_of_the_one_another_worker_began():
    news = RoomNews()
    news.receive(told(kind=RoomKind.STARTED))
    news.receive(told(kind=RoomKind.STARTED, session_id="s2", worker="w4", at=AT + timedelta(seconds=2)))
    news.receive(told(kind=RoomKind.ENDED, seq=9, at=AT + timedelta(seconds=3)))
    assert news.of("r1").worker == "w4"

    news.receive(told(kind=RoomKind.DEGRADED, session_id="s2", worker="w4", seq=1, at=AT - timedelta(days=1)))
    news.receive(told(kind=RoomKind.ENDED, session_id="s2", worker="w4", seq=2))
    assert news.of("r1").kind is RoomKind.ENDED


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"{}"])
def test_lifecycle_events_that_cannot_be_read_are_refused(value):
    with pytest.raises(InvalidSample, match="lifecycle"):
        RoomNews().receive(Message(Topic.LIFECYCLE, 0, 0, "r1", value, (), AT))


def test_violations_of_the_workers_come_into_the_index_once(index):
    event = encode(violation(violation_id="v1", kind=ViolationKind.OPENED, seq=1))
    receiver = ViolationReceiver(index)

    receiver.receive(message(event))
    receiver.receive(message(event))

    assert [one.violation_id for one in index.find(ViolationQuery()).violations] == ["v1"]
    assert len(index.history("v1")) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"headers": ()}, "ce_id"), ({"value": None}, "value"), ({"value": b"{}"}, "lacks violation_id"), ({"value": b"x"}, "read")],
)
def test_violations_that_cannot_be_read_are_refused(index, change, reason):
    given = dataclasses.replace(message(encode(violation())), **change)

    with pytest.raises(InvalidSample, match=reason):
        ViolationReceiver(index).receive(given)


PUSHED = PushAnswer(
    Modality.IMAGE,
    Queued.ACCEPTED,
    4.25,
    Verdict(
        Decision.REVIEW,
        PolicyRef("default", 3),
        (
            Judged(
                Finding("ads.qr_code", 0.97, Modality.IMAGE, "codes", boxes=(Box(0.1, 0.2, 0.3, 0.4, 0.9, "qr"),), qr="https://x"),
                Decision.REVIEW,
                "ads.*",
                2,
                "warn",
            ),
        ),
    ),
    ("ocr",),
)


def test_pushed_media_go_to_the_worker_that_has_the_room_and_its_answer_comes_back(index):
    asked = []

    def answer(request):
        asked.append(request)
        part = "frames" if "/frames" in request.url.path else "audio"
        given = PUSHED if part == "frames" else PushAnswer(Modality.AUDIO, Queued.NOT_DUE, 1.5)
        return httpx.Response(200, content=msgspec.json.encode({part: [push_view(given)]}))

    pixels = np.random.default_rng(1).integers(0, 256, (36, 64, 3), dtype=np.uint8)
    pcm = (np.arange(1600, dtype=np.float32) / 1600 - 0.5).astype(np.float32)

    async def scene(desk, broker, news):
        await desk.watch(RoomSpec("r:1@x"))
        news.receive(told("r:1@x"))
        got = await desk.push_frame("r:1@x", PushedFrame(pixels, AT), wait=True)
        assert push_view(got) == push_view(PUSHED)
        assert got.degraded == ("ocr",)
        heard = await desk.push_sound("r:1@x", PushedSound(pcm))
        assert (heard.modality, heard.queued, heard.pts_s) == (Modality.AUDIO, Queued.NOT_DUE, 1.5)

    play(index, scene, answer)
    frame, sound = asked
    assert str(frame.url) == f"{URL}/v1/rooms/r%3A1%40x/frames?wait=true"
    assert frame.headers["Authorization"] == "Bearer k-1"
    assert frame.headers["Livewarden-Captured-At"].startswith("2026-11-24T08:00:00")
    np.testing.assert_array_equal(decode_picture(frame.content), pixels)
    np.testing.assert_allclose(decode_sound(sound.content, sound.headers["Content-Type"]), pcm, atol=1 / 32768)


def test_media_for_a_room_that_no_worker_has_are_to_come_again(index):
    frame = PushedFrame(np.zeros((4, 4, 3), np.uint8))

    async def scene(desk, broker, news):
        with pytest.raises(NotFound):
            await desk.danmaku("r1", [DanmakuLine("hi")])
        await desk.watch(RoomSpec("r1"))
        with pytest.raises(Overloaded, match="no worker") as refused:
            await desk.push_frame("r1", frame, wait=False)
        assert refused.value.retry_after_s > 0
        news.receive(told(worker_url=None))
        with pytest.raises(NotReady, match="advertise_url"):
            await desk.push_frame("r1", frame, wait=False)
        news.receive(told(kind=RoomKind.ENDED, seq=2))
        with pytest.raises(Overloaded, match="no worker"):
            await desk.push_frame("r1", frame, wait=False)

    play(index, scene)


def no_answer(request):
    raise httpx.ConnectError("connection refused")


def too_late(request):
    raise httpx.ReadTimeout("late")


def problem(status):
    return lambda request: httpx.Response(status, json={"status": status, "detail": "as the worker said"})


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (problem(404), NotFound, "as the worker said"),
        (problem(422), InvalidSample, "as the worker said"),
        (problem(429), Overloaded, "as the worker said"),
        (problem(503), NotReady, "as the worker said"),
        (lambda request: httpx.Response(502, text="<html>"), Overloaded, "cannot be asked"),
        (no_answer, Overloaded, "refused"),
        (too_late, DeadlineExceeded, "did not answer"),
    ],
)
def test_what_the_worker_refuses_is_refused_the_same_way(index, answer, error, text):
    async def scene(desk, broker, news):
        await desk.watch(RoomSpec("r1"))
        news.receive(told())
        with pytest.raises(LivewardenError, match=text) as refused:
            await desk.danmaku("r1", [DanmakuLine("hi")])
        assert type(refused.value) is error

    play(index, scene, answer)


def test_a_review_is_published_as_it_was_written_so_that_reading_it_back_changes_nothing(index):
    index.apply([encode(violation(violation_id="v1", room_id="r1", kind=ViolationKind.OPENED, seq=1))])
    index.review(Review("v1", ReviewAction.OVERTURN, AT, reviewer="ann", note="a game"))

    async def scene(desk, broker, news):
        await desk.review("v1", overturned=True)
        [(topic, key, value)] = broker.written
        assert (topic, key) == (Topic.REVIEWS, "r1")
        ReviewReceiver(index, None, clock=SystemClock()).receive(said(value))

    play(index, scene)
    assert Counter(one.action for one in index.reviews("v1")) == {ReviewAction.OVERTURN: 1}


@pytest.mark.parametrize(
    "value",
    [
        b"x",
        b"{}",
        b'{"violation_id": "v1", "action": "burn"}',
        b'{"violation_id": "v1", "action": "relabel"}',
        b'{"violation_id": "v1", "action": "relabel", "label": "no.such"}',
        b'{"violation_id": "v1", "action": "confirm", "label": "porn.nudity"}',
        None,
    ],
)
def test_reviews_that_cannot_be_understood_are_refused(index, value):
    async def scene(desk, broker, news):
        with pytest.raises(InvalidSample):
            ReviewReceiver(index, None, clock=SystemClock()).receive(said(value))

    play(index, scene)


def test_a_review_may_overtake_its_violation_but_is_not_waited_for_long(index):
    value = b'{"violation_id": "v9", "action": "confirm"}'

    async def scene(desk, broker, news):
        receiver = ReviewReceiver(index, None, clock=SystemClock())
        with pytest.raises(NotReady, match="v9"):
            receiver.receive(said(value, at=SystemClock().utc()))
        receiver.receive(said(value, at=SystemClock().utc() - timedelta(minutes=1)))

    play(index, scene)
