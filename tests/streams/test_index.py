"""Index: each violation once, as it stands, however its events arrive; to be asked page by page; reviewed and un-reviewed."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from inference.clock import SystemClock
from inference.errors import ConfigError, InvalidSample, NotFound
from inference.verdicts import Decision
from streams import index_feed as feed_module
from streams.alerts import Evidence, ViolationAlert, ViolationKind, encode
from streams.cloudevents import CloudEvent
from streams.index import MediaKind, Review, ReviewAction, ViolationIndex, ViolationQuery, ViolationState
from streams.index_feed import IndexFeed
from streams.outbox import Outbox
from tests.streams.test_alerts import NOW, room, still, violation


@pytest.fixture(params=["file", "memory"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ViolationIndex]:
    opened = ViolationIndex(f"sqlite:///{tmp_path}/new/index.db" if request.param == "file" else "sqlite://")
    yield opened
    opened.close()


def life(violation_id: str = "v1", *, minute: int = 0, **changes: Any) -> list[CloudEvent]:
    """Opened, updated, closed: each with one picture more."""
    kinds = (ViolationKind.OPENED, ViolationKind.UPDATED, ViolationKind.CLOSED)
    return [encode(step(violation_id, seq, kind, minute=minute, **changes)) for seq, kind in enumerate(kinds, start=1)]


def step(violation_id: str, seq: int, kind: ViolationKind, *, minute: int = 0, **changes: Any) -> ViolationAlert:
    picture = dataclasses.replace(still(), uri=f"file:///e/{violation_id}-{seq}.jpg")
    base = violation(violation_id=violation_id, seq=seq, kind=kind, evidence=Evidence((picture,)))
    temporal = dataclasses.replace(base.temporal, captured_at=NOW + timedelta(minutes=minute, seconds=seq))
    return dataclasses.replace(base, temporal=temporal, **changes)


def ids(index: ViolationIndex, **query: Any) -> list[str]:
    return [found.violation_id for found in index.find(ViolationQuery(**query)).violations]


def said(action: ReviewAction, violation_id: str = "v1", **more: Any) -> Review:
    return Review(violation_id, action, more.pop("at", NOW), **more)


def test_violation_stands_as_its_latest_alert_says(index: ViolationIndex) -> None:
    events = life()
    assert index.apply(events[:1]) == 1
    assert index.get("v1").state is ViolationState.OPEN

    index.apply(events[1:])

    found = index.get("v1")
    assert (found.state, found.data["kind"], found.data["seq"]) == (ViolationState.CLOSED, "closed", 3)
    assert found.opened_at == NOW + timedelta(seconds=1)
    assert [entry["kind"] for entry in index.history("v1")] == ["opened", "updated", "closed"]


def test_events_in_any_order_and_number_give_the_same(index: ViolationIndex) -> None:
    reference = ViolationIndex("sqlite://")
    reference.apply(life())
    wanted = reference.get("v1")
    reference.close()
    shuffled = random.Random(7)

    for n, order in enumerate(itertools.permutations(range(3))):
        events = [life(f"v{n}")[at] for at in order]
        for event in [*events, shuffled.choice(events)]:
            index.apply([event])
        found = index.get(f"v{n}")
        assert (found.state, found.opened_at, found.data["seq"]) == (wanted.state, wanted.opened_at, wanted.data["seq"])
        assert len(found.media) == 3


def test_known_event_is_not_counted_again(index: ViolationIndex) -> None:
    assert index.apply(life()) == 3
    assert index.apply(life()) == 0


def test_other_topics_are_passed_over(index: ViolationIndex) -> None:
    assert index.apply([encode(room())]) == 0
    assert ids(index) == []


def test_every_file_keeps_its_number(index: ViolationIndex) -> None:
    first = encode(violation())
    index.apply([first])
    before = [index.evidence("v1", n).data["uri"] for n in range(3)]
    index.apply([encode(step("v1", 2, ViolationKind.UPDATED))])

    assert [index.evidence("v1", n).data["uri"] for n in range(3)] == before
    assert [index.evidence("v1", n).kind for n in range(3)] == [MediaKind.STILL, MediaKind.AUDIO, MediaKind.STRIP]
    assert index.evidence("v1", 3).uri == "file:///e/v1-2.jpg"


@pytest.mark.parametrize("n", [-1, 3])
def test_evidence_that_is_not_there_is_named(index: ViolationIndex, n: int) -> None:
    index.apply([encode(violation())])

    with pytest.raises(NotFound, match=f"has 3 pieces of evidence, counted from 0; got {n}"):
        index.evidence("v1", n)


@pytest.mark.parametrize("ask", ["get", "evidence", "review"])
def test_unknown_violation_is_named(index: ViolationIndex, ask: str) -> None:
    arguments = {"get": ("nope",), "evidence": ("nope", 0), "review": (said(ReviewAction.CONFIRM, "nope"),)}[ask]

    with pytest.raises(NotFound, match="no violation 'nope'"):
        getattr(index, ask)(*arguments)


def test_query_narrows_by_everything(index: ViolationIndex) -> None:
    index.apply(life("a", minute=1, room_id="r1", label="ads.contact", decision=Decision.BLOCK))
    index.apply(life("b", minute=2, room_id="r2", label="ads.qr_code")[:1])
    index.apply(life("c", minute=3, room_id="r1", label="adsx"))

    assert ids(index) == ["c", "b", "a"]
    assert ids(index, room_id="r1") == ["c", "a"]
    assert ids(index, label="ads.*") == ["b", "a"]
    assert ids(index, label="ads.contact") == ["a"]
    assert ids(index, decision=Decision.BLOCK) == ["a"]
    assert ids(index, state=ViolationState.OPEN) == ["b"]
    assert ids(index, since=NOW + timedelta(minutes=2)) == ["c", "b"]
    assert ids(index, until=NOW + timedelta(minutes=2)) == ["a"]
    index.review(said(ReviewAction.CONFIRM, "b"))
    assert ids(index, review=ReviewAction.CONFIRM) == ["b"]


def test_pages_meet_without_gap_or_overlap_also_at_the_same_moment(index: ViolationIndex) -> None:
    index.apply([event for n in range(25) for event in life(f"v{n:02d}", minute=n // 7)[:1]])
    seen: list[str] = []
    cursor = None
    for _ in range(10):
        page = index.find(ViolationQuery(limit=4, cursor=cursor))
        seen += [found.violation_id for found in page.violations]
        cursor = page.cursor
        if cursor is None:
            break

    assert seen == ids(index, limit=500)
    assert len(seen) == 25


def test_violation_found_meanwhile_does_not_move_the_pages(index: ViolationIndex) -> None:
    index.apply([event for n in range(6) for event in life(f"v{n}", minute=n)[:1]])
    first = index.find(ViolationQuery(limit=3))

    index.apply(life("new", minute=99)[:1])

    second = index.find(ViolationQuery(limit=3, cursor=first.cursor))
    assert [found.violation_id for found in second.violations] == ["v2", "v1", "v0"]


@pytest.mark.parametrize("cursor", ["nonsense!", "", "AAAA", "W10=", "é"])
def test_foreign_cursor_is_refused(index: ViolationIndex, cursor: str) -> None:
    with pytest.raises(InvalidSample, match="is none of ours"):
        index.find(ViolationQuery(cursor=cursor))


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 501}, {"since": datetime(2026, 1, 1)}, {"until": datetime(2026, 1, 1)}],  # noqa: DTZ001
)
def test_query_that_cannot_be_is_refused(query: dict[str, Any]) -> None:
    with pytest.raises(InvalidSample, match="must"):
        ViolationQuery(**query)


def test_reviews_stand_until_undone(index: ViolationIndex) -> None:
    index.apply(life())

    index.review(said(ReviewAction.CONFIRM, reviewer="li"))
    relabelled = index.review(said(ReviewAction.RELABEL, label="ads.contact", note="联系方式"))
    undone = index.review(said(ReviewAction.UNDO, review_id="u1"))
    clear = index.review(said(ReviewAction.UNDO, review_id="u2"))

    assert (relabelled.review, relabelled.review_label) == (ReviewAction.RELABEL, "ads.contact")
    assert (undone.review, undone.review_label) == (ReviewAction.CONFIRM, None)
    assert clear.review is None
    with pytest.raises(InvalidSample, match="nothing to undo"):
        index.review(said(ReviewAction.UNDO, review_id="u3"))
    history = index.reviews("v1")
    assert [one.action for one in history] == ["confirm", "relabel", "undo", "undo"]
    assert (history[0].reviewer, history[1].note, history[0].at) == ("li", "联系方式", NOW)


def test_same_review_again_changes_nothing(index: ViolationIndex) -> None:
    index.apply(life())
    first = said(ReviewAction.CONFIRM, review_id="m1")
    index.review(first)
    index.review(said(ReviewAction.OVERTURN, review_id="m2"))

    index.review(first)
    index.review(said(ReviewAction.OVERTURN, at=NOW + timedelta(seconds=1)))

    assert [one.action for one in index.reviews("v1")] == ["confirm", "overturn"]
    assert index.get("v1").review is ReviewAction.OVERTURN


def test_review_survives_later_alerts(index: ViolationIndex) -> None:
    events = life()
    index.apply(events[:1])
    index.review(said(ReviewAction.OVERTURN))

    index.apply(events[1:])

    assert index.get("v1").review is ReviewAction.OVERTURN


def test_relabelling_needs_a_label(index: ViolationIndex) -> None:
    with pytest.raises(InvalidSample, match="needs the right label"):
        index.review(said(ReviewAction.RELABEL))


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/index.db"
    first = ViolationIndex(address)
    first.apply(life(), position=("feed", 7))
    first.close()

    second = ViolationIndex(address)
    assert ids(second) == ["v1"]
    assert (second.position("feed"), second.position("other")) == (7, 0)
    second.close()


def test_threads_read_and_write_together(tmp_path: Path) -> None:
    index = ViolationIndex(f"sqlite:///{tmp_path}/index.db")
    failures: list[BaseException] = []

    def write(worker: int) -> None:
        try:
            for n in range(25):
                index.apply(life(f"{worker}-{n}", minute=n))
                index.review(said(ReviewAction.CONFIRM, f"{worker}-{n}"))
                index.find(ViolationQuery(limit=10))
        except BaseException as exc:  # a thread's failure is the test's
            failures.append(exc)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert len(ids(index, limit=500, review=ReviewAction.CONFIRM)) == 100
    index.close()


def test_two_workers_on_one_database_agree(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/index.db"
    one, two = ViolationIndex(address), ViolationIndex(address)
    events = [event for n in range(30) for event in life(f"v{n}")]
    counted: list[int] = []
    threads = [
        threading.Thread(target=lambda index=index: counted.append(sum(index.apply([e]) for e in events))) for index in (one, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sum(counted) == 90
    assert len(ids(one, limit=500)) == 30
    one.close()
    two.close()


@pytest.mark.parametrize(
    "address",
    [
        "nosuch://user:pw-1234@host/db",
        "postgresql://user:pw-1234@127.0.0.1:1/db",
        "no address pw-1234",
        "sqlite:////proc/none/x.db",
    ],
)
def test_address_that_cannot_be_used_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        ViolationIndex(address)
    assert "pw-1234" not in str(caught.value)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", clock=SystemClock())
    yield box
    box.close()


def test_feed_takes_in_what_was_committed_before_and_after_it_began(outbox: Outbox, index: ViolationIndex) -> None:
    outbox.put(life("old")).result(5)
    feed = IndexFeed(outbox, index, name="w1")
    feed.start()
    outbox.put(life("new")).result(5)
    feed.close()

    assert sorted(ids(index)) == ["new", "old"]
    assert feed.trouble is None


def test_feed_goes_on_where_the_index_stands(outbox: Outbox, index: ViolationIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox.put([event for n in range(300) for event in life(f"v{n}")[:1]]).result(5)
    first = IndexFeed(outbox, index, name="w1")
    first.start()
    first.close()
    outbox.put(life("more")).result(5)
    taken: list[int] = []
    apply = index.apply
    monkeypatch.setattr(index, "apply", lambda events, **position: taken.append(len(events)) or apply(events, **position))

    second = IndexFeed(outbox, index, name="w1")
    second.start()
    second.close()

    assert taken == [3]
    assert len(ids(index, limit=500)) == 301


def test_feed_outlives_a_database_that_does_not_work(
    outbox: Outbox, index: ViolationIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "RETRY_PAUSE_S", 0.01)
    apply, left, done = index.apply, iter(range(3)), threading.Event()

    def flaky(events: list[CloudEvent], **position: Any) -> int:
        if next(left, None) is not None:
            raise OperationalError("INSERT", {}, Exception("database is gone"))
        n_new = apply(events, **position)
        done.set()
        return n_new

    monkeypatch.setattr(index, "apply", flaky)
    feed = IndexFeed(outbox, index, name="w1")
    feed.start()
    outbox.put(life()).result(5)

    assert done.wait(10)
    feed.close()
    assert ids(index) == ["v1"]
    assert feed.trouble is None


def test_fresh_outbox_is_read_from_its_beginning(tmp_path: Path, index: ViolationIndex) -> None:
    for name in ("first", "second"):
        box = Outbox(tmp_path / f"{name}.db", clock=SystemClock())
        box.put(life(name)).result(5)
        feed = IndexFeed(box, index, name="w1")
        feed.start()
        feed.close()
        box.close()

    assert sorted(ids(index)) == ["first", "second"]
