"""Publisher: in order per room, severest first, never lost, never in anybody's way; over a sink in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inference.clock import SystemClock
from inference.metrics import Metrics
from inference.testing import ManualClock
from streams import publisher as publisher_module
from streams.alerts import Topic
from streams.cloudevents import CloudEvent
from streams.outbox import Outbox
from streams.outbox_file import RowState
from streams.publisher import Publisher, PublisherLimits
from streams.sinks import AlertSink, SinkRefused, SinkUnavailable, TopicMissing
from streams.testing import MemoryAlertSink, failing_first

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)


def event(name: str, *, room: str = "r1", severity: int = 2, topic: str = Topic.VIOLATIONS) -> CloudEvent:
    return CloudEvent(name, "livewarden.violation.opened.v1", "/livewarden", NOW, topic, room, "v1", b"{}", severity)


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(publisher_module, "LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(publisher_module, "TOPIC_PAUSE_S", 0.05)
    monkeypatch.setattr(publisher_module, "GAUGES_EVERY_S", 0.05)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", clock=SystemClock())
    yield box
    box.close()


@pytest.fixture
def sink() -> MemoryAlertSink:
    return MemoryAlertSink()


Start = Callable[..., Publisher]


@pytest.fixture
def start(outbox: Outbox) -> Iterator[Start]:
    started: list[Publisher] = []

    def start_one(open_sink: Callable[[], AlertSink], **limits: float) -> Publisher:
        metrics = Metrics()
        publisher = Publisher(outbox, open_sink, clock=SystemClock(), metrics=metrics, limits=PublisherLimits(**limits))  # type: ignore[arg-type]
        publisher.start()
        started.append(publisher)
        return publisher

    yield start_one
    for publisher in started:
        publisher.close(deadline_s=0.0)


def settled(outbox: Outbox, publisher: Publisher) -> None:
    publisher.close(deadline_s=10.0)
    assert outbox.backlog().n_pending == 0


def test_waiting_and_new_events_are_sent_and_marked(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    outbox.put([event("old")]).result(5)
    publisher = start(lambda: sink)
    outbox.put([event("new")]).result(5)

    assert {one.id for one in sink.wait_for(2)} == {"old", "new"}
    settled(outbox, publisher)
    row = outbox.row("old")
    assert row is not None
    assert row.state is RowState.SENT


def test_sent_event_is_the_one_that_was_put(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    outbox.put([event("e1", room="直播间")]).result(5)
    start(lambda: sink)

    assert sink.wait_for(1) == [event("e1", room="直播间")]


def test_broker_that_is_down_at_first_loses_nothing(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    publisher = start(failing_first(3, sink))
    outbox.put([event(f"e{n}") for n in range(5)]).result(5)

    assert [one.id for one in sink.wait_for(5)] == [f"e{n}" for n in range(5)]
    settled(outbox, publisher)


def test_backlog_goes_out_severest_room_first(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    outbox.put([event(f"mild-{n}", room=f"m{n}", severity=1) for n in range(20)]).result(5)
    outbox.put([event("grave", room="g", severity=4)]).result(5)

    start(lambda: sink)

    assert sink.wait_for(21)[0].id == "grave"


def test_later_event_of_a_room_waits_for_the_answer_to_the_earlier(outbox: Outbox, start: Start) -> None:
    answers: dict[str, Callable[[None], None]] = {}
    grown = threading.Condition()

    class Held(MemoryAlertSink):
        def send(self, event: CloudEvent, answer: Callable[..., None]) -> None:
            with grown:
                self.events.append(event)
                answers[event.id] = answer
                grown.notify_all()

    held = Held()
    outbox.put(
        [event("a0", room="a"), event("a1", room="a"), event("b0", room="b"), event("life", room="a", topic=Topic.LIFECYCLE)]
    )
    start(lambda: held)
    with grown:
        assert grown.wait_for(lambda: {"a0", "b0", "life"} <= set(answers), 10)
        before = [one.id for one in held.events]
        answers["b0"](None)
        answers["a0"](None)
        assert grown.wait_for(lambda: "a1" in answers, 10)
    answers["a1"](None)
    answers["life"](None)

    assert "a1" not in before


def test_hot_room_is_sent_in_order_to_its_end(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    outbox.put([event(f"e{n}") for n in range(300)]).result(5)
    publisher = start(lambda: sink)

    assert [one.id for one in sink.wait_for(300)] == [f"e{n}" for n in range(300)]
    settled(outbox, publisher)
    assert len(sink.events) == 300


def test_in_flight_is_bounded(outbox: Outbox, start: Start) -> None:
    silent = MemoryAlertSink()
    silent.silent = True
    outbox.put([event(f"e{n}", room=f"r{n}") for n in range(50)]).result(5)
    publisher = start(lambda: silent, max_in_flight=7, row_deadline_s=1000.0)

    silent.wait_for(7)
    outbox.put([event("more", room="other")]).result(5)
    publisher.close(deadline_s=0.0)

    assert len(silent.events) == 7


def test_silent_sink_is_opened_anew_and_the_same_ids_are_sent(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    silent = MemoryAlertSink()
    silent.silent = True
    sinks: Iterator[AlertSink] = iter([silent, sink])
    outbox.put([event("a0", room="a"), event("a1", room="a"), event("b0", room="b")]).result(5)

    publisher = start(lambda: next(sinks), row_deadline_s=0.05)

    assert sorted(one.id for one in sink.wait_for(3)) == ["a0", "a1", "b0"]
    assert [one.id for one in sink.events if one.key == "a"] == ["a0", "a1"]
    assert silent.n_closed == 1
    settled(outbox, publisher)
    row = outbox.row("a0")
    assert row is not None
    assert row.attempts == 1


def test_late_answer_of_a_given_up_sink_still_counts(outbox: Outbox) -> None:
    clock = ManualClock()
    publisher = Publisher(outbox, MemoryAlertSink, clock=clock, metrics=Metrics())
    answers: list[Callable[[None], None]] = []

    class Held(MemoryAlertSink):
        def send(self, event: CloudEvent, answer: Callable[..., None]) -> None:
            answers.append(answer)

    outbox.put([event("e1")]).result(5)
    publisher._sink = Held()
    publisher._step()
    publisher._sink = None
    publisher._flights = {}
    answers[0](None)
    publisher._hear_answers()

    outbox.put([event("other")]).result(5)
    row = outbox.row("e1")
    assert row is not None
    assert row.state is RowState.SENT


def test_failed_answer_is_sent_again(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    sink.script.extend([SinkUnavailable("broker gone"), None])
    outbox.put([event("e1")]).result(5)

    publisher = start(lambda: sink)

    assert [one.id for one in sink.wait_for(1)] == ["e1"]
    settled(outbox, publisher)
    assert sink.n_closed == 2


def test_event_that_can_never_be_sent_becomes_a_dead_letter_and_the_next_goes_on(
    outbox: Outbox, sink: MemoryAlertSink, start: Start
) -> None:
    sink.script.append(SinkRefused("too large for this broker"))
    outbox.put([event("bad"), event("good")]).result(5)

    publisher = start(lambda: sink)

    sent = sink.wait_for(2)
    assert {one.topic for one in sent} == {Topic.VIOLATIONS, Topic.DEAD}
    letter = next(one for one in sent if one.topic == Topic.DEAD)
    assert letter.key == "r1"
    assert b"too large for this broker" in letter.value
    assert b'"ce_id":"bad"' in letter.value
    settled(outbox, publisher)
    row = outbox.row("bad")
    assert row is not None
    assert row.state is RowState.DEAD


def test_refused_dead_letter_makes_no_other(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    sink.script.append(SinkRefused("no"))
    outbox.put([event("letter", topic=Topic.DEAD)]).result(5)

    publisher = start(lambda: sink)

    settled(outbox, publisher)
    assert sink.events == []
    assert outbox.backlog().n_dead == 1


def test_missing_topic_holds_up_only_itself(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    sink.script.append(TopicMissing("kafka has no topic livewarden.shadow.v1"))
    outbox.put([event("shadow", topic=Topic.SHADOW, severity=4)]).result(5)
    publisher = start(lambda: sink)
    outbox.put([event("violation")]).result(5)

    assert {one.id for one in sink.wait_for(2)} == {"shadow", "violation"}
    settled(outbox, publisher)
    assert sink.n_closed == 1


def test_status_says_what_is_wrong(outbox: Outbox, start: Start) -> None:
    def nothing() -> AlertSink:
        raise SinkUnavailable("no broker at 127.0.0.1:9092")

    tried = threading.Event()

    def open_sink() -> AlertSink:
        try:
            return nothing()
        finally:
            if waiting.is_set():
                tried.set()

    waiting = threading.Event()
    outbox.put([event("e1")]).result(5)
    publisher = start(open_sink)
    waiting.set()
    assert tried.wait(10)

    status = publisher.status()
    assert (status.connected, status.n_unpublished, status.n_in_flight) == (False, 1, 0)
    assert status.trouble == "no broker at 127.0.0.1:9092"
    assert status.oldest_unpublished_s >= 0.0


def test_broken_sink_does_not_end_publishing(outbox: Outbox, sink: MemoryAlertSink, start: Start) -> None:
    class Broken(MemoryAlertSink):
        def send(self, event: CloudEvent, answer: Callable[..., None]) -> None:
            raise RuntimeError("client's mistake")

    sinks: Iterator[AlertSink] = iter([Broken(), sink])
    outbox.put([event("e1")]).result(5)

    publisher = start(lambda: next(sinks))

    assert [one.id for one in sink.wait_for(1)] == ["e1"]
    settled(outbox, publisher)


def test_closing_without_a_broker_does_not_wait_for_it(outbox: Outbox, start: Start) -> None:
    outbox.put([event("e1")]).result(5)

    def nothing() -> AlertSink:
        raise SinkUnavailable("no broker")

    start(nothing).close(deadline_s=1000.0)

    assert outbox.backlog().n_pending == 1


def test_metrics_tell_what_was_published(outbox: Outbox, sink: MemoryAlertSink) -> None:
    metrics = Metrics()
    publisher = Publisher(outbox, lambda: sink, clock=SystemClock(), metrics=metrics)
    outbox.put([event("e1"), replace(event("e2"), topic=Topic.LIFECYCLE)]).result(5)
    publisher.start()
    sink.wait_for(2)
    publisher.close()

    assert metrics.value("livewarden_events_published_total", {"topic": Topic.VIOLATIONS}) == 1
    assert metrics.value("livewarden_events_published_total", {"topic": Topic.LIFECYCLE}) == 1
    assert metrics.value("livewarden_capture_to_publish_seconds_count") == 1
    assert metrics.value("livewarden_kafka_connected") == 0
