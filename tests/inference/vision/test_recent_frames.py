"""The last frames of each room."""

from __future__ import annotations

import numpy as np
import pytest

from inference.samples import Pixels
from inference.vision.recent_frames import Recent, RecentFrames


def frame(value: int, *, side: int = 4) -> Pixels:
    return np.full((side, side), value, np.uint8)


def values(recent: Recent) -> list[int]:
    return [int(one[0, 0]) for one in recent.frames]


@pytest.fixture
def recent() -> RecentFrames:
    return RecentFrames(n_frames=3, max_age_s=30.0, max_rooms=2)


def test_a_room_keeps_its_last_frames_oldest_first(recent: RecentFrames) -> None:
    for at in range(5):
        kept = recent.add("a", "s", float(at), frame(at))

    assert values(kept) == [2, 3, 4]
    assert kept.number == 4


def test_rooms_do_not_mix(recent: RecentFrames) -> None:
    recent.add("a", "s", 0.0, frame(1))

    assert values(recent.add("b", "s", 1.0, frame(2))) == [2]


def test_what_belongs_to_no_room_is_not_kept(recent: RecentFrames) -> None:
    recent.add("", "s", 0.0, frame(1))

    assert values(recent.add("", "s", 1.0, frame(2))) == [2]
    assert recent.n_bytes == 0


@pytest.mark.parametrize(
    ("session_id", "pts_s", "side"),
    [("other", 1.0, 4), ("s", 1.0, 8), ("s", -1.0, 4), ("s", 31.0, 4)],
    ids=["another session", "another size", "time goes back", "long after"],
)
def test_frames_that_show_another_scene_are_let_go(recent: RecentFrames, session_id: str, pts_s: float, side: int) -> None:
    recent.add("a", "s", 0.0, frame(1))

    kept = recent.add("a", session_id, pts_s, frame(2, side=side))

    assert values(kept) == [2]
    assert kept.number == 0


def test_the_room_not_seen_for_longest_is_forgotten(recent: RecentFrames) -> None:
    for room_id in ("a", "b", "a", "c"):
        recent.add(room_id, "s", 0.0, frame(1))

    assert recent.n_bytes == 3 * 16
    assert values(recent.add("b", "s", 1.0, frame(2))) == [2]


def test_a_forgotten_room_holds_nothing(recent: RecentFrames) -> None:
    recent.add("a", "s", 0.0, frame(1))

    recent.forget("a")
    recent.forget("never seen")

    assert recent.n_bytes == 0
