"""The store of what a tenant's staff taught a detector."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from inference import enrolment
from inference.enrolment import Enrolled, EnrolmentStore, Follower
from inference.errors import ConfigError, InvalidSample, NotFound


class Mark(msgspec.Struct, frozen=True):
    label: str


@pytest.fixture
def store(tmp_path: Path) -> EnrolmentStore[Mark]:
    return EnrolmentStore(tmp_path / "logos", Mark, "logo")


def test_a_store_that_nobody_taught_holds_nothing(store: EnrolmentStore[Mark]) -> None:
    assert store.live() == ()
    assert store.stamp() == (0, 0, 0)
    assert not store.root.exists()


def test_what_is_published_is_live_with_its_files(store: EnrolmentStore[Mark]) -> None:
    published = store.publish("platform-b", Mark("competitor.logo"), {"0.png": b"pixels"})

    (live,) = store.live()
    assert live == published
    assert (live.ref, live.entry.label) == ("platform-b@1", "competitor.logo")
    assert (live.folder / "0.png").read_bytes() == b"pixels"


def test_publishing_again_is_a_new_version_and_the_old_can_come_back(store: EnrolmentStore[Mark]) -> None:
    store.publish("b", Mark("one"), {})
    store.publish("b", Mark("two"), {})

    assert [(one.version, one.is_live) for one in store.versions("b")] == [(1, False), (2, True)]
    assert store.rollback("b", 1).entry == Mark("one")
    assert store.find("b").version == 1


def test_what_is_removed_is_not_live_and_can_come_back(store: EnrolmentStore[Mark]) -> None:
    store.publish("b", Mark("one"), {})

    store.remove("b")

    assert store.live() == ()
    with pytest.raises(NotFound, match="it was removed, roll it back to one of 1"):
        store.find("b")
    store.rollback("b", 1)
    assert store.find("b").is_live


def test_removing_what_is_not_there_names_what_is(store: EnrolmentStore[Mark]) -> None:
    store.publish("known", Mark("one"), {})

    with pytest.raises(NotFound, match="no logo 'unknown'; known: known"):
        store.remove("unknown")


@pytest.mark.parametrize("name", ["", "../up", "Upper", "a" * 41, ".hidden", "two words", "标志"])
def test_a_name_that_could_be_no_folder_is_refused(store: EnrolmentStore[Mark], name: str) -> None:
    with pytest.raises(InvalidSample, match="logo name"):
        store.publish(name, Mark("one"), {})
    assert not store.root.exists()


def test_every_change_shows_in_the_stamp_and_the_revision(store: EnrolmentStore[Mark]) -> None:
    seen = {store.stamp()}
    changes: list[Callable[[], Enrolled[Mark]]] = [
        lambda: store.publish("b", Mark("one"), {}),
        lambda: store.publish("b", Mark("two"), {}),
        lambda: store.rollback("b", 1),
        lambda: store.remove("b"),
    ]
    for change in changes:
        change()
        assert store.stamp() not in seen
        seen.add(store.stamp())
    assert store.revision() == 4


def test_old_versions_go_with_the_next_change(store: EnrolmentStore[Mark]) -> None:
    for index in range(enrolment.KEPT_VERSIONS + 2):
        store.publish("b", Mark(str(index)), {})

    versions = store.versions("b")

    assert [one.version for one in versions] == list(range(3, enrolment.KEPT_VERSIONS + 3))
    assert versions[-1].is_live


def test_names_removed_long_ago_leave_nothing_behind(store: EnrolmentStore[Mark], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "KEPT_REMOVED", 3)
    for index in range(8):
        store.publish(f"n{index}", Mark("x"), {"0.png": b"x"})
        store.remove(f"n{index}")

    assert sorted(one.name for one in store.root.iterdir() if not one.name.startswith(".") and one.is_dir()) == ["n5", "n6", "n7"]


def test_a_full_disk_leaves_what_was_live(store: EnrolmentStore[Mark], monkeypatch: pytest.MonkeyPatch) -> None:
    store.publish("b", Mark("one"), {})

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(enrolment, "sync_file", full)
    with pytest.raises(ConfigError, match=r"cannot be written: No space left on device; nothing was changed"):
        store.publish("b", Mark("two"), {})
    assert store.find("b").entry == Mark("one")
    assert list((store.root / ".staging").iterdir()) == []


def test_a_damaged_entry_is_named_with_the_fix(store: EnrolmentStore[Mark]) -> None:
    published = store.publish("b", Mark("one"), {})
    (published.folder / "entry.json").write_bytes(b"{")

    with pytest.raises(ConfigError, match=r"logo b@1: .* is damaged .*; enrol it again"):
        store.live()


def test_a_damaged_list_of_what_is_live_is_named_with_the_fix(store: EnrolmentStore[Mark]) -> None:
    store.publish("b", Mark("one"), {})
    (store.root / "live.json").write_bytes(b'{"revision": "x"}')

    with pytest.raises(ConfigError, match=r"live\.json is damaged .*; remove it"):
        store.live()


def _publish_many(root: Path, first: int) -> None:
    store = EnrolmentStore(root, Mark, "logo")
    for index in range(first, first + 20):
        store.publish(f"n{index}", Mark(str(index)), {"0.png": b"x"})


def test_processes_that_enrol_at_once_lose_nothing_of_each_other(store: EnrolmentStore[Mark]) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_publish_many, args=(store.root, first)) for first in (0, 20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(store.live()) == 40
    assert store.revision() == 40


def test_a_follower_teaches_at_first_and_when_something_changed(store: EnrolmentStore[Mark]) -> None:
    taught: list[tuple[Enrolled[Mark], ...]] = []
    follower = Follower(store, taught.append)

    assert follower.follow()
    assert not follower.follow()
    store.publish("b", Mark("one"), {})
    assert follower.follow()
    store.remove("b")
    assert follower.follow()

    assert [[one.name for one in entries] for entries in taught] == [[], ["b"], []]
