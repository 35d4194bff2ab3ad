"""Outbox: committed before it is told, the same event once, bounded, and alive through full disks and damaged files."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inference.clock import SystemClock
from inference.errors import ConfigError, NotReady, Overloaded
from streams import outbox as outbox_module
from streams.cloudevents import CloudEvent
from streams.outbox import Outbox, OutboxLimits
from streams.outbox_file import RowState

NOW = datetime(2026, 11, 24, 8, 0, 0, 123000, tzinfo=UTC)


def event(name: str, *, room: str = "r1", severity: int = 2, topic: str = "livewarden.violations.v1", size: int = 10) -> CloudEvent:
    return CloudEvent(name, "livewarden.violation.opened.v1", "/livewarden", NOW, topic, room, "v1", b"x" * size, severity)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    box = Outbox(path, clock=SystemClock())
    yield box
    box.close()


def ids(box: Outbox, limit: int = 1000, per_key: int = 64) -> list[str]:
    return [row.event.id for row in box.pending(limit, per_key=per_key)]


def reopened(path: Path, limits: OutboxLimits | None = None) -> Outbox:
    return Outbox(path, clock=SystemClock(), limits=limits)


def test_event_comes_back_as_it_was_put(outbox: Outbox) -> None:
    put = event("e1", room="直播间")

    assert outbox.put([put]).result(5) == 1
    row = outbox.row("e1")
    assert row is not None
    assert row.event == put
    assert (row.state, row.attempts, row.reason) == (RowState.PENDING, 0, None)


def test_same_id_is_kept_once_and_the_first_stays(outbox: Outbox) -> None:
    outbox.put([event("e1", size=1)]).result(5)

    assert outbox.put([event("e1", size=2), event("e2")]).result(5) == 1
    assert ids(outbox) == ["e1", "e2"]
    assert outbox.pending(1)[0].event.value == b"x"


def test_sent_id_is_not_sent_again(outbox: Outbox) -> None:
    outbox.put([event("e1")]).result(5)
    outbox.mark_sent(outbox.pending(10)).result(5)

    assert outbox.put([event("e1")]).result(5) == 0
    assert ids(outbox) == []


def test_pending_is_in_order_per_room_with_the_severest_room_first(outbox: Outbox) -> None:
    mild, grave = (
        [event(f"mild-{n}", room="a", severity=1) for n in range(3)],
        [
            event("grave-0", room="b", severity=1),
            event("grave-1", room="b", severity=4),
        ],
    )
    outbox.put([*mild, *grave, event("late", room="c", severity=1)]).result(5)

    assert ids(outbox) == ["grave-0", "grave-1", "mild-0", "mild-1", "mild-2", "late"]
    assert ids(outbox, per_key=1) == ["grave-0", "mild-0", "late"]
    assert ids(outbox, limit=3) == ["grave-0", "grave-1", "mild-0"]


def test_commit_is_durable_before_the_future_resolves(outbox: Outbox, path: Path) -> None:
    outbox.put([event("e1")], snapshots={"open": b"{}"}).result(5)

    other = sqlite3.connect(path)
    try:
        assert other.execute("SELECT ce_id FROM alerts").fetchall() == [("e1",)]
        assert other.execute("SELECT name FROM snapshots ORDER BY name").fetchall() == [("open",), ("outbox-identity",)]
    finally:
        other.close()


def test_task_that_stops_waiting_neither_undoes_the_commit_nor_harms_the_next(outbox: Outbox) -> None:
    async def give_up_at_once(name: str) -> None:
        waiting = asyncio.ensure_future(asyncio.wrap_future(outbox.put([event(name)])))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    for n in range(20):
        asyncio.run(give_up_at_once(f"e{n}"))

    assert outbox.put([event("last")]).result(5) == 1
    assert set(ids(outbox)) == {*(f"e{n}" for n in range(20)), "last"}


def test_everything_is_there_after_reopening(path: Path) -> None:
    first = reopened(path)
    first.put([event("e1"), event("e2")], snapshots={"open": b"1"})
    first.save_snapshot("open", b"2")
    first.close()

    second = reopened(path)
    assert ids(second) == ["e1", "e2"]
    assert second.load_snapshot("open") == b"2"
    assert second.load_snapshot("none") is None
    second.close()


def test_killed_process_loses_nothing_that_was_acknowledged(path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from datetime import UTC, datetime
from inference.clock import SystemClock
from streams.cloudevents import CloudEvent
from streams.outbox import Outbox
box = Outbox(Path(sys.argv[1]), clock=SystemClock())
for n in range(50):
    event = CloudEvent(f"e{n}", "t", "/livewarden", datetime.now(UTC), "topic", f"r{n % 3}", "s", b"{}", 1)
    box.put([event], snapshots={"last": str(n).encode()}).result()
    print(n, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == -9

    box = reopened(path)
    assert sorted(ids(box)) == sorted(f"e{line}" for line in done.stdout.decode().split())
    assert box.load_snapshot("last") == b"49"
    box.close()


def test_second_worker_on_one_file_is_refused(outbox: Outbox, path: Path) -> None:
    with pytest.raises(ConfigError, match=r"in use by process \d+; give each worker a data folder of its own"):
        reopened(path)


def test_file_that_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").mkdir()

    with pytest.raises(ConfigError, match=r"cannot be opened: .*; check the folder's rights"):
        reopened(tmp_path / "outbox.db")


def test_many_threads_share_commits(outbox: Outbox) -> None:
    def put(thread: int) -> None:
        wait([outbox.put([event(f"{thread}-{n}", room=f"r{thread}")]) for n in range(100)])

    threads = [threading.Thread(target=put, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert outbox.backlog().n_pending == 800
    for n in range(8):
        own = [row.event.id for row in outbox.pending(1000, per_key=1000) if row.event.key == f"r{n}"]
        assert own == [f"{n}-{at}" for at in range(100)]


def test_listener_hears_of_committed_events_and_its_mistake_harms_nobody(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def broken(_: object) -> None:
        raise RuntimeError("listener's mistake")

    outbox.subscribe(broken)
    outbox.subscribe(lambda events: heard.extend(one.id for one in events))
    outbox.put([event("e1")]).result(5)
    outbox.put([event("e2")]).result(5)
    outbox.close()

    assert heard == ["e1", "e2"]
    assert "outbox listener failed" in caplog.text


def test_wrong_value_fails_its_own_caller_only(outbox: Outbox) -> None:
    good = [outbox.put([event(f"g{n}")]) for n in range(3)]
    bad = outbox.put([event("bad", severity=2**70)])
    more = outbox.put([event("g3")])

    with pytest.raises(OverflowError):
        bad.result(5)
    assert [future.result(5) for future in [*good, more]] == [1, 1, 1, 1]
    assert ids(outbox) == ["g0", "g1", "g2", "g3"]


def test_dead_row_leaves_with_its_letter(outbox: Outbox) -> None:
    outbox.put([event("e1"), event("e2")]).result(5)
    row = outbox.pending(1)[0]

    outbox.mark_dead(row, reason="too large", letter=event("letter", topic="livewarden.dead.v1")).result(5)

    dead = outbox.row("e1")
    assert dead is not None
    assert (dead.state, dead.reason) == (RowState.DEAD, "too large")
    assert sorted(ids(outbox)) == ["e2", "letter"]
    assert (outbox.backlog().n_dead, outbox.backlog().n_pending) == (1, 2)


def test_listener_hears_of_a_dead_letter_as_of_any_event(outbox: Outbox) -> None:
    heard: list[str] = []
    outbox.put([event("e1")]).result(5)
    outbox.subscribe(lambda events: heard.extend(one.id for one in events))

    outbox.mark_dead(outbox.pending(1)[0], reason="too large", letter=event("letter", topic="livewarden.dead.v1")).result(5)
    outbox.close()

    assert heard == ["letter"]


def test_what_waits_is_read_as_of_one_moment(outbox: Outbox) -> None:
    """A row and its letter change places in one commit: whoever reads meanwhile sees one of them, never none or both."""
    outbox.put([event("e0", room="r0")]).result(5)
    over = threading.Event()

    def bury_on_and_on() -> None:
        try:
            for n in range(1, 300):
                row = outbox.pending(10)[0]
                outbox.mark_dead(row, reason="on", letter=event(f"e{n}", room=f"r{n}")).result(5)
        finally:
            over.set()

    thread = threading.Thread(target=bury_on_and_on)
    thread.start()
    seen: set[int] = set()
    while not over.is_set():
        seen.add(len(outbox.pending(10)))
    thread.join(30)

    assert seen == {1}


def test_unanswered_rows_stay_and_are_counted(outbox: Outbox) -> None:
    outbox.put([event("e1")]).result(5)
    outbox.mark_unanswered(outbox.pending(1)).result(5)

    assert [row.attempts for row in outbox.pending(1)] == [1]


def test_since_reads_on_in_order_of_commit_whatever_the_state(outbox: Outbox) -> None:
    outbox.put([event(f"e{n}", room=str(9 - n)) for n in range(5)]).result(5)
    outbox.mark_sent(outbox.pending(2)).result(5)

    first = outbox.since(0, 3)
    assert [row.event.id for row in [*first, *outbox.since(first[-1].seq, 3)]] == ["e0", "e1", "e2", "e3", "e4"]


def test_sent_rows_are_purged_and_waiting_ones_never(outbox: Outbox) -> None:
    outbox.put([event("e1"), event("e2")]).result(5)
    outbox.mark_sent(outbox.pending(1)).result(5)

    assert outbox.purge(older_than_s=0.0).result(5) == 0
    assert outbox.purge(older_than_s=1e12).result(5) == 1
    assert ids(outbox) == ["e2"]
    assert outbox.row("e1") is None


def test_idle_outbox_purges_what_is_old(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "HOUSEKEEPING_S", 0.01)
    box = reopened(path, OutboxLimits(sent_retention_s=-10.0))
    box.put([event("e1")]).result(5)
    purged = threading.Event()
    keep_house = box._keep_house

    def kept() -> None:
        keep_house()
        if box.row("e1") is None:
            purged.set()

    monkeypatch.setattr(box, "_keep_house", kept)
    box.mark_sent(box.pending(1)).result(5)

    assert purged.wait(10)
    box.close()


def fill(box: Outbox) -> int:
    """Put rows until the file is full; returns how many were committed."""
    n = 0
    while box.trouble is None:
        wait([box.put([event(f"fill-{n}", size=30_000)])], timeout=0.2)
        n += 1
    return box.backlog().n_pending


def test_full_disk_holds_events_refuses_visibly_and_recovers(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limits = OutboxLimits(max_waiting_events=5, max_file_bytes=40 * 4096)
    box = reopened(path, limits)
    n_committed = fill(box)

    held = [box.put([event(f"held-{n}")]) for n in range(limits.max_waiting_events - box.n_waiting)]
    with pytest.raises(Overloaded, match=r"uncommitted alerts, .* full"):
        box.put([event("too many")])
    assert n_committed > 0
    assert "outbox cannot be written" in caplog.text

    box.mark_sent(box.pending(3)).result(20)
    assert [future.result(20) for future in held] == [1] * len(held)
    assert box.trouble is None
    assert {f"held-{n}" for n in range(len(held))} <= set(ids(box))
    box.close()


def test_closing_on_a_full_disk_tells_who_waits(path: Path) -> None:
    box = reopened(path, OutboxLimits(max_file_bytes=40 * 4096))
    fill(box)
    held = box.put([event("held", size=30_000)])

    box.close(deadline_s=0.0)

    with pytest.raises(NotReady, match="could not be written: database or disk is full"):
        held.result(5)
    with pytest.raises(NotReady, match="closing"):
        box.put([event("late")])


def test_bytes_that_wait_are_bounded(path: Path) -> None:
    box = reopened(path, OutboxLimits(max_waiting_bytes=100))

    with pytest.raises(Overloaded):
        box.put([event("large", size=500)])
    box.close()


@pytest.mark.parametrize("content", [b"this is no database" * 500, b"SQLite format 3\x00" + b"\xff" * 8192])
def test_damaged_file_is_moved_aside_and_a_fresh_one_works(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(content)

    box = reopened(path)

    assert box.damaged is not None
    assert box.damaged.read_bytes() == content
    assert box.put([event("e1")]).result(5) == 1
    assert "damaged" in caplog.text
    box.close()


def damage_inside(path: Path) -> None:
    """Overwrite every page but the first three."""
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 3 * 4096))


def test_waiting_events_are_brought_over_as_far_as_they_can_be_read(path: Path) -> None:
    box = reopened(path)
    box.put([event(f"e{n}", size=2000) for n in range(50)]).result(5)
    box.close()
    with path.open("r+b") as file:
        file.seek(-4096, 2)
        file.write(b"\xa5" * 4096)

    again = reopened(path)

    assert again.damaged is not None
    assert 0 < len(ids(again)) <= 50
    again.close()


def test_damage_while_running_is_survived(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    box = reopened(path)
    box.put([event(f"e{n}", size=2000) for n in range(200)]).result(5)
    box._file.read("PRAGMA wal_checkpoint(TRUNCATE)")
    damage_inside(path)

    futures = [box.put([event(f"after-{n}", room=f"q{n}", size=3000)]) for n in range(50)]

    assert all(future.result(20) == 1 for future in futures)
    assert box.damaged is not None
    assert {f"after-{n}" for n in range(50)} <= set(ids(box))
    box.close()
