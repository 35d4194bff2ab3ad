from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ChecksumMismatch, ManifestError, ModelNotFound, StoreError, UnknownLabel, WrongState
from models.ledger import State
from models.store import ModelStore, default_root
from tests.models.conftest import GRAPH, LICENCE_TEXT, NOTHING_SHIPPED, tiny_manifest, write_model

REPOSITORY = Path(__file__).resolve().parents[2]


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run code in a process of its own that can be killed."""
    command = [sys.executable, "-c", code, *(str(one) for one in arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def publish(store: ModelStore, tmp_path: Path, version: str = "1", *, state: State = State.LIVE, graph: bytes = GRAPH) -> str:
    return store.publish(write_model(tmp_path / f"own-{version}", tiny_manifest(version, graph=graph), graph=graph), state=state)


def test_a_users_own_model_goes_from_draft_to_live(store, tmp_path):
    ref = publish(store, tmp_path, state=State.DRAFT)

    assert ref == "tiny@1"
    assert store.show(ref).state is State.DRAFT
    store.mark_tested(ref, {"recall": 0.8})
    assert store.show(ref).state is State.TESTED
    assert store.metrics(ref) == {"recall": 0.8}
    store.approve(ref)
    store.promote(ref)
    live = store.live("tiny")
    assert live.state is State.LIVE
    assert live.onnx_path.read_bytes() == GRAPH
    assert (live.folder / "LICENSE").read_bytes() == LICENCE_TEXT


def test_steps_out_of_order_are_refused(store, tmp_path):
    ref = publish(store, tmp_path, state=State.DRAFT)

    with pytest.raises(WrongState, match="is a draft; evaluate it first, or approve it untested"):
        store.approve(ref)
    with pytest.raises(WrongState, match="is draft; approve it"):
        store.promote(ref)
    with pytest.raises(WrongState, match="no earlier live version"):
        store.rollback("tiny")
    store.approve(ref, untested=True)
    assert store.show(ref).state is State.APPROVED


def test_rollback_returns_to_the_version_that_was_live_before(store, tmp_path):
    for version in ("1", "2", "3"):
        publish(store, tmp_path, version)

    assert store.rollback("tiny") == "tiny@2"
    assert store.live("tiny").ref == "tiny@2"
    assert store.show("tiny@3").state is State.APPROVED
    assert store.rollback("tiny") == "tiny@1"
    with pytest.raises(WrongState):
        store.rollback("tiny")


def test_a_running_reader_sees_a_promotion_at_once(store, tmp_path):
    publish(store, tmp_path, "1")
    reader = ModelStore(store.root)
    assert reader.live("tiny").ref == "tiny@1"

    publish(store, tmp_path, "2")

    assert reader.live("tiny").ref == "tiny@2"


def test_publishing_the_same_again_changes_nothing(store, tmp_path):
    publish(store, tmp_path)
    before = store.live("tiny").onnx_path.stat()

    assert publish(store, tmp_path, state=State.DRAFT) == "tiny@1"

    assert store.live("tiny").onnx_path.stat().st_ino == before.st_ino


def test_a_version_never_changes(store, tmp_path):
    publish(store, tmp_path)

    with pytest.raises(StoreError, match="raise the version"):
        publish(store, tmp_path, graph=GRAPH + b"x")
    assert store.live("tiny").onnx_path.read_bytes() == GRAPH


def test_a_file_that_is_not_the_pinned_one_is_not_published(store, tmp_path):
    folder = write_model(tmp_path / "own", tiny_manifest(), graph=GRAPH + b"x")

    with pytest.raises(ChecksumMismatch, match=r"tiny@1: tiny\.onnx was changed: expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}"):
        store.publish(folder)
    assert store.list() == ()
    assert list((store.root / ".staging").iterdir()) == []


def test_a_missing_file_is_named(store, tmp_path):
    folder = write_model(tmp_path / "own", tiny_manifest())
    (folder / "LICENSE").unlink()

    with pytest.raises(StoreError, match="file 'LICENSE' is missing"):
        store.publish(folder)


def test_an_unknown_label_is_not_published(store, tmp_path):
    folder = write_model(tmp_path / "own", tiny_manifest())
    path = folder / "manifest.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("porn.nudity", "nude"), encoding="utf-8")

    with pytest.raises(UnknownLabel, match="unknown label 'nude'"):
        store.publish(folder)
    assert store.list() == ()


@pytest.mark.parametrize("file", ["tiny.onnx", "LICENSE"])
def test_a_flipped_bit_is_refused_at_load(store, tmp_path, file):
    publish(store, tmp_path)
    path = store.live("tiny").folder / file
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    seen = path.stat()
    path.write_bytes(data)
    # Even with its times set back.
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    with pytest.raises(ChecksumMismatch):
        store.live("tiny")
    with pytest.raises(ChecksumMismatch):
        store.path("tiny@1")
    with pytest.raises(ChecksumMismatch):
        ModelStore(store.root).promote("tiny@1")


def test_a_file_that_is_gone_is_refused_at_load(store, tmp_path):
    publish(store, tmp_path)
    store.live("tiny").onnx_path.unlink()

    with pytest.raises(StoreError, match=r"tiny\.onnx is gone"):
        store.live("tiny")


def test_unchanged_files_are_hashed_once_a_process(store, tmp_path, monkeypatch):
    publish(store, tmp_path)
    hashed: list[Path] = []
    monkeypatch.setattr("models.store.check_sha256", lambda path, *_args, **_kw: hashed.append(path))

    for _ in range(3):
        store.live("tiny")

    assert sorted(path.name for path in hashed) == ["LICENSE", "tiny.onnx"]


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("other", "no model 'other' in .*; known: tiny"),
        ("tiny@9", "no version '9' of tiny; known: 1, 2"),
        ("tiny", "no live version of tiny; name one of: tiny@1, tiny@2"),
        ("../etc@1", "not a model's name"),
        ("tiny@../..", "not a reference"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(store, tmp_path, ref, message):
    publish(store, tmp_path, "1", state=State.DRAFT)
    publish(store, tmp_path, "2", state=State.DRAFT)

    with pytest.raises(ModelNotFound, match=message):
        store.show(ref)


def test_an_empty_store_lists_nothing_and_creates_nothing(tmp_path):
    store = ModelStore(tmp_path / "nowhere", shipped=NOTHING_SHIPPED)

    assert store.list() == ()
    with pytest.raises(ModelNotFound, match="the store is empty"):
        store.live("tiny")
    assert not store.root.exists()


def test_a_damaged_ledger_is_refused_not_forgotten(store, tmp_path):
    publish(store, tmp_path)
    (store.root / "tiny" / "ledger.json").write_text("{", encoding="utf-8")

    with pytest.raises(StoreError, match="cannot read ledger"):
        store.live("tiny")


def test_a_removed_version_is_gone_and_no_longer_live(store, tmp_path):
    publish(store, tmp_path, "1")
    publish(store, tmp_path, "2")

    store.remove("tiny@2")

    assert [stored.ref for stored in store.list()] == ["tiny@1"]
    assert store.live_version("tiny") is None
    assert store.rollback("tiny") == "tiny@1"


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(store, tmp_path, monkeypatch):
    folder = write_model(tmp_path / "own", tiny_manifest())

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("models.staging.os.fsync", full)
        with pytest.raises(StoreError, match=r"disk full under .*; nothing was published"):
            store.publish(folder, state=State.LIVE)

    assert store.list() == ()
    assert list((store.root / ".staging").iterdir()) == []
    assert store.publish(folder, state=State.LIVE) == "tiny@1"


def test_a_store_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    folder = write_model(tmp_path / "own", tiny_manifest())

    with pytest.raises(StoreError, match="cannot write under"):
        ModelStore(tmp_path / "file" / "store").publish(folder)


KILLED = """
import sys
from pathlib import Path
import models.store as store

def stop(*_):
    print("there", flush=True)
    sys.stdin.read()

setattr(store, sys.argv[3], stop)
store.ModelStore(Path(sys.argv[1])).publish(Path(sys.argv[2]), state=store.State.LIVE)
"""


@pytest.mark.parametrize(("step", "left"), [("sync_folder", []), ("write_ledger", [("tiny@1", State.DRAFT)])])
def test_a_kill_in_mid_publish_leaves_nothing_half_done(store, tmp_path, step, left):
    folder = write_model(tmp_path / "own", tiny_manifest())
    command = [sys.executable, "-c", KILLED, str(store.root), str(folder), step]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        child.kill()

    assert [(stored.ref, stored.state) for stored in store.list()] == left
    assert store.live_version("tiny") is None
    assert store.publish(folder, state=State.LIVE) == "tiny@1"
    assert store.live("tiny").state is State.LIVE
    assert list((store.root / ".staging").iterdir()) == []


MANY = """
import sys
from pathlib import Path
from models.store import ModelStore, State
store = ModelStore(Path(sys.argv[1]))
sys.stdin.readline()
for folder in sys.argv[2:]:
    print(store.publish(Path(folder), state=State.LIVE))
"""


def test_processes_that_publish_at_once_all_succeed(store, tmp_path):
    folders = [str(write_model(tmp_path / f"v{n}", tiny_manifest(str(n)))) for n in range(1, 5)]
    command = [sys.executable, "-c", MANY, str(store.root), *folders]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, cwd=REPOSITORY, **pipes) for _ in range(3)]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()

    answers = [child.communicate(timeout=60) for child in children]

    assert [child.returncode for child in children] == [0, 0, 0], [answer[1] for answer in answers]
    assert {stored.ref for stored in store.list()} == {"tiny@1", "tiny@2", "tiny@3", "tiny@4"}
    assert [stored.ref for stored in store.list() if stored.state is State.LIVE] == ["tiny@4"]
    assert list((store.root / ".staging").iterdir()) == []


def test_the_default_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "livewarden" / "models"
    monkeypatch.setenv("LIVEWARDEN_MODELS_DIR", str(tmp_path / "own"))
    assert default_root() == tmp_path / "own"
    monkeypatch.delenv("LIVEWARDEN_MODELS_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == Path.home() / ".cache" / "livewarden" / "models"


def test_a_folder_without_manifest_is_refused(store, tmp_path):
    with pytest.raises(ManifestError, match="cannot read manifest"):
        store.publish(tmp_path)


def test_importing_the_store_brings_no_network_library():
    heavy = ("httpx", "pip", "ssl", "rich")
    child = start(f"import sys, models.store, models.zoo; print([name for name in {heavy} if name in sys.modules])")
    out, err = child.communicate(timeout=60)

    assert out == "[]\n", err
