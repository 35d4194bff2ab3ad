from collections import Counter

import pytest

from streams.mailbox import Mailbox


def filled(rooms: list[str], *, every_s: float = 2.0, floor_s: float = 10.0) -> Mailbox[str]:
    box: Mailbox[str] = Mailbox("porn")
    for room in rooms:
        box.add_room(room, every_s=every_s, floor_s=floor_s, now_s=0.0)
    return box


def test_newer_sample_takes_the_place_of_the_waiting_one():
    box = filled(["a"])

    first = box.put("a", "old", expires_s=9)
    second = box.put("a", "new", expires_s=9)

    assert (first, second) == (False, True)
    assert [turn.sample for turn in box.take(5, now_s=1.0)] == ["new"]
    assert box.slot("a").n_superseded == 1


def test_room_below_its_floor_comes_before_a_risky_room():
    box = filled(["calm", "risky"])
    box.set_risk("risky", 50.0)
    box.put("risky", "r", expires_s=99)
    box.take(1, now_s=9.0)
    box.put("calm", "c", expires_s=99)
    box.put("risky", "r2", expires_s=99)

    assert [turn.room_id for turn in box.take(1, now_s=12.0)] == ["calm"]


def test_spare_capacity_goes_to_the_risky_room():
    box = filled(["calm", "risky"])
    for room in ("calm", "risky"):
        box.put(room, room, expires_s=99)
    box.take(2, now_s=0.0)
    box.set_risk("risky", 3.0)
    for room in ("calm", "risky"):
        box.put(room, room, expires_s=99)

    assert [turn.room_id for turn in box.take(1, now_s=2.0)] == ["risky"]


def test_rooms_of_equal_risk_share_evenly_at_twice_the_capacity():
    rooms = [f"room-{i}" for i in range(40)]
    box = filled(rooms)
    looks: Counter[str] = Counter()
    # 40 rooms bring a frame every 2 s; 10 turns a second are half of what they ask for.
    for step in range(600):
        now_s = step * 0.1
        for index in range(40):
            if step % 20 == index % 20:
                box.put(rooms[index], "frame", expires_s=now_s + 1.8)
        box.expire(now_s=now_s)
        looks.update(turn.room_id for turn in box.take(1, now_s=now_s))

    assert len(looks) == 40
    assert max(looks.values()) / min(looks.values()) <= 1.5


def test_expired_sample_is_dropped_and_counted_never_handed_out():
    box = filled(["a"])
    box.put("a", "stale", expires_s=1.8)

    assert box.expire(now_s=1.8) == ["stale"]
    assert box.take(1, now_s=1.8) == []
    assert box.slot("a").n_expired == 1


def test_cadence_is_kept_and_divided_by_risk():
    box = filled(["a"], every_s=4.0)
    assert box.due("a", now_s=0.0)
    box.put("a", "x", expires_s=9)
    box.take(1, now_s=0.0)

    assert not box.due("a", now_s=3.0)
    assert box.due("a", now_s=3.4)
    box.set_risk("a", 2.0)
    assert box.due("a", now_s=1.7)


def test_static_picture_counts_as_looked_at():
    box = filled(["a"])
    box.touch("a", now_s=5.0)
    assert not box.due("a", now_s=6.0)
    assert box.slot("a").last_taken_s == 5.0


def test_frames_of_a_room_that_ended_are_ignored():
    box = filled(["a"])
    box.put("a", "x", expires_s=9)
    box.remove_room("a")

    assert box.take(1, now_s=1.0) == []
    assert box.put("a", "late", expires_s=9) is False
    assert not box.due("a", now_s=1.0)
    assert box.slot("a") is None
    box.touch("a", now_s=1.0)
    box.set_risk("a", 2.0)
    assert len(box) == 0


def test_adding_again_changes_the_cadence_and_keeps_the_counts():
    box = filled(["a"])
    box.put("a", "x", expires_s=9)
    box.take(1, now_s=1.0)
    box.add_room("a", every_s=6.0, floor_s=15.0, now_s=2.0)

    slot = box.slot("a")
    assert (slot.every_s, slot.floor_s, slot.n_taken) == (6.0, 15.0, 1)


@pytest.mark.parametrize(("every_s", "floor_s"), [(0.0, 1.0), (-1.0, 1.0), (5.0, 2.0)])
def test_impossible_cadence_is_refused_with_its_numbers(every_s, floor_s):
    with pytest.raises(ValueError, match=f"every_s={every_s}, floor_s={floor_s}"):
        Mailbox("porn").add_room("a", every_s=every_s, floor_s=floor_s, now_s=0.0)


def test_room_that_is_being_looked_at_keeps_its_sample_for_later():
    box = filled(["a", "b"])
    box.put("a", "x", expires_s=9)
    box.put("b", "y", expires_s=9)

    assert [turn.room_id for turn in box.take(5, now_s=1.0, busy={"a"})] == ["b"]
    assert [turn.sample for turn in box.take(5, now_s=2.0)] == ["x"]


def test_cadence_counts_from_sample_to_sample_and_a_wait_for_a_turn_costs_nothing() -> None:
    box: Mailbox[str] = Mailbox("porn")
    box.add_room("a", every_s=2.0, floor_s=10.0, now_s=0.0)
    box.put("a", "first", expires_s=9.0, now_s=10.0)
    box.take(1, now_s=10.9)
    assert not box.due("a", now_s=11.6)
    assert box.due("a", now_s=12.0)


def test_heads_of_two_mailboxes_compare_by_need():
    starving, fed = filled(["a"], every_s=2.0, floor_s=10.0), filled(["a"], every_s=4.0, floor_s=12.0)
    assert fed.head(now_s=1.0) is None
    for box in (starving, fed):
        box.put("a", "x", expires_s=99, now_s=1.0)

    assert starving.head(now_s=3.0) > fed.head(now_s=3.0)
    assert starving.head(now_s=3.0, busy={"a"}) is None
