from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.download import Downloader
from models.errors import ChecksumMismatch, LicenceNotAccepted, ManifestError, ModelNotFound, ModelUnreachable
from models.ledger import State
from models.store import ModelStore
from models.zoo import ACCEPTED_BY_DEFAULT, Zoo
from tests.conftest import require
from tests.models.conftest import GRAPH, LICENCE_TEXT, digest, other_artifact, tiny_manifest, tiny_zoo, write_model, write_wheel


def use_index(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip see one folder of wheels and no index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def test_a_pull_through_pip_makes_the_model_live_with_its_licence_text(store, wheel, monkeypatch):
    use_index(monkeypatch, wheel.parent)
    zoo = tiny_zoo(wheel)
    assert zoo.missing(store) == ["tiny"]

    assert zoo.pull("tiny", store) == "tiny@1"

    live = store.live("tiny")
    assert live.onnx_path.read_bytes() == GRAPH
    assert live.manifest == tiny_manifest()
    assert (live.folder / "LICENSE").read_bytes() == LICENCE_TEXT
    assert zoo.missing(store) == []
    assert wheel.is_file(), "a wheel that was only read is not moved away"


def test_a_pull_over_http_resumes_and_leaves_no_wheel_behind(store, wheel, loopback):
    loopback.data = wheel.read_bytes()
    loopback.break_after = [2000]
    told: list[tuple[int, int | None]] = []

    ref = tiny_zoo(wheel, url=loopback.url).pull("tiny", store, progress=lambda _file, done, total: told.append((done, total)))

    assert store.live("tiny").ref == ref
    assert loopback.ranges == [None, "bytes=2000-"]
    assert told[-1] == (len(loopback.data), len(loopback.data))
    assert [path.suffix for path in (store.root / ".downloads").iterdir()] == [".lock"]


def test_a_model_that_is_live_is_not_fetched_again(store, wheel, loopback):
    loopback.data = wheel.read_bytes()
    zoo = tiny_zoo(wheel, url=loopback.url)
    zoo.pull("tiny", store)

    zoo.pull("tiny", store)

    assert len(loopback.ranges) == 1


def test_a_licence_that_is_not_accepted_stops_before_any_fetch(store, wheel, loopback):
    zoo = tiny_zoo(wheel, spdx="AGPL-3.0-only", url=loopback.url)

    with pytest.raises(LicenceNotAccepted, match=r"tiny is under AGPL-3.0-only.*accept_licences"):
        zoo.pull("tiny", store)
    assert loopback.ranges == []
    assert not store.root.exists()

    loopback.data = wheel.read_bytes()
    assert zoo.pull("tiny", store, accept_licences={"AGPL-3.0-only"}) == "tiny@1"


def test_a_changed_wheel_is_refused_with_both_digests(store, wheel, loopback):
    zoo = tiny_zoo(wheel, url=loopback.url)
    loopback.data = write_wheel(wheel.parent / "changed", graph=GRAPH + b"x").read_bytes()

    with pytest.raises(ChecksumMismatch) as caught:
        zoo.pull("tiny", store)

    assert digest(wheel.read_bytes()) in str(caught.value)
    assert digest(loopback.data) in str(caught.value)
    assert zoo.missing(store) == ["tiny"]


def test_a_changed_member_is_refused_even_in_the_pinned_wheel(store, tmp_path):
    other = write_wheel(tmp_path / "other", graph=GRAPH + b"x")

    with pytest.raises(ChecksumMismatch, match=r"tiny@1: tiny.onnx was changed"):
        tiny_zoo(other).pull("tiny", store, mirror_dir=other.parent)
    assert store.list() == ()


def test_a_changed_wheel_of_the_index_is_refused(store, wheel, tmp_path, monkeypatch):
    zoo = tiny_zoo(wheel)
    use_index(monkeypatch, write_wheel(tmp_path / "changed", graph=GRAPH + b"x").parent)

    with pytest.raises(ChecksumMismatch, match="expected sha256"):
        zoo.pull("tiny", store)


def test_a_mirror_folder_with_the_wheel_needs_no_network(store, wheel, monkeypatch):
    monkeypatch.setenv("LIVEWARDEN_MODELS_MIRROR", str(wheel.parent))
    monkeypatch.setattr("models.zoo.find_wheel", None)

    assert tiny_zoo(wheel).pull("tiny", store) == "tiny@1"


def test_a_mirror_folder_with_the_bare_model_will_do(store, wheel, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "tiny.onnx").write_bytes(GRAPH)

    tiny_zoo(wheel).pull("tiny", store, mirror_dir=tmp_path / "bare")

    assert store.live("tiny").manifest.licence.file is None
    assert store.live("tiny").manifest.sha256 == digest(GRAPH)


def test_a_changed_bare_model_in_the_mirror_is_refused(store, wheel, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "tiny.onnx").write_bytes(GRAPH + b"x")

    with pytest.raises(ChecksumMismatch):
        tiny_zoo(wheel).pull("tiny", store, mirror_dir=tmp_path / "bare")


def test_a_mirror_without_the_file_says_what_to_put_there(store, wheel, tmp_path):
    with pytest.raises(ModelUnreachable, match=rf"holds neither {wheel.name} nor tiny.onnx; put one of them there"):
        tiny_zoo(wheel).pull("tiny", store, mirror_dir=tmp_path)


def test_without_a_network_the_message_names_what_is_missing_and_how_to_bring_it(store, wheel, tmp_path, monkeypatch):
    use_index(monkeypatch, tmp_path / "empty")

    with pytest.raises(ModelUnreachable) as caught:
        tiny_zoo(wheel).pull("tiny", store)

    message = str(caught.value)
    assert "tiny is missing and cannot be fetched" in message
    assert wheel.name in message
    assert "pip download --no-deps livewarden-tiny==1.0" in message
    assert "LIVEWARDEN_MODELS_MIRROR" in message
    assert "\n" not in message


def test_where_the_direct_fetch_fails_pip_downloads(store, wheel, loopback, monkeypatch):
    use_index(monkeypatch, wheel.parent)
    loopback.status = 401
    monkeypatch.setattr("models.zoo.find_wheel", lambda _requirement: type("Address", (), {"url": loopback.url}))

    assert tiny_zoo(wheel).pull("tiny", store) == "tiny@1"
    assert len(loopback.ranges) == 1


def test_pip_refuses_a_wheel_with_another_digest(store, wheel, tmp_path, loopback, monkeypatch):
    use_index(monkeypatch, write_wheel(tmp_path / "changed", graph=GRAPH + b"x").parent)
    loopback.status = 401
    monkeypatch.setattr("models.zoo.find_wheel", lambda _requirement: type("Address", (), {"url": loopback.url}))

    with pytest.raises(ModelUnreachable, match="tiny is missing"):
        tiny_zoo(wheel).pull("tiny", store)


def test_a_damaged_model_in_the_store_is_pulled_anew(store, wheel):
    zoo = tiny_zoo(wheel)
    zoo.pull("tiny", store, mirror_dir=wheel.parent)
    store.live("tiny").onnx_path.write_bytes(b"rot")

    zoo.pull("tiny", store, mirror_dir=wheel.parent)

    assert store.live("tiny").onnx_path.read_bytes() == GRAPH


def test_a_pull_takes_up_what_a_killed_one_left_as_a_draft(store, wheel, tmp_path):
    store.publish(write_model(tmp_path / "own", tiny_manifest()), state=State.DRAFT)

    assert tiny_zoo(wheel).pull("tiny", store, mirror_dir=tmp_path / "nothing") == "tiny@1"
    assert store.live("tiny").state is State.LIVE


def test_an_archive_that_lacks_the_member_is_refused(store, tmp_path, wheel):
    broken = tmp_path / "broken" / wheel.name
    broken.parent.mkdir()
    broken.write_bytes(b"no archive")

    with pytest.raises(ModelUnreachable, match="cannot take the model out"):
        tiny_zoo(broken).pull("tiny", store, mirror_dir=broken.parent)


def test_an_artifact_may_be_the_model_itself(store, wheel, tmp_path, loopback):
    from dataclasses import replace

    from models.download import Pin

    loopback.data = GRAPH
    zoo = other_artifact(tiny_zoo(wheel), package=None, url=loopback.url, pin=Pin("tiny.onnx", digest(GRAPH), len(GRAPH)))
    bare = Zoo({"tiny": replace(zoo["tiny"], members={})}, downloader=Downloader(backoff_s=0.0))

    assert bare.pull("tiny", store) == "tiny@1"
    assert store.live("tiny").onnx_path.read_bytes() == GRAPH


def test_an_unknown_entry_is_named_with_the_known(store):
    with pytest.raises(ModelNotFound, match="no model 'nope' in the zoo; known: nudenet-320n, ppocr-det"):
        Zoo.load().pull("nope", store)


def test_every_shipped_entry_is_pinned_and_names_no_host():
    for entry in Zoo.load():
        assert entry.artifact.package == entry.manifest.provenance.package
        assert entry.members[entry.manifest.file] == entry.manifest.provenance.member
        assert entry.licence.file in entry.members
    assert Zoo.load()["nudenet-320n"].licence.spdx == "AGPL-3.0-only"
    assert {entry.licence.spdx for entry in Zoo.load()} - {"AGPL-3.0-only"} <= ACCEPTED_BY_DEFAULT
    source = Path(__file__).resolve().parents[2] / "models"
    files = [path for path in source.rglob("*") if path.suffix in (".py", ".yaml")]
    assert len(files) > 10
    assert [path.name for path in files if "://" in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("artifact: silero-vad", "artifact: silero", "unknown artifact 'silero'"),
        ("      silero_vad.onnx:", "      other.onnx:", "members must be those of its manifest"),
        ("    package: silero-vad==6.2.3\n", "", "either a package or a url"),
        ("summary: Finds speech", "sumary: Finds speech", "summary is missing"),
    ],
)
def test_a_bad_zoo_file_is_refused(old, new, message):
    from models import zoo as module

    text = Path(module.__file__).with_name("zoo.yaml").read_text(encoding="utf-8")
    assert old in text

    with pytest.raises(ManifestError, match=message):
        list(module._read_entries(text.replace(old, new), lambda name: Zoo.load()[name].manifest))


PULL = """
import sys
from pathlib import Path
from models.store import ModelStore
from tests.models.conftest import tiny_zoo
sys.stdin.readline()
print(tiny_zoo(Path(sys.argv[1]), url=sys.argv[3]).pull("tiny", ModelStore(Path(sys.argv[2]))))
"""


def test_two_processes_that_pull_at_once_fetch_once(store, wheel, loopback):
    loopback.data = wheel.read_bytes()
    command = [sys.executable, "-c", PULL, str(wheel), str(store.root), loopback.url]
    root = Path(__file__).resolve().parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, cwd=root, **pipes) for _ in range(2)]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()

    answers = [child.communicate(timeout=60) for child in children]

    assert [answer[0] for answer in answers] == ["tiny@1\n", "tiny@1\n"], answers
    assert len(loopback.ranges) == 1


@pytest.mark.models
def test_a_real_model_comes_through_the_machines_own_index(tmp_path):
    store = ModelStore(tmp_path / "store")
    told: list[int] = []

    try:
        ref = Zoo.load().pull("silero-vad", store, progress=lambda _file, done, _total: told.append(done))
    except ModelUnreachable as exc:
        require(False, f"no package index gives silero-vad: {exc}")
        raise

    live = store.live("silero-vad")
    assert live.ref == ref
    assert live.manifest.sha256.startswith("1a153a22f4509e29")
    assert "MIT" in (live.folder / "LICENSE").read_text(encoding="utf-8")
