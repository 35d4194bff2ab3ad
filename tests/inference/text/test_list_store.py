"""Versions of lists on disk: whole or not at all, one of them live, whatever happens to the disk or the process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inference.errors import ConfigError, InvalidSample, NotFound
from inference.samples import Scene
from inference.text.check import TextChecker
from inference.text.lexicon import AllowList, Mode, Term, WordList
from inference.text.list_store import KEPT_VERSIONS, ListStore
from inference.text.stored_lists import Kind, Notes
from models.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
NOTES = Notes(datetime(2026, 11, 25, 12, tzinfo=UTC), "ops", "ads.csv", 0.0005)


@pytest.fixture
def store(tmp_path: Path) -> ListStore:
    return ListStore.under(tmp_path)


def words(*texts: str) -> WordList:
    return WordList("draft", 1, tuple(Term(text, "custom.word", 2) for text in texts))


def allow(*phrases: str) -> AllowList:
    return AllowList("draft", 1, phrases)


def read(path: Path) -> WordList:
    return WordList.read(path, TAXONOMY.__getitem__).require_clean(path)


def live_words(store: ListStore) -> list[str]:
    return [term.text for path in store.live_block_paths() for term in read(path).terms]


def test_a_store_without_a_folder_has_no_lists(store: ListStore):
    assert (store.live(), store.names(), store.newest(), store.stamp()) == ((), (), (), ())


def test_what_is_published_is_live_and_knows_its_version(store: ListStore):
    store.publish("ads", words("天狼星"), NOTES)
    stored = store.publish("ads", words("北极星", "南极星"), NOTES)

    (path,) = store.live_block_paths()
    assert path == store.root / "ads" / "2.csv" == stored.path
    assert read(path).ref == stored.ref == "ads@2"
    assert live_words(store) == ["北极星", "南极星"]


def test_a_whole_term_survives(store: ListStore):
    term = Term(
        "加+群 within 8",
        "ads.divert",
        3,
        frozenset({Scene.DANMAKU, Scene.NICKNAME}),
        Mode.COMBINATION,
        ("加", "群"),
        8,
        "ops",
        'say "no", always',
        datetime(2027, 1, 1, tzinfo=UTC),
    )

    stored = store.publish("ads", WordList("draft", 1, (term,)), NOTES)

    assert read(stored.path).terms == (term,)


def test_answers_name_the_list_by_its_name_and_version_in_the_store(store: ListStore):
    store.publish("ads", words("天狼星座谈"), NOTES)
    store.publish("ads", words("天狼星座谈", "北极星"), NOTES)
    checker = TextChecker.load(store.live_block_paths(), store.live_allow_paths(), base=False)

    (finding,) = checker.findings("天狼星座谈", Scene.DANMAKU)

    assert finding.match is not None
    assert finding.match.list == "ads@2"


def test_word_lists_and_allow_lists_are_told_apart(store: ListStore):
    store.publish("ours", allow("天狼星座"), NOTES)
    store.publish("ads", words("天狼星"), NOTES)

    assert [path.name for path in store.live_block_paths()] == ["1.csv"]
    assert [path.name for path in store.live_allow_paths()] == ["1.txt"]
    assert AllowList.read(store.live_allow_paths()[0]) == AllowList("ours", 1, ("天狼星座",))
    assert [(stored.name, stored.kind) for stored in store.live()] == [("ads", Kind.BLOCK), ("ours", Kind.ALLOW)]


def test_a_list_keeps_its_kind(store: ListStore):
    store.publish("ours", allow("天狼星座"), NOTES)

    with pytest.raises(InvalidSample, match="list 'ours' is of kind allow, not block; choose another name"):
        store.publish("ours", words("天狼星"), NOTES)
    assert store.live_block_paths() == ()


@pytest.mark.parametrize("name", ["", "Ads", "广告", "a/b", "..", "-ads", "a" * 41, "base", "contacts"])
def test_a_name_that_cannot_be_one_is_refused(store: ListStore, name: str):
    with pytest.raises(InvalidSample, match="list name"):
        store.publish(name, words("天狼星"), NOTES)
    assert not store.root.exists()


def test_an_empty_list_is_refused(store: ListStore):
    with pytest.raises(ConfigError, match="list 'ads' would be empty"):
        store.publish("ads", words(), NOTES)


def test_a_file_is_imported_or_refused_with_its_bad_lines(store: ListStore, tmp_path: Path):
    good, bad, phrases = tmp_path / "good.csv", tmp_path / "bad.csv", tmp_path / "ours.txt"
    good.write_text("term,label,level\n天狼星,custom.word,2\n", "utf-8")
    bad.write_text("term,label,level\n天狼星,no.such,2\n", "utf-8")
    phrases.write_text("天狼星座\n", "utf-8")

    store.import_list(good, "ads", TAXONOMY.__getitem__, notes=NOTES)
    with pytest.raises(ConfigError, match=r"line 2: .*no\.such"):
        store.import_list(bad, "ads", TAXONOMY.__getitem__, notes=NOTES)
    store.import_list(phrases, "ours", TAXONOMY.__getitem__, kind=Kind.ALLOW, notes=NOTES)

    assert [stored.ref for stored in store.live()] == ["ads@1", "ours@1"]


def test_notes_of_an_import_are_kept_with_the_number_of_lines(store: ListStore):
    stored = store.publish("ads", words("天狼星", "北极星"), NOTES)

    assert stored.notes() == Notes(NOTES.at, "ops", "ads.csv", 0.0005, 2)


def test_a_file_written_by_hand_counts_and_has_no_notes(store: ListStore):
    store.publish("ads", words("天狼星"), NOTES)
    (store.root / "ads" / "2.csv").write_text("term,label,level\n北极星,custom.word,2\n", "utf-8")

    stored = store.rollback("ads", 2)

    assert stored.notes() is None
    assert live_words(store) == ["北极星"]


def test_notes_that_are_none_do_not_keep_a_list_from_counting(store: ListStore):
    stored = store.publish("ads", words("天狼星"), NOTES)
    stored.path.write_text(stored.path.read_text("utf-8").replace("2026-11-25T12", "yesterday"), "utf-8")

    assert stored.notes() is None
    assert live_words(store) == ["天狼星"]


def test_a_version_that_is_gone_is_told(store: ListStore):
    stored = store.publish("ads", words("天狼星"), NOTES)
    stored.path.unlink()

    for read_it in (stored.notes, stored.text):
        with pytest.raises(ConfigError, match=r"cannot read ads@1: .*roll the list back to another version"):
            read_it()


def test_a_version_is_given_out_as_it_can_be_imported_again(store: ListStore, tmp_path: Path):
    stored = store.publish("ads", words("天狼星", "#北"), NOTES)
    path = tmp_path / "out.csv"
    path.write_text(stored.text(), "utf-8")

    assert read(path).terms == words("天狼星", "#北").terms
    assert read(path).ref == "out@1"


def test_rolling_back_and_forth_switches_what_is_live(store: ListStore):
    for text in ("天狼星", "北极星"):
        store.publish("ads", words(text), NOTES)

    store.rollback("ads", 1)
    after_back = live_words(store)
    store.rollback("ads", 2)

    assert after_back == ["天狼星"]
    assert live_words(store) == ["北极星"]
    assert store.publish("ads", words("南极星"), NOTES).version == 3


def test_a_removed_list_is_out_of_force_keeps_its_versions_and_can_come_back(store: ListStore):
    store.publish("ads", words("天狼星"), NOTES)

    removed = store.remove("ads")

    assert removed.ref == "ads@1"
    assert store.live() == ()
    assert [(stored.version, stored.is_live) for stored in store.newest()] == [(1, False)]
    assert store.publish("ads", words("北极星"), NOTES).version == 2  # a number is never given twice
    assert store.rollback("ads", 1).is_live


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (lambda store: store.versions("none"), "no list 'none'; known: ads"),
        (lambda store: store.rollback("none", 1), "no list 'none'; known: ads"),
        (lambda store: store.rollback("../ads", 1), "no list '../ads'"),
        (lambda store: store.remove("none"), "no list 'none'"),
        (lambda store: store.rollback("ads", 9), "list 'ads' has no version 9; known: 1"),
        (lambda store: store.find("ads", 9), "list 'ads' has no version 9; known: 1"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(store: ListStore, act, problem: str):
    store.publish("ads", words("天狼星"), NOTES)

    with pytest.raises(NotFound, match=problem):
        act(store)
    assert not (store.root / "none").exists()


def test_a_list_that_is_not_in_force_is_not_removed_twice(store: ListStore):
    store.publish("ads", words("天狼星"), NOTES)
    store.remove("ads")

    with pytest.raises(NotFound, match="list 'ads' is not in force; roll it back to one of 1"):
        store.remove("ads")


def test_old_versions_go_and_the_live_one_stays(store: ListStore):
    for number in range(KEPT_VERSIONS + 5):
        store.publish("ads", words(f"天狼星{number}"), NOTES)

    kept = [stored.version for stored in store.versions("ads")]
    assert kept == list(range(6, KEPT_VERSIONS + 6))
    assert live_words(store) == [f"天狼星{KEPT_VERSIONS + 4}"]


def test_a_stamp_changes_with_every_switch_and_only_then(store: ListStore):
    stamps = [store.stamp()]
    changes = (
        lambda: store.publish("ads", words("天狼星"), NOTES),
        lambda: store.publish("ads", words("天狼星"), NOTES),
        lambda: store.publish("ours", allow("天狼星座"), NOTES),
        lambda: store.rollback("ads", 1),
        lambda: store.remove("ads"),
    )
    for change in changes:
        change()
        stamps.append(store.stamp())
        assert store.stamp() == stamps[-1]

    assert len(set(stamps)) == len(stamps)


def test_a_pointer_to_nothing_is_told_and_a_rollback_mends_it(store: ListStore):
    store.publish("ads", words("天狼星"), NOTES)
    (store.root / "ads" / "live").write_text("7\n")

    with pytest.raises(ConfigError, match="list 'ads': version 7 is live and not there; roll back"):
        store.live()
    store.rollback("ads", 1)
    assert live_words(store) == ["天狼星"]


def test_a_pointer_that_is_no_number_is_told_and_a_rollback_mends_it(store: ListStore):
    store.publish("ads", words("天狼星"), NOTES)
    (store.root / "ads" / "live").write_bytes(b"\xff\n")

    with pytest.raises(ConfigError, match="not the number of a version; roll the list back to one"):
        store.live()
    store.rollback("ads", 1)
    assert live_words(store) == ["天狼星"]


@pytest.mark.parametrize("n_syncs", range(4))
def test_a_full_disk_leaves_one_whole_version_live_and_says_which(store: ListStore, monkeypatch, n_syncs: int):
    store.publish("ads", words("天狼星"), NOTES)
    before = {"ads": ["天狼星"]}
    calls = iter(range(100))

    def sync(descriptor: int) -> None:
        if next(calls) >= n_syncs:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", sync)

    with pytest.raises(ConfigError, match="No space left on device") as told:
        store.publish("ads", words("北极星"), NOTES)
    monkeypatch.undo()

    (live,) = store.live()
    assert f"list 'ads' stays live with version {live.version}" in str(told.value)
    assert live_words(store) == (before["ads"] if n_syncs < 3 else ["北极星"])
    assert list((store.root / "ads").glob(".*")) == []
    assert store.publish("ads", words("南极星"), NOTES).is_live


def test_a_folder_that_cannot_be_written_is_told_with_the_setting(tmp_path: Path):
    (tmp_path / "lexicons").write_text("a file where the folder should be")
    store = ListStore.under(tmp_path)

    with pytest.raises(ConfigError, match=r"cannot be written: .* set shared_dir"):
        store.publish("ads", words("天狼星"), NOTES)
    with pytest.raises(ConfigError, match="cannot read list store"):
        store.names()
    assert store.stamp() == ()


def test_many_writers_at_once_get_a_version_each(store: ListStore):
    def publish(number: int) -> int:
        return store.publish("ads", words(*(f"天狼星{number}号{n}" for n in range(50))), NOTES).version

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(publish, range(16)))

    assert sorted(versions) == list(range(1, 17))
    assert [len(read(stored.path).terms) for stored in store.versions("ads")] == [50] * 16
    assert store.find("ads").version == 16


DIES = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from inference.text.lexicon import Term, WordList
from inference.text.list_store import ListStore
from inference.text.stored_lists import Notes

calls, really, last = iter(range(100)), os.fsync, int(sys.argv[2])

def sync(descriptor):
    if next(calls) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    really(descriptor)

os.fsync = sync
new = WordList("draft", 1, (Term("北极星", "custom.word", 2),))
ListStore(Path(sys.argv[1])).publish("ads", new, Notes(datetime.now(UTC)))
"""


@pytest.mark.parametrize("n_syncs", range(4))
def test_a_writer_that_is_killed_leaves_one_whole_version_live_and_no_lock(store: ListStore, n_syncs: int):
    store.publish("ads", words("天狼星"), NOTES)

    run = subprocess.run([sys.executable, "-c", DIES, str(store.root), str(n_syncs)], timeout=60, check=False)

    assert run.returncode == -signal.SIGKILL
    assert live_words(store) == (["天狼星"] if n_syncs < 3 else ["北极星"])
    assert store.publish("ads", words("南极星"), NOTES).is_live
    assert list((store.root / "ads").glob(".*")) == []
