from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.vision.gallery_page import Looks
from inference.vision.ordinary import ENOUGH_NEW, EVERY_S, MAX_GROWN, SAVE_S, OrdinaryFrames

START = np.eye(4, dtype=np.float32)


def look(seed: int) -> Looks:
    return np.random.default_rng(seed).standard_normal(4).astype(np.float32)


def test_a_room_gives_at_most_one_look_in_a_minute_and_no_room_none() -> None:
    pool = OrdinaryFrames(START)
    assert pool.take("a", look(1), now_s=100.0)
    assert not pool.take("a", look(2), now_s=100.0 + EVERY_S - 1)
    assert pool.take("b", look(3), now_s=101.0)
    assert pool.take("a", look(4), now_s=100.0 + EVERY_S)
    assert not pool.take("", look(5), now_s=500.0)
    assert len(pool) == 7


def test_the_pool_is_bounded_and_what_was_shipped_stays() -> None:
    pool = OrdinaryFrames(START)
    for number in range(MAX_GROWN + 50):
        pool.take(f"room-{number}", look(number), now_s=0.0)
    looks = pool.looks()
    assert len(looks) == len(START) + MAX_GROWN
    np.testing.assert_array_equal(looks[: len(START)], START)


def test_it_is_worth_a_look_once_enough_came() -> None:
    pool = OrdinaryFrames(START)
    for number in range(ENOUGH_NEW):
        assert not pool.worth_a_look
        pool.take(f"room-{number}", look(number), now_s=0.0)
    assert pool.worth_a_look
    pool.looks()
    assert not pool.worth_a_look


def test_what_has_grown_survives_a_restart_and_is_written_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "pool" / "eye.npy"
    pool = OrdinaryFrames(START, path)
    pool.save(now_s=0.0)
    assert not path.exists()
    pool.take("a", look(1), now_s=0.0)
    pool.save(now_s=1.0)
    pool.take("b", look(2), now_s=2.0)
    pool.save(now_s=3.0)
    assert len(OrdinaryFrames(START, path)) == 5
    pool.save(now_s=1.0 + SAVE_S)
    assert len(OrdinaryFrames(START, path)) == 6


def test_a_damaged_file_or_one_of_another_eye_is_left_out(tmp_path: Path) -> None:
    damaged, other = tmp_path / "damaged.npy", tmp_path / "other.npy"
    damaged.write_bytes(b"\x93NUMPY no")
    np.save(other, np.zeros((3, 7), np.float16))
    assert len(OrdinaryFrames(START, damaged)) == len(START)
    assert len(OrdinaryFrames(START, other)) == len(START)


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    pool = OrdinaryFrames(START, blocked / "pool.npy")
    pool.take("a", look(1), now_s=0.0)
    pool.save(now_s=0.0)
    assert len(pool) == 5
