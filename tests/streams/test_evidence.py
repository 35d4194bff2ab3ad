"""Evidence: whole files under harmless names, read back by address, thrown away by age and size, never in an alert's way."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np
import pytest

from inference.errors import ConfigError, NotFound
from inference.samples import AudioClip, FrameSample, RgbPicture
from inference.verdicts import Box
from streams.evidence import EvidenceStore, EvidenceUnavailable, missing_note, render_boxes, slug
from streams.shelves import FolderShelf, RemoteShelf, Shelf, Swept, shelf_at
from streams.strips import RecentFrame, RecentFrames, encode_strip

NOW = datetime(2026, 11, 24, 8, 0, 0, 123000, tzinfo=UTC)


def picture(level: int = 90, *, width: int = 160, height: int = 90) -> RgbPicture:
    pixels = np.full((height, width, 3), level, dtype=np.uint8)
    pixels[:, : width // 2, 0] = 200
    return RgbPicture(pixels)


def sample(room_id: str = "9999", *, pts_s: float = 12.0, level: int = 90) -> FrameSample:
    return FrameSample(room_id, "s1", pts_s, NOW, 1.0, picture(level))


def clip(room_id: str = "9999") -> AudioClip:
    pcm = np.sin(np.arange(16_000, dtype=np.float32) / 10).astype(np.float32) * 0.5
    return AudioClip(room_id, "s1", 10.0, NOW, 1.0, pcm)


def path_of(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


class BrokenShelf:
    """Fails the first `n_failures` writes with the given errno, then works."""

    def __init__(self, shelf: Shelf, *, n_failures: int, code: int = errno.EIO) -> None:
        self.shelf, self.n_failures, self.code = shelf, n_failures, code
        self.sweeps: list[int] = []

    def put(self, name: str, content: bytes) -> str:
        if self.n_failures:
            self.n_failures -= 1
            raise OSError(self.code, os.strerror(self.code))
        return self.shelf.put(name, content)

    def get(self, uri: str) -> bytes:
        return self.shelf.get(uri)

    def sweep(self, *, older_than: datetime, max_bytes: int) -> Swept:
        self.sweeps.append(max_bytes)
        return self.shelf.sweep(older_than=older_than, max_bytes=max_bytes)


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(FolderShelf(tmp_path / "evidence"))


def test_still_is_the_clean_frame_with_its_hash_and_size(store: EvidenceStore) -> None:
    still = store.write_still(sample(), boxes=(Box(0.1, 0.1, 0.5, 0.5),), text="加微信", qr="https://x")

    content = store.read(still.uri)
    decoded = cv2.cvtColor(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert hashlib.sha256(content).hexdigest() == still.sha256
    assert (still.width, still.height, still.pts_s, still.captured_at) == (160, 90, 12.0, NOW)
    assert np.abs(decoded.astype(int) - picture().pixels.astype(int)).mean() < 3
    assert (still.text, still.qr, len(still.boxes)) == ("加微信", "https://x", 1)


def test_same_sample_has_the_same_address(store: EvidenceStore, tmp_path: Path) -> None:
    first, again = store.write_still(sample()), store.write_still(sample())

    assert first == again
    assert len(list((tmp_path / "evidence").rglob("*.jpg"))) == 1


def test_pictures_without_a_room_do_not_share_an_address(store: EvidenceStore) -> None:
    assert store.write_still(sample("", pts_s=0.0)).uri != store.write_still(sample("", pts_s=0.0, level=10)).uri


@pytest.mark.parametrize("room_id", ["../../etc/passwd", "/abs", "a/b\x00c", "..", "", "直播间", "x" * 5000, "%2e%2e/", "\ud800"])
def test_hostile_room_ids_stay_inside_the_folder(store: EvidenceStore, tmp_path: Path, room_id: str) -> None:
    still = store.write_still(sample(room_id))

    assert path_of(still.uri).resolve().is_relative_to(tmp_path / "evidence")
    assert store.read(still.uri)


def test_different_rooms_never_share_a_slug() -> None:
    names = ["9999", "99/99", "99\\99", "a", "A", "á", ""]

    assert len({slug(name).lower() for name in names}) == len(names)


def test_clip_is_16_bit_mono_wav(store: EvidenceStore) -> None:
    stored = store.write_audio(clip(), transcript="加微信", spans=[(0, 3)])

    with wave.open(io.BytesIO(store.read(stored.uri))) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (1, 16_000, 2)
    assert np.abs(pcm - clip().pcm).max() < 1e-4
    assert (stored.start_s, stored.end_s, stored.transcript, stored.spans) == (10.0, 11.0, "加微信", ((0, 3),))


def test_strip_plays_the_frames_at_their_pace(store: EvidenceStore) -> None:
    recent = RecentFrames(frames_per_room=8, max_bytes=1 << 20)
    for n in range(4):
        recent.add(sample(pts_s=10.0 + n * 0.5, level=40 * n))

    strip = store.write_strip(sample(pts_s=11.5), recent.around("9999", "s1", start_s=10.5, end_s=20.0))

    ok, animation = cv2.imdecodeanimation(np.frombuffer(store.read(strip.uri), np.uint8))
    assert ok
    assert (strip.n_frames, strip.start_s, strip.end_s, len(animation.frames)) == (3, 10.5, 11.5, 3)
    assert list(animation.durations)[:2] == [500, 500]


def test_strip_survives_a_change_of_resolution() -> None:
    recent = RecentFrames(frames_per_room=8, max_bytes=1 << 20)
    recent.add(FrameSample("r", "s1", 0.0, NOW, 0.0, picture()))
    recent.add(FrameSample("r", "s1", 1.0, NOW, 0.0, picture(width=90, height=160)))

    assert encode_strip(recent.around("r", "s1", start_s=0.0, end_s=9.0))


def test_strip_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        encode_strip(())


def test_recent_frames_keep_the_newest_of_a_room() -> None:
    recent = RecentFrames(frames_per_room=3, max_bytes=1 << 20)
    for n in range(10):
        recent.add(sample(pts_s=float(n)))

    kept = recent.around("9999", "s1", start_s=0.0, end_s=99.0)

    assert [frame.pts_s for frame in kept] == [7.0, 8.0, 9.0]
    assert recent.n_bytes == sum(len(frame.jpeg) for frame in kept)


def test_recent_frames_of_all_rooms_stay_within_their_bytes() -> None:
    one = RecentFrames(frames_per_room=9, max_bytes=1 << 20)
    one.add(sample())
    recent = RecentFrames(frames_per_room=9, max_bytes=one.n_bytes * 3)
    for n in range(20):
        recent.add(sample(f"room-{n}"))

    assert recent.n_bytes <= one.n_bytes * 3
    assert recent.around("room-19", "s1", start_s=0.0, end_s=99.0)
    assert recent.around("room-0", "s1", start_s=0.0, end_s=99.0) == ()


def test_forgotten_room_holds_no_bytes() -> None:
    recent = RecentFrames(frames_per_room=9, max_bytes=1 << 20)
    recent.add(sample())

    recent.forget("9999")

    assert recent.n_bytes == 0


def test_frames_of_another_session_are_not_shown() -> None:
    recent = RecentFrames(frames_per_room=9, max_bytes=1 << 20)
    recent.add(sample())

    assert recent.around("9999", "s2", start_s=0.0, end_s=99.0) == ()
    assert repr(RecentFrame("s1", 1.0, b"123")) == "RecentFrame(s1 @ 1.00s, 3 bytes)"


def test_passing_trouble_is_tried_again(tmp_path: Path) -> None:
    pauses: list[float] = []
    store = EvidenceStore(BrokenShelf(FolderShelf(tmp_path), n_failures=2), pause=pauses.append)

    assert store.read(store.write_still(sample()).uri)
    assert pauses == [0.2, 1.0]


def test_lasting_trouble_is_one_clear_error(tmp_path: Path) -> None:
    store = EvidenceStore(BrokenShelf(FolderShelf(tmp_path), n_failures=99), pause=lambda _: None)

    with pytest.raises(EvidenceUnavailable, match="evidence could not be stored: Input/output error") as caught:
        store.write_still(sample())
    assert missing_note(caught.value) == "missing: evidence could not be stored: Input/output error"


def test_full_disk_makes_room_for_the_newest(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    for n in range(20):
        uri = shelf.put(f"old/{n:02d}.jpg", bytes(1000))
        os.utime(path_of(uri), (n, n))
    broken = BrokenShelf(shelf, n_failures=1, code=errno.ENOSPC)

    EvidenceStore(broken, pause=lambda _: None).write_still(sample())

    assert broken.sweeps[-1] == 18_000
    assert not (tmp_path / "old/00.jpg").exists()
    assert (tmp_path / "old/02.jpg").exists()


def test_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        FolderShelf(tmp_path).put("day/one.jpg", b"1")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_sweep_removes_by_age_then_by_size(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    for n in range(10):
        uri = shelf.put(f"{n}/file.jpg", bytes(100))
        moment = (NOW - timedelta(days=10 - n)).timestamp()
        os.utime(path_of(uri), (moment, moment))

    by_age = EvidenceStore(shelf).sweep(older_than=NOW - timedelta(days=7, hours=12), max_bytes=10_000)
    by_size = EvidenceStore(shelf).sweep(older_than=NOW - timedelta(days=30), max_bytes=450)

    assert by_age == Swept(n_removed=3, bytes_removed=300, bytes_kept=700)
    assert by_size == Swept(n_removed=3, bytes_removed=300, bytes_kept=400)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["6", "7", "8", "9"]


@pytest.mark.parametrize(
    "make", ["{root}/../outside.txt", "file://{root}/../outside.txt", "https://example.com/x", "file:///etc/hostname"]
)
def test_address_outside_the_store_does_not_exist(tmp_path: Path, make: str) -> None:
    (tmp_path / "outside.txt").write_text("secret")
    shelf = FolderShelf(tmp_path / "evidence")

    with pytest.raises(NotFound, match="no evidence at"):
        shelf.get(make.format(root=tmp_path / "evidence"))


def test_missing_file_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No such file"):
        FolderShelf(tmp_path).get((tmp_path / "gone.jpg").as_uri())


def test_object_store_takes_the_same_files() -> None:
    store = EvidenceStore(shelf_at("memory://evidence/prefix"))

    still = store.write_still(sample())

    assert still.uri.startswith("memory://evidence/prefix/2026-11-24/9999-")
    assert hashlib.sha256(store.read(still.uri)).hexdigest() == still.sha256
    with pytest.raises(NotFound):
        store.read("memory://other/file.jpg")
    with pytest.raises(NotFound):
        store.read("memory://evidence/prefix/gone.jpg")
    assert store.sweep(older_than=NOW, max_bytes=0) == Swept(0, 0, 0)


def test_address_with_credentials_is_refused() -> None:
    with pytest.raises(ConfigError, match="must not hold credentials") as caught:
        RemoteShelf("s3://key:secret@bucket/prefix")
    assert "secret" not in str(caught.value)


def test_unknown_kind_of_address_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"evidence\.uri 'nosuch://x' cannot be used"):
        shelf_at("nosuch://x")


def test_folder_may_be_written_as_file_address(tmp_path: Path) -> None:
    shelf = shelf_at((tmp_path / "a b").as_uri())

    assert isinstance(shelf, FolderShelf)
    assert shelf.root == tmp_path / "a b"


def test_boxes_are_drawn_for_the_eye_only(store: EvidenceStore) -> None:
    clean = store.read(store.write_still(sample()).uri)

    drawn = render_boxes(clean, [Box(0.5, 0.5, 0.25, 0.25, 0.9, "logo"), Box(0.0, 0.0, 0.1, 0.1, 0.5, "竞品")])

    before = cv2.imdecode(np.frombuffer(clean, np.uint8), cv2.IMREAD_COLOR)
    after = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR)
    assert before.shape == after.shape
    assert np.abs(after[45, 90].astype(int) - before[45, 90].astype(int)).max() > 60
    assert np.abs(after[85, 150].astype(int) - before[85, 150].astype(int)).max() < 10


def test_what_is_not_a_picture_is_not_drawn_on() -> None:
    with pytest.raises(NotFound, match="not a picture"):
        render_boxes(b"nothing", [])
